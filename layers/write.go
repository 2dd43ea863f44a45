package layers

import (
	"context"
	"errors"
	"io/fs"

	"varve/authz"
	"varve/history"
)

// Mkdir makes a directory with dead properties (RFC 5689): fs.ErrExist if the
// name is taken, ErrNoParent if its parent is missing.
func (v *View) Mkdir(ctx context.Context, name string, props []Prop, cond Cond) (Result, error) {
	if err := v.fits(props); err != nil {
		return Result{}, pathError("mkdir", name, err)
	}
	change, err := v.write(ctx, "mkdir", name, history.OpMkdir, func(d *draft) error {
		p, err := d.b.admit(key(name), touch{}, cond)
		if err != nil {
			return err
		}
		if p.win != nil {
			return fs.ErrExist
		}
		return d.mkdir(p, spelled(name), props)
	})
	if err != nil {
		return Result{}, err
	}
	return v.result(change, key(name), true), nil
}

// MkdirAll makes a directory and those of its ancestors that are missing, as one
// change. One that exists is no error; a file is fs.ErrExist, and ErrNoParent on
// the way.
func (v *View) MkdirAll(ctx context.Context, name string) (Result, error) {
	var top place
	change, err := v.write(ctx, "mkdir", name, history.OpMkdir, func(d *draft) error {
		fresh := false // everything from here on is missing
		for _, dir := range chain(name) {
			p, err := d.b.step(key(dir), fresh)
			if err != nil {
				return err
			}
			if top = p; p.win != nil {
				continue
			}
			fresh = true
			if err := d.mkdir(p, spelled(dir), nil); err != nil {
				return err
			}
		}
		if top.win != nil && top.win.head.Kind != history.Dir {
			return fs.ErrExist
		}
		return nil
	})
	switch {
	case err != nil:
		return Result{}, err
	case change == nil:
		e, err := v.Stat(ctx, name)
		return Result{Entry: e}, err
	}
	return v.result(change, key(name), true), nil
}

// step admits one directory of MkdirAll. Below one that is only being made
// nothing shows yet, but the own layer may say something still.
func (b *bound) step(name string, fresh bool) (place, error) {
	if fresh {
		p := place{name: name}
		heads, err := b.heads([]string{name})
		if err == nil {
			p.own = heads[0][name]
			err = b.may(authz.Change, name)
		}
		return p, err
	}
	if err := b.may(authz.See, name); err != nil {
		return place{}, err
	}
	p, err := b.locate(name)
	if errors.Is(err, ErrNotDir) {
		return p, ErrNoParent
	}
	if err != nil || p.win != nil {
		return p, err
	}
	return b.admit(name, touch{}, Cond{})
}

// mkdir drafts a directory at p, where nothing shows.
func (d *draft) mkdir(p place, spelling string, props []Prop) error {
	now := d.b.tx.Now()
	v := history.Version{
		Kind: history.Dir, Flags: opaque(p), Mtime: now, Born: now, Spelling: spelling, Props: props, Charge: size(props),
	}
	d.parents(p)
	if err := d.over(p, &v, true); err != nil {
		return err
	}
	d.set(v)
	return nil
}

// Remove deletes a file, or a directory with everything below it, as one change.
func (v *View) Remove(ctx context.Context, name string, cond Cond) (Seq, error) {
	change, err := v.write(ctx, "remove", name, history.OpDelete, func(d *draft) error {
		p, err := d.b.admitShown(key(name), touch{member: true, tree: true}, cond)
		if err != nil {
			return err
		}
		d.unlockTree(p.name)
		return d.remove(p)
	})
	if err != nil {
		return 0, err
	}
	return change.Seq, nil
}

// Discard takes back what a session's own layer says of name and everything
// below, deletions included, as one change: the lower entry shows again.
// fs.ErrNotExist if it says nothing. The session's owner may discard too.
func (v *View) Discard(ctx context.Context, name string, cond Cond) (Seq, error) {
	change, err := v.write(ctx, "discard", name, history.OpDiscard, func(d *draft) error {
		p, err := d.b.admitDiscard(key(name), cond)
		if err != nil {
			return err
		}
		d.unlockTree(p.name)
		if err := d.clear(p); err != nil {
			return err
		}
		d.set(history.Version{Name: p.name, Kind: history.Gap, Node: p.own.Node})
		return nil
	})
	if err != nil {
		return 0, err
	}
	return change.Seq, nil
}

// admitDiscard checks that what the own layer says of name may be taken back.
func (b *bound) admitDiscard(name string, c Cond) (place, error) {
	action := authz.Change
	if authz.Allows(b.who.Principal, authz.Manage, b.target) {
		action = authz.Manage
	}
	p, err := b.admit(name, touch{action: action, member: true, tree: true}, c)
	switch {
	case errors.Is(err, ErrNoParent) || err == nil && p.own == nil:
		return p, fs.ErrNotExist
	case err != nil:
		return p, err
	case name == ".":
		return p, ErrRoot
	case b.target.Session == "":
		return p, fs.ErrPermission
	}
	return p, nil
}

// admitShown admits a write to a name that must show, and is not the root.
func (b *bound) admitShown(name string, t touch, c Cond) (place, error) {
	p, err := b.admit(name, t, c)
	switch {
	case errors.Is(err, ErrNoParent):
		return p, fs.ErrNotExist
	case err != nil:
		return p, err
	case p.win == nil:
		return p, fs.ErrNotExist
	case name == ".":
		return p, ErrRoot
	}
	return p, nil
}

// Copy makes dst in v a copy of name in src, as one change and without moving
// bytes. An existing dst is replaced if Overwrite (ErrPrecondition otherwise).
// An error names dst if that is at fault, else name.
func (v *View) Copy(ctx context.Context, src *View, name, dst string, opts CopyOptions) (Result, error) {
	var created bool
	change, err := v.write(ctx, "copy", name, history.OpCopy, func(d *draft) error {
		from, err := src.source(d, key(name), opts.Cond)
		if err != nil {
			return err
		}
		to, err := d.destination(from, key(dst), opts, v.Same(src))
		if err != nil {
			return pathError("copy", dst, err)
		}
		created = to.win == nil
		return d.transfer(from, to, spelled(dst), opts, false)
	})
	if err != nil {
		return Result{}, err
	}
	return v.result(change, key(dst), created), nil
}

// Move moves name to dst, as one change and without moving bytes. An error
// names dst if that is at fault, else name.
func (v *View) Move(ctx context.Context, name, dst string, opts CopyOptions) (Result, error) {
	var created bool
	change, err := v.write(ctx, "move", name, history.OpMove, func(d *draft) error {
		p, err := d.b.admitShown(key(name), touch{member: true, tree: true}, opts.Cond)
		if err != nil {
			return err
		}
		from, err := d.b.gather(p)
		if err != nil {
			return err
		}
		to, err := d.destination(from, key(dst), opts, true)
		if err != nil {
			return pathError("move", dst, err)
		}
		created = to.win == nil
		d.unlockTree(p.name)
		if err := d.remove(p); err != nil {
			return err
		}
		return d.transfer(from, to, spelled(dst), opts, true)
	})
	if err != nil {
		return Result{}, err
	}
	return v.result(change, key(dst), created), nil
}

// source binds v as the source of a copy into d, with what shows at and below name.
func (v *View) source(d *draft, name string, c Cond) (source, error) {
	b, err := v.bind(d.b.tx)
	if err != nil {
		return source{}, err
	}
	p, err := b.visit(name)
	if err != nil {
		return source{}, err
	}
	if b.who.Reach(name) != authz.Inside {
		return source{}, fs.ErrPermission
	}
	if err := b.holds(name, c); err != nil {
		return source{}, err
	}
	return b.gather(p)
}
