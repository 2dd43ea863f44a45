package dav_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"varve/authz"
	"varve/dav"
	"varve/history"
	"varve/layers"
)

// server is a real store behind the real handler. Basic credentials name who
// asks: the user is the account, the password its session, or "-" for the user's
// own home; "ann;docs/in" is ann with a token confined to a path.
type server struct {
	t     *testing.T
	url   string
	dir   string
	log   *history.Log
	store *layers.Store
	later atomic.Int64 // how far the handler's clock is ahead, in nanoseconds
	lines *strings.Builder
}

func newServer(t *testing.T) *server { return newLimitedServer(t, layers.Limits{}) }

func newLimitedServer(t *testing.T, limits layers.Limits) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir(), lines: &strings.Builder{}}
	log, err := history.Open(t.Context(), history.Options{Dir: s.dir, Durability: "normal"})
	if err != nil {
		t.Fatal(err)
	}
	s.log, s.store = log, layers.New(layers.Config{Log: log, Limits: limits})
	h, err := dav.New(dav.Config{
		Store: s.store,
		Log:   zerolog.New(zerolog.SyncWriter(s.lines)),
		Hosts: []string{"dav.example.org"},
		Now:   func() time.Time { return time.Now().Add(time.Duration(s.later.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(basic(h))
	srv.Config.DisableGeneralOptionsHandler = true
	srv.Start()
	s.url = srv.URL
	t.Cleanup(func() {
		srv.Close()
		s.checkNothingLeft()
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// basic puts the principal that Basic credentials name into the context.
func basic(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		account, session, ok := r.BasicAuth()
		if !ok {
			w.Header().Set("WWW-Authenticate", `Basic realm="varve", charset="UTF-8"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r.WithContext(authz.With(r.Context(), principal(account, session))))
	})
}

func principal(account, session string) authz.Principal {
	account, path, confined := strings.Cut(account, ";")
	p := authz.Principal{Sub: account, Scopes: authz.Read | authz.Write, Path: ".", Mints: true}
	if confined {
		p.Path = path
	}
	if session != "-" {
		p.Session = session
	}
	return p
}

// checkNothingLeft: no upload leaves a temporary file, no answer was a 500, and
// the store is whole.
func (s *server) checkNothingLeft() {
	s.t.Helper()
	left, err := filepath.Glob(filepath.Join(s.dir, "blobs", "tmp", "*"))
	if err != nil || len(left) > 0 {
		s.t.Errorf("temporary files left: %v, %v", left, err)
	}
	if s.lines.Len() > 0 {
		s.t.Errorf("the handler logged:\n%s", s.lines)
	}
}

// hand is somebody with credentials.
type hand struct {
	*server
	t                *testing.T
	account, session string
}

func (s *server) user(name string) hand        { return hand{s, s.t, name, "-"} }
func (s *server) agent(owner, sid string) hand { return hand{s, s.t, owner, sid} }

// answer is a response read to its end.
type answer struct {
	t      *testing.T
	what   string
	status int
	header http.Header
	body   string
}

// do sends a request; header is name, value, name, value...
func (h hand) do(method, path, body string, header ...string) answer {
	h.t.Helper()
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, content)
	if err != nil {
		h.t.Fatal(err)
	}
	r.SetBasicAuth(h.account, h.session)
	for pair := range slices.Chunk(header, 2) {
		r.Header.Set(pair[0], pair[1])
		if pair[0] == "Host" {
			r.Host = pair[1]
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer{h.t, method + " " + path, resp.StatusCode, resp.Header, string(b)}
}

// want checks the status.
func (a answer) want(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s = %d, want %d; body %q", a.what, a.status, status, a.body)
	}
	return a
}

// has checks that the body has each text.
func (a answer) has(texts ...string) answer {
	a.t.Helper()
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			a.t.Errorf("%s: body lacks %q:\n%s", a.what, text, a.body)
		}
	}
	return a
}

// lacks checks that the body has none of the texts.
func (a answer) lacks(texts ...string) answer {
	a.t.Helper()
	for _, text := range texts {
		if strings.Contains(a.body, text) {
			a.t.Errorf("%s: body has %q:\n%s", a.what, text, a.body)
		}
	}
	return a
}

// headed checks a header.
func (a answer) headed(name, value string) answer {
	a.t.Helper()
	if got := a.header.Get(name); got != value {
		a.t.Errorf("%s: %s is %q, want %q", a.what, name, got, value)
	}
	return a
}

// seq is the number of the last change.
func (s *server) seq() history.Seq {
	s.t.Helper()
	var last history.Seq
	err := s.log.View(context.Background(), func(tx *history.Tx) error {
		last = tx.Seq()
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return last
}

// requireClient finds a program, or skips; VARVE_REQUIRE_CLIENTS=1 makes its
// absence a failure.
func requireClient(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("VARVE_REQUIRE_CLIENTS") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}
