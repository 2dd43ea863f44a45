package dav

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"time"

	"golang.org/x/net/webdav"

	"varve/layers"
)

// Locks serves a View's locks as a webdav.LockSystem, for one request: its
// methods carry neither a context nor, where a token is renewed or given up, the
// name it was sent to.
//
// x/net's Handler guards a request that submits no token by a lock of its own
// for as long as the request takes: depth zero, endless, without an owner. Such
// a lock is not made; that nobody else's is in the way is checked here, and again
// by the View when it writes. A client's own LOCK of that shape cannot be told
// from it, and locks nothing.
type Locks struct {
	fs   *FileSystem
	ctx  context.Context // of the request; webdav.LockSystem's methods have none
	name string          // the request's, as its URL has it
}

var _ webdav.LockSystem = (*Locks)(nil)

// Locks are those of f's View, for a request to the URL path name.
func (f *FileSystem) Locks(ctx context.Context, name string) *Locks {
	return &Locks{fs: f, ctx: ctx, name: name}
}

// passing is the token of a lock that is not made.
const passing = "opaquelocktoken:00000000-0000-0000-0000-000000000000"

// Confirm checks conditions over up to two names, and has the FileSystem submit
// their tokens until release is called.
func (l *Locks) Confirm(_ time.Time, name0, name1 string, conditions ...webdav.Condition) (release func(), err error) {
	var (
		locks []layers.Lock
		etags []string
	)
	for _, name := range []string{name0, name1} {
		if name == "" {
			continue
		}
		over, etag, err := l.state(name)
		if err != nil {
			return nil, err
		}
		if len(over) > 0 && !submits(conditions, over) {
			return nil, webdav.ErrConfirmationFailed
		}
		locks, etags = append(locks, over...), append(etags, etag)
	}
	var tokens []string
	for _, c := range conditions {
		holds := c.ETag != "" && slices.Contains(etags, c.ETag)
		if c.Token != "" {
			tokens = append(tokens, c.Token)
			holds = slices.ContainsFunc(locks, func(o layers.Lock) bool { return o.Token == c.Token })
		}
		if holds == c.Not {
			return nil, webdav.ErrConfirmationFailed
		}
	}
	l.fs.tokens = tokens
	return func() { l.fs.tokens = nil }, nil
}

// submits tells whether one of the locks over a name is the caller's and among
// the conditions.
func submits(conditions []webdav.Condition, over []layers.Lock) bool {
	return slices.ContainsFunc(over, func(o layers.Lock) bool {
		return o.Mine && slices.ContainsFunc(conditions, func(c webdav.Condition) bool { return c.Token == o.Token })
	})
}

// state is what locks apply to a name, and its ETag if there is anything.
func (l *Locks) state(raw string) (over []layers.Lock, etag string, err error) {
	name, err := l.fs.clean("lock", raw)
	if err != nil {
		return nil, "", err
	}
	for at := name; ; at = path.Dir(at) {
		list, err := l.fs.view.List(l.ctx, at, layers.ListOptions{Locks: true})
		if errors.Is(err, fs.ErrNotExist) && at != "." {
			continue // what lies above may still cover it
		}
		if err != nil {
			return nil, "", err
		}
		if at == name {
			name, etag = list.Self.Name, list.Self.ETag
		}
		for _, o := range list.Locks {
			if o.Covers(name) {
				over = append(over, o)
			}
		}
		return over, etag, nil
	}
}

// Create takes a lock.
func (l *Locks) Create(_ time.Time, d webdav.LockDetails) (token string, err error) {
	if d.Duration < 0 && d.ZeroDepth && d.OwnerXML == "" {
		over, _, err := l.state(d.Root)
		if err == nil && len(over) > 0 {
			err = webdav.ErrLocked
		}
		return passing, err
	}
	name, err := l.fs.clean("lock", d.Root)
	if err != nil {
		return "", err
	}
	lock, _, err := l.fs.view.Lock(l.ctx, name, layers.LockOptions{
		Infinite: !d.ZeroDepth, OwnerXML: d.OwnerXML, Timeout: max(d.Duration, 0), Cond: l.fs.cond(),
	})
	return lock.Token, lockError(err)
}

// Refresh renews a lock over the request's name.
func (l *Locks) Refresh(_ time.Time, token string, duration time.Duration) (webdav.LockDetails, error) {
	name, err := l.fs.clean("lock", l.name)
	if err != nil {
		return webdav.LockDetails{}, err
	}
	c := layers.Cond{If: []layers.IfList{{Terms: []layers.IfTerm{{Token: token}}}}, Tokens: []string{token}}
	lock, err := l.fs.view.Refresh(l.ctx, name, max(duration, 0), c)
	return webdav.LockDetails{
		Root: "/" + lock.Name, Duration: lock.Timeout, OwnerXML: lock.OwnerXML, ZeroDepth: !lock.Infinite,
	}, lockError(err)
}

// Unlock drops a lock over the request's name.
func (l *Locks) Unlock(_ time.Time, token string) error {
	if token == passing {
		return nil
	}
	name, err := l.fs.clean("unlock", l.name)
	if err != nil {
		return err
	}
	return lockError(l.fs.view.Unlock(l.ctx, name, token))
}

// lockError says it in the Handler's words.
func lockError(err error) error {
	switch {
	case errors.Is(err, layers.ErrLocked):
		return webdav.ErrLocked
	case errors.Is(err, layers.ErrPrecondition), errors.Is(err, layers.ErrLockToken):
		return webdav.ErrNoSuchLock
	case errors.Is(err, fs.ErrPermission), errors.Is(err, layers.ErrReadOnly), errors.Is(err, layers.ErrScope):
		return webdav.ErrForbidden
	}
	return err
}
