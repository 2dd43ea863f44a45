package dav

import (
	"net/http"
	"strings"
)

// Serves tells whether a decoded URL path lies below one of WebDAV's roots. "/"
// and "*" are shared with whoever serves pages: there WebDAV is PROPFIND and
// OPTIONS.
func (h *Handler) Serves(path string) bool {
	switch root, _ := cutRoot(path); root {
	case "dav", "shared", "sessions", "granted", "at", "versions", "trash":
		return true
	}
	return false
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Method == http.MethodOptions {
		h.options(w, r)
		return
	}
	t, err := h.resolve(caller(r), r.URL.Path)
	if err == nil {
		err = h.serve(w, r, t)
	}
	if err != nil {
		h.refuse(w, r, t, err)
	}
}

// serve is every method that WebDAV answers.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, t target) error {
	if t.view == nil {
		return h.serveList(w, r, t)
	}
	// Before a body is read, what may not be seen answers as if it were not there.
	if t.kind == sessionTree {
		if err := t.view.Probe(r.Context()); err != nil {
			return err
		}
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return h.get(w, r, t)
	case http.MethodPut:
		return h.put(w, r, t)
	case http.MethodDelete:
		return h.delete(w, r, t)
	case "MKCOL":
		return h.mkcol(w, r, t)
	case "COPY":
		return h.copy(w, r, t)
	case "MOVE":
		return h.move(w, r, t)
	case "PROPFIND":
		return h.propfind(w, r, t)
	case "PROPPATCH":
		return h.proppatch(w, r, t)
	case "LOCK":
		return h.lock(w, r, t)
	case "UNLOCK":
		return h.unlock(w, r, t)
	}
	return unknownMethod(w, r, allowTree)
}

// serveList is every method that the lists of trees answer.
func (h *Handler) serveList(w http.ResponseWriter, r *http.Request, t target) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return h.getList(w, r, t)
	case "PROPFIND":
		return h.propfindList(w, r, t)
	}
	return unknownMethod(w, r, allowRead)
}

// What Allow says. POST and the rest of HTTP's and DAV's methods are known and
// refused with 405; only what nobody knows is 501.
const (
	allowTree = "OPTIONS, GET, HEAD, PUT, DELETE, MKCOL, COPY, MOVE, PROPFIND, PROPPATCH, LOCK, UNLOCK"
	allowRead = "OPTIONS, GET, HEAD, PROPFIND"
	known     = " " + allowTree + ", POST, PATCH, TRACE, REPORT, SEARCH, ACL, VERSION-CONTROL, CHECKIN, CHECKOUT," +
		" UNCHECKOUT, MKWORKSPACE, UPDATE, LABEL, MERGE, BASELINE-CONTROL, MKACTIVITY, MKCALENDAR, ORDERPATCH, BIND, REBIND, UNBIND,"
)

// unknownMethod refuses a method that the resource does not have.
func unknownMethod(w http.ResponseWriter, r *http.Request, allow string) error {
	if !strings.Contains(known, " "+r.Method+",") {
		return &refusal{status: http.StatusNotImplemented, hint: "this method is not known here"}
	}
	w.Header().Set("Allow", allow)
	return &refusal{status: http.StatusMethodNotAllowed, hint: "this resource has no such method; see Allow"}
}

// options announces what there is. Every path answers, whether anything is there
// or not, and alike (RFC 4918, section 18): Explorer asks "/" and every ancestor
// of a mount, with nobody to tell them apart from trees.
//
// A tree that its reader may see but not write announces no locks, so that
// Finder mounts it read-only instead of failing on every save.
func (h *Handler) options(w http.ResponseWriter, r *http.Request) {
	classes, allow := "1, 2, 3, extended-mkcol", allowTree
	switch t, err := h.resolve(caller(r), r.URL.Path); {
	case err != nil:
	case t.view == nil:
		allow = allowRead
	default:
		if ok, err := t.view.Writable(r.Context(), t.name); err == nil && !ok {
			classes, allow = "1, 3", allowRead+", COPY"
		}
	}
	w.Header().Set("DAV", classes)
	w.Header().Set("MS-Author-Via", "DAV")
	w.Header().Set("Allow", allow)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
}
