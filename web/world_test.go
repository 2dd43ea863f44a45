package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"varve/authz"
	"varve/history"
	"varve/layers"
	"varve/web"
)

// world is a running server over a store of its own.
type world struct {
	t      *testing.T
	keys   *authz.Keys
	store  *layers.Store
	url    string
	server *web.Server
	logged *lines
	cfg    web.Config
	log    *history.Log
	client *http.Transport
}

// lines collects a log.
type lines struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// noon is when everything here happens.
func noon() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// newWorld starts a server; edit may change its configuration.
func newWorld(t *testing.T, edit func(*web.Config)) *world {
	t.Helper()
	dir := t.TempDir()
	log, err := history.Open(t.Context(), history.Options{Dir: dir, Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() }) // a test may have closed it
	w := &world{log: log, logged: &lines{}, store: layers.New(layers.Config{Log: log})}
	if w.keys, err = authz.OpenKeys(filepath.Join(dir, "keys")); err != nil {
		t.Fatal(err)
	}
	authority, err := authz.New(t.Context(), authz.Config{Keys: w.keys, Log: log, Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	w.cfg = web.Config{
		Store: w.store, Authority: authority, Log: zerolog.New(w.logged), Version: "test", Now: noon,
		DAV: http.HandlerFunc(davStub),
		DAVServes: func(path string) bool {
			return path == "/dav" || strings.HasPrefix(path, "/dav/")
		},
	}
	return w.again(t, edit)
}

// again is another server over the same store.
func (w *world) again(t *testing.T, edit func(*web.Config)) *world {
	t.Helper()
	other := *w
	other.t = t
	if edit != nil {
		edit(&other.cfg)
	}
	var err error
	if other.server, err = web.New(other.cfg); err != nil {
		t.Fatal(err)
	}
	served := httptest.NewServer(other.server)
	other.url, other.client = served.URL, &http.Transport{DisableCompression: true}
	t.Cleanup(func() {
		other.client.CloseIdleConnections()
		served.Close()
	})
	return &other
}

// davStub says what reached it.
func davStub(w http.ResponseWriter, r *http.Request) {
	p := authz.From(r.Context())
	if r.URL.Path == "/dav/panic" {
		panic("the stub was asked to")
	}
	if r.URL.Path == "/dav/late" {
		io.WriteString(w, "half")
		panic("in the middle")
	}
	w.Header().Set("DAV", "1, 2, 3")
	fmt.Fprintf(w, "%s %s %s sub=%s from=%s forwarded=%q", r.Method, r.URL, r.Host, p.Sub, r.RemoteAddr, r.Header.Get("X-Forwarded-For"))
}

// token is a token of a user, or of a session of theirs.
func (w *world) token(sub, session string, scopes ...authz.Scope) string {
	w.t.Helper()
	c := authz.Claims{Sub: sub, Session: session}
	for _, s := range scopes {
		c.Scopes |= s
	}
	token, err := w.keys.Mint(noon(), c)
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request; token is sent as Bearer unless empty, and headers come in
// pairs.
func (w *world) do(method, path, token, body string, headers ...string) answer {
	w.t.Helper()
	req, err := http.NewRequest(method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body == "" {
		req.Body = http.NoBody
		req.ContentLength = 0
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Add(headers[i], headers[i+1])
	}
	return w.send(req)
}

func (w *world) send(req *http.Request) answer {
	w.t.Helper()
	resp, err := w.client.RoundTrip(req)
	if err != nil {
		w.t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	return answer{resp.StatusCode, resp.Header, string(b)}
}

// want is do that must answer status.
func (w *world) want(status int, method, path, token, body string, headers ...string) answer {
	w.t.Helper()
	got := w.do(method, path, token, body, headers...)
	if got.status != status {
		w.t.Fatalf("%s %s %v: got %d %s, want %d", method, path, headers, got.status, got.body, status)
	}
	return got
}

// decode reads a JSON answer.
func decode[T any](t *testing.T, a answer) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("answer %q: %v", a.body, err)
	}
	return v
}

// problem is an error answer.
type problem struct {
	Type, Title, Detail, Instance string
	Status                        int
	Errors                        []struct{ Message, Location string }
}

// entry is a file or directory.
type entry struct {
	Name, Kind, ETag, SHA256, Type, Layer string
	Size                                  *int64
	Node, Version                         int64
	Modified, Created                     time.Time
	Origin                                *struct{ Node, Version int64 }
	ShadowChanged                         bool `json:"shadow_changed"`
}
