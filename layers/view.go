package layers

import (
	"context"
	"time"

	"varve/authz"
	"varve/history"
)

// Config of a Store.
type Config struct {
	Log    *history.Log
	Limits Limits
}

// Store makes views. Its methods may be called concurrently.
type Store struct {
	log    *history.Log
	limits Limits
}

// New makes a Store over an open log.
func New(cfg Config) *Store { panic("todo") }

// Limits are those in force, defaults filled in.
func (s *Store) Limits() Limits { return s.limits }

// View is what who sees of scope. Making one costs nothing and checks nothing:
// each operation does. It may be used concurrently.
func (s *Store) View(who Caller, scope Scope) *View { panic("todo") }

// View is a tree as a principal sees it.
type View struct{}

// At is the same view as it stood at a past seq, read-only.
func (v *View) At(at Seq) *View { panic("todo") }

// Same tells whether two views show the same tree: a name means the same in both.
func (v *View) Same(o *View) bool { panic("todo") }

// Probe answers fs.ErrNotExist when the caller may not see this tree (or there is none).
func (v *View) Probe(ctx context.Context) error { panic("todo") }

// Writable tells whether the caller may write here at all; for Allow headers and the like.
func (v *View) Writable(ctx context.Context) (bool, error) { panic("todo") }

// Stat describes a name.
func (v *View) Stat(ctx context.Context, name string) (Entry, error) { panic("todo") }

// List reads a name and what opts asks for, in one consistent read.
func (v *View) List(ctx context.Context, name string, opts ListOptions) (Listing, error) {
	panic("todo")
}

// Walk calls fn for name and everything below it, parents first, in name order,
// from one consistent read. rel is the spelled path below name ("." for itself).
// fn must not wait for the network: collect, then write.
func (v *View) Walk(ctx context.Context, name string, fn func(rel string, e Entry) error) error {
	panic("todo")
}

// Open opens a file for reading (a directory without content).
func (v *View) Open(ctx context.Context, name string) (*File, error) { panic("todo") }

// Put writes a whole file. Nothing of the old content changes before the body
// is whole, verified and durable.
func (v *View) Put(ctx context.Context, name string, opts PutOptions) (Result, error) { panic("todo") }

// Mkdir makes a directory with dead properties (RFC 5689); fs.ErrExist if the
// name is taken, ErrNoParent if it has no parent.
func (v *View) Mkdir(ctx context.Context, name string, props []Prop, cond Cond) (Result, error) {
	panic("todo")
}

// Remove deletes a file, or a directory with everything below it, as one change.
func (v *View) Remove(ctx context.Context, name string, cond Cond) (Seq, error) { panic("todo") }

// Copy makes dst in v a copy of name in src, as one change and without moving bytes.
func (v *View) Copy(ctx context.Context, src *View, name, dst string, opts CopyOptions) (Result, error) {
	panic("todo")
}

// Move moves name to dst, as one change and without moving bytes.
func (v *View) Move(ctx context.Context, name, dst string, opts CopyOptions) (Result, error) {
	panic("todo")
}

// SetProps sets and removes dead properties, all or nothing, and the time of
// modification if mtime is not zero.
func (v *View) SetProps(ctx context.Context, name string, patch []PropPatch, mtime time.Time, cond Cond) (Result, error) {
	panic("todo")
}

// Lock locks a name; on a name that does not exist it makes an empty file
// (created). Copies nothing up.
func (v *View) Lock(ctx context.Context, name string, opts LockOptions) (l Lock, created bool, err error) {
	panic("todo")
}

// Refresh renews the one lock that cond submits and that covers name
// (ErrPrecondition otherwise).
func (v *View) Refresh(ctx context.Context, name string, timeout time.Duration, cond Cond) (Lock, error) {
	panic("todo")
}

// Unlock drops a lock of the caller's whose scope includes name (ErrLockToken otherwise;
// fs.ErrPermission if it is somebody else's).
func (v *View) Unlock(ctx context.Context, name, token string) error { panic("todo") }

// CreateSession makes a session owned by who's account. An empty id makes one
// (128 random bits); an id that was ever used is fs.ErrExist.
func (s *Store) CreateSession(ctx context.Context, who Caller, id, name string) (Session, error) {
	panic("todo")
}

// Session shows a session to itself, its owner, or an operator; fs.ErrNotExist otherwise.
func (s *Store) Session(ctx context.Context, who Caller, id string) (Session, error) { panic("todo") }

// Sessions lists the caller's sessions (its own only for a session, all for an
// operator), newest first, starting after the id after.
func (s *Store) Sessions(ctx context.Context, who Caller, after string, limit int) ([]Session, error) {
	panic("todo")
}

// RenameSession sets what people call it.
func (s *Store) RenameSession(ctx context.Context, who Caller, id, name string) (Session, error) {
	panic("todo")
}

// EndSession seals a session: nothing writes to it any more and its locks are
// dropped. What it holds stays readable to its owner.
func (s *Store) EndSession(ctx context.Context, who Caller, id string) (Session, error) {
	panic("todo")
}

// Ready tells whether the store answers and takes writes.
func (s *Store) Ready(ctx context.Context) error { panic("todo") }

// Clean turns a decoded URL path or an API name into a name in key form:
// slashes collapsed, "." and ".." resolved without ever leaving the root, NFC.
// spelled is the same path before NFC. It refuses what no name may hold:
// fs.ErrInvalid (NUL and control characters, a backslash, invalid UTF-8),
// ErrNameTooLong.
func (l Limits) Clean(raw string) (name, spelled string, err error) { panic("todo") }

var _ = authz.Read
