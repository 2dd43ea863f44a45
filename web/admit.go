package web

import (
	"errors"
	"fmt"
	"net/http"

	"varve/authz"
	"varve/layers"
)

// access says what credentials a route needs.
type access uint8

// The degrees of access.
const (
	open   access = iota // none; none are looked at
	known                // none; good ones count
	signed               // good ones
)

// Failures of admission.
var (
	// errCrossOrigin: another site's page sent it, on credentials that came by themselves.
	errCrossOrigin = errors.New("cross-origin request on a cookie or a saved password")
	// errPlainBasic: a token came as a password over plain http from another machine.
	errPlainBasic = errors.New("basic authentication over plain http")
	// errUnchecked: whether a token counts could not be found out.
	errUnchecked = errors.New("credentials could not be checked")
)

// admit turns a request's token into its principal, in the returned copy's context.
func (s *Server) admit(w *response, r *http.Request, need access) (*http.Request, error) {
	token, via := authz.Credentials(r)
	// A cookie or a saved password comes along by itself; and an open route that changes
	// something (signing in) must not be driven by another site either.
	if via == authz.Cookie || via == authz.Basic || via == authz.None && need == open {
		if err := s.origin.Check(r); err != nil {
			return nil, fmt.Errorf("%w: %w", errCrossOrigin, err)
		}
		// Reading the answer from another origin is for Bearer.
		if via != authz.None {
			w.Header().Del("Access-Control-Allow-Origin")
		}
	}
	if need == open {
		return r, nil
	}
	p, err := s.verify(r, token, via)
	if err != nil {
		if need == known {
			return r, nil
		}
		return nil, err
	}
	w.principal = p
	return r.WithContext(authz.With(r.Context(), p)), nil
}

// verify finds who a token stands for.
func (s *Server) verify(r *http.Request, token string, via authz.Via) (authz.Principal, error) {
	switch {
	case via == authz.None:
		return authz.Principal{}, authz.ErrUnauthorized
	case via == authz.Basic && !s.takesBasic(r):
		return authz.Principal{}, errPlainBasic
	}
	p, err := s.cfg.Authority.Verify(r.Context(), token)
	switch {
	case errors.Is(err, authz.ErrUnauthorized):
		return authz.Principal{}, err
	case err != nil:
		return authz.Principal{}, fmt.Errorf("%w: %w", errUnchecked, err)
	}
	if p.Mount {
		s.cfg.Authority.Used(r.Context(), p, r.UserAgent())
	}
	return p, nil
}

// takesBasic tells whether a password may come this way: encrypted, or without
// leaving the machine.
func (s *Server) takesBasic(r *http.Request) bool {
	return s.cfg.InsecureHTTP || r.URL.Scheme == "https" || peer(r).IsLoopback()
}

// challenge says how to authenticate. Basic comes first, because old clients
// read only one; it is not offered where a password would be refused, so that
// none is sent in the clear.
func (s *Server) challenge(w http.ResponseWriter, r *http.Request) {
	bearer := `Bearer realm="varve"`
	if _, via := authz.Credentials(r); via != authz.None {
		bearer += `, error="invalid_token"`
	}
	w.Header().Del("WWW-Authenticate")
	if !isFetch(r) && s.takesBasic(r) {
		w.Header().Add("WWW-Authenticate", `Basic realm="varve", charset="UTF-8"`)
	}
	w.Header().Add("WWW-Authenticate", bearer)
}

// caller is who a request acts for and how it came.
func caller(r *http.Request) layers.Caller {
	return layers.Caller{Principal: authz.From(r.Context()), Agent: r.UserAgent()}
}
