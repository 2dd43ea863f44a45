package blob

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
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
	// Mends is a file that should have this very content and has not; the row
	// that names it is to name Locator.
	Mends Locator

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

// Differs tells whether the file at old, which should have the content of u, has
// not. A file that cannot be read to its end may still have it.
func (s *Store) Differs(u *Upload, old Locator) bool {
	was, err := s.Open(old)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer was.Close()
	is, err := s.Open(u.Locator)
	if err != nil {
		return false
	}
	defer is.Close()
	same, err := equal(was, is)
	return err == nil && !same
}

// equal compares two readers to their ends.
func equal(a, b io.Reader) (bool, error) {
	const size = 128 << 10
	left, right := make([]byte, size), make([]byte, size)
	for {
		n, errA := io.ReadFull(a, left)
		m, errB := io.ReadFull(b, right)
		for _, err := range []error{errA, errB} {
			if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
				return false, err
			}
		}
		if !bytes.Equal(left[:n], right[:m]) {
			return false, nil
		}
		if n < size {
			return true, nil
		}
	}
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
