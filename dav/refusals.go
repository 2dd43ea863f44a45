package dav

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"varve/authz"
	"varve/layers"
)

// rclone sends DELETE one second after a PUT of its failed, to clear away what
// may be half an upload. Here nothing is ever half: that DELETE would take the
// older file, which is still whole. So for a while it is refused.

const (
	refusalTerm = 10 * time.Second
	maxRefusals = 1024
)

// refusals remembers uploads by rclone that were refused or lost. It is a
// courtesy on top of what can be restored anyway, so it may forget: it is
// bounded and does not survive a restart.
type refusals struct {
	mu    sync.Mutex // guards what follows
	notes [maxRefusals]refusedPut
	next  int // the oldest note, overwritten first
}

// refusedPut is one of them.
type refusedPut struct {
	who        authz.Principal
	path, etag string // of the file that stayed
	until      time.Time
}

// watched tells whether a request is of a client that deletes after failures.
func watched(r *http.Request) bool { return strings.HasPrefix(r.UserAgent(), "rclone/") }

// note remembers that a PUT to t failed, if a file stayed there.
func (f *refusals) note(r *http.Request, t target, now time.Time) {
	if !watched(r) {
		return
	}
	e, err := t.view.Stat(r.Context(), t.name)
	if err != nil || e.IsDir() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.notes[f.next] = refusedPut{authz.From(r.Context()), t.root + "/" + e.Name, e.ETag, now.Add(refusalTerm)}
	f.next = (f.next + 1) % maxRefusals
}

// guards is layers.ErrRecentFailure when a DELETE of t would take what a failed
// PUT left in place.
func (f *refusals) guards(r *http.Request, t target, now time.Time) error {
	if !watched(r) || !f.any(now) {
		return nil
	}
	e, err := t.view.Stat(r.Context(), t.name)
	if err != nil {
		return nil // the DELETE itself will say so
	}
	who, path := authz.From(r.Context()), t.root+"/"+e.Name
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.notes {
		n := &f.notes[i]
		if n.path == path && n.etag == e.ETag && n.who.Account() == who.Account() && n.who.Session == who.Session && now.Before(n.until) {
			return layers.ErrRecentFailure
		}
	}
	return nil
}

// any tells whether there is a note that still counts.
func (f *refusals) any(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	newest := (f.next + maxRefusals - 1) % maxRefusals
	return now.Before(f.notes[newest].until)
}
