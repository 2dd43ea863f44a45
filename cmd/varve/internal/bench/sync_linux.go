package bench

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// dataSync syncs a file's content, as a database does.
func dataSync(f *os.File) error { return unix.Fdatasync(int(f.Fd())) }

// writeBack has the file system of dir write what it still holds in memory.
func writeBack(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(f.Fd())), f.Close())
}
