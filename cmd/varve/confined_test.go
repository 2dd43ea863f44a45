package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"varve/authz"
)

// TestNoPathLeadsOutOfAToken: to a token confined to a directory all else is as
// if it did not exist, in every place a path can stand in, though its user may
// do everything there.
func TestNoPathLeadsOutOfAToken(t *testing.T) {
	w := newConfined(t)
	before := w.outside()
	walk := confinedExchanges()
	for _, p := range w.parties {
		t.Run(p.name, func(t *testing.T) {
			l := w.line(t)
			for _, r := range walk {
				w.compare(t, l, p.status, r, bearer(p.token))
			}
			for _, target := range []string{"/dav/", "/shared/", "/api/home/files", "/api/shared/files"} {
				for _, method := range []string{"GET", "PROPFIND"} {
					if a := l.ask(raw{method: method, target: target, header: []string{bearer(p.token), "Depth: 1"}}); strings.Contains(a.body, "boxed-") {
						t.Errorf("%s %s shows what lies outside:\n%s", method, target, a.whole)
					}
				}
			}
			if a := l.ask(raw{method: "GET", target: "/dav/box/in/a.txt", header: []string{bearer(p.token)}}); a.status != 200 {
				t.Errorf("GET inside = %s", a.whole)
			}
		})
	}
	if diff := cmp.Diff(before, w.outside()); diff != "" {
		t.Errorf("something outside changed (-before +after):\n%s", diff)
	}
}

// newConfined is a server on which names that begin like the confined directory
// take the place of ann's sessions: a file, a directory, and nothing.
func newConfined(t *testing.T) *isolated {
	t.Helper()
	w := newIsolated(t)
	bob := w.mint(authz.Claims{Sub: "bob"})
	for _, tree := range []string{w.bob, bob} {
		if tree == bob { // the session has one
			w.ok("MKCOL", "/dav/box", tree, "")
		}
		w.ok("MKCOL", "/dav/box/in", tree, "")
		w.ok("PUT", "/dav/box/in/a.txt", tree, "mine", "X-OC-Mtime: 1700000000")
		w.ok("PUT", "/dav/boxed-1", tree, canary)
		w.ok("MKCOL", "/dav/boxed-2", tree, "")
		w.ok("PUT", "/dav/boxed-2/"+canary, tree, canary)
	}
	lock := func(name string) string {
		token := w.ok("LOCK", "/dav/"+name, bob, lockBody(canary)).header.Get("Lock-Token")
		return strings.Trim(token, "<>")
	}
	sessions := w.live.mount // as long as any
	w.live, w.ended = private{"boxed-1", lock("boxed-1"), sessions}, private{"boxed-2", lock("boxed-2"), sessions}
	w.never = private{"boxed-3", strings.Repeat("0", len(w.live.lock)), sessions}
	session := authz.Claims{Sub: "bob", Session: w.bobs, Path: "box/in"}
	user := w.mint(authz.Claims{Sub: "bob", Path: "box/in"})
	w.parties = []party{
		{name: "a user's", token: user, status: 404}, {name: "a session's", token: w.mint(session), status: 404},
		{name: "a user's mount token", token: w.mount(user), status: 404}, {name: "a session's mount token", token: w.mount(w.mint(session)), status: 404},
	}
	return w
}

// outside is what lies outside of the confined directory.
func (w *isolated) outside() string {
	w.t.Helper()
	var all []string
	for _, token := range []string{w.mint(authz.Claims{Sub: "bob"}), w.bob} {
		for _, dir := range []string{"", "box", "boxed-2", "boxed-1"} {
			all = append(all, w.ok("PROPFIND", "/dav/"+dir, token, propsBody, "Depth: 1").body)
		}
	}
	return passing.ReplaceAllString(strings.Join(all, "\n"), "")
}

// confinedExchanges are requests that name what lies outside of box/in.
func confinedExchanges() (all []raw) {
	targets := []string{
		"/dav/{sid}", "/dav/{sid}/", "/dav/{sid}/" + canary, "/dav/box/../{sid}", "/dav/box/in/../../{sid}", "/dav/box/in/%2e%2e/%2e%2e/{sid}", "/dav/box%2fin%2f..%2f..%2f{sid}",
		"//dav//{sid}", "/shared/{sid}", "/shared/box/in/../../{sid}", "/dav/box/{sid}", "/dav/box/in%00/../../{sid}", "/dav/box/in/..%5c..%5c{sid}",
	}
	for _, target := range targets {
		for _, method := range davMethods {
			all = append(all, raw{method: method, target: target}, raw{method: method, target: target, header: []string{"If: (<{lock}>)", "Destination: /dav/box/in/new.txt"}})
		}
		for _, more := range []string{"Overwrite: T", "Overwrite: F", "Depth: 0", "If: <" + target + "> (<{lock}>)"} {
			for _, method := range []string{"COPY", "MOVE"} {
				all = append(all, raw{method: method, target: "/dav/box/in/a.txt", header: []string{"Destination: " + target, more}},
					raw{method: method, target: target, header: []string{"Destination: /dav/box/in/new.txt", more}})
			}
		}
		for _, cond := range []string{"(<{lock}>)", `(["` + sha256Canary + `"])`, "(Not <{lock}>)", `(Not ["` + sha256Canary + `"])`} {
			all = append(all, raw{method: "PUT", target: "/dav/box/in/a.txt", header: []string{"If: <" + target + "> " + cond, "X-OC-Mtime: 1700000000"}, body: "mine"})
		}
	}
	json := []string{"Content-Type: application/json"}
	for _, name := range []string{"{sid}", "box/{sid}", "box/in/../../{sid}", "/{sid}", "./{sid}/", "{sid}/" + canary} {
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			for _, tree := range []string{"home", "shared"} {
				all = append(all, raw{method: method, target: "/api/" + tree + "/files/" + name})
			}
			all = append(all, raw{method: method, target: "/api/uploads/" + name})
		}
		for _, route := range []string{"move", "copy"} {
			all = append(all, raw{method: "POST", target: "/api/home/" + route, header: json, body: `{"from":"` + name + `","to":"box/in/new.txt"}`},
				raw{method: "POST", target: "/api/home/" + route, header: json, body: `{"from":"box/in/a.txt","to":"` + name + `","overwrite":true}`})
		}
		all = append(all, raw{method: "POST", target: "/api/home/mkdir", header: json, body: `{"name":"` + name + `"}`},
			raw{method: "POST", target: "/api/home/mkdir", header: json, body: `{"name":"` + name + `","parents":true}`},
			raw{method: "POST", target: "/api/tokens", header: json, body: `{"path":"` + name + `"}`},
			raw{method: "POST", target: "/api/uploads?overwrite=1", header: []string{"Content-Type: multipart/form-data; boundary=b"}, body: form(name, "a.txt")},
			raw{method: "POST", target: "/api/uploads?overwrite=1", header: []string{"Content-Type: multipart/form-data; boundary=b"}, body: form("", name)})
	}
	return all
}

// form is an upload of a file to a directory.
func form(dir, filename string) string {
	return "--b\r\nContent-Disposition: form-data; name=dir\r\n\r\n" + dir + "\r\n" +
		"--b\r\nContent-Disposition: form-data; name=file; filename=\"" + filename + "\"\r\n\r\nx\r\n--b--\r\n"
}
