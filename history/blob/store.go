package blob

import (
	"context"
	"io"
	"os"
)

// Options of a Store. The zero value works.
type Options struct {
	// Inline is the size in bytes up to which content stays in memory, for the
	// caller to keep in the database. Default 16 KiB; negative: never.
	Inline int64
	// Sync is called for every file and directory to be made durable;
	// nil means File.Sync. Tests and the durability setting replace it.
	Sync func(*os.File) error
}

// Store is a directory of blobs. Its methods may be called concurrently.
type Store struct{}

// Upload is content that was received whole. Exactly one of Data and Locator is
// set once Keep has returned; Discard may be called at any time before the row
// that names Locator is committed, and more than once.
type Upload struct {
	Info
	Data    []byte  // inline content; nil when in a file (empty, not nil, for empty content)
	Locator Locator // set by Keep
}

// Open makes the directories below dir and removes what uploads of a dead
// process left in its tmp. The caller holds the store's lock.
func Open(dir string, opts Options) (*Store, error) { panic("todo") }

// Receive reads body to its end and hashes it. ErrShort, ErrDigest,
// ErrTooLarge, ctx's error or the reader's own error leave nothing behind.
func (s *Store) Receive(ctx context.Context, body io.Reader, want Expect) (*Upload, error) {
	panic("todo")
}

// Keep makes a spooled upload durable under its locator. Inline content needs
// nothing.
func (s *Store) Keep(u *Upload) error { panic("todo") }

// Discard removes what u has on disk.
func (s *Store) Discard(u *Upload) { panic("todo") }

// Open opens the file at l. The caller closes it.
func (s *Store) Open(l Locator) (*os.File, error) { panic("todo") }

// Remove deletes the file at l; a missing file is no error.
func (s *Store) Remove(l Locator) error { panic("todo") }
