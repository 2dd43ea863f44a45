package layers

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"time"

	"varve/history"
)

// PutOptions of a Put. Body is required.
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
	Created bool // nothing showed at the name before
	Seq     Seq  // the change
}

// noExpectation is what is asked of a body of varve's own.
var noExpectation = history.Expect{Size: -1}

// Staged is a body that was received whole for a name and not yet committed.
type Staged struct {
	name   string
	opts   PutOptions
	upload *history.Upload
}

// Put writes a whole file. Nothing of the old content changes before the body
// is whole, verified and durable.
func (v *View) Put(ctx context.Context, name string, opts PutOptions) (Result, error) {
	s, err := v.Receive(ctx, name, opts)
	if err != nil {
		return Result{}, err
	}
	results, err := v.PutAll(ctx, []*Staged{s})
	if err != nil {
		return Result{}, err
	}
	return results[0], nil
}

// Receive checks that name may be written, then reads the body whole. What it
// returns goes to PutAll or Drop.
func (v *View) Receive(ctx context.Context, name string, opts PutOptions) (*Staged, error) {
	want := history.Expect{Size: opts.Length, Digests: opts.Digests}
	var byQuota bool
	err := v.read(ctx, "put", name, func(b *bound) error {
		if _, err := b.admitFile(key(name), opts.Cond); err != nil {
			return err
		}
		err := b.room(max(opts.Length, 0))
		if err != nil {
			return err
		}
		want.Max, byQuota, err = b.maxSize()
		return err
	})
	if err != nil {
		return nil, err
	}
	if want.Max > 0 && opts.Length > want.Max {
		return nil, pathError("put", name, ErrTooLarge)
	}
	upload, err := v.store.log.Receive(ctx, opts.Body, want)
	if byQuota && errors.Is(err, ErrTooLarge) {
		err = ErrQuota
	}
	if err != nil {
		return nil, pathError("put", name, err)
	}
	return &Staged{name, opts, upload}, nil
}

// Drop drops a staged body that will not be committed.
func (v *View) Drop(s *Staged) { v.store.log.Discard(s.upload) }

// PutAll writes staged files as one change: all of them or, on an error, none.
// A name that is staged twice is fs.ErrExist.
// It disposes of the staged bodies either way.
func (v *View) PutAll(ctx context.Context, staged []*Staged) ([]Result, error) {
	results, err := v.putAll(ctx, staged)
	if err != nil {
		for _, s := range staged {
			v.Drop(s)
		}
	}
	return results, err
}

func (v *View) putAll(ctx context.Context, staged []*Staged) ([]Result, error) {
	for _, s := range staged {
		if err := v.store.log.Keep(s.upload); err != nil {
			return nil, pathError("put", s.name, err)
		}
	}
	places := make([]place, len(staged))
	change, err := v.write(ctx, "put", staged[0].name, history.OpPut, func(d *draft) error {
		for i, s := range staged {
			p, err := d.b.admitFile(key(s.name), s.opts.Cond)
			if err == nil && d.has(p.name) {
				err = fs.ErrExist // twice in one form: neither may lose its bytes
			}
			if err == nil {
				err = d.put(p, spelled(s.name), s.content())
			}
			if err != nil {
				return pathError("put", s.name, err)
			}
			places[i] = p
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(staged))
	for i, p := range places {
		results[i] = v.result(change, p.name, p.win == nil)
		if results[i].Entry.Name == "" { // renewed, no version written
			results[i].Entry = v.written(&p.own.Version)
		}
	}
	return results, nil
}

// admitFile admits a file to be written at name.
func (b *bound) admitFile(name string, c Cond) (place, error) {
	p, err := b.admit(name, touch{}, c)
	if err == nil && p.win != nil && p.win.head.Kind == history.Dir {
		err = ErrIsDir
	}
	return p, err
}

// has tells whether the draft says something of name itself.
func (d *draft) has(name string) bool {
	_, written := d.index[name]
	return written || slices.Contains(d.change.Renews, history.Key{Layer: d.layer, Name: name})
}

// content is what a file is to hold.
type content struct {
	upload *history.Upload
	mime   string
	mtime  time.Time // zero: the commit's time
}

func (s *Staged) content() content { return content{s.upload, s.opts.Type, s.opts.Mtime} }

// put drafts a file at p.
func (d *draft) put(p place, spelling string, c content) error {
	now := d.b.tx.Now()
	v := history.Version{
		Kind: history.File, Content: c.upload.Info, Type: c.mime, Mtime: c.mtime, Born: now,
		Spelling: spelling, Charge: c.upload.Size,
	}
	if v.Mtime.IsZero() {
		v.Mtime = now
	}
	if p.win == nil {
		if c.upload.Size == 0 {
			v.Flags = history.Placeholder
		}
	} else {
		v.Spelling, v.Props = p.win.head.Spelling, p.win.head.Props
	}
	if own := p.own; own != nil && own.Kind == history.File && own.Content.Ref == v.Content.Ref {
		if !changes(own.Version, c) {
			d.change.Renews = append(d.change.Renews, history.Key{Layer: d.layer, Name: p.name})
			d.change.Uploads = append(d.change.Uploads, c.upload) // should the store have lost it
			return nil
		}
		v.Charge = 0
	}
	if err := d.clear(p); err != nil { // an implied directory that does not show
		return err
	}
	d.parents(p)
	if err := d.over(p, &v, true); err != nil {
		return err
	}
	d.set(v)
	d.change.Uploads = append(d.change.Uploads, c.upload)
	return nil
}

// changes tells whether writing c's identical bytes over own still says something new.
func changes(own history.Version, c content) bool {
	return !c.mtime.IsZero() && !c.mtime.Equal(own.Mtime) || c.mime != "" && c.mime != own.Type
}
