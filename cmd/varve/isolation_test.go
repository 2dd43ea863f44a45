package main

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"varve/authz"
	"varve/layers"
)

// TestAnotherSessionIsAsIfThereWereNone sends everything one can send about a
// session, as everybody who may not see it, by every way a token travels: about
// one that exists, one that has ended and one that never was. The answers are
// the same to the byte but for Date and request id, nothing of the session is in
// them, no body is asked for, and nothing changes.
func TestAnotherSessionIsAsIfThereWereNone(t *testing.T) {
	w := newIsolated(t)
	before := w.state()
	if !strings.Contains(before, canary) {
		t.Fatalf("ann herself does not see what lies in her sessions:\n%s", before)
	}
	long, short := w.exchanges(t)
	var asked atomic.Int64
	t.Run("walk", func(t *testing.T) {
		for _, p := range w.parties {
			for name, carrier := range p.carriers() {
				walk := short
				switch {
				case testing.Short() && name != "Bearer":
					continue
				case p.walks && name == "Bearer" && !testing.Short():
					walk = long
				}
				t.Run(p.name+"/"+name, func(t *testing.T) {
					t.Parallel()
					l := w.line(t)
					for _, r := range walk {
						if p.owner && strings.HasSuffix(r.target, "{mount}") {
							continue
						}
						w.compare(t, l, p.status, r, carrier(p.token))
						asked.Add(3)
					}
				})
			}
		}
	})
	t.Logf("%d requests, %d different ones", asked.Load(), len(long))
	if diff := cmp.Diff(before, w.state()); diff != "" {
		t.Errorf("strangers changed something (-before +after):\n%s", diff)
	}
}

// compare asks the same about all three sessions. Asked about the session
// itself, nothing gets further than status.
func (w *isolated) compare(t *testing.T, l *line, status int, r raw, credentials string) {
	t.Helper()
	none := l.ask(w.never.about(r).with(credentials))
	want := w.never.blank(none)
	if none.status/100 == 3 || none.status == http.StatusInternalServerError {
		t.Errorf("%v = %s", r, none.whole)
	}
	dav, api := strings.HasPrefix(r.target, "/sessions/{sid}"), strings.HasPrefix(r.target, "/api/sessions/{sid}")
	if (dav || api) && r.method != http.MethodOptions {
		exact := strings.HasSuffix(r.target, "{sid}/file.txt") || strings.HasSuffix(r.target, "files/file.txt") && none.status != http.StatusMethodNotAllowed
		if none.interim > 0 || none.status/100 != 4 || exact && none.status != status {
			t.Errorf("%v = %d and %d interim answers, want %d", r, none.status, none.interim, status)
		}
	}
	for _, about := range []private{w.live, w.ended} {
		a := l.ask(about.about(r).with(credentials))
		if got := about.blank(a); got != want {
			t.Errorf("%v differs (-of none +of one that exists):\n%s", r, cmp.Diff(want, got))
		}
		if strings.Contains(a.whole, canary) {
			t.Errorf("%v shows what lies in the session:\n%s", r, a.whole)
		}
	}
}

// TestListsHoldNothingOfOthers: no list has a session its reader has no right
// to, nor anything that lies in one.
func TestListsHoldNothingOfOthers(t *testing.T) {
	w := newIsolated(t)
	lists := []raw{
		{method: "GET", target: "/"}, {method: "GET", target: "/app/x"}, {method: "GET", target: "/readyz"},
		{method: "GET", target: "/api/sessions"}, {method: "GET", target: "/api/sessions?limit=1000"},
		{method: "GET", target: "/api/me"}, {method: "GET", target: "/api/tokens"}, {method: "GET", target: "/api/openapi.json"},
		{method: "GET", target: "/api/home/files"}, {method: "GET", target: "/api/shared/files"}, {method: "GET", target: "/api/uploads"},
		{method: "GET", target: "/api/home/files/file.txt"}, {method: "GET", target: "/api/home/files/gone.txt"},
	}
	for _, target := range []string{"/", "/sessions", "/sessions/", "/dav/", "/shared/", "/dav/file.txt", "/shared/locked.txt", "/granted/", "/at/", "/trash/", "*"} {
		for _, body := range []string{"", propsBody, `<D:propfind xmlns:D="DAV:"><D:propname/></D:propfind>`} {
			lists = append(lists, raw{method: "PROPFIND", target: target, body: body, header: []string{"Depth: 1"}},
				raw{method: "PROPFIND", target: target, body: body, header: []string{"Depth: infinity"}})
		}
		lists = append(lists, raw{method: "GET", target: target}, raw{method: "GET", target: target, header: []string{"Accept: text/html"}})
	}
	for _, p := range w.parties {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			l := w.line(t)
			for _, r := range lists {
				for _, carrier := range p.carriers() {
					a := l.ask(r.with(carrier(p.token)))
					for _, of := range []string{canary, w.live.sid, w.ended.sid, w.live.mount, w.live.lock} {
						if strings.Contains(a.whole, of) {
							t.Errorf("%v has %s in it:\n%s", r, of, a.whole)
						}
					}
				}
			}
		})
	}
	owner := w.line(t)
	for _, r := range []raw{{method: "GET", target: "/api/sessions"}, {method: "GET", target: "/sessions/"}, {method: "PROPFIND", target: "/sessions/"}} {
		if a := owner.ask(r.with(bearer(w.mint(authz.Claims{Sub: "ann"})))); !strings.Contains(a.body, w.live.sid) || !strings.Contains(a.body, w.ended.sid) {
			t.Errorf("%v does not show ann her own sessions:\n%s", r, a.whole)
		}
	}
}

// TestSomebodyElsesSessionID: a token that names ann's session and another sub
// is 401 wherever it would be that session's, and so makes nothing of it; an id
// that was ever used cannot be used again, whoever asks.
func TestSomebodyElsesSessionID(t *testing.T) {
	w := newIsolated(t)
	before := w.state()
	l := w.line(t)
	for _, p := range []private{w.live, w.ended} {
		for _, token := range []string{
			w.mint(authz.Claims{Sub: "bob", Session: p.sid}),
			platformToken(t, jwt.MapClaims{"sub": "ann", "sid": p.sid}),
		} {
			for _, r := range firstWrites(p.sid) {
				a := l.ask(r.with(bearer(token)))
				if a.status != 401 || a.interim > 0 || len(a.header.Values("WWW-Authenticate")) != 2 {
					t.Errorf("%v with another sub = %s, want 401 with two challenges", r, a.whole)
				}
			}
		}
		bob, ann := w.mint(authz.Claims{Sub: "bob"}), w.mint(authz.Claims{Sub: "ann"})
		create := raw{method: "POST", target: "/api/sessions", header: []string{"Content-Type: application/json"}, body: `{"id":"` + p.sid + `"}`}
		others, own := l.ask(create.with(bearer(bob))), l.ask(create.with(bearer(ann)))
		if others.status != 409 || others.plain() != own.plain() {
			t.Errorf("creating a session that there is: got\n%s\nof another's, of one's own\n%s", others.whole, own.whole)
		}
	}
	if diff := cmp.Diff(before, w.state()); diff != "" {
		t.Errorf("something changed (-before +after):\n%s", diff)
	}
}

// firstWrites are requests that would make a session, or show one.
func firstWrites(sid string) []raw {
	to := []string{"Destination: /dav/new.txt"}
	xml := `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><x xmlns="y">z</x></D:prop></D:set></D:propertyupdate>`
	all := []raw{
		{method: "GET", target: "/dav/file.txt"}, {method: "PROPFIND", target: "/dav/"}, {method: "DELETE", target: "/dav/file.txt"},
		{method: "PUT", target: "/dav/new.txt", body: "x"}, {method: "PUT", target: "/dav/new.txt", body: "x", wait: true},
		{method: "MKCOL", target: "/dav/new"}, {method: "PROPPATCH", target: "/dav/file.txt", body: xml},
		{method: "LOCK", target: "/dav/file.txt", body: lockBody("bob")}, {method: "LOCK", target: "/dav/new.txt", body: lockBody("bob")},
		{method: "COPY", target: "/dav/file.txt", header: to}, {method: "MOVE", target: "/dav/file.txt", header: to},
		{method: "COPY", target: "/shared/file.txt", header: to}, {method: "GET", target: "/api/sessions"},
	}
	for _, scope := range []string{"home", "sessions/" + sid} {
		json := []string{"Content-Type: application/json"}
		all = append(all,
			raw{method: "GET", target: "/api/" + scope + "/files/file.txt"},
			raw{method: "PUT", target: "/api/" + scope + "/files/new.txt", body: "x", wait: true},
			raw{method: "DELETE", target: "/api/" + scope + "/files/file.txt"},
			raw{method: "POST", target: "/api/" + scope + "/mkdir", header: json, body: `{"name":"new"}`},
			raw{method: "POST", target: "/api/" + scope + "/move", header: json, body: `{"from":"file.txt","to":"new"}`},
		)
	}
	return append(all, raw{method: "GET", target: "/sessions/" + sid + "/file.txt"}, raw{method: "DELETE", target: "/api/sessions/" + sid})
}

// TestOneOwnerOfARacedSession: of two subs whose tokens name the same new
// session and who write at the same moment, one gets it and the other 401.
func TestOneOwnerOfARacedSession(t *testing.T) {
	w := newIsolated(t)
	for range 10 {
		sid := layers.NewSessionID()
		statuses := make(chan int)
		for _, sub := range []string{"bob", "eve"} {
			l, token := w.line(t), w.mint(authz.Claims{Sub: sub, Session: sid})
			go func() { // ends with its answer, which is read below
				a, err := l.try(raw{method: "PUT", target: "/dav/" + sub, header: []string{bearer(token)}, body: sub})
				if err != nil {
					a.status = -1
				}
				statuses <- a.status
			}()
		}
		got := []int{<-statuses, <-statuses}
		slices.Sort(got)
		if diff := cmp.Diff([]int{201, 401}, got); diff != "" {
			t.Errorf("two first writes (-want +got):\n%s", diff)
		}
	}
}

// TestSessionFirstThenShared: the API shows a session's version where it has
// one, else shared's, with the ranges and conditions of RFC 9110.
func TestSessionFirstThenShared(t *testing.T) {
	w := newIsolated(t)
	l := w.line(t)
	own, shared := canary+" file", "of shared"
	tag := l.ask(raw{method: "GET", target: "/api/sessions/" + w.live.sid + "/files/file.txt", header: []string{bearer(w.liveToken)}}).header.Get("ETag")
	for _, tt := range []struct {
		name, header string
		status       int
		body         string
	}{
		{"file.txt", "", 200, own},
		{"only.txt", "", 200, shared},
		{"gone.txt", "", 404, ""},
		{"none.txt", "", 404, ""},
		{"dir/" + canary + ".txt", "", 200, canary + " below"},
		{"dir//./" + canary + ".txt", "", 200, canary + " below"},
		{"file.txt", "Range: bytes=0-5", 206, own[:6]},
		{"only.txt", "Range: bytes=3-", 206, shared[3:]},
		{"only.txt", "Range: bytes=-6", 206, shared[3:]},
		{"file.txt", "Range: bytes=99-", 416, ""},
		{"file.txt", "Range: bytes=x", 416, ""},
		{"file.txt", "Range: lines=0-1", 416, ""},
		{"file.txt", "If-None-Match: " + tag, 304, ""},
		{"file.txt", "If-None-Match: *", 304, ""},
		{"file.txt", `If-None-Match: "other"`, 200, own},
		{"file.txt", "If-Match: " + tag, 200, own},
		{"file.txt", `If-Match: "other"`, 412, ""},
		{"only.txt", "If-Match: " + tag, 412, ""},
		{"file.txt", "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT", 304, ""},
		{"file.txt", "If-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT", 412, ""},
		{"file.txt", "Range: bytes=0-5\r\nIf-Range: " + tag, 206, own[:6]},
		{"file.txt", "Range: bytes=0-5\r\nIf-Range: \"other\"", 200, own},
	} {
		for _, token := range []string{w.liveToken, w.mint(authz.Claims{Sub: "ann"})} {
			r := raw{method: "GET", target: "/api/sessions/" + w.live.sid + "/files/" + tt.name, header: []string{bearer(token)}}
			if tt.header != "" {
				r = r.with(tt.header)
			}
			get := l.ask(r)
			if get.status != tt.status || tt.status < 400 && get.body != tt.body {
				t.Errorf("GET %s %s = %d %q, want %d %q", tt.name, tt.header, get.status, get.body, tt.status, tt.body)
			}
			r.method = "HEAD"
			head := l.ask(r)
			differ := []string{"Date", "X-Request-Id", "Content-Digest"} // the last is of the body, which HEAD has not
			if get.body == "" {
				differ = append(differ, "Content-Length") // net/http adds a 0 to GET's
			}
			for _, name := range differ {
				get.header.Del(name)
				head.header.Del(name)
			}
			if diff := cmp.Diff(get.header, head.header); diff != "" || head.status != get.status || head.body != "" {
				t.Errorf("HEAD %s %s = %d %q, differs from GET:\n%s", tt.name, tt.header, head.status, head.body, diff)
			}
		}
	}
	if a := l.ask(raw{method: "GET", target: "/api/shared/files/file.txt", header: []string{bearer(w.liveToken)}}); a.body != shared {
		t.Errorf("GET of shared = %q, want %q", a.body, shared)
	}
}
