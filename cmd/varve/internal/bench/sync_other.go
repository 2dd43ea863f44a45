//go:build !linux

package bench

import (
	"os"

	"golang.org/x/sys/unix"
)

// dataSync syncs a file's content, as a database does.
func dataSync(f *os.File) error { return f.Sync() }

// writeBack has all file systems write what they still hold in memory.
func writeBack(string) error {
	unix.Sync()
	return nil
}
