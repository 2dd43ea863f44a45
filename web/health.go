package web

import (
	"io"
	"net/http"

	"varve/authz"
)

// readiness is whether the server can do its work.
type readiness struct {
	Ready  bool   `json:"ready"`
	Detail string `json:"detail,omitempty" doc:"What is wrong; for operators only"`
}

// getHealth answers as long as the process lives.
func (s *Server) getHealth(w *response, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, "ok\n")
	return nil
}

// getReady tells whether the store answers.
func (s *Server) getReady(w *response, r *http.Request) error {
	err := s.cfg.Store.Ready(r.Context())
	if err == nil {
		return writeJSON(w, http.StatusOK, readiness{Ready: true})
	}
	w.err = err
	var is readiness
	if authz.From(r.Context()).Scopes.Has(authz.Admin) {
		is.Detail = err.Error()
	}
	return writeJSON(w, http.StatusServiceUnavailable, is)
}

// getKeys serves the key set others verify varve's tokens with.
func (s *Server) getKeys(w *response, _ *http.Request) error {
	set, err := s.cfg.Authority.JWKS()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(set)
	return nil
}
