package blob

import (
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
)

// Upload is content that was received whole. Exactly one of Data and Locator is
// set once Keep has returned; Discard may be called at any time before the row
// that names Locator is committed, and more than once.
type Upload struct {
	Info
	Data    []byte  // inline content; nil when in a file (empty, not nil, for empty content)
	Locator Locator // set by Keep

	file      *os.File // the temporary file until Keep
	committed bool
}

// Keep makes a spooled upload durable under its locator. Inline content needs
// nothing. When it fails u is to be discarded: a failed sync must not be tried
// again, because the kernel may have dropped what it could not write.
func (s *Store) Keep(u *Upload) error {
	if u.file == nil {
		return nil
	}
	if err := u.file.Chmod(0o440); err != nil {
		return err
	}
	if err := s.sync(u.file); err != nil {
		return err
	}
	l, err := newLocator(u.Ref)
	if err != nil {
		return err
	}
	path, err := s.path(l)
	if err != nil {
		return err
	}
	if err := os.Rename(u.file.Name(), path); err != nil {
		return err
	}
	err = u.file.Close()
	u.file, u.Locator = nil, l
	if err != nil {
		return err
	}
	return s.syncDir(filepath.Dir(path))
}

// newLocator is unique to one upload.
func newLocator(r Ref) (Locator, error) {
	var gen [8]byte
	if _, err := rand.Read(gen[:]); err != nil {
		return "", err
	}
	return Locator(r.String() + "." + hex.EncodeToString(gen[:])), nil
}

// Discard removes what u has on disk. What cannot be removed is left to the
// next Open or sweep.
func (s *Store) Discard(u *Upload) {
	if u == nil || u.committed {
		return
	}
	if u.file != nil {
		u.file.Close()
		os.Remove(u.file.Name())
		u.file = nil
	}
	if u.Locator != "" {
		s.Remove(u.Locator)
		u.Locator = ""
	}
}

// Commit tells u that the row naming it is committed, after which Discard does
// nothing.
func (u *Upload) Commit() { u.committed = true }
