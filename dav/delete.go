package dav

import (
	"net/http"
)

// delete removes a name and everything below it, as one change.
func (h *Handler) delete(w http.ResponseWriter, r *http.Request, t target) error {
	d, _, err := parseDepth(r.Header)
	if err != nil {
		return err
	}
	if d == depth0 || d == depth1 {
		// Only a collection has a depth to get wrong (RFC 4918, section 9.6.1).
		if err := h.refuseCollection(r, t, "a collection is deleted with everything in it: Depth is infinity"); err != nil {
			return err
		}
	}
	c, err := h.cond(r, t)
	if err != nil {
		return err
	}
	if err := h.refused.guards(r, t, h.now()); err != nil {
		return err
	}
	if _, err := t.view.Remove(r.Context(), t.name, c); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// refuseCollection refuses a request whose Depth does not suit a collection, if
// t is one.
func (h *Handler) refuseCollection(r *http.Request, t target, hint string) error {
	e, err := t.view.Stat(r.Context(), t.name)
	if err == nil && e.IsDir() {
		err = bad(hint)
	}
	return err
}
