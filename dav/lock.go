package dav

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"
	"time"

	"varve/layers"
)

// supportedLocks is the value of DAV:supportedlock.
const supportedLocks = "<D:lockentry><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>" +
	"<D:lockentry><D:lockscope><D:shared/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>"

// lock takes a lock, or renews the one that the request submits when it has no
// body (RFC 4918, section 9.10.2).
func (h *Handler) lock(w http.ResponseWriter, r *http.Request, t target) error {
	b, err := body(r, h.limits.XMLBody)
	if err != nil {
		return err
	}
	d, _, err := parseDepth(r.Header)
	if err != nil {
		return err
	}
	c, err := h.cond(r, t)
	if err != nil {
		return err
	}
	timeout := parseTimeout(r.Header)
	if len(bytes.TrimSpace(b)) == 0 {
		return h.refresh(w, r, t, timeout, c)
	}
	if d == depth1 {
		return bad("Depth of a LOCK is 0 or infinity")
	}
	info, err := parseLockInfo(b, h.limits.XMLDepth)
	if err != nil {
		return err
	}
	l, made, err := t.view.Lock(r.Context(), t.name, layers.LockOptions{
		Infinite: d != depth0, Shared: info.shared, OwnerXML: info.owner, Timeout: timeout, Cond: c,
	})
	if err != nil {
		return h.conflict(t, err)
	}
	w.Header().Set("Lock-Token", "<"+l.Token+">")
	status := http.StatusOK
	if made {
		status = http.StatusCreated
	}
	h.answerLock(w, t, l, status)
	return nil
}

// refresh renews a lock. The answer repeats the token in its body, where Finder
// takes it from, but not in a header.
func (h *Handler) refresh(w http.ResponseWriter, r *http.Request, t target, timeout time.Duration, c layers.Cond) error {
	if len(c.Tokens) == 0 {
		return bad("a LOCK has a DAV:lockinfo, or an If header with the lock to renew")
	}
	l, err := t.view.Refresh(r.Context(), t.name, timeout, c)
	if err != nil {
		return err
	}
	h.answerLock(w, t, l, http.StatusOK)
	return nil
}

// conflict names the locks in the way of a new one.
func (h *Handler) conflict(t target, err error) error {
	if !errors.Is(err, layers.ErrLocked) {
		return err
	}
	v := h.judge(t, err)
	v.condition, v.hint = "no-conflicting-lock", "locked already: see DAV:lockdiscovery there"
	return &v
}

// answerLock writes the one lock asked for, as DAV:lockdiscovery.
func (h *Handler) answerLock(w http.ResponseWriter, t target, l layers.Lock, status int) {
	l.Mine = true
	s := &sheet{target: t, h: h, now: h.now()}
	b := appendRoot(nil, "prop")
	b = append(b, "<D:lockdiscovery>"...)
	b = s.appendLock(b, l)
	b = append(b, "</D:lockdiscovery></D:prop>"...)
	w.Header().Set("Content-Type", xmlType)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	w.Write(b)
}

// unlock drops a lock.
func (h *Handler) unlock(w http.ResponseWriter, r *http.Request, t target) error {
	token, err := parseLockToken(r.Header)
	if err != nil {
		return err
	}
	if err := t.view.Unlock(r.Context(), t.name, token); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// appendLocks writes the locks that apply to a name.
func (s *sheet) appendLocks(b []byte, name string) []byte {
	for _, l := range s.locks {
		if l.Covers(name) {
			b = s.appendLock(b, l)
		}
	}
	return b
}

// appendLock writes an activelock. Another principal's token stays its own (RFC
// 4918, section 6.8); Finder takes the token to be the first href after locktoken.
func (s *sheet) appendLock(b []byte, l layers.Lock) []byte {
	b = append(b, "<D:activelock><D:locktype><D:write/></D:locktype><D:lockscope>"...)
	if l.Shared {
		b = append(b, "<D:shared/>"...)
	} else {
		b = append(b, "<D:exclusive/>"...)
	}
	b = append(b, "</D:lockscope><D:depth>"...)
	if l.Infinite {
		b = append(b, "infinity"...)
	} else {
		b = append(b, '0')
	}
	b = append(b, "</D:depth>"...)
	if l.OwnerXML != "" {
		b = append(append(append(b, "<D:owner>"...), l.OwnerXML...), "</D:owner>"...)
	}
	b = append(b, "<D:timeout>Second-"...)
	b = strconv.AppendInt(b, s.secondsLeft(l), 10)
	b = append(b, "</D:timeout>"...)
	if l.Mine {
		b = append(b, "<D:locktoken><D:href>"...)
		b = appendText(b, l.Token)
		b = append(b, "</D:href></D:locktoken>"...)
	}
	b = append(b, "<D:lockroot><D:href>"...)
	b = appendHref(b, s.h.prefix+s.of(l.Name))
	return append(b, "</D:href></D:lockroot></D:activelock>"...)
}

// secondsLeft is how long a lock still holds, at least one second.
func (s *sheet) secondsLeft(l layers.Lock) int64 {
	return max(1, int64((l.Expires.Sub(s.now)+time.Second-1)/time.Second))
}
