package web_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"varve/authz"
	"varve/web"
)

func basic(token string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte("anybody:"+token))
}

func TestUnauthorized(t *testing.T) {
	w := newWorld(t, nil)
	const basicChallenge = `Basic realm="varve", charset="UTF-8"`
	for _, tt := range []struct {
		name, method, path string
		headers            []string
		want               []string
	}{
		{"nothing", "GET", "/dav/", nil, []string{basicChallenge, `Bearer realm="varve"`}},
		{"options of a share", "OPTIONS", "/dav/", nil, []string{basicChallenge, `Bearer realm="varve"`}},
		{"propfind of the root", "PROPFIND", "/", nil, []string{basicChallenge, `Bearer realm="varve"`}},
		{"empty bearer", "GET", "/dav/", []string{"Authorization", "Bearer "}, []string{basicChallenge, `Bearer realm="varve"`}},
		{"bad bearer", "GET", "/api/me", []string{"Authorization", "Bearer x"}, []string{basicChallenge, `Bearer realm="varve", error="invalid_token"`}},
		{"bad basic", "GET", "/api/me", []string{"Authorization", basic("x")}, []string{basicChallenge, `Bearer realm="varve", error="invalid_token"`}},
		{"bad cookie", "GET", "/api/me", []string{"Cookie", "__Host-varve=x"}, []string{basicChallenge, `Bearer realm="varve", error="invalid_token"`}},
		{"fetch", "GET", "/dav/", []string{"Sec-Fetch-Mode", "cors"}, []string{`Bearer realm="varve"`}},
		{"fetch of the same origin", "PROPFIND", "/dav/", []string{"Sec-Fetch-Mode", "same-origin"}, []string{`Bearer realm="varve"`}},
		{"script of old", "GET", "/dav/", []string{"X-Requested-With", "XMLHttpRequest"}, []string{`Bearer realm="varve"`}},
		{"other origin", "GET", "/dav/", []string{"Origin", "https://elsewhere.example"}, []string{`Bearer realm="varve"`}},
		{"navigation", "GET", "/dav/", []string{"Sec-Fetch-Mode", "navigate"}, []string{basicChallenge, `Bearer realm="varve"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := w.want(401, tt.method, tt.path, "", "", tt.headers...)
			if diff := cmp.Diff(tt.want, got.header.Values("WWW-Authenticate")); diff != "" {
				t.Errorf("%s %s: challenge (-want +got):\n%s", tt.method, tt.path, diff)
			}
			if ct := got.header.Get("Content-Type"); ct != "application/problem+json" {
				t.Errorf("content type %q", ct)
			}
		})
	}
}

func TestCredentials(t *testing.T) {
	w := newWorld(t, nil)
	token := w.token("ann", "")
	for _, tt := range []struct{ name, header, value string }{
		{"bearer", "Authorization", "Bearer " + token},
		{"basic", "Authorization", basic(token)},
		{"cookie", "Cookie", "__Host-varve=" + token},
	} {
		got := w.want(200, "PROPFIND", "/dav/x%20y", "", "", tt.header, tt.value)
		if !strings.Contains(got.body, "sub=ann") {
			t.Errorf("%s: the handler saw %q, want sub=ann", tt.name, got.body)
		}
	}
}

func TestOpenOptions(t *testing.T) {
	w := newWorld(t, nil)
	if got := w.want(200, "OPTIONS", "/", "", ""); got.header.Get("DAV") == "" {
		t.Errorf("OPTIONS /: no DAV header: %v", got.header)
	}
	rec := httptest.NewRecorder()
	r := httptest.NewRequest("OPTIONS", "http://x/", nil)
	r.URL.Path = "*"
	w.server.ServeHTTP(rec, r)
	if rec.Code != 200 || rec.Header().Get("DAV") == "" {
		t.Errorf("OPTIONS *: got %d %v", rec.Code, rec.Header())
	}
}

// TestBasicInTheClear: a password crosses the network only encrypted.
func TestBasicInTheClear(t *testing.T) {
	first := newWorld(t, nil)
	token := first.token("ann", "")
	far := func(c *web.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }
	for _, tt := range []struct {
		name    string
		edit    func(*web.Config)
		headers []string
		status  int
		basic   bool // Basic is offered without credentials
	}{
		{"loopback", nil, nil, 200, true},
		{"from afar", far, []string{"X-Forwarded-For", "203.0.113.9"}, 401, false},
		{"from afar over http", far, []string{"X-Forwarded-For", "203.0.113.9", "X-Forwarded-Proto", "http"}, 401, false},
		{"from afar over https", far, []string{"X-Forwarded-For", "203.0.113.9", "X-Forwarded-Proto", "https"}, 200, true},
		{"https claimed before the proxy", far, []string{"X-Forwarded-For", "203.0.113.9", "X-Forwarded-Proto", "https, http"}, 401, false},
		{"allowed", func(c *web.Config) { far(c); c.InsecureHTTP = true }, []string{"X-Forwarded-For", "203.0.113.9"}, 200, true},
		{"untrusted claim", nil, []string{"X-Forwarded-For", "203.0.113.9"}, 200, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := first.again(t, tt.edit)
			w.want(tt.status, "GET", "/dav/", "", "", append(tt.headers, "Authorization", basic(token))...)
			w.want(200, "GET", "/dav/", token, "", tt.headers...)
			got := w.want(401, "GET", "/dav/", "", "", tt.headers...)
			if offered := strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Basic"); offered != tt.basic {
				t.Errorf("Basic offered: %v, want %v", offered, tt.basic)
			}
		})
	}
}

func TestForwarded(t *testing.T) {
	first := newWorld(t, nil)
	trust := func(c *web.Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	}
	for _, tt := range []struct {
		name    string
		edit    func(*web.Config)
		headers []string
		want    string // in what the handler saw
	}{
		{"trusted", trust, []string{"X-Forwarded-For", "203.0.113.9", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "files.example.org"},
			`GET https://files.example.org/dav/ files.example.org sub=ann from=203.0.113.9:0 forwarded=""`},
		{"a chain, with a claim before it", trust, []string{"X-Forwarded-For", "198.51.100.1, 203.0.113.9, 10.1.1.1"}, "from=203.0.113.9:0"},
		{"in two headers", trust, []string{"X-Forwarded-For", "203.0.113.9", "X-Forwarded-For", "10.1.1.1:99"}, "from=203.0.113.9:0"},
		{"garbage", trust, []string{"X-Forwarded-For", "203.0.113.9, garbage, 10.1.1.1"}, "from=10.1.1.1:0"},
		{"six", trust, []string{"X-Forwarded-For", "[2001:db8::1]:80"}, "from=[2001:db8::1]:0"},
		{"bad host", trust, []string{"X-Forwarded-Host", "a/../b"}, "http://127.0.0.1"},
		{"untrusted", nil, []string{"X-Forwarded-For", "203.0.113.9", "X-Forwarded-Host", "files.example.org"}, `from=127.0.0.1`},
		{"untrusted is not handed on", nil, []string{"X-Forwarded-For", "203.0.113.9"}, `forwarded=""`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := first.again(t, tt.edit)
			got := w.want(200, "GET", "/dav/", w.token("ann", ""), "", tt.headers...)
			if !strings.Contains(got.body, tt.want) {
				t.Errorf("the handler saw %s, want %s", got.body, tt.want)
			}
		})
	}
}

// TestCrossOrigin: another site's page drives nothing, whatever the method, on
// credentials that come along by themselves.
func TestCrossOrigin(t *testing.T) {
	w := newWorld(t, nil)
	token := w.token("ann", "")
	methods := []string{"PUT", "POST", "DELETE", "PATCH", "MKCOL", "MOVE", "COPY", "LOCK", "UNLOCK", "PROPPATCH", "PROPFIND", "REPORT"}
	ways := map[string][]string{
		"cookie": {"Cookie", "__Host-varve=" + token},
		"basic":  {"Authorization", basic(token)},
	}
	sites := map[string][]string{
		"cross-site": {"Sec-Fetch-Site", "cross-site"},
		"same-site":  {"Sec-Fetch-Site", "same-site"},
		"origin":     {"Origin", "https://evil.example"},
		"null":       {"Origin", "null"},
	}
	for way, credentials := range ways {
		for site, from := range sites {
			for _, method := range methods {
				for _, path := range []string{"/dav/x", "/"} {
					w.want(403, method, path, "", "", append(from, credentials...)...)
				}
			}
			for _, rt := range []struct{ method, path string }{
				{"POST", "/api/sessions"}, {"PUT", "/api/shared/files/x"}, {"DELETE", "/api/uploads/x"},
				{"POST", "/api/uploads"}, {"POST", "/api/tokens"}, {"POST", "/api/signout"}, {"POST", "/api/signin"},
			} {
				got := w.want(403, rt.method, rt.path, "", "{}", append(from, credentials...)...)
				if p := decode[problem](t, got); p.Type != "urn:varve:problem:cross-origin" {
					t.Errorf("%s %s by %s from %s: type %q", rt.method, rt.path, way, site, p.Type)
				}
			}
		}
		w.want(200, "PUT", "/dav/x", "", "", append([]string{"Sec-Fetch-Site", "same-origin"}, credentials...)...)
		w.want(200, "GET", "/dav/x", "", "", append([]string{"Sec-Fetch-Site", "cross-site"}, credentials...)...)
	}
	w.want(200, "PUT", "/dav/x", token, "", "Sec-Fetch-Site", "cross-site")
	// Signing somebody in is what a cross-site form would do.
	w.want(403, "POST", "/api/signin", "", `{"token":"`+token+`"}`, "Sec-Fetch-Site", "cross-site")
}

func TestCORS(t *testing.T) {
	const app = "https://app.example"
	w := newWorld(t, func(c *web.Config) { c.Origins = []string{app} })
	token := w.token("ann", "")

	pre := w.want(204, "OPTIONS", "/dav/x", "", "", "Origin", app, "Access-Control-Request-Method", "PROPFIND", "Access-Control-Request-Headers", "authorization,depth")
	for name, part := range map[string]string{
		"Access-Control-Allow-Origin": app, "Access-Control-Allow-Methods": "PROPFIND", "Access-Control-Allow-Headers": "Depth", "Vary": "Origin",
	} {
		if !strings.Contains(pre.header.Get(name), part) {
			t.Errorf("preflight: %s: %q, want %q in it", name, pre.header.Get(name), part)
		}
	}
	w.want(204, "OPTIONS", "/api/sessions", "", "", "Origin", app, "Access-Control-Request-Method", "POST")
	other := w.want(204, "OPTIONS", "/dav/x", "", "", "Origin", "https://evil.example", "Access-Control-Request-Method", "PROPFIND")
	if got := other.header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("preflight of an origin not listed: allowed %q", got)
	}

	for _, tt := range []struct {
		name    string
		status  int
		token   string
		headers []string
		allowed string
	}{
		{"bearer", 200, token, []string{"Origin", app}, app},
		{"no token", 401, "", []string{"Origin", app}, app},
		{"cookie", 200, "", []string{"Origin", app, "Cookie", "__Host-varve=" + token}, ""},
		{"basic", 200, "", []string{"Origin", app, "Authorization", basic(token)}, ""},
		{"other origin", 200, token, []string{"Origin", "https://evil.example"}, ""},
		{"no origin", 200, token, nil, ""},
	} {
		got := w.want(tt.status, "GET", "/dav/x", tt.token, "", tt.headers...)
		if a := got.header.Get("Access-Control-Allow-Origin"); a != tt.allowed {
			t.Errorf("%s: Allow-Origin %q, want %q", tt.name, a, tt.allowed)
		}
		if got.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: Allow-Credentials is sent", tt.name)
		}
	}
}

// TestDAVOptions: OPTIONS without Access-Control-Request-Method is WebDAV's.
func TestDAVOptions(t *testing.T) {
	w := newWorld(t, func(c *web.Config) { c.Origins = []string{"https://app.example"} })
	got := w.want(200, "OPTIONS", "/dav/x", w.token("ann", ""), "", "Origin", "https://app.example")
	if got.header.Get("DAV") == "" {
		t.Errorf("no DAV header: %v", got.header)
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	w := newWorld(t, nil)
	for _, path := range []string{"/", "/healthz", "/dav/x", "/api/me", "/api/nothing", "/nothing"} {
		got := w.do("GET", path, "", "")
		for name, want := range map[string]string{"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"} {
			if got.header.Get(name) != want {
				t.Errorf("GET %s: %s: %q, want %q", path, name, got.header.Get(name), want)
			}
		}
		if len(got.header.Get("X-Request-Id")) < 20 {
			t.Errorf("GET %s: request id %q", path, got.header.Get("X-Request-Id"))
		}
	}
}

func TestRequestIDOfProxy(t *testing.T) {
	w := newWorld(t, func(c *web.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	for id, kept := range map[string]bool{"abc-123": true, "": false, "a b": false, strings.Repeat("a", 65): false, `a"b`: false} {
		got := w.do("GET", "/healthz", "", "", "X-Request-Id", id).header.Get("X-Request-Id")
		if (got == id) != kept {
			t.Errorf("id %q: answered %q, want it kept: %v", id, got, kept)
		}
	}
}

func TestPanic(t *testing.T) {
	w := newWorld(t, nil)
	token := w.token("ann", "")
	got := w.want(500, "GET", "/dav/panic", token, "")
	if p := decode[problem](t, got); p.Type != "urn:varve:problem:internal" || strings.Contains(got.body, "stub") {
		t.Errorf("answer %s", got.body)
	}
	if log := w.logged.String(); !strings.Contains(log, "the stub was asked to") || !strings.Contains(log, "world_test.go") {
		t.Errorf("log %s", log)
	}
	req, err := http.NewRequest("GET", w.url+"/dav/late", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if resp, err := http.DefaultTransport.RoundTrip(req); err == nil {
		resp.Body.Close()
		t.Errorf("a panic in the middle of an answer: got %d, want a connection cut", resp.StatusCode)
	}
}

// line is the last line of the log.
func (w *world) line() (got struct {
	ID, Path, Level, Error, Refused string
	Status                          int
}) {
	w.t.Helper()
	all := strings.Split(strings.TrimSpace(w.logged.String()), "\n")
	if err := json.Unmarshal([]byte(all[len(all)-1]), &got); err != nil {
		w.t.Fatalf("log %q: %v", all, err)
	}
	return got
}

// TestLogSaysWhyATokenWasRefused: for whoever has to find out why a client is
// not let in.
func TestLogSaysWhyATokenWasRefused(t *testing.T) {
	w := newWorld(t, nil)
	old, err := w.keys.Mint(noon().Add(-48*time.Hour), authz.Claims{Sub: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ method, path, header, value, want string }{
		{"GET", "/api/me", "Authorization", "Bearer " + old, "expired"},
		{"PROPFIND", "/dav/", "Authorization", basic(old), "expired"},
		{"GET", "/api/me", "Authorization", "Bearer garbage", "malformed"},
		{"GET", "/api/me", "Cookie", "__Host-varve=vm_garbage", "no such mount token"},
		{"GET", "/dav/", "X", "", ""},
	} {
		w.want(401, tt.method, tt.path, "", "", tt.header, tt.value)
		got := w.line()
		if got.Level != "info" || got.Status != 401 || !strings.Contains(got.Refused, tt.want) || (got.Refused == "") != (tt.want == "") {
			t.Errorf("%s %s %s: logged %+v, want refused: %s", tt.method, tt.path, tt.header, got, tt.want)
		}
	}
	id, _ := w.session("ann")
	w.want(401, "GET", "/api/home/files", w.token("bob", id), "")
	if got := w.line(); got.Refused == "" {
		t.Errorf("a token for another's session: logged %+v", got)
	}
}

// TestErrorOfWebDAV is on the one line of its request.
func TestErrorOfWebDAV(t *testing.T) {
	w := newWorld(t, func(c *web.Config) {
		c.DAV = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			zerolog.Ctx(r.Context()).UpdateContext(func(c zerolog.Context) zerolog.Context { return c.Err(errors.New("no such blob")) })
			w.WriteHeader(500)
		})
	})
	answered := w.want(500, "GET", "/dav/f", w.token("ann", ""), "")
	got := w.line()
	if n := strings.Count(w.logged.String(), "\n"); n != 1 || got.Level != "error" || got.Error != "no such blob" ||
		got.Path != "/dav/f" || got.ID != answered.header.Get("X-Request-Id") {
		t.Errorf("%d lines, the last %+v", n, got)
	}
}

// TestClientThatLeft: a refusal nobody waited for is logged as 499.
func TestClientThatLeft(t *testing.T) {
	arrived, served := make(chan struct{}), make(chan struct{})
	w := newWorld(t, func(c *web.Config) {
		c.DAV = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(arrived)
			<-r.Context().Done()
			w.WriteHeader(503)
		})
	})
	ann := w.token("ann", "")
	left := w.again(t, nil)
	inner := left.server
	around := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r)
		served <- struct{}{}
	}))
	defer around.Close()
	send := func(text string, ready <-chan struct{}) {
		t.Helper()
		conn, err := net.Dial("tcp", strings.TrimPrefix(around.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		if ready != nil {
			<-ready
		}
		conn.Close()
		<-served
		if got := w.line(); got.Status != 499 || got.Level != "info" {
			t.Errorf("%.30q: logged %+v, want 499", text, got)
		}
	}
	send("GET /dav/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+ann+"\r\n\r\n", arrived)
	send("PUT /api/uploads/a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+ann+"\r\nContent-Length: 10\r\n\r\nhalf", nil)
}

// TestLogHasNoTokens: whatever way a token comes, and whether or not it is good.
func TestLogHasNoTokens(t *testing.T) {
	w := newWorld(t, nil)
	token := w.token("ann", "")
	for _, token := range []string{token, token + "bad"} {
		w.do("GET", "/dav/x?token="+token, token, "")
		w.do("GET", "/dav/x", "", "", "Authorization", basic(token))
		w.do("GET", "/api/me", "", "", "Cookie", "__Host-varve="+token)
		w.do("POST", "/api/signin", "", `{"token":"`+token+`"}`)
		w.do("POST", "/api/signin", "", `{"token":"`+token)
		w.do("POST", "/api/signin", "", `{"toke":"`+token+`"}`)
	}
	log := w.logged.String()
	if strings.Contains(log, token[len(token)-20:]) || strings.Contains(log, token[:40]) {
		t.Errorf("a token is in the log:\n%s", log)
	}
	if n := strings.Count(log, "\n"); n != 12 {
		t.Errorf("%d lines for 12 requests:\n%s", n, log)
	}
	if !strings.Contains(log, `"sub":"ann"`) || !strings.Contains(log, `"path":"/dav/x"`) {
		t.Errorf("log %s", log)
	}
}
