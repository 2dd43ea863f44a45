// Package layers resolves and changes what a principal sees: the View.
//
// # Model
//
// A View is a list of layers, the first of which takes the writes: a session's
// view is its own layer over shared, a user's is shared alone. A name resolves
// to the first layer that has a word for it; directories of the same name
// merge; a whiteout ends the search; an opaque directory shows its own entries
// only; an implied directory, copied up to carry something, counts only while a
// file or real directory lies below it or a lower layer has it too.
//
// # Operations
//
// Each method of View is one whole operation. It cleans nothing (names come
// from Clean), checks rights first on that very name, and, when it writes, runs
// one check of conditions, locks, quota and rights before the body is read and
// the same check again inside the commit. What a principal may not see answers
// fs.ErrNotExist exactly as what is not there.
//
// # Errors
//
// Operations return *fs.PathError wrapping fs.ErrNotExist, fs.ErrExist,
// fs.ErrPermission, fs.ErrInvalid, the sentinels below, blob's errors of a bad
// body, history.ErrFull and history.ErrTooManyEntries (both handed on here), or
// authz.ErrUnauthorized.
package layers

import (
	"errors"
	"io"
	"io/fs"
	"time"

	"varve/authz"
	"varve/history"
)

// What dav and web need of the log, handed on.
type (
	Seq     = history.Seq
	Ref     = history.Ref
	Prop    = history.Prop
	Digest  = history.Digest
	Session = history.Session
	Version = history.Version
)

// Live is the present.
const Live = history.Live

// Errors.
var (
	ErrNoParent      = errors.New("parent collection does not exist")                // 409
	ErrIsDir         = errors.New("is a collection")                                 // 405
	ErrNotDir        = errors.New("is not a collection")                             // 409
	ErrPrecondition  = errors.New("precondition does not hold")                      // 412
	ErrLocked        = errors.New("locked")                                          // 423; errors.As to *LockedError
	ErrLockToken     = errors.New("lock token does not match the resource")          // 409
	ErrTooManyLocks  = errors.New("too many locks in this tree")                     // 507
	ErrQuota         = errors.New("quota exceeded")                                  // 507
	ErrReadOnly      = errors.New("read-only here")                                  // 403
	ErrScope         = errors.New("token lacks scope write")                         // 403
	ErrRoot          = errors.New("is the root of a tree")                           // 403
	ErrSealed        = errors.New("session has ended")                               // 403
	ErrOverlap       = errors.New("source and destination overlap")                  // 403
	ErrNameTooLong   = errors.New("name too long")                                   // 414
	ErrTooLarge      = history.ErrTooLarge                                           // 413
	ErrShort         = history.ErrShort                                              // 400
	ErrDigest        = history.ErrDigest                                             // 400
	ErrFull          = history.ErrFull                                               // 507
	ErrTooMany       = history.ErrTooManyEntries                                     // 507, with a hint to split
	ErrInDoubt       = history.ErrInDoubt                                            // 503, until the store is opened again
	ErrDamaged       = history.ErrDamaged                                            // 500
	ErrRecentFailure = errors.New("delete follows a refused upload of a newer file") // 409 (rclone)
)

// Caller is who an operation acts for and how it came.
type Caller struct {
	authz.Principal
	Agent string // User-Agent
}

// ScopeKind says which tree a view shows.
type ScopeKind uint8

// The scopes.
const (
	Home        ScopeKind = iota // the token's home: its session's view, or shared for a user
	SharedOnly                   // the shared layer alone
	SessionView                  // the view of the session named
)

// Scope names the tree a View shows.
type Scope struct {
	Kind    ScopeKind
	Session string // for SessionView
}

// Source says which layer an entry comes from.
type Source string

// The sources.
const (
	FromSession Source = "session"
	FromShared  Source = "shared"
)

// Entry is a file or directory as a view shows it.
type Entry struct {
	Name     string   // cleaned, key form, from the view's root
	Base     string   // last element as spelled at its creation; "" for the root
	Version  *Version // what shows; shared, never to be changed
	Source   Source
	Shadowed bool // the lower entry changed, moved or went after this override was made
	ETag     string
	Modified time.Time // files: Mtime; directories: the newest change at or below in any layer shown
}

// IsDir tells whether e is a directory.
func (e Entry) IsDir() bool { return e.Version != nil && e.Version.Kind == history.Dir }

// Size in bytes; 0 for directories.
func (e Entry) Size() int64 {
	if e.Version == nil {
		return 0
	}
	return e.Version.Content.Size
}

// Listing is one consistent read of a name: itself, what is in it, and what is
// needed to describe them.
type Listing struct {
	Self      Entry
	Entries   []Entry // for Depth 1, ordered by name
	Locks     []Lock  // at, above or below Self, if asked for
	Used      int64   // bytes counted to the tree's owner, if quota was asked for
	Available int64   // bytes left, never negative
}

// ListOptions says what a Listing shall hold.
type ListOptions struct {
	Entries bool // the directory's entries
	Locks   bool
	Quota   bool
}

// File is an open entry; Content is nil for a directory. Close it.
type File struct {
	Entry
	Content io.ReadSeekCloser // *os.File when the content lies in a file (sendfile)
}

// Close closes the content.
func (f *File) Close() error {
	if f.Content == nil {
		return nil
	}
	return f.Content.Close()
}

// pathError names the operation and the name once, for every operation.
func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return err
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}
