package layers

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/bits"
	"path"
	"strings"

	"varve/authz"
	"varve/history"
)

// entry describes what f found at a name that shows.
func (b *bound) entry(f found) Entry {
	w := f.win
	e := Entry{
		Name:    w.head.Name,
		Base:    spelling(&w.head.Version),
		Version: &w.head.Version,
		Source:  FromShared,
	}
	if b.target.Session != "" && w.stratum == 0 {
		e.Source = FromSession
		e.Shadowed = w.head.Kind == history.File && f.lower.ref() != w.head.Origin
	}
	if e.IsDir() {
		e.ETag, e.Modified = b.dirTag(f), f.latest.TouchedTime
	} else {
		e.ETag = ETag(e.Version)
	}
	if e.Modified.IsZero() {
		e.Modified = w.head.Mtime
	}
	if b.who.Reach(e.Name) == authz.OnTheWay {
		e.passage()
	}
	return e
}

// passage makes e a directory on the way to the caller's path: it says nothing of
// what happens beside the way.
func (e *Entry) passage() {
	v := e.Version
	e.Version = &Version{Layer: v.Layer, Name: v.Name, Spelling: v.Spelling, Node: v.Node, Kind: v.Kind, Born: v.Born}
	e.ETag, e.Modified = `"way"`, v.Born
}

// ETag is the entity tag of a file: its content's SHA-256, in base64url since
// clients cut If headers off: litmus 0.13 takes no tag of more than 55 characters.
func ETag(v *Version) string {
	return `"` + base64.RawURLEncoding.EncodeToString(v.Content.Ref[:]) + `"`
}

// dirTag is the entity tag of a directory: when what it shows was last touched.
func (b *bound) dirTag(f found) string {
	tag := f.tag
	if b.at != Live {
		tag = mix(tag ^ uint64(b.at))
	}
	return fmt.Sprintf(`"d%016x"`, tag)
}

// visit locates a name for reading: rights first, then fs.ErrNotExist unless it shows.
func (b *bound) visit(name string) (place, error) {
	if err := b.may(authz.See, name); err != nil {
		return place{}, err
	}
	p, err := b.locate(name)
	if err == ErrNotDir || err == nil && (p.win == nil || b.beyond(p.win)) {
		err = fs.ErrNotExist
	}
	return p, err
}

// beyond tells whether w lies outside of the caller's path. On the way there
// only directories count: a file in its place is none of the caller's.
func (b *bound) beyond(w *word) bool {
	switch b.who.Reach(w.head.Name) {
	case authz.Inside:
		return false
	case authz.OnTheWay:
		return w.head.Kind != history.Dir
	}
	return true
}

// Stat describes a name.
func (v *View) Stat(ctx context.Context, name string) (Entry, error) {
	l, err := v.List(ctx, name, ListOptions{})
	return l.Self, err
}

// List reads a name and what opts asks for, in one consistent read. Asking a
// file for entries gives none.
func (v *View) List(ctx context.Context, name string, opts ListOptions) (Listing, error) {
	var l Listing
	err := v.read(ctx, "list", name, func(b *bound) error {
		l = Listing{}
		p, err := b.visit(key(name))
		if err != nil {
			return err
		}
		l.Self = b.entry(p.found)
		if opts.Entries && l.Self.IsDir() {
			if l.Entries, err = b.list(p); err != nil {
				return err
			}
		}
		if opts.Locks {
			if l.Locks, err = b.locks(p.name, opts.Entries); err != nil {
				return err
			}
		}
		if opts.Quota {
			var own, all int64
			l.Used, own, all, err = b.quota()
			l.Available = min(own, coarse(all))
		}
		return err
	})
	return l, err
}

// list describes what is in the directory at p, without what lies outside the
// caller's path.
func (b *bound) list(p place) ([]Entry, error) {
	kids, err := b.children(p.name, p.found)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, 0, len(kids))
	for _, kid := range kids {
		if b.beyond(kid.win) {
			continue
		}
		entries = append(entries, b.entry(kid))
	}
	return entries, nil
}

// Walk calls fn for name and everything below it, parents first, from one
// consistent read, and stops at its first error. rel is the spelled path below
// name ("." for itself). fn must not wait for the network: collect, then write.
func (v *View) Walk(ctx context.Context, name string, fn func(rel string, e Entry) error) error {
	return v.read(ctx, "walk", name, func(b *bound) error {
		p, err := b.visit(key(name))
		if err != nil {
			return err
		}
		return b.walk(".", b.entry(p.found), p.found, fn)
	})
}

func (b *bound) walk(rel string, e Entry, f found, fn func(string, Entry) error) error {
	if err := fn(rel, e); err != nil || !e.IsDir() {
		return err
	}
	kids, err := b.children(e.Name, f)
	if err != nil {
		return err
	}
	for _, kid := range kids {
		if b.beyond(kid.win) {
			continue
		}
		child := b.entry(kid)
		if err := b.walk(path.Join(rel, child.Base), child, kid, fn); err != nil {
			return err
		}
	}
	return nil
}

// Open opens a file for reading (a directory without content). The caller
// closes it.
func (v *View) Open(ctx context.Context, name string) (*File, error) {
	e, err := v.Stat(ctx, name)
	if err != nil || e.IsDir() {
		return &File{Entry: e}, err
	}
	content, err := v.store.log.Content(ctx, e.Version.Content.Ref)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return &File{e, content}, nil
}

// Describe is Open for an answer without content: Content knows its size, and
// the store is not asked for it.
func (v *View) Describe(ctx context.Context, name string) (*File, error) {
	e, err := v.Stat(ctx, name)
	if err != nil || e.IsDir() {
		return &File{Entry: e}, err
	}
	return &File{e, hollow{io.NewSectionReader(strings.NewReader(""), 0, e.Size())}}, nil
}

// hollow has the size of a content and none of its bytes: reading ends at once.
type hollow struct{ *io.SectionReader }

func (hollow) Close() error { return nil }

// quota is how many bytes the tree's owner uses, how many its quota leaves it,
// and how many the store has left for everybody.
func (b *bound) quota() (used, own, all int64, err error) {
	if used, err = b.tx.Usage(b.owner()); err != nil {
		return 0, 0, 0, err
	}
	own = math.MaxInt64
	if q := b.store.limits.Quota; q > 0 {
		own = max(q-used, 0)
	}
	all = b.store.log.Free()
	if limit := b.store.limits.Store; limit > 0 {
		stored, err := b.tx.Stored()
		if err != nil {
			return 0, 0, 0, err
		}
		all = max(min(all, limit-stored), 0)
	}
	return used, own, all, nil
}

// coarse keeps the six highest bits of n. What is left for everybody, to the
// byte, would tell whether somebody else has stored the very content one stores.
func coarse(n int64) int64 {
	low := max(bits.Len64(uint64(n))-6, 0)
	return n >> low << low
}

// room is ErrQuota unless size more bytes may be stored. The disk itself
// answers for its own limit.
func (b *bound) room(size int64) error {
	if b.store.limits.Quota == 0 && b.store.limits.Store == 0 {
		return nil
	}
	if _, own, all, err := b.quota(); err != nil || size > min(own, all) {
		return orErr(err, ErrQuota)
	}
	return nil
}

// owner is the account that what is stored here counts to.
func (b *bound) owner() history.Account {
	if b.target.Session != "" {
		return b.target.Owner
	}
	return b.who.Account()
}

// orErr is err, or instead if err is nil.
func orErr(err, instead error) error {
	if err != nil {
		return err
	}
	return instead
}

// maxSize is the most bytes a body may have now, and whether quota says so
// (otherwise the limit on uploads does). 0 means no limit.
func (b *bound) maxSize() (limit int64, byQuota bool, err error) {
	limits := b.store.limits
	left := int64(math.MaxInt64)
	if limits.Quota > 0 || limits.Store > 0 {
		_, own, all, err := b.quota()
		if err != nil {
			return 0, false, err
		}
		left = min(own, all)
	}
	if limits.Upload > 0 && limits.Upload <= left {
		return limits.Upload, false, nil
	}
	if left == math.MaxInt64 {
		return 0, false, nil
	}
	return max(left, 1), true, nil // the commit refuses the one byte
}
