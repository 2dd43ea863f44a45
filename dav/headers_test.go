package dav

import (
	"errors"
	"io/fs"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"varve/layers"
)

func TestParseDepth(t *testing.T) {
	for in, want := range map[string]struct {
		d      depth
		noroot bool
	}{
		"": {depthAbsent, false}, "0": {depth0, false}, " 1 ": {depth1, false}, "infinity": {depthInfinite, false},
		"Infinity": {depthInfinite, false}, "1,noroot": {depth1, true}, "INFINITY,NoRoot": {depthInfinite, true},
	} {
		d, noroot, err := parseDepth(http.Header{"Depth": {in}})
		if d != want.d || noroot != want.noroot || err != nil {
			t.Errorf("parseDepth(%q) = %v, %v, %v, want %v", in, d, noroot, err, want)
		}
	}
	for _, in := range []string{"2", "-1", "one", "1,root", "0 1"} {
		if _, _, err := parseDepth(http.Header{"Depth": {in}}); err == nil {
			t.Errorf("parseDepth(%q) is no error", in)
		}
	}
}

func TestParseTimeout(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"": 0, "Second-60": time.Minute, "second-1": time.Second, "Infinite, Second-4100000000": math.MaxInt64,
		"infinite": math.MaxInt64, "Infinity": math.MaxInt64, "Extend-x, Second-5": 5 * time.Second, "Second-0": 0,
		"Second--5": 0, "Second-99999999999999999999": 0, "nonsense": 0,
	} {
		if got := parseTimeout(http.Header{"Timeout": {in}}); got != want {
			t.Errorf("parseTimeout(%q) = %v, want %v", in, got, want)
		}
	}
}

func TestParseClientTime(t *testing.T) {
	for in, want := range map[string]time.Time{
		"0": time.Unix(0, 0).UTC(), "1700000000": time.Unix(1700000000, 0).UTC(), " 1.5 ": time.Unix(1, 5e8).UTC(),
		"-1": time.Unix(-1, 0).UTC(),
	} {
		if got, ok := parseClientTime(in); !ok || !got.Equal(want) {
			t.Errorf("parseClientTime(%q) = %v, %v, want %v", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "x", "NaN", "Inf", "-Inf", "1e300", "99999999999999"} {
		if got, ok := parseClientTime(in); ok {
			t.Errorf("parseClientTime(%q) = %v", in, got)
		}
	}
}

func TestParseETags(t *testing.T) {
	for in, want := range map[string]string{
		"*": "*", `"a", W/"b"`: `"a"|W/"b"`, `bare, "c"`: `"bare"|"c"`, ` , `: "",
	} {
		if got := strings.Join(parseETags([]string{in}), "|"); got != want {
			t.Errorf("parseETags(%q) = %q, want %q", in, got, want)
		}
	}
	if parseETags(nil) != nil || parseETags([]string{""}) == nil {
		t.Error("absent and empty are told apart")
	}
}

func TestMinimal(t *testing.T) {
	for want, headers := range map[bool][]http.Header{
		true: {
			{"Prefer": {"return=minimal"}}, {"Prefer": {"wait=5, return = minimal; x=y"}}, {"Brief": {"t"}},
			{"Prefer": {"depth-noroot"}, "Brief": {"T"}}, {"Prefer": {`return="minimal"`}},
		},
		false: {{}, {"Prefer": {"return=representation"}}, {"Brief": {"f"}}},
	} {
		for _, header := range headers {
			if got := minimal(header); got != want {
				t.Errorf("minimal(%v) = %v", header, got)
			}
		}
	}
}

// pathless is a handler for what needs no store.
func pathless(t *testing.T) *Handler {
	t.Helper()
	h, err := New(Config{Store: layers.New(layers.Config{}), Hosts: []string{"Dav.Example.org:443", "[::1]:8080"}, Prefix: "/files/"})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestResolve(t *testing.T) {
	h := pathless(t)
	for in, want := range map[string]target{
		"/":                    {kind: rootList, name: ".", dir: true},
		"*":                    {kind: rootList, name: ".", dir: true},
		"/dav":                 {kind: homeTree, root: "/dav", name: "."},
		"//dav//a/./b/":        {kind: homeTree, root: "/dav", name: "a/b", dir: true},
		"/dav/../shared/x":     {kind: sharedTree, root: "/shared", name: "x"},
		"/dav/../../dav/x":     {kind: homeTree, root: "/dav", name: "x"},
		"/sessions/":           {kind: sessionList, root: "/sessions", name: ".", dir: true},
		"/sessions/abcdefgh/a": {kind: sessionTree, root: "/sessions/abcdefgh", name: "a"},
		"/dav/u\u0308":         {kind: homeTree, root: "/dav", name: "u\u0308"},
	} {
		got, err := h.resolve(layers.Caller{}, in)
		got.view = nil
		if err != nil || got != want {
			t.Errorf("resolve(%q) = %+v, %v, want %+v", in, got, err, want)
		}
	}
	for in, want := range map[string]error{
		"/davc": fs.ErrNotExist, "/davc/x": fs.ErrNotExist, "/at/x": fs.ErrNotExist, "/Dav/": fs.ErrNotExist,
		"/dav/\x00": fs.ErrInvalid, "/dav/a\\b": fs.ErrInvalid, "/dav/\xff": fs.ErrInvalid, "/dav/a\nb": fs.ErrInvalid,
		"/dav/" + strings.Repeat("x", 256): layers.ErrNameTooLong,
	} {
		if got, err := h.resolve(layers.Caller{}, in); !errors.Is(err, want) {
			t.Errorf("resolve(%q) = %+v, %v, want %v", in, got, err, want)
		}
	}
}

func TestServes(t *testing.T) {
	h := pathless(t)
	for path, want := range map[string]bool{
		"/dav": true, "/dav/": true, "/dav/x": true, "//dav": true, "/./dav/x": true, "/x/../dav": true, "/shared": true,
		"/sessions/a": true, "/at/x": true, "/trash": true, "/versions/1/2": true, "/granted/": true, "/dav/\x00": true,
		"/": false, "*": false, "/davc": false, "/api/x": false, "/dav/../api": false, "/DAV": false, "": false,
	} {
		if got := h.Serves(path); got != want {
			t.Errorf("Serves(%q) = %v, want %v", path, got, want)
		}
	}
}

func TestDestination(t *testing.T) {
	h := pathless(t)
	r := httptest.NewRequest("MOVE", "/dav/a", nil)
	r.Host = "inner:8080"
	for in, want := range map[string]string{
		"/dav/b": "b", "http://inner:8080/dav/b": "b", "https://INNER:8080/dav/b%20c": "b c",
		"https://dav.example.org/dav/b": "b", "http://dav.example.org:80/dav/b": "b", "http://[::1]:8080/dav/b": "b",
		"/files/dav/b": "b", "https://dav.example.org/files/dav/b/": "b", "/dav/a%2Fb": "a/b", "/dav/x/%2E%2E/b": "b",
		"http://u:p@inner:8080/dav/b?q#f": "b", "/dav/a+b": "a+b", "/dav/%c3%bc": "ü", "/dav": ".", "//inner:8080/dav/b": "b",
	} {
		r.Header.Set("Destination", in)
		if got, err := h.destination(r); err != nil || got.name != want {
			t.Errorf("Destination %q = %q, %v, want %q", in, got.name, err, want)
		}
	}
	for in, want := range map[string]int{
		"": 400, "dav/b": 400, "http:b": 400, "http://inner:8080": 400, "/dav/%zz": 400, "/dav/%00": 400, "mailto:a@b": 400,
		"http://other/dav/b": 502, "http://inner/dav/b": 502, "/davc/b": 404, "/filesdav/b": 404, "/": 403, "/sessions/": 403,
		"/dav/" + strings.Repeat("x", 300): 414,
	} {
		r.Header.Set("Destination", in)
		got, err := h.destination(r)
		if v := h.judge(target{}, err); err == nil || v.status != want {
			t.Errorf("Destination %q = %+v, %v, want status %d", in, got, err, want)
		}
	}
}

func FuzzDestination(f *testing.F) {
	for _, s := range []string{"/dav/b", "http://inner:8080/dav/b%2F..%2Fc", "//x/dav", "/dav/%00", "/files/dav/../shared", "http://[::1", "*"} {
		f.Add(s)
	}
	h, err := New(Config{Store: layers.New(layers.Config{}), Prefix: "/files"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		r := httptest.NewRequest("MOVE", "/dav/a", nil)
		r.Header.Set("Destination", raw)
		got, err := h.destination(r)
		if err != nil {
			if v := h.judge(target{}, err); v.status == http.StatusInternalServerError {
				t.Errorf("Destination %q: %v", raw, err)
			}
			return
		}
		if got.name != "." && !fs.ValidPath(got.name) {
			t.Errorf("Destination %q names %q", raw, got.name)
		}
		// The href of what was understood is understood as the same.
		href := h.href(got.path(), false)
		u, err := url.Parse(href)
		if err != nil {
			t.Fatalf("href %q: %v", href, err)
		}
		again, err := h.resolve(caller(r), trimPrefix(u.Path, h.prefix))
		if err != nil || again.path() != got.path() {
			t.Errorf("Destination %q is %q, and its href %q is %q, %v", raw, got.path(), href, again.path(), err)
		}
	})
}

func TestHref(t *testing.T) {
	h := pathless(t)
	for in, want := range map[string]string{
		"/dav/a b":        "/files/dav/a%20b",
		"/dav/&;'()!*+,=": "/files/dav/%26%3B%27%28%29%21%2A%2B%2C%3D",
		"/dav/-._~09azAZ": "/files/dav/-._~09azAZ",
		"/dav/ü%":         "/files/dav/%C3%BC%25",
	} {
		if got := h.href(in, false); got != want {
			t.Errorf("href(%q) = %q, want %q", in, got, want)
		}
	}
}
