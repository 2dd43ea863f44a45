package main

import (
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// detours are spellings of a way from one URL to another, written to the wire
// as they are.
func detours() []string {
	return []string{
		"/dav/../", "/dav/%2e%2e/", "/dav/.%2E/", "/dav/..%2f", "/dav/%2e%2e%2F", "/dav/x/../../", "/dav/./../", "/dav//..//", "/dav/..//./", "/dav%2f..%2f",
		"/dav/..%5c", `/dav/..\`, "/dav/%2e%2e%5C", "/dav/%252e%252e/", "/dav/..%252f", "/dav/%c0%ae%c0%ae/", "/dav/%e0%80%ae%e0%80%ae/", "/dav/..%c0%af",
		"/dav/.../", "/dav/..;/", "/dav/..;x=y/", "/dav/..%00/", "/dav/.. /", "/dav/..%20/", "/dav/%ff/../../", "/dav/..%ff/", "/dav/%uff0e%uff0e/",
		"/", "//", "///", "/./", "/../", "/%2e/", "/%2e%2e/", "/%2f", "//elsewhere.example/", "//elsewhere.example/../", "http://elsewhere.example/", "HTTP://ELSEWHERE.EXAMPLE//",
		"/shared/../", "/shared/x/..%2f..%2f", "/sessions/../", "/sessions/%2e%2e/", "/DAV/../", "/davc/../", "/dav../", "/dav..%2f", "/dav/" + strings.Repeat("../", 100),
		"/granted/../", "/at/now/", "/at/c1/", "/versions/../", "/trash/../", "/app/../", "/api/../", "/api/home/../../", "/api/home/files/../../../", "/api/home/files/..%2f..%2f..%2f",
		"/api/shared/files/../../", "/api/uploads/..%2f..%2f", "/api/sessions/../../",
	}
}

// places are spellings of what lies in ann's session, after a detour.
func places() []string {
	return []string{
		"sessions/{sid}/file.txt", "sessions/{sid}/", "sessions//{sid}//file.txt", "sessions/./{sid}/./file.txt", "sessions%2f{sid}%2ffile.txt",
		"sessions/{sid}/file.txt.", "sessions/{sid}./file.txt", "sessions/{sid}%00/file.txt", "sessions/{sid}/dir/../file.txt", "Sessions/{sid}/file.txt",
		"api/sessions/{sid}/files/file.txt", "api/sessions/{sid}",
	}
}

// TestNoPathLeadsToAnotherSession takes every detour to ann's session, in the
// request target, in Destination and If, and in the bodies of the API.
func TestNoPathLeadsToAnotherSession(t *testing.T) {
	w := newIsolated(t)
	before := w.state()
	var walk []raw
	for i, detour := range detours() {
		for j, place := range places() {
			// Every detour to some of the places, and some detours to every place.
			if j == 0 || i%7 == 0 || (i+j)%5 == 0 {
				walk = append(walk, alongPath(detour+place)...)
			}
		}
	}
	if testing.Short() {
		walk = walk[:len(walk)/5]
	}
	t.Run("walk", func(t *testing.T) {
		for _, p := range w.parties {
			if !p.walks {
				continue
			}
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				l := w.line(t)
				for _, r := range walk {
					w.compare(t, l, p.status, r, bearer(p.token))
				}
			})
		}
	})
	if diff := cmp.Diff(before, w.state()); diff != "" {
		t.Errorf("something changed (-before +after):\n%s", diff)
	}
}

// alongPath are requests that follow a path, each in another place of the request.
func alongPath(target string) []raw {
	all := []raw{
		{method: "GET", target: target}, {method: "PROPFIND", target: target, header: []string{"Depth: 1"}}, {method: "OPTIONS", target: target},
		{method: "DELETE", target: target}, {method: "PROPPATCH", target: target, body: patchBody},
		{method: "LOCK", target: target, header: []string{"If: (<{lock}>)"}},
		{method: "COPY", target: target, header: []string{"Destination: /sessions/{sid}/x"}},
		{method: "MOVE", target: "/dav/none.txt", header: []string{"Destination: " + target}},
		{method: "COPY", target: "/dav/none.txt", header: []string{"Destination: " + target}},
		{method: "DELETE", target: "/dav/none.txt", header: []string{"If: <" + target + "> (<{lock}>)"}},
	}
	decoded, err := url.PathUnescape(target)
	if err != nil || !utf8.ValidString(decoded) || strings.ContainsRune(decoded, 0) {
		return all
	}
	name := strings.NewReplacer(`\`, `\\`).Replace(decoded)
	for _, body := range []string{`{"from":"` + name + `","to":"x/y/z"}`, `{"from":"none.txt","to":"` + name + `"}`} {
		for _, route := range []string{"move", "copy"} {
			all = append(all, raw{method: "POST", target: "/api/home/" + route, header: []string{"Content-Type: application/json"}, body: body})
		}
	}
	return append(all, raw{method: "GET", target: "/api/home/files" + strings.TrimPrefix(target, "http:")})
}

// TestNamesAreRefusedOrCleaned: what a client writes in a path is a clean name
// of its own tree, or an error.
func TestNamesAreRefusedOrCleaned(t *testing.T) {
	w := newIsolated(t)
	l := w.line(t)
	part := strings.Repeat("n", 255)
	for _, tt := range []struct {
		name, target string
		status       int
		want         string // the name it makes
	}{
		{"plain", "/dav/a.txt", 201, "a.txt"},
		{"encoded", "/dav/%61%2Etxt", 204, "a.txt"},
		{"two slashes", "//dav//box//b.txt", 201, "box/b.txt"},
		{"dots", "/dav/./box/.//../c.txt", 201, "c.txt"},
		{"encoded slash", "/dav/box%2Fd.txt", 201, "box/d.txt"},
		{"encoded dots", "/dav/box/%2e%2e/e.txt", 201, "e.txt"},
		{"above the root", "/dav/../../../../dav/f.txt", 201, "f.txt"},
		{"into shared", "/dav/../shared/g.txt", 403, ""},
		{"into shared, encoded", "/dav/..%2Fshared%2fg.txt", 403, ""},
		{"over shared", "/dav/%2e%2e/shared/file.txt", 403, ""},
		{"trailing dot", "/dav/h.", 201, "h."},
		{"trailing dots", "/dav/i..", 201, "i.."},
		{"three dots", "/dav/...", 201, "..."},
		{"star", "/dav/*", 201, "*"},
		{"percent", "/dav/%2541", 201, "%41"},
		{"semicolon", "/dav/..;j", 201, "..;j"},
		{"trailing slash", "/dav/k.txt/", 405, ""},
		{"the root", "/dav/.", 405, ""},
		{"the root, encoded", "/dav/%2E", 405, ""},
		{"NUL", "/dav/a%00b", 400, ""},
		{"NUL at the end", "/dav/a.txt%00", 400, ""},
		{"raw NUL", "/dav/a\x00b", 400, ""},
		{"raw control character", "/dav/a\x01b", 400, ""},
		{"line break", "/dav/a%0D%0Ab", 400, ""},
		{"delete", "/dav/a%7Fb", 400, ""},
		{"C1 control", "/dav/a%C2%85b", 400, ""},
		{"backslash", "/dav/a%5Cb", 400, ""},
		{"raw backslash", `/dav/a\b`, 400, ""},
		{"backslash dots", `/dav/..%5c..%5cx`, 400, ""},
		{"overlong dot", "/dav/%C0%AE%C0%AE/x", 400, ""},
		{"overlong slash", "/dav/a%C0%AFb", 400, ""},
		{"invalid UTF-8", "/dav/a%FF", 400, ""},
		{"raw invalid UTF-8", "/dav/a\xff", 400, ""},
		{"surrogate", "/dav/%ED%A0%80", 400, ""},
		{"beyond Unicode", "/dav/%F4%90%80%80", 400, ""},
		{"bad escape", "/dav/a%zz", 400, ""},
		{"cut escape", "/dav/a%2", 400, ""},
		{"255 bytes", "/dav/" + part, 201, part},
		{"300 bytes", "/dav/" + part + strings.Repeat("n", 45), 414, ""},
		{"5000 bytes", "/dav/" + strings.Repeat("n/", 2500), 414, ""},
		{"another spelling of dav", "/DAV/x", 404, ""},
		{"more than dav", "/davc", 404, ""},
		{"more than dav, below", "/davc/x", 404, ""},
		{"dots after dav", "/dav../x", 404, ""},
		{"dot after dav", "/dav./x", 404, ""},
		{"no slash", "dav/x", 400, ""},
		{"star alone", "*", 405, ""},
		{"absolute, another host", "http://elsewhere.example/dav/l.txt", 201, "l.txt"},
		{"absolute, dots", "http://elsewhere.example/dav/../dav/m.txt", 201, "m.txt"},
		{"host in the path", "//elsewhere.example/dav/x", 404, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := w.names(t, "")
			a := l.ask(raw{method: "PUT", target: tt.target, header: []string{bearer(w.bob)}, body: "x"})
			if a.status != tt.status {
				t.Errorf("PUT %.100q = %s, want %d", tt.target, a.whole, tt.status)
			}
			want := before
			if tt.want != "" && !slices.Contains(want, tt.want) {
				want = append(want, tt.want)
				slices.Sort(want)
			}
			if diff := cmp.Diff(want, w.names(t, "")); diff != "" {
				t.Errorf("PUT %.100q: names (-want +got):\n%s", tt.target, diff)
			}
		})
	}
	for _, method := range davMethods {
		for _, target := range []string{"*", "/", "//", "/.", "/..", "/dav", "/dav/..", "/shared", "/sessions", "/sessions/..", "/davc", "http://elsewhere.example", "http://elsewhere.example/"} {
			if a := l.ask(raw{method: method, target: target, header: []string{bearer(w.bob)}}); a.status/100 == 3 || a.status == 500 {
				t.Errorf("%s %s = %s", method, target, a.whole)
			}
		}
	}
}

var hrefs = regexp.MustCompile(`<D:href>([^<]*)</D:href>`)

// names are all names in bob's session, and checks that each is a clean one.
func (w *isolated) names(t *testing.T, dir string) (all []string) {
	t.Helper()
	list := w.ok("PROPFIND", "/dav/"+dir, w.bob, "", "Depth: 1").body
	for _, m := range hrefs.FindAllStringSubmatch(list, -1)[1:] {
		decoded, err := url.PathUnescape(m[1])
		name, below := strings.CutPrefix(decoded, "/dav/")
		name, isDir := strings.CutSuffix(name, "/")
		bad := func(r rune) bool { return r == '\\' || unicode.IsControl(r) }
		if err != nil || !below || !fs.ValidPath(name) || !utf8.ValidString(name) || strings.ContainsFunc(name, bad) || path.Clean(dir) != path.Dir(name) {
			t.Errorf("%q lies in /dav/%s", m[1], dir)
		}
		all = append(all, name)
		if isDir {
			all = append(all, w.names(t, name)...)
		}
	}
	slices.Sort(all)
	return all
}
