package layers

import (
	"errors"
	"io/fs"
	"path"
	"slices"

	"varve/authz"
	"varve/history"
)

// touch says how a write touches a name.
type touch struct {
	action authz.Action // zero: Change
	name   string
	member bool // it adds the name to its parent or takes it away
	tree   bool // it also touches everything below
}

// unlocked checks that the tokens of c open every lock in the way of t: the
// locks that cover the name, those that cover the parent when its membership
// changes (RFC 4918, section 7.4), and those below. Of the locks that cover one
// resource together, being shared, one token is enough.
func (b *bound) unlocked(t touch, c Cond) error {
	locks, err := b.locks(t.name, t.tree)
	if err != nil || len(locks) == 0 {
		return err
	}
	resources := []string{t.name}
	if t.member && t.name != "." {
		resources = append(resources, path.Dir(t.name))
	}
	for _, l := range locks {
		if t.tree && below(l.Name, t.name) {
			resources = append(resources, l.Name)
		}
	}
	var closed []string
	for _, r := range slices.Compact(resources) {
		closed = append(closed, stillLocked(r, locks, c.Tokens)...)
	}
	if len(closed) == 0 {
		return nil
	}
	slices.Sort(closed)
	return &LockedError{slices.Compact(closed)}
}

// stillLocked lists the roots of the locks that cover name, unless one of them
// is the caller's and its token was submitted.
func stillLocked(name string, locks []Lock, tokens []string) []string {
	var roots []string
	for _, l := range locks {
		if !l.Covers(name) {
			continue
		}
		if l.Mine && slices.Contains(tokens, l.Token) {
			return nil
		}
		roots = append(roots, l.Name)
	}
	return roots
}

// admitLock checks that name may be locked. Whether the name itself is free is
// grantable's to say, for shared locks may lie there already; only what a new
// file does to its parent needs a token.
func (b *bound) admitLock(name string, opts LockOptions) (place, error) {
	if err := b.may(authz.Change, name); err != nil {
		return place{}, err
	}
	p, err := b.locate(name)
	if errors.Is(err, fs.ErrNotExist) || err == ErrNotDir {
		err = ErrNoParent
	}
	if err == nil && p.win == nil {
		err = b.unlocked(touch{name: path.Dir(name)}, opts.Cond)
	}
	if err == nil {
		err = b.holds(name, opts.Cond)
	}
	if err == nil {
		err = b.grantable(name, opts)
	}
	return p, err
}

const countLocks = `SELECT count(*) FROM lock WHERE layer = $1 AND expires > $2 AND issuer = $3 AND sub = $4`

// grantable checks that no lock conflicts with the one asked for (RFC 4918,
// section 6.2) and that the account holds not too many in this tree.
func (b *bound) grantable(name string, opts LockOptions) error {
	locks, err := b.locks(name, opts.Infinite)
	if err != nil {
		return err
	}
	var roots []string
	for _, l := range locks {
		meets := l.Covers(name) || opts.Infinite && below(l.Name, name)
		if meets && (!l.Shared || !opts.Shared) {
			roots = append(roots, l.Name)
		}
	}
	if len(roots) > 0 {
		return &LockedError{slices.Compact(roots)}
	}
	var n int
	a := b.who.Account()
	err = b.tx.Rows(countLocks, []any{int64(b.strata[0].layer), b.tx.Now().UnixNano(), a.Issuer, a.Sub},
		func(r history.Row) error { return r.Scan(&n) })
	if err == nil && n >= b.store.limits.Locks {
		err = ErrTooManyLocks
	}
	return err
}
