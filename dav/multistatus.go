package dav

import (
	"encoding/xml"
	"net/http"
	"strconv"
)

// answerChunk is how much of a listing is gathered before it is sent. An answer
// that fits has a Content-Length.
const answerChunk = 64 << 10

// multistatus writes a 207 (RFC 4918, section 13) as it goes.
type multistatus struct {
	w    http.ResponseWriter
	buf  []byte
	sent bool // the status and a part of the body are out
	err  error
}

// grow sends what has been gathered once that is enough.
func (m *multistatus) grow() error {
	if len(m.buf) < answerChunk {
		return m.err
	}
	m.send("")
	return m.err
}

// end sends the rest.
func (m *multistatus) end() error {
	m.buf = append(m.buf, "</D:multistatus>"...)
	if m.sent {
		m.send("")
	} else {
		m.send(strconv.Itoa(len(m.buf)))
	}
	return m.err
}

func (m *multistatus) send(length string) {
	if !m.sent {
		m.sent = true
		m.w.Header().Set("Content-Type", xmlType)
		if length != "" {
			m.w.Header().Set("Content-Length", length)
		}
		m.w.WriteHeader(http.StatusMultiStatus)
	}
	if m.err == nil {
		_, m.err = m.w.Write(m.buf)
	}
	m.buf = m.buf[:0]
}

// selection is what is answered of each resource.
type selection struct {
	live    []live     // in the order of their constants
	dead    []xml.Name // by name
	all     bool       // and every dead property there is
	names   bool       // only what they are called
	minimal bool       // nothing about what is not there
}

// chooses turns what was asked into a selection. lean leaves the locks out of an
// allprop: Explorer refuses a listing of more than 1 MB.
func (a asked) chooses(lean, minimal bool) selection {
	sel := selection{all: a.all || a.names, names: a.names, minimal: minimal}
	var want [lives]bool
	for p := range lives {
		want[p] = a.all && p < allLive || a.names
	}
	if lean && a.all {
		want[lockDiscovery], want[supportedLock] = false, false
	}
	for _, n := range a.props {
		if p, ok := liveByName(n); ok {
			want[p] = true
		} else {
			sel.dead = append(sel.dead, n)
		}
	}
	for p, wanted := range want {
		if wanted {
			sel.live = append(sel.live, live(p))
		}
	}
	return sel
}

// wants tells whether one of ps is selected.
func (sel selection) wants(ps ...live) bool {
	for _, p := range sel.live {
		for _, q := range ps {
			if p == q {
				return true
			}
		}
	}
	return false
}

// appendResponse writes one response element: what there is first, because npm's
// client reads only the first propstat.
func (s *sheet) appendResponse(b []byte, href []byte, e *resource, sel *selection) []byte {
	b = append(b, "<D:response><D:href>"...)
	b = append(b, href...)
	b = append(b, "</D:href>"...)
	var missing [lives]bool
	const open = "<D:propstat><D:prop>"
	start := len(b)
	b = append(b, open...)
	for _, p := range sel.live {
		b, missing[p] = s.appendLiveProp(b, p, e, sel.names)
	}
	b, deadMissing := appendDeadProps(b, e, sel)
	lacks := len(deadMissing) > 0
	for _, p := range sel.live {
		lacks = lacks || missing[p]
	}
	// An allprop says nothing of what is not there.
	lacks = lacks && !sel.all && !sel.minimal
	if found := len(b) > start+len(open); found || !lacks {
		b = append(b, "</D:prop>"...)
		b = append(appendStatus(b, "200 OK"), "</D:propstat>"...)
	} else {
		b = b[:start]
	}
	if lacks {
		b = append(b, open...)
		for _, p := range sel.live {
			if missing[p] {
				b = appendProp(b, liveNames[p].Space, liveNames[p].Local, "", "")
			}
		}
		for _, n := range deadMissing {
			b = appendProp(b, n.Space, n.Local, "", "")
		}
		b = append(b, "</D:prop>"...)
		b = append(appendStatus(b, "404 Not Found"), "</D:propstat>"...)
	}
	return append(b, "</D:response>"...)
}

// appendLiveProp writes a live property, or nothing if e has none.
func (s *sheet) appendLiveProp(b []byte, p live, e *resource, nameOnly bool) (out []byte, missing bool) {
	n := &liveNames[p]
	prefix, _ := prefixOf(n.Space)
	if n.Space == sarNS {
		// The one live property whose namespace no answer declares at its root.
		value, ok := s.appendLive(nil, p, e)
		if nameOnly {
			value = nil
		}
		if ok {
			b = appendProp(b, n.Space, n.Local, "", string(value))
		}
		return b, !ok
	}
	start := len(b)
	b = append(append(append(b, '<'), prefix...), n.Local...)
	b = append(b, '>')
	inside := len(b)
	b, ok := s.appendLive(b, p, e)
	switch {
	case !ok:
		return b[:start], true
	case nameOnly || len(b) == inside:
		b = b[:inside-1]
		return append(b, '/', '>'), false
	}
	b = append(append(b, '<', '/'), prefix...)
	return append(append(b, n.Local...), '>'), false
}

// appendDeadProps writes the dead properties selected, and returns those that e
// does not have.
func appendDeadProps(b []byte, e *resource, sel *selection) (out []byte, missing []xml.Name) {
	if sel.all {
		for _, p := range e.Version.Props {
			value := ""
			if !sel.names {
				value = deadValue(e, p.Space, p.Local, p.Value)
			}
			b = appendProp(b, p.Space, p.Local, p.Lang, value)
		}
	}
	for _, n := range sel.dead {
		found := false
		for _, p := range e.Version.Props {
			if p.Space != n.Space || p.Local != n.Local {
				continue
			}
			if found = true; !sel.all {
				b = appendProp(b, p.Space, p.Local, p.Lang, deadValue(e, p.Space, p.Local, p.Value))
			}
			break
		}
		if !found {
			missing = append(missing, n)
		}
	}
	return b, missing
}
