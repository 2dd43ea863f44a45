package layers

import (
	"path"
	"slices"
	"time"

	"varve/history"
)

// CopyOptions of Copy and Move.
type CopyOptions struct {
	Overwrite bool
	Shallow   bool      // Depth 0: a directory without its entries (Copy only)
	Mtime     time.Time // of a file; zero: the source's
	Cond      Cond
}

// source is what a copy or move takes: a place and all that shows below it.
type source struct {
	b      *bound
	place  place
	leaves []leaf
}

// gather collects what shows at and below p.
func (b *bound) gather(p place) (source, error) {
	leaves, err := b.tree(p, history.MaxEntries)
	return source{b, p, leaves}, err
}

// destination admits a copy or move from src to name.
func (d *draft) destination(src source, name string, opts CopyOptions, sameTree bool) (place, error) {
	from := src.place.name
	if sameTree && (name == from || below(name, from) || below(from, name)) {
		return place{}, ErrOverlap
	}
	// The conditions of the request speak of its own resource, the source;
	// its lock tokens open both.
	to, err := d.b.admit(name, touch{tree: true}, Cond{Tokens: opts.Cond.Tokens})
	switch {
	case err != nil:
		return to, err
	case name == ".":
		return to, ErrOverlap
	case to.win != nil && !opts.Overwrite:
		return to, ErrPrecondition
	}
	return to, nil
}

// charge is what one copied entry counts: nothing when a lower layer of the
// view has that content already.
func (d *draft) charge(src source, l leaf) int64 {
	layer := src.b.strata[l.win.stratum].layer
	if slices.ContainsFunc(d.b.strata[1:], func(s stratum) bool { return s.layer == layer }) {
		return 0
	}
	return l.win.head.Content.Size
}

// transfer drafts what src has at to, replacing what is there.
func (d *draft) transfer(src source, to place, spelling string, opts CopyOptions, move bool) error {
	top := src.leaves[0].win.head
	fileOverFile := top.Kind == history.File && to.win != nil && to.win.head.Kind == history.File
	if !fileOverFile {
		// The lock on a file outlives a save by rename; what else stood here is deleted.
		d.unlockTree(to.name)
	}
	if err := d.clear(to); err != nil {
		return err
	}
	d.parents(to)
	leaves := src.leaves
	if opts.Shallow {
		leaves = leaves[:1]
	}
	before, err := d.before(to, leaves)
	if err != nil {
		return err
	}
	for _, l := range leaves {
		v := d.carry(src, l, move)
		v.Name = path.Join(to.name, l.rel)
		if len(v.Name) > d.b.store.limits.Name {
			return pathError("copy", to.name, ErrNameTooLong)
		}
		if l.rel != "." {
			if last := before[v.Name]; last.Node != v.Node {
				v.Predecessor = last
			}
			d.set(v)
			continue
		}
		v.Spelling = spelling
		if v.Kind == history.File && !opts.Mtime.IsZero() {
			v.Mtime = opts.Mtime
		}
		if err := d.land(to, &v, l.win.ref(), fileOverFile); err != nil {
			return err
		}
	}
	return nil
}

// before is what the writing layer had, if ever, at the names that leaves get
// below to.
func (d *draft) before(to place, leaves []leaf) (map[string]Ref, error) {
	if d.fresh != nil {
		return nil, nil
	}
	keys := make([]history.Key, 0, len(leaves)-1)
	for _, l := range leaves[1:] {
		keys = append(keys, history.Key{Layer: d.layer, Name: path.Join(to.name, l.rel)})
	}
	lasts, err := d.b.tx.Lasts(keys)
	refs := make(map[string]Ref, len(lasts))
	for k, v := range lasts {
		refs[k.Name] = nodeRef(v)
	}
	return refs, err
}

// land drafts the top of what is transferred. A file that lands on a file
// becomes a new version of the file that was there.
func (d *draft) land(to place, v *history.Version, from Ref, fileOverFile bool) error {
	if fileOverFile {
		v.Node, v.From, v.Tier, v.Flags = history.NewNode, from, "", 0
		v.Spelling = to.win.head.Spelling
	}
	if v.Kind == history.Dir {
		v.Flags |= opaque(to)
	}
	if err := d.over(to, v, fileOverFile); err != nil {
		return err
	}
	d.set(*v)
	return nil
}

// carry is the version that l becomes elsewhere: of the same node when it is
// moved within its layer, else of a new one that points at itsrc source.
func (d *draft) carry(src source, l leaf, move bool) history.Version {
	h := l.win.head
	v := history.Version{
		Spelling: h.Spelling, Kind: h.Kind, Content: h.Content, Type: h.Type,
		Mtime: h.Mtime, Born: h.Born, Props: h.Props,
	}
	v.Base = d.b.base()
	if move && l.win.stratum == 0 {
		v.Node, v.Tier = h.Node, h.Tier
		v.Flags = h.Flags & (history.Opaque | history.Hold | history.Archived | history.Placeholder)
		return v
	}
	v.From = l.win.ref()
	if !move {
		v.Born = d.b.tx.Now()
		v.Charge = d.charge(src, l)
	}
	return v
}
