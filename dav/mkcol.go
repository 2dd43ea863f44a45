package dav

import (
	"bytes"
	"mime"
	"net/http"
	"strings"

	"varve/layers"
)

// mkcol makes a collection, with dead properties if the body says so (RFC 5689).
func (h *Handler) mkcol(w http.ResponseWriter, r *http.Request, t target) error {
	props, err := h.mkcolProps(r)
	if err != nil {
		return err
	}
	c, err := h.cond(r, t)
	if err != nil {
		return err
	}
	if _, err := t.view.Mkdir(r.Context(), t.name, props, c); err != nil {
		return err
	}
	w.WriteHeader(http.StatusCreated)
	return nil
}

// mkcolProps reads the body. Other media types are refused: a body that is not
// understood must not be passed over (RFC 4918, section 9.3.1).
func (h *Handler) mkcolProps(r *http.Request) ([]layers.Prop, error) {
	b, err := body(r, h.limits.XMLBody)
	if err != nil || len(bytes.TrimSpace(b)) == 0 {
		return nil, err
	}
	if t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); t != "" && !strings.HasSuffix(t, "xml") {
		return nil, &refusal{status: http.StatusUnsupportedMediaType, hint: "MKCOL takes no body, or a DAV:mkcol"}
	}
	patch, err := parseMkcol(b, h.limits.XMLDepth)
	if err != nil {
		return nil, err
	}
	var props []layers.Prop
	for _, p := range patch {
		p.Prop.Value = strings.TrimSpace(p.Prop.Value)
		live, isLive := liveByName(nameOf(p.Prop))
		switch {
		case isLive && live == resourceType:
			if !plainCollection(p.Value) {
				return nil, &refusal{status: http.StatusForbidden, condition: "valid-resourcetype",
					hint: "only plain collections can be made"}
			}
		case isLive && live == displayName: // always the name itself
		case protected(nameOf(p.Prop)):
			return nil, errProtected
		default:
			props = append(props, p.Prop)
		}
	}
	return props, nil
}

// plainCollection tells whether the value of a resourcetype is DAV:collection alone.
func plainCollection(value string) bool {
	x := newXMLReader([]byte(`<D:r xmlns:D="DAV:">`+value+`</D:r>`), 4)
	if _, err := x.root(); err != nil {
		return false
	}
	if first, ok, err := x.child(); err != nil || !ok || first.Space != davNS || first.Local != "collection" {
		return false
	}
	if x.skip() != nil {
		return false
	}
	_, more, err := x.child()
	return err == nil && !more
}
