package layers

import (
	"context"
	"errors"
	"io/fs"
	"path"

	"golang.org/x/text/unicode/norm"

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
func New(cfg Config) *Store { return &Store{cfg.Log, cfg.Limits.withDefaults()} }

// Limits are those in force, defaults filled in.
func (s *Store) Limits() Limits { return s.limits }

// Ready tells whether the store answers and takes writes.
func (s *Store) Ready(ctx context.Context) error {
	err := s.log.View(ctx, func(tx *history.Tx) error {
		_, err := tx.Heads([]history.Key{{Layer: history.Shared, Name: "."}}, Live)
		return err
	})
	return errors.Join(err, s.log.Writable())
}

// View is a tree as a principal sees it. It holds no state of the store and may
// be used concurrently.
//
// Names are as Clean returns them, in key form or as spelled; an operation that
// creates a name keeps the spelling it was given.
type View struct {
	store *Store
	who   Caller
	scope Scope
	at    Seq
}

// View is what who sees of scope. Making one costs nothing and checks nothing:
// each operation does.
func (s *Store) View(who Caller, scope Scope) *View {
	return &View{store: s, who: who, scope: scope, at: Live}
}

// At is the same view as it stood at a past seq, read-only.
func (v *View) At(at Seq) *View {
	past := *v
	past.at = at
	return &past
}

// Same tells whether two views show the same tree: a name means the same in both.
func (v *View) Same(o *View) bool { return v.tree() == o.tree() && v.at == o.at }

// tree is the session whose view this is, or "" for the shared layer.
func (v *View) tree() string {
	switch v.scope.Kind {
	case Home:
		return v.who.Session
	case SessionView:
		return v.scope.Session
	}
	return ""
}

// bound is a view resolved against one transaction.
type bound struct {
	*View
	tx      *history.Tx
	strata  []stratum // the first takes the writes
	target  authz.Tree
	session *Session // nil for the shared layer, and for a session not made yet
}

// bind resolves v against tx. It answers fs.ErrNotExist for a tree the caller
// may not see, just as for one that does not exist.
func (v *View) bind(tx *history.Tx) (*bound, error) {
	b := &bound{View: v, tx: tx}
	id := v.tree()
	if v.who.Session != "" && v.who.Session != id {
		// Elsewhere too a token counts only with the session's own owner.
		if s, err := tx.Session(v.who.Session); err == nil && s.Owner != v.who.Account() {
			return nil, authz.ErrUnauthorized
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if id == "" {
		b.strata = []stratum{{history.Shared, v.at}}
		return b, b.visible()
	}
	b.target = authz.Tree{Session: id, Owner: v.who.Account()}
	s, err := tx.Session(id)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if v.who.Session != id {
			return nil, fs.ErrNotExist
		}
		// Until its first write a session sees plain shared.
		b.strata = []stratum{{0, v.at}, {history.Shared, v.at}}
		return b, b.visible()
	case err != nil:
		return nil, err
	}
	if v.who.Session == id && s.Owner != v.who.Account() {
		return nil, authz.ErrUnauthorized
	}
	b.session, b.target.Owner = &s, s.Owner
	b.strata = []stratum{{s.Layer, v.at}, {history.Shared, min(v.at, s.Freeze)}}
	return b, b.visible()
}

// visible is fs.ErrNotExist unless the caller may see the tree.
func (b *bound) visible() error {
	if !authz.Allows(b.who.Principal, authz.See, b.target) {
		return fs.ErrNotExist
	}
	return nil
}

// may checks that the caller may do a to name. Reading needs only that the
// name is not outside the caller's path.
func (b *bound) may(a authz.Action, name string) error {
	reach := b.who.Reach(name)
	switch {
	case reach == authz.Outside:
		return fs.ErrNotExist
	case a == authz.See:
		return nil
	case b.at != Live:
		return ErrReadOnly
	case !authz.Allows(b.who.Principal, a, b.target):
		return b.refusal(a)
	case b.session != nil && !b.session.Sealed.IsZero():
		return ErrSealed
	case b.session == nil && b.target.Session != "" && !b.who.Mints:
		return ErrReadOnly
	case reach == authz.OnTheWay:
		return fs.ErrPermission
	}
	return nil
}

// refusal is why the caller may not do a to the tree: ErrScope if its token only
// needs scope write for it. Whoever asks may see the tree.
func (b *bound) refusal(a authz.Action) error {
	with := b.who.Principal
	with.Scopes |= authz.Write
	if authz.Allows(with, a, b.target) {
		return ErrScope
	}
	return ErrReadOnly
}

// read runs fn over one consistent read of the view.
func (v *View) read(ctx context.Context, op, name string, fn func(*bound) error) error {
	err := v.store.log.View(ctx, func(tx *history.Tx) error {
		b, err := v.bind(tx)
		if err != nil {
			return err
		}
		return fn(b)
	})
	return pathError(op, name, err)
}

// key is a name's key form.
func key(name string) string { return norm.NFC.String(name) }

// spelled is the last element of name when it is spelled otherwise than in its key.
func spelled(name string) string {
	if base := path.Base(name); base != key(base) {
		return base
	}
	return ""
}

// Probe answers fs.ErrNotExist when the caller may not see this tree, or there
// is none.
func (v *View) Probe(ctx context.Context) error {
	return v.read(ctx, "probe", ".", func(*bound) error { return nil })
}

// Writable tells whether the caller may write to name; for Allow headers and
// the like.
func (v *View) Writable(ctx context.Context, name string) (bool, error) {
	var ok bool
	err := v.read(ctx, "probe", name, func(b *bound) error {
		ok = b.may(authz.Change, key(name)) == nil
		return nil
	})
	return ok, err
}

// MayWrite is nil, or the error that any write to name would be refused with:
// fs.ErrNotExist, ErrReadOnly, ErrScope, ErrSealed or fs.ErrPermission.
func (v *View) MayWrite(ctx context.Context, name string) error {
	return v.read(ctx, "probe", name, func(b *bound) error { return b.may(authz.Change, key(name)) })
}
