package dav

import (
	"encoding/xml"
	"net/http"
	"strings"
	"time"

	"varve/layers"
)

// errProtected refuses to set what only the server sets.
var errProtected = &refusal{status: http.StatusForbidden, condition: "cannot-modify-protected-property",
	hint: "the server alone sets this property"}

// proppatch sets and removes properties, all or none (RFC 4918, section 9.2).
func (h *Handler) proppatch(w http.ResponseWriter, r *http.Request, t target) error {
	b, err := body(r, h.limits.PatchBody)
	if err != nil {
		return err
	}
	patch, err := parsePropertyUpdate(b, h.limits.XMLDepth)
	if err != nil {
		return err
	}
	c, err := h.cond(r, t)
	if err != nil {
		return err
	}
	if err := h.lendTokens(r, t, patch, &c); err != nil {
		return err
	}
	dead, mtime, refused := sortPatch(patch)
	var e layers.Entry
	if len(refused) > 0 {
		e, err = t.view.Stat(r.Context(), t.name)
	} else {
		var done layers.Result
		done, err = t.view.SetProps(r.Context(), t.name, dead, mtime, c)
		e = done.Entry
	}
	if err != nil {
		return err
	}
	m := &multistatus{w: w, buf: appendRoot(nil, "multistatus")}
	m.buf = append(m.buf, "<D:response><D:href>"...)
	m.buf = append(m.buf, h.href(t.path(), e.IsDir())...)
	m.buf = append(m.buf, "</D:href>"...)
	m.buf = appendOutcome(m.buf, patch, refused)
	m.buf = append(m.buf, "</D:response>"...)
	m.end()
	return nil
}

// lendTokens submits the caller's own locks on t for a patch of Explorer's
// properties alone: Explorer and Office hold a lock but leave its token out when
// they set times and attributes, and take a refusal for a failed save.
func (h *Handler) lendTokens(r *http.Request, t target, patch []layers.PropPatch, c *layers.Cond) error {
	for _, p := range patch {
		if p.Space != msNS {
			return nil
		}
	}
	l, err := t.view.List(r.Context(), t.name, layers.ListOptions{Locks: true})
	if err != nil {
		return err
	}
	for _, lock := range l.Locks {
		if lock.Mine && lock.Covers(l.Self.Name) {
			c.Tokens = append(c.Tokens, lock.Token)
		}
	}
	return nil
}

// sortPatch tells what of a patch is stored, what time of modification it sets
// and which of its properties are refused, and how.
func sortPatch(patch []layers.PropPatch) (dead []layers.PropPatch, mtime time.Time, refused map[xml.Name]string) {
	refused = make(map[xml.Name]string)
	for _, p := range patch {
		name := nameOf(p.Prop)
		switch {
		case settable(name):
			at, ok := parseModified(p.Value)
			if ok && !p.Remove {
				mtime = at
			} else if name.Space != msNS {
				refused[name] = "409 Conflict"
			}
			if name.Space == msNS {
				dead = append(dead, p)
			}
		case name == xml.Name{Space: ocNS, Local: "checksums"}:
			// rclone states the sums again with the time; ours are computed.
		case protected(name):
			refused[name] = "403 Forbidden"
		default:
			dead = append(dead, p)
		}
	}
	return dead, mtime, refused
}

// nameOf is a property's name.
func nameOf(p layers.Prop) xml.Name { return xml.Name{Space: p.Space, Local: p.Local} }

// settable tells whether setting a property sets the time of modification:
// Explorer's name for it, rclone's, Cyberduck's, and DAV's own.
func settable(n xml.Name) bool {
	if n == (xml.Name{Space: msNS, Local: "Win32LastModifiedTime"}) {
		return true
	}
	p, ok := liveByName(n)
	return ok && (p == lastModified || p == davModified || p == sarModified)
}

// protected tells whether only the server sets a property.
func protected(n xml.Name) bool {
	p, ok := liveByName(n)
	return n.Space == varveNS || ok && p != lastModified && p != davModified && p != sarModified
}

// parseModified reads a time as any of these clients writes it.
func parseModified(value string) (time.Time, bool) {
	value = strings.TrimSpace(value)
	if t, err := http.ParseTime(value); err == nil {
		return t.UTC(), true
	}
	for _, layout := range []string{time.RFC3339Nano, time.RFC1123Z, "Mon, _2 Jan 2006 15:04:05 GMT"} {
		if t, err := time.Parse(layout, value); err == nil {
			return t.UTC(), true
		}
	}
	return parseClientTime(value)
}

// appendOutcome writes what became of each property: all were set, or the
// refused ones say why and the others depend on them (424).
func appendOutcome(b []byte, patch []layers.PropPatch, refused map[xml.Name]string) []byte {
	statuses := []string{"200 OK"}
	if len(refused) > 0 {
		statuses = []string{"403 Forbidden", "409 Conflict", "424 Failed Dependency"}
	}
	for _, status := range statuses {
		b = appendPropstat(b, patch, status, func(n xml.Name) bool {
			if len(refused) == 0 {
				return true
			}
			why, is := refused[n]
			return why == status || !is && status == "424 Failed Dependency"
		})
	}
	return b
}

// appendPropstat writes the names that have one status, each once.
func appendPropstat(b []byte, patch []layers.PropPatch, status string, has func(xml.Name) bool) []byte {
	done := make(map[xml.Name]bool)
	for _, p := range patch {
		n := nameOf(p.Prop)
		if done[n] || !has(n) {
			continue
		}
		if len(done) == 0 {
			b = append(b, "<D:propstat><D:prop>"...)
		}
		done[n] = true
		b = appendProp(b, n.Space, n.Local, "", "")
	}
	if len(done) == 0 {
		return b
	}
	b = append(b, "</D:prop>"...)
	b = appendStatus(b, status)
	if status == "403 Forbidden" {
		b = append(b, "<D:error><D:cannot-modify-protected-property/></D:error>"...)
	}
	return append(b, "</D:propstat>"...)
}
