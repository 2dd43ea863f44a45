package layers

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	"varve/history"
)

// PropPatch sets or removes one dead property.
type PropPatch struct {
	Prop
	Remove bool
}

// SetProps sets and removes dead properties, all or nothing, in order, and the
// time of modification if mtime is not zero. What only lower layers have is
// copied up, its content by reference.
func (v *View) SetProps(ctx context.Context, name string, patch []PropPatch, mtime time.Time, cond Cond) (Result, error) {
	change, err := v.write(ctx, "setprops", name, history.OpProps, func(d *draft) error {
		p, err := d.b.admit(key(name), touch{}, cond)
		if errors.Is(err, ErrNoParent) || err == nil && p.win == nil {
			return fs.ErrNotExist
		}
		if err != nil {
			return err
		}
		ver, err := d.revise(p)
		if err != nil {
			return err
		}
		ver.Props = apply(ver.Props, patch)
		ver.Charge = size(ver.Props)
		if !mtime.IsZero() {
			ver.Mtime = mtime
		}
		if err := v.fits(ver.Props); err != nil {
			return err
		}
		d.set(ver)
		return nil
	})
	if err != nil {
		return Result{}, err
	}
	return v.result(change, key(name), false), nil
}

// revise is a new version of what shows at p, in the writing layer, with the
// same content: of its own node if it has one, else copied up.
func (d *draft) revise(p place) (history.Version, error) {
	v := p.win.head.Version
	v.Flags &^= history.Implied
	v.Predecessor, v.From = Ref{}, Ref{}
	if p.win.stratum == 0 {
		return v, nil
	}
	d.parents(p)
	v.Origin, v.From, v.Base = p.win.ref(), p.win.ref(), d.b.base()
	v.Node, v.Tier, v.Flags = history.NewNode, "", 0
	if p.own == nil || p.hollow() {
		return v, d.clear(p)
	}
	// An implied directory becomes real.
	v.Node, v.Base, v.Flags = p.own.Node, p.own.Base, p.own.Flags&history.Opaque
	return v, nil
}

// apply returns props with patch applied in order.
func apply(props []Prop, patch []PropPatch) []Prop {
	props = slices.Clone(props)
	for _, c := range patch {
		props = slices.DeleteFunc(props, func(p Prop) bool { return p.Space == c.Space && p.Local == c.Local })
		if !c.Remove {
			props = append(props, c.Prop)
		}
	}
	return props
}

// fits checks the size of an entry's dead properties.
func (v *View) fits(props []Prop) error {
	if size(props) > int64(v.store.limits.Props) {
		return ErrTooLarge
	}
	return nil
}

// size is how many bytes dead properties count.
func size(props []Prop) int64 {
	n := 0
	for _, p := range props {
		n += len(p.Space) + len(p.Local) + len(p.Lang) + len(p.Value)
	}
	return int64(n)
}
