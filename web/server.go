package web

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"

	"varve/authz"
)

// randomID is 128 random bits or more, in capitals and digits.
func randomID() string { return rand.Text() }

// ServeHTTP serves one request and logs one line of it.
func (s *Server) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	began := s.cfg.Now()
	w := &response{ResponseWriter: rw}
	r, id := s.arrive(r)
	body := &incoming{ReadCloser: r.Body}
	if r.Body != http.NoBody {
		r.Body = body
	}
	log := s.cfg.Log.With().Logger()
	r = r.WithContext(log.WithContext(r.Context()))
	h := w.Header()
	h.Set("X-Request-Id", id)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	defer func() { s.depart(w, r, body, began, recover()) }()
	if err := s.serve(w, r); err != nil {
		s.refuse(w, r, err)
	}
}

// serve decides who may ask and dispatches. An error it returns is replied to;
// nothing has been sent then.
func (s *Server) serve(w *response, r *http.Request) error {
	if s.cors(w, r) {
		return nil
	}
	if s.isDAV(r) {
		return s.serveDAV(w, r)
	}
	m, err := s.match(w, r)
	if err != nil || m == nil {
		return err
	}
	r, err = s.admit(w, r, m.access)
	if err != nil {
		return err
	}
	if m.tree {
		if err := s.view(r).Probe(r.Context()); err != nil {
			return unanswered(err)
		}
	}
	if err := m.checkQuery(r); err != nil {
		return err
	}
	return m.handle(w, r)
}

// isDAV tells whether a request is for the WebDAV handler. Of "/" the page takes
// GET and HEAD only: Explorer asks there before it looks at a share.
func (s *Server) isDAV(r *http.Request) bool {
	path := r.URL.Path
	switch {
	case path == "*" || s.cfg.DAVServes(path):
		return true
	case path == "/":
		return r.Method != http.MethodGet && r.Method != http.MethodHead
	}
	return false
}

// serveDAV asks for credentials first. Only OPTIONS of the server itself is open:
// Explorer sends it before it has any, and it tells nothing of anybody.
func (s *Server) serveDAV(w *response, r *http.Request) error {
	need := signed
	if r.Method == http.MethodOptions && (r.URL.Path == "*" || r.URL.Path == "/") {
		need = known
	}
	r, err := s.admit(w, r, need)
	if err != nil {
		return err
	}
	s.cfg.DAV.ServeHTTP(w, r)
	return nil
}

// depart ends a request: a panic becomes a 500, or cuts the connection when
// part of an answer is out; then comes the log line.
func (s *Server) depart(w *response, r *http.Request, body *incoming, began time.Time, panicked any) {
	abort := panicked == http.ErrAbortHandler
	if panicked != nil && !abort {
		w.err = fmt.Errorf("panic: %v\n%s", panicked, debug.Stack())
		if abort = w.status != 0; !abort {
			s.refuse(w, r, w.err)
		}
	}
	if w.status == 0 && !abort {
		w.status = http.StatusOK // what net/http will say for us
	}
	status := w.status
	left := body.broken || errors.Is(r.Context().Err(), context.Canceled)
	if refused := status == 0 || status == http.StatusBadRequest || status >= 500; left && refused && w.err == nil {
		status = statusLeft
	}
	s.log(w, r, status, began)
	if abort {
		panic(http.ErrAbortHandler)
	}
}

// statusLeft is what the log says of a refusal whose client had gone away.
const statusLeft = 499

// incoming is the body of a request, and whether it broke off.
type incoming struct {
	io.ReadCloser
	broken bool
}

func (b *incoming) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if _, network := errors.AsType[*net.OpError](err); network || err == io.ErrUnexpectedEOF {
		b.broken = true
	}
	return n, err
}

// note puts an error onto the line of a request.
func note(r *http.Request, field string, err error) {
	zerolog.Ctx(r.Context()).UpdateContext(func(c zerolog.Context) zerolog.Context { return c.AnErr(field, err) })
}

// log writes the line of a request. The query stays out of it: it may hold what
// only the client should know.
func (s *Server) log(w *response, r *http.Request, status int, began time.Time) {
	level := zerolog.InfoLevel
	if w.err != nil || status == http.StatusInternalServerError || status == http.StatusServiceUnavailable {
		level = zerolog.ErrorLevel
	}
	line := zerolog.Ctx(r.Context()).WithLevel(level).
		Str("id", w.Header().Get("X-Request-Id")).
		Str("method", r.Method).
		Str("path", r.URL.Path).
		Int("status", status).
		Int64("bytes", w.bytes).
		Dur("took_ms", s.cfg.Now().Sub(began)).
		Str("client", client(r)).
		Str("agent", r.UserAgent())
	if p := w.principal; p.Sub != "" || p.Session != "" {
		line = line.Str("sub", p.Sub).Str("session", p.Session)
		if p.Scopes.Has(authz.Admin) {
			line = line.Bool("operator", true)
		}
	}
	line.AnErr("error", w.err).Msg("request")
}
