package layers

import (
	"cmp"
	"context"
	"errors"
	"io/fs"

	"varve/authz"
	"varve/history"
)

// draft is a change in the making: the versions a write adds to the layer that
// takes the view's writes. A later version of a name replaces an earlier one,
// so that a change writes one version per name.
type draft struct {
	b      *bound
	layer  history.Layer
	change history.Change
	index  map[string]int // name to its place in change.Versions
	fresh  *Session       // the session this write creates, if any
}

// write commits what plan drafts. plan may run more than once, each time on a
// new draft; it must not keep anything of an earlier run.
func (v *View) write(ctx context.Context, op, name string, as history.Op, plan func(*draft) error) (*history.Change, error) {
	change, err := v.store.log.Commit(ctx, func(tx *history.Tx) (*history.Change, error) {
		b, err := v.bind(tx)
		if err != nil {
			return nil, err
		}
		d, err := b.draft(as)
		if err != nil {
			return nil, err
		}
		if err := plan(d); err != nil {
			return nil, err
		}
		return d.done()
	})
	return change, pathError(op, name, err)
}

// draft begins a change. The first write of a session's token creates the
// session in the same change.
func (b *bound) draft(as history.Op) (*draft, error) {
	d := &draft{b: b, layer: b.strata[0].layer, index: map[string]int{}}
	d.change = history.Change{Actor: b.who.Actor(), Owner: b.owner(), Op: as, Agent: b.who.Agent}
	if d.layer != 0 {
		return d, nil
	}
	layer, err := b.tx.NewLayer()
	if err != nil {
		return nil, err
	}
	d.layer = layer
	d.fresh = &Session{ID: b.target.Session, Layer: layer, Owner: b.target.Owner, Freeze: Live}
	return d, nil
}

// done is the change drafted, or nil if there is nothing to record: ErrQuota if
// all that it charges does not fit.
func (d *draft) done() (*history.Change, error) {
	versions := d.change.Versions
	switch {
	case len(versions)+len(d.change.Renews) == 0 && d.change.Session == nil:
		return nil, nil
	case len(versions) == 0 && len(d.change.Renews) > 0:
		d.change.Op = history.OpRenew
	}
	var charged int64
	for i := range versions {
		charged += versions[i].Charge
	}
	d.change.Session = d.fresh
	return &d.change, d.b.room(charged)
}

// open makes sure that the layer exists when nothing but a lock is written.
func (d *draft) open() {
	if d.fresh != nil && len(d.change.Versions) == 0 {
		d.change.Session, d.change.Op = d.fresh, history.OpSession
	}
}

// set drafts v as the version of its name.
func (d *draft) set(v history.Version) {
	v.Layer = d.layer
	if i, ok := d.index[v.Name]; ok {
		d.change.Versions[i] = v
		return
	}
	d.index[v.Name] = len(d.change.Versions)
	d.change.Versions = append(d.change.Versions, v)
}

// base is the seq of the lower state that a write is made over.
func (b *bound) base() Seq {
	if len(b.strata) == 1 {
		return 0
	}
	return min(b.tx.Seq(), b.strata[1].at)
}

// parents copies up, implied, the ancestors of p that only lower layers have.
func (d *draft) parents(p place) {
	for _, w := range p.missing {
		if _, ok := d.index[w.head.Name]; ok {
			continue
		}
		v := w.head.Version
		d.set(history.Version{
			Name: v.Name, Spelling: v.Spelling, Kind: history.Dir, Flags: history.Implied,
			Props: v.Props, Mtime: v.Mtime, Born: v.Born,
			Origin: w.ref(), Base: d.b.base(), From: w.ref(),
		})
	}
}

// over fills in what a version written at p inherits from what is there: the
// lower state it is made over, and, with keep, the node and all that belongs to
// it. Otherwise what another node had there is noted as predecessor.
func (d *draft) over(p place, v *history.Version, keep bool) error {
	v.Name = p.name
	own := p.own
	if p.hollow() && v.Kind != history.Dir {
		own = nil
	}
	switch {
	case own != nil:
		v.Base, v.Origin = own.Base, own.Origin
	default:
		v.Base, v.Origin = d.b.base(), p.lower.ref()
	}
	if keep && own != nil && own.Kind == v.Kind {
		v.Node, v.Born, v.Tier = own.Node, own.Born, own.Tier
		v.Flags |= own.Flags & (history.Hold | history.Archived | history.Opaque)
		return nil
	}
	last, err := d.last(p)
	if err == nil && last.Node != v.Node {
		v.Predecessor = last
	}
	return err
}

// last points at what the writing layer had at p before, whatever became of it.
func (d *draft) last(p place) (Ref, error) {
	switch {
	case p.hollow():
		return Ref{}, nil
	case p.own != nil:
		return nodeRef(p.own.Version), nil
	case d.fresh != nil:
		return Ref{}, nil
	}
	v, err := d.b.tx.Last(history.Key{Layer: d.layer, Name: p.name})
	if errors.Is(err, fs.ErrNotExist) {
		return Ref{}, nil
	}
	return nodeRef(v), err
}

// nodeRef points at v, unless it says nothing of any node.
func nodeRef(v history.Version) Ref {
	if v.Node == 0 {
		return Ref{}
	}
	return Ref{Node: v.Node, Seq: v.Seq}
}

// clear drafts gaps for everything that the writing layer has below p.
func (d *draft) clear(p place) error {
	if p.own == nil || p.own.Kind != history.Dir {
		return nil
	}
	rows, err := d.b.tx.Below(d.layer, p.name, Live, history.MaxEntries)
	if err != nil {
		return err
	}
	for _, h := range rows {
		d.set(history.Version{Name: h.Name, Kind: history.Gap, Node: h.Node})
	}
	return nil
}

// remove drafts the removal of what is at p: a whiteout if anything lower has
// the name, else a gap.
func (d *draft) remove(p place) error {
	if err := d.clear(p); err != nil {
		return err
	}
	v := history.Version{Name: p.name, Kind: history.Gap}
	if p.own != nil {
		v.Node, v.Base, v.Origin = p.own.Node, p.own.Base, p.own.Origin
	}
	if p.lower != nil {
		v.Kind, v.Origin = history.Whiteout, p.lower.ref()
		if p.own == nil {
			v.Base = d.b.base()
		}
		d.parents(p)
	}
	d.set(v)
	return nil
}

// opaque says whether a directory newly made at p must hide what lies below:
// something there was deleted or replaced and may not come back.
func opaque(p place) history.Flags {
	if p.lower != nil || p.own != nil && p.own.Kind == history.Whiteout {
		return history.Opaque
	}
	return 0
}

// admit is the one check of a write: rights, then the name, then conditions, then
// locks. It runs before a body is read and again in the commit, as does room. An
// If header that fails is 412 on a locked name too (RFC 4918, section 10.4.1).
func (b *bound) admit(name string, t touch, c Cond) (place, error) {
	if err := b.may(cmp.Or(t.action, authz.Change), name); err != nil {
		return place{}, err
	}
	p, err := b.locate(name)
	if errors.Is(err, fs.ErrNotExist) || err == ErrNotDir {
		return p, ErrNoParent
	}
	if err != nil {
		return p, err
	}
	t.name = name
	t.member = t.member || p.win == nil
	if err := b.holds(name, c); err != nil {
		return p, err
	}
	return p, b.unlocked(t, c)
}

// result describes the version of name that change wrote.
func (v *View) result(change *history.Change, name string, created bool) Result {
	r := Result{Created: created, Seq: change.Seq}
	for i := range change.Versions {
		if ver := &change.Versions[i]; ver.Name == name {
			r.Entry = v.written(ver)
		}
	}
	return r
}

// written is the entry of a version just written.
func (v *View) written(ver *Version) Entry {
	e := Entry{Name: ver.Name, Base: spelling(ver), Version: ver, Source: FromShared, Modified: ver.Mtime}
	if v.tree() != "" {
		e.Source = FromSession
	}
	if !e.IsDir() {
		e.ETag = ETag(ver)
	}
	return e
}
