package blob

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// defaultInline is Options.Inline if that is zero.
const defaultInline = 16 << 10

// Options of a Store. The zero value works.
type Options struct {
	// Inline is the size in bytes up to which content stays in memory, for the
	// caller to keep in the database. Default 16 KiB; negative: never.
	Inline int64
	// Sync is called for every file and directory to be made durable;
	// nil means File.Sync. Tests replace it; without syncs a row that survives
	// power loss could name a file that does not.
	Sync func(*os.File) error
}

// Store is a directory of blobs. Its methods may be called concurrently.
type Store struct {
	dir     string
	inline  int64
	sync    func(*os.File) error
	buffers sync.Pool // of *[]byte, what one Receive reads into
}

// Open makes the directories below dir and removes what uploads of a dead
// process left in its tmp. The caller holds the store's lock.
func Open(dir string, opts Options) (*Store, error) {
	s := OpenForReading(dir, opts)
	if err := s.makeDirs(); err != nil {
		return nil, err
	}
	left, err := os.ReadDir(s.tmp())
	if err != nil {
		return nil, err
	}
	for _, e := range left {
		if err := os.Remove(filepath.Join(s.tmp(), e.Name())); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// OpenForReading is Open for a store that another process may be writing: it
// changes nothing, and only Open, Walk and Spooled may be called.
func OpenForReading(dir string, opts Options) *Store {
	s := &Store{dir: dir, inline: opts.Inline, sync: opts.Sync}
	if s.inline == 0 {
		s.inline = defaultInline
	}
	if s.sync == nil {
		s.sync = (*os.File).Sync
	}
	size := max(64<<10, s.inline+1)
	s.buffers.New = func() any { b := make([]byte, size); return &b }
	return s
}

// makeDirs makes all directories at once, so that no upload has to make (and
// sync) one on its way.
func (s *Store) makeDirs() error {
	dirs := []string{s.dir, s.tmp(), s.aside()}
	for i := range 256 {
		dirs = append(dirs, filepath.Join(s.dir, fmt.Sprintf("%02x", i)))
	}
	made := false
	for _, d := range dirs {
		err := os.Mkdir(d, 0o700)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		made = made || err == nil
	}
	if !made {
		return nil
	}
	if err := s.syncDir(s.dir); err != nil {
		return err
	}
	return s.syncDir(filepath.Dir(s.dir))
}

func (s *Store) tmp() string { return filepath.Join(s.dir, "tmp") }

// aside is where damaged files go: out of use, but kept for whoever can mend them.
func (s *Store) aside() string { return filepath.Join(s.dir, "damaged") }

// SetAside takes the damaged file at l out of use.
func (s *Store) SetAside(l Locator) error {
	path, err := s.path(l)
	if err != nil {
		return err
	}
	if err := os.Rename(path, filepath.Join(s.aside(), string(l))); err != nil {
		return err
	}
	return errors.Join(s.syncDir(s.aside()), s.syncDir(filepath.Dir(path)))
}

// Aside lists the files that were set aside.
func (s *Store) Aside() (list []Locator, err error) {
	entries, err := os.ReadDir(s.aside())
	for _, e := range entries {
		list = append(list, Locator(e.Name()))
	}
	return list, err
}

// TakeBack is the inverse of SetAside if the file set aside has the content its
// locator says; else, or if it cannot be read, it does nothing.
func (s *Store) TakeBack(l Locator) error {
	path, err := s.path(l)
	if err != nil {
		return err
	}
	aside := filepath.Join(s.aside(), string(l))
	if !holds(aside, l) {
		return nil
	}
	if err := os.Rename(aside, path); err != nil {
		return err
	}
	return errors.Join(s.syncDir(filepath.Dir(path)), s.syncDir(s.aside()))
}

// holds tells whether the file at path has the content of l.
func holds(path string, l Locator) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	got, err := Describe(f)
	if err != nil {
		return false
	}
	want, err := l.Ref()
	return err == nil && got.Ref == want
}

func (s *Store) syncDir(dir string) error { return SyncDir(dir, s.sync) }

// path is where the file of l lies. Locators come from our own rows, but a row
// may have been tampered with, and must not lead out of the store.
func (s *Store) path(l Locator) (string, error) {
	ref, gen, ok := strings.Cut(string(l), ".")
	if _, err := ParseRef(ref); err != nil || !ok || gen == "" || strings.ContainsAny(gen, "/.") {
		return "", fmt.Errorf("blob locator %q: %w", l, fs.ErrInvalid)
	}
	return filepath.Join(s.dir, ref[:2], string(l)), nil
}

// Open opens the file at l. The caller closes it.
func (s *Store) Open(l Locator) (*os.File, error) {
	path, err := s.path(l)
	if err != nil {
		return nil, err
	}
	return os.Open(path)
}

// Remove deletes the file at l; a missing file is no error.
func (s *Store) Remove(l Locator) error {
	path, err := s.path(l)
	if err != nil {
		return err
	}
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Walk calls visit for every file of the store, in the order of their locators,
// with the time it was written.
func (s *Store) Walk(visit func(Locator, time.Time) error) error {
	for i := range 256 {
		dir := filepath.Join(s.dir, fmt.Sprintf("%02x", i))
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			info, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			if err := visit(Locator(e.Name()), info.ModTime()); err != nil {
				return err
			}
		}
	}
	return nil
}

// Spooled is how many temporary files there are: uploads on their way, or what
// a killed process left.
func (s *Store) Spooled() (int, error) {
	entries, err := os.ReadDir(s.tmp())
	return len(entries), err
}
