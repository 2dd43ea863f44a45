package dav

import (
	"errors"
	"io/fs"
	"net/http"

	"varve/layers"
)

// copy makes the destination a copy of t. The destination may be in another tree.
func (h *Handler) copy(w http.ResponseWriter, r *http.Request, t target) error {
	dst, opts, err := h.transfer(r, t)
	if err != nil {
		return err
	}
	d, _, err := parseDepth(r.Header)
	if err != nil {
		return err
	}
	if d == depth1 {
		if err := h.refuseCollection(r, t, "Depth of a COPY is 0 or infinity"); err != nil {
			return err
		}
	}
	opts.Shallow = d == depth0
	done, err := dst.view.Copy(r.Context(), t.view, t.name, dst.name, opts)
	return h.transferred(w, dst, opts, done, err)
}

// move moves t to the destination, within one tree.
func (h *Handler) move(w http.ResponseWriter, r *http.Request, t target) error {
	dst, opts, err := h.transfer(r, t)
	if err != nil {
		return err
	}
	d, _, err := parseDepth(r.Header)
	if err != nil {
		return err
	}
	if d == depth0 || d == depth1 {
		if err := h.refuseCollection(r, t, "a collection is moved with everything in it: Depth is infinity"); err != nil {
			return err
		}
	}
	if !dst.view.Same(t.view) {
		// Whether they are there, for this caller, comes before whether they are one.
		if err := dst.view.Probe(r.Context()); err != nil {
			return err
		}
		if _, err := t.view.Stat(r.Context(), t.name); err != nil {
			return err
		}
		return &refusal{status: http.StatusForbidden, hint: "MOVE stays within one tree: COPY, then DELETE"}
	}
	done, err := t.view.Move(r.Context(), t.name, dst.name, opts)
	return h.transferred(w, dst, opts, done, err)
}

// transfer reads what COPY and MOVE have in common.
func (h *Handler) transfer(r *http.Request, t target) (dst target, opts layers.CopyOptions, err error) {
	if dst, err = h.destination(r); err != nil {
		return dst, opts, err
	}
	if opts.Overwrite, err = parseOverwrite(r.Header); err != nil {
		return dst, opts, err
	}
	opts.Mtime = clientTime(r.Header)
	opts.Cond, err = h.cond(r, t)
	return dst, opts, err
}

// transferred answers a COPY or MOVE. What stands in its way at the destination
// is a failed condition, Overwrite: F (RFC 4918, section 9.8.5); locks are named
// by where they are.
func (h *Handler) transferred(w http.ResponseWriter, dst target, opts layers.CopyOptions, done layers.Result, err error) error {
	if errors.Is(err, fs.ErrExist) {
		err = &refusal{status: http.StatusPreconditionFailed, hint: "the destination exists, and Overwrite is F", err: err}
	}
	if err != nil {
		v := h.judge(dst, err)
		return &v
	}
	if !opts.Mtime.IsZero() {
		w.Header().Set("X-OC-Mtime", "accepted")
	}
	if done.Created {
		w.Header().Set("Location", h.href(dst.path(), done.Entry.IsDir()))
	}
	return created(w, done)
}
