package dav

import (
	"errors"
	"net/http"
	"strings"

	"varve/layers"
)

// errTooWide refuses a PROPFIND of Depth infinity (RFC 4918, section 9.1).
var errTooWide = &refusal{status: http.StatusForbidden, condition: "propfind-finite-depth",
	hint: "list one level at a time: Depth 0 or 1"}

// propfind describes a name and, with Depth 1, what is in it.
func (h *Handler) propfind(w http.ResponseWriter, r *http.Request, t target) error {
	d, noroot, err := parseDepth(r.Header)
	if err != nil {
		return err
	}
	sel, err := h.selection(w, r)
	if err != nil {
		return err
	}
	opts := layers.ListOptions{
		// Without a Depth a client would have everything (RFC 4918) but asks
		// mostly whether something is there; one level answers both.
		Entries: d == depth1 || d == depthAbsent,
		Locks:   sel.wants(lockDiscovery),
		Quota:   sel.wants(quotaAvailable, quotaUsed),
	}
	l, err := t.view.List(r.Context(), t.name, opts)
	if err != nil {
		return err
	}
	s := &sheet{target: t, h: h, now: h.now(), locks: l.Locks, quota: opts.Quota, used: l.Used, left: l.Available}
	if sel.wants(ocPermissions) {
		if s.writable, err = t.view.Writable(r.Context(), t.name); err != nil {
			return err
		}
	}
	tree := append(make([]relative, 0, 1+len(l.Entries)), relative{".", l.Self})
	switch {
	case d == depthInfinite && l.Self.IsDir():
		if tree, err = h.walk(r, t); err != nil {
			return err
		}
	case l.Self.IsDir():
		for _, e := range l.Entries {
			tree = append(tree, relative{e.Base, e})
		}
	}
	if noroot && l.Self.IsDir() {
		tree = tree[1:]
	}
	return h.answerTree(w, s, &sel, tree)
}

// relative is an entry and how it is spelled below the one asked for.
type relative struct {
	rel string
	layers.Entry
}

// errStop ends a walk.
var errStop = errors.New("stop")

// walk collects a whole tree, if it is small enough to be asked for at once.
func (h *Handler) walk(r *http.Request, t target) ([]relative, error) {
	if h.limits.InfiniteList <= 0 {
		return nil, errTooWide
	}
	var tree []relative
	err := t.view.Walk(r.Context(), t.name, func(rel string, e layers.Entry) error {
		if len(tree) >= h.limits.InfiniteList {
			return errStop
		}
		tree = append(tree, relative{rel, e})
		return nil
	})
	if errors.Is(err, errStop) {
		err = errTooWide
	}
	return tree, err
}

// selection reads what a PROPFIND asks for.
func (h *Handler) selection(w http.ResponseWriter, r *http.Request) (selection, error) {
	b, err := body(r, h.limits.XMLBody)
	if err != nil {
		return selection{}, err
	}
	a, err := parsePropfind(b, h.limits.XMLDepth)
	if err != nil {
		return selection{}, err
	}
	lean := strings.Contains(r.UserAgent(), "Microsoft")
	if prefers(r.Header, "return=minimal") {
		w.Header().Set("Preference-Applied", "return=minimal")
	}
	return a.chooses(lean, minimal(r.Header)), nil
}

// answerTree writes the multistatus. An error here means that the client is
// gone: the listing was read before.
func (h *Handler) answerTree(w http.ResponseWriter, s *sheet, sel *selection, tree []relative) error {
	buf := h.buffers.Get().(*[]byte)
	defer h.buffers.Put(buf)
	m := &multistatus{w: w, buf: appendRoot((*buf)[:0], "multistatus")}
	defer func() { *buf = m.buf }()

	href := appendHref(nil, h.prefix+s.path())
	top := len(href)
	for i := range tree {
		e := resource{Entry: tree[i].Entry, dir: tree[i].IsDir()}
		href = href[:top]
		if rel := tree[i].rel; rel != "." {
			href = appendHref(append(href, '/'), rel)
		}
		if e.dir {
			href = append(href, '/')
		}
		m.buf = s.appendResponse(m.buf, href, &e, sel)
		if m.grow() != nil {
			return nil
		}
	}
	m.end()
	return nil
}
