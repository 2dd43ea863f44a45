package blob

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// SyncDir makes the names in dir durable. Sync is as in Options.
func SyncDir(dir string, sync func(*os.File) error) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	if sync == nil {
		sync = (*os.File).Sync
	}
	return errors.Join(sync(d), d.Close())
}

// MakeDir makes dir and the directories above it, for their owner alone, unless
// they are there. What it makes is durable, name by name, once it returns.
func MakeDir(dir string, sync func(*os.File) error) error {
	dir = filepath.Clean(dir)
	above := filepath.Dir(dir)
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrNotExist) && above != dir {
		if err := MakeDir(above, sync); err != nil {
			return err
		}
		err = os.Mkdir(dir, 0o700)
	}
	if errors.Is(err, fs.ErrExist) {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			err = &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
		}
		return err
	}
	if err != nil {
		return err
	}
	return SyncDir(above, sync)
}
