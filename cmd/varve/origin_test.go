package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"varve/authz"
)

// app is the one origin that may call with a Bearer token.
const app = "https://app.example.org"

// newBrowsed is a server that app may call, with what surfaces() needs.
func newBrowsed(t *testing.T) *isolated {
	t.Helper()
	w := &isolated{server: startServer(t, "--cors-origin", app, "--log-level", "error")}
	w.openKeys()
	w.ok("PUT", "/shared/file.txt", w.mint(authz.Claims{Sub: "ann"}), "of shared")
	return w
}

// foreign are the headers of browsers that send a request for another site's page.
func foreign(host string) []string {
	return []string{
		"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate",
		"Sec-Fetch-Site: cross-site\r\nOrigin: https://elsewhere.example", "Origin: https://elsewhere.example", "Origin: null",
		"Origin: http://127.0.0.1:1", "Origin: http://" + host + ".elsewhere.example", "Origin: " + app, "Sec-Fetch-Site: cross-site\r\nOrigin: " + app,
	}
}

// TestAnotherSitesPageChangesNothing: what comes on a cookie or on a saved
// password, sent by another site's page, is refused before anything is read.
func TestAnotherSitesPageChangesNothing(t *testing.T) {
	w := newBrowsed(t)
	token := w.mint(authz.Claims{Sub: "ann"})
	l := w.line(t)
	before := w.seq()
	asked := 0
	for _, carrier := range []func(string) string{cookie, basic, func(s string) string { return cookie(s) + "\r\n" + basic(s) }} {
		for _, from := range foreign(l.host) {
			for _, r := range append(surfaces(), w.documented(t)...) {
				if r.method == "GET" || r.method == "HEAD" || r.method == "OPTIONS" {
					continue
				}
				a := l.ask(r.with(carrier(token), from))
				if a.status != 403 || a.interim > 0 || a.header.Get("Set-Cookie") != "" {
					t.Errorf("%v from %q = %s, want 403", r, from, a.whole)
				}
				asked++
			}
		}
	}
	if asked < 500 {
		t.Errorf("only %d requests", asked)
	}
	if after := w.seq(); after != before+1 {
		t.Errorf("%d changes were made", after-before-1)
	}
}

// documented are the operations of the API that change something, each without
// a body.
func (w *isolated) documented(t *testing.T) (all []raw) {
	t.Helper()
	var doc document
	w.decode(w.line(t).ask(raw{method: "GET", target: "/api/openapi.json"}), &doc)
	for path, operations := range doc.Paths {
		for method := range operations {
			target := strings.NewReplacer("{sid}", "no-such-session", "{scope}", "home", "{name}", "file.txt", "{id}", "x").Replace(path)
			all = append(all, raw{method: strings.ToUpper(method), target: target})
		}
	}
	return all
}

// TestOwnPagesAndClientsMayChangeThings: what no other site's page sent passes.
func TestOwnPagesAndClientsMayChangeThings(t *testing.T) {
	w := newBrowsed(t)
	token := w.mint(authz.Claims{Sub: "ann"})
	l := w.line(t)
	for _, tt := range []struct {
		carrier string
		from    string
	}{
		{cookie(token), "Sec-Fetch-Site: same-origin"}, {cookie(token), "Sec-Fetch-Site: none"}, {cookie(token), "Origin: http://" + l.host},
		{basic(token), "Sec-Fetch-Site: same-origin"}, {basic(token), "X-No-Browser: at all"}, {cookie(token), "X-No-Browser: at all"},
		{bearer(token), "Sec-Fetch-Site: cross-site\r\nOrigin: https://elsewhere.example"}, {bearer(token), "Origin: null"}, {bearer(token), "Origin: " + app},
	} {
		for _, r := range []raw{
			{method: "PUT", target: "/dav/new.txt", body: "x"}, {method: "PROPFIND", target: "/dav/"}, {method: "PUT", target: "/api/home/files/new.txt", body: "x"},
			{method: "DELETE", target: "/dav/new.txt"},
		} {
			if a := l.ask(r.with(tt.carrier, tt.from)); a.status/100 != 2 {
				t.Errorf("%v from %q by %.20s = %s", r, tt.from, tt.carrier, a.whole)
			}
		}
	}
}

// TestReadingFromAnotherOrigin: only a listed origin may read answers, only with
// a Bearer token, and no answer ever lets credentials come along.
func TestReadingFromAnotherOrigin(t *testing.T) {
	w := newBrowsed(t)
	token := w.mint(authz.Claims{Sub: "ann"})
	l := w.line(t)
	for _, r := range append(surfaces(), w.documented(t)...) {
		if r.wait || r.method == "DELETE" {
			continue
		}
		for _, origin := range []string{app, "https://elsewhere.example", "null", "http://" + l.host, app + ".elsewhere.example", strings.ToUpper(app)} {
			for name, credentials := range map[string]string{"Bearer": bearer(token), "Basic": basic(token), "cookie": cookie(token), "none": "X-Nothing: here"} {
				a := l.ask(r.with("Origin: "+origin, credentials))
				leave := a.header.Get("Access-Control-Allow-Origin")
				mayRead := origin == app && (name == "Bearer" || name == "none" || a.status == 403)
				if leave != "" && (leave != app || !mayRead) || a.header.Get("Access-Control-Allow-Credentials") != "" {
					t.Errorf("%v from %s by %s: Access-Control-Allow-Origin %q:\n%s", r, origin, name, leave, a.whole)
				}
				if name == "Bearer" && origin == app && leave != app {
					t.Errorf("%v from %s by %s may not be read", r, origin, name)
				}
			}
		}
	}
}

// TestPreflights are answered to everybody, without credentials, and alike for
// what exists and what does not; they give leave to the listed origin only.
func TestPreflights(t *testing.T) {
	w := newIsolated(t)
	allowed := newBrowsed(t)
	for _, target := range []string{"/", "*", "/dav/", "/dav/x", "/shared/x", "/sessions/" + w.live.sid + "/file.txt", "/api/me", "/api/sessions/" + w.live.sid, "/nowhere", "/davc"} {
		for _, method := range []string{"GET", "PUT", "DELETE", "PROPFIND", "MOVE", "LOCK", "PATCH"} {
			for _, origin := range []string{app, "https://elsewhere.example", "null"} {
				r := raw{method: "OPTIONS", target: target, header: []string{"Origin: " + origin, "Access-Control-Request-Method: " + method, "Access-Control-Request-Headers: authorization"}}
				for name, s := range map[string]*isolated{"without CORS": w, "with CORS": allowed} {
					a := s.line(t).ask(r)
					want := ""
					if name == "with CORS" && origin == app {
						want = app
					}
					if a.status != http.StatusNoContent || a.header.Get("Access-Control-Allow-Origin") != want || a.header.Get("Access-Control-Allow-Credentials") != "" {
						t.Errorf("%s: preflight of %s %s for %s = %s", name, method, target, origin, a.whole)
					}
					if want != "" && !strings.Contains(a.header.Get("Access-Control-Allow-Methods"), method) {
						t.Errorf("preflight of %s: methods %s", method, a.header.Get("Access-Control-Allow-Methods"))
					}
				}
			}
		}
	}
}

// TestSafeMethodsChangeNothing: GET, HEAD and OPTIONS of every URL, and methods
// that another header asks for.
func TestSafeMethodsChangeNothing(t *testing.T) {
	w := newBrowsed(t)
	token := w.mint(authz.Claims{Sub: "ann", Session: "session-of-ann"})
	user := w.mint(authz.Claims{Sub: "ann"})
	l := w.line(t)
	before := w.seq()
	for _, r := range append(surfaces(), w.documented(t)...) {
		for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
			r.method, r.wait = method, false
			for _, carrier := range []func(string) string{bearer, basic, cookie} {
				l.ask(r.with(carrier(token)))
				l.ask(r.with(carrier(user), "Sec-Fetch-Site: cross-site"))
			}
		}
	}
	for _, override := range []string{"X-HTTP-Method-Override: DELETE", "X-HTTP-Method: DELETE", "X-Method-Override: DELETE"} {
		for _, target := range []string{"/dav/file.txt", "/api/home/files/file.txt", "/dav/file.txt?_method=DELETE"} {
			if a := l.ask(raw{method: "POST", target: target, header: []string{bearer(user), override}, body: "_method=DELETE"}); a.status != 405 {
				t.Errorf("POST %s with %s = %d, want 405", target, override, a.status)
			}
		}
	}
	if after := w.seq(); after != before+1 {
		t.Errorf("%d changes were made", after-before-1)
	}
}

// TestSigningInFromElsewhere: another site's page can neither sign a browser in
// nor out, and the cookie stays where it belongs.
func TestSigningInFromElsewhere(t *testing.T) {
	w := newBrowsed(t)
	l := w.line(t)
	body, err := json.Marshal(map[string]string{"token": w.mint(authz.Claims{Sub: "ann"})})
	if err != nil {
		t.Fatal(err)
	}
	in := raw{method: "POST", target: "/api/signin", header: []string{"Content-Type: application/json"}, body: string(body)}
	out := raw{method: "POST", target: "/api/signout", header: []string{"Content-Type: application/json"}}
	for _, from := range foreign(l.host) {
		for _, r := range []raw{in, out} {
			if a := l.ask(r.with(from)); a.status != 403 || a.header.Get("Set-Cookie") != "" {
				t.Errorf("%s from %q = %s, want 403", r.target, from, a.whole)
			}
		}
	}
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data"} { // what a form can send
		simple := in
		simple.header = []string{"Content-Type: " + kind}
		if a := l.ask(simple); a.header.Get("Set-Cookie") != "" {
			t.Errorf("signing in with %s = %s", kind, a.whole)
		}
	}
	set := l.ask(in).header.Get("Set-Cookie")
	for _, want := range []string{authz.CookieName + "=", "Path=/", "HttpOnly", "Secure", "SameSite=Strict"} {
		if !strings.Contains(set, want) || strings.Contains(set, "Domain") {
			t.Errorf("Set-Cookie: %s, want %s and no Domain", set, want)
		}
	}
}
