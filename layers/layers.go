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
	"varve/history/blob"
)

// What dav and web need of the log, handed on.
type (
	Seq     = history.Seq
	Ref     = history.Ref
	Prop    = history.Prop
	Digest  = blob.Digest
	Session = history.Session
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
	ErrQuota         = errors.New("quota exceeded")                                  // 507
	ErrReadOnly      = errors.New("read-only here")                                  // 403
	ErrSealed        = errors.New("session has ended")                               // 403
	ErrOverlap       = errors.New("source and destination overlap")                  // 403
	ErrNameTooLong   = errors.New("name too long")                                   // 414
	ErrTooLarge      = blob.ErrTooLarge                                              // 413
	ErrShort         = blob.ErrShort                                                 // 400
	ErrDigest        = blob.ErrDigest                                                // 400
	ErrFull          = history.ErrFull                                               // 507
	ErrTooMany       = history.ErrTooManyEntries                                     // 507, with a hint to split
	ErrDamaged       = history.ErrDamaged                                            // 500
	ErrRecentFailure = errors.New("delete follows a refused upload of a newer file") // 409 (rclone)
)

// LockedError says which locks stand in the way.
type LockedError struct {
	Names []string // the lock roots
}

func (e *LockedError) Error() string { return "locked by " + e.Names[0] }

// Is makes errors.Is(err, ErrLocked) hold.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

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
	Name     string // cleaned, key form, from the view's root
	Base     string // last element as spelled at its creation; "" for the root
	Version  history.Version
	Source   Source
	Shadowed bool // the lower entry changed, moved or went after this override was made
	ETag     string
	Modified time.Time // files: Mtime; directories: the newest change at or below in any layer shown
}

// IsDir tells whether e is a directory.
func (e Entry) IsDir() bool { return e.Version.Kind == history.Dir }

// Size in bytes; 0 for directories.
func (e Entry) Size() int64 { return e.Version.Content.Size }

// Listing is one consistent read of a name: itself, what is in it, and what is
// needed to describe them.
type Listing struct {
	Self      Entry
	Entries   []Entry // for Depth 1, ordered by name
	Locks     []Lock  // at, above or directly below Self, if asked for
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

// Cond is what must hold for a request to be done: RFC 9110 section 13 and RFC
// 4918 section 10.4. The zero Cond always holds and submits no lock token.
type Cond struct {
	IfMatch           []string  // entity tags, or "*"; nil: absent
	IfNoneMatch       []string  // entity tags, or "*"; nil: absent
	IfUnmodifiedSince time.Time // zero: absent
	If                []IfList  // any one list must hold; nil: absent
	Tokens            []string  // every lock token submitted anywhere in If
}

// IfList is one parenthesised list of an If header: all terms must hold.
type IfList struct {
	View    *View  // the tree its tag names; nil: the request's own
	Name    string // the tagged resource; "" when not tagged: the request's own
	Foreign bool   // the tag names nothing served here: a resource without tokens or tags
	Terms   []IfTerm
}

// IfTerm is one state token or entity tag.
type IfTerm struct {
	Not   bool
	Token string // URI without angle brackets, or
	ETag  string // entity tag with its quotes
}

// PutOptions of a Put. Body and Length are required.
type PutOptions struct {
	Body    io.Reader
	Length  int64 // bytes, -1 when not known before the end
	Digests []Digest
	Type    string    // media type, empty: by name
	Mtime   time.Time // zero: the commit's time
	Cond    Cond
}

// Result of a write.
type Result struct {
	Entry   Entry
	Created bool // nothing was visible at the name before
	Seq     Seq  // the change; 0 when nothing needed to be recorded
}

// CopyOptions of Copy and Move.
type CopyOptions struct {
	Overwrite bool
	Shallow   bool      // Depth 0: a directory without its entries (Copy only)
	Mtime     time.Time // zero: the source's
	Cond      Cond
}

// PropPatch sets or removes one dead property.
type PropPatch struct {
	Prop
	Remove bool
}

// Lock is a write lock (RFC 4918, section 6).
type Lock struct {
	Token    string // opaquelocktoken URI
	Name     string // its root, in the view it was asked through
	Infinite bool   // depth
	Shared   bool
	OwnerXML string // inner XML of the owner element, namespaces declared
	Timeout  time.Duration
	Expires  time.Time
	Mine     bool // held by the caller's principal
}

// Covers tells whether the lock applies to name.
func (l Lock) Covers(name string) bool { return covers(l.Name, l.Infinite, name) }

// LockOptions of a Lock.
type LockOptions struct {
	Infinite bool
	Shared   bool
	OwnerXML string
	Timeout  time.Duration // zero: the default; capped by Limits.LockTimeout
	Cond     Cond
}

// Limits are all limits of the server. The zero value of a field means its default.
type Limits struct {
	NamePart     int           // bytes of one name element; default 255
	Name         int           // bytes of a whole name; default 4096
	Upload       int64         // bytes of one file; default none
	Quota        int64         // bytes counted to one account; default none
	Store        int64         // physical bytes; default none
	XMLBody      int64         // bytes of a PROPFIND, LOCK, MKCOL body; default 64 KiB
	PatchBody    int64         // bytes of a PROPPATCH body; default 1 MiB
	XMLDepth     int           // nesting of a body; default 32
	Props        int           // bytes of all dead properties of an entry; default 1 MiB
	InfiniteList int           // entries of a PROPFIND of Depth infinity; default 0: refused
	LockTimeout  time.Duration // longest lock; default 1 h
	Locks        int           // locks one account may hold; default 10,000
	Page         int           // entries of one page of a JSON listing; default 1,000
	JSONBody     int64         // bytes of a JSON request body; default 1 MiB
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
