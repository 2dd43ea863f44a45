package dav

import (
	"net/http"

	"varve/layers"
)

// maxSessions bounds the list of sessions.
const maxSessions = 10_000

// member is one tree in a list.
type member struct {
	path string // decoded URL path
	resource
}

// members lists the trees at "/", or the sessions the caller may see.
func (h *Handler) members(r *http.Request, t target) ([]member, error) {
	if t.kind == rootList {
		return []member{list("/dav", "dav"), list("/shared", "shared"), list("/sessions", "sessions")}, nil
	}
	var (
		all   []member
		after string
	)
	for len(all) < maxSessions {
		page, err := h.store.Sessions(r.Context(), caller(r), after, h.limits.Page)
		if err != nil {
			return nil, err
		}
		for _, s := range page {
			m := list("/sessions/"+s.ID, s.ID)
			m.Modified, m.Version.Born = s.Created, s.Created
			all, after = append(all, m), s.ID
		}
		if len(page) < h.limits.Page {
			break
		}
	}
	return all, nil
}

// list is a resource outside of all trees.
func list(path, name string) member {
	return member{path, resource{Entry: layers.Entry{Base: name, Version: new(layers.Version)}, dir: true, list: true}}
}

// propfindList describes a list of trees. Depth infinity is refused as it is in
// a tree.
func (h *Handler) propfindList(w http.ResponseWriter, r *http.Request, t target) error {
	d, noroot, err := parseDepth(r.Header)
	if err != nil {
		return err
	}
	sel, err := h.selection(w, r)
	if err != nil {
		return err
	}
	if d == depthInfinite {
		return errTooWide
	}
	all := []member{list(t.root, "")}
	if d != depth0 {
		below, err := h.members(r, t)
		if err != nil {
			return err
		}
		all = append(all, below...)
	}
	if noroot {
		all = all[1:]
	}
	s := &sheet{target: t, h: h, now: h.now()}
	if sel.wants(quotaAvailable, quotaUsed) {
		home := h.store.View(caller(r), layers.Scope{Kind: layers.Home})
		l, err := home.List(r.Context(), ".", layers.ListOptions{Quota: true})
		if err != nil {
			return err
		}
		s.quota, s.used, s.left = true, l.Used, l.Available
	}
	m := &multistatus{w: w, buf: appendRoot(nil, "multistatus")}
	for i := range all {
		href := append(appendHref(nil, h.prefix+all[i].path), '/')
		m.buf = s.appendResponse(m.buf, href, &all[i].resource, &sel)
		if m.grow() != nil {
			return nil
		}
	}
	m.end()
	return nil
}

// getList shows a list of trees to whoever looks at it.
func (h *Handler) getList(w http.ResponseWriter, r *http.Request, t target) error {
	all, err := h.members(r, t)
	if err != nil {
		return err
	}
	page := listing{policy: h.pagePolicy}
	for _, m := range all {
		page.add(h.href(m.path, true), m.Base, true, 0, m.Modified)
	}
	page.serve(w, r, t.path())
	return nil
}
