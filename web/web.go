// Package web is the outermost HTTP handler of the server: it lets requests in,
// serves the JSON API and the page at /, and hands WebDAV to the handler it was
// given.
//
// # One request
//
// Server.ServeHTTP takes a request through these steps, in this order: a request
// id; what a trusted proxy says of the client; security headers; CORS (a
// preflight ends here, it needs no credential); the guard against cross-origin
// requests that ride on a cookie or on Basic; the token, which becomes the
// authz.Principal in the context; dispatch. Whatever happens, one line is logged
// when it ends, and never a token.
//
// # Dispatch
//
// Paths are decoded once, by net/http, and matched as they are: no ServeMux, which
// redirects a//b and panics on overlapping wildcards. The table of everything
// that answers a URL is Server.routes, and the OpenAPI document is made from it.
// A name in a path is cleaned by layers.Limits.Clean and by nothing else.
//
// A route below a tree ({scope} or {sid}) asks the tree's View whether the
// caller may see it before anything else of the request is looked at, so
// another's session answers every method exactly as a missing one does. Query
// parameters that a route of the API does not have are refused.
//
// # Errors
//
// Handlers return errors and one table (errors.go) says which status each gets,
// as problem+json (RFC 9457). What the table does not know is a 500.
//
// # Log
//
// The context of a request carries the zerolog.Logger of its one line; whatever
// is further in adds fields to it with UpdateContext, as the WebDAV handler does
// with error. A 401 for credentials that do not count says why in refused. A
// refusal that its client did not wait for has status 499, in the log alone.
//
// # Stored content
//
// What users stored is hostile to browsers: it is served as what it claims to
// be, but sandboxed (Content-Security-Policy), never sniffed, and never with an
// origin of its own.
//
// # Why not otherwise
//
// Failed authentications are not limited by rate. Every token is signed or has
// at least 128 random bits, so there is nothing to guess; and clients make 401s
// in normal work (KIO one a request), so a limit would only lock out the right
// ones.
//
// A client on another machine is not offered Basic over plain http: it would
// send its token in the clear, only to be refused.
package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/rs/zerolog"

	"varve/authz"
	"varve/layers"
)

// Config of a Server. Store, Authority, DAV and DAVServes are required.
type Config struct {
	Store     *layers.Store
	Authority *authz.Authority
	// DAV serves WebDAV: every path DAVServes tells, `OPTIONS *`, and all methods
	// of "/" but GET and HEAD. Its requests carry their principal (authz.From;
	// OPTIONS of * and / may come without), the address of the real client, and
	// Host and the URL's scheme and host as the client sees them.
	DAV       http.Handler
	DAVServes func(path string) bool
	// Log gets one line a request; the zero Logger discards.
	Log zerolog.Logger
	// PublicURL is where clients reach the server ("https://files.example.org"),
	// for the URLs it shows; empty: as each request says.
	PublicURL string
	// TrustedProxies may state the real client in X-Forwarded-For, -Proto and
	// -Host, and the request's id in X-Request-Id.
	TrustedProxies []netip.Prefix
	// InsecureHTTP lets Basic credentials come in over plain http from other machines.
	InsecureHTTP bool
	// Origins may call from a browser with a Bearer token (CORS), "https://app.example.org" each.
	Origins []string
	// Version of the server, for the OpenAPI document.
	Version string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// NewRequestID makes ids; nil means 26 random characters.
	NewRequestID func() string
}

// Server is the handler. It may be used concurrently.
type Server struct {
	cfg     Config
	limits  layers.Limits
	public  *url.URL // nil: as each request says
	origin  *http.CrossOriginProtection
	table   []mounted
	openAPI []byte
	start   start
}

// New checks cfg and makes the Server.
func New(cfg Config) (*Server, error) {
	if cfg.Store == nil || cfg.Authority == nil || cfg.DAV == nil || cfg.DAVServes == nil {
		return nil, errors.New("web: Store, Authority, DAV and DAVServes are required")
	}
	s := &Server{cfg: cfg, limits: cfg.Store.Limits(), origin: http.NewCrossOriginProtection()}
	if s.cfg.Now == nil {
		s.cfg.Now = time.Now
	}
	if s.cfg.NewRequestID == nil {
		s.cfg.NewRequestID = randomID
	}
	if cfg.PublicURL != "" {
		if err := s.setPublic(cfg.PublicURL); err != nil {
			return nil, err
		}
	}
	for _, o := range cfg.Origins {
		if u, err := url.Parse(o); err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != o {
			return nil, fmt.Errorf("web: origin %q: want scheme://host", o)
		}
	}
	var err error
	if s.start, err = newStart(); err != nil {
		return nil, err
	}
	if err := s.mountAll(); err != nil {
		return nil, err
	}
	return s, nil
}

// setPublic takes where clients reach the server. A page served there may use
// its own cookie even if the proxy before us hides the Host it was asked for.
func (s *Server) setPublic(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("web: public URL %q: want http(s)://host", raw)
	}
	s.public = &url.URL{Scheme: u.Scheme, Host: u.Host}
	return s.origin.AddTrustedOrigin(s.public.String())
}

// routes is everything that answers a URL, WebDAV aside. {scope} stands for
// sessions/{sid}, shared and home; {name...} may hold slashes. A GET answers HEAD too.
func (s *Server) routes() []route {
	return []route{
		{"GET", "/", open, stream[none, none](s.getPage, "text/html"), "What this is and how to mount it"},
		{"GET", "/app", open, stream[none, none](s.getPage, "text/html"), "The same for now"},
		{"GET", "/app/{name...}", open, stream[none, none](s.getPage, "text/html"), "The same for now"},
		{"GET", "/favicon.ico", open, empty(stream[none, none](s.getIcon)), "None"},
		{"GET", "/healthz", open, stream[none, none](s.getHealth, "text/plain"), "Alive"},
		{"GET", "/readyz", known, stream[none, body[readiness]](s.getReady), "Ready: the store answers"},
		{"GET", "/api/", open, stream[none, body[index]](s.getIndex), "Where this document is"},
		{"GET", "/api/openapi.json", open, stream[none, body[any]](s.getOpenAPI), "This document"},
		{"GET", "/.well-known/jwks.json", open, stream[none, none](s.getKeys, "application/jwk-set+json"), "The public keys of varve's own tokens"},

		{"POST", "/api/signin", open, reply(s.signIn), "Turn a token into a cookie"},
		{"POST", "/api/signout", open, reply(s.signOut), "Drop the cookie"},
		{"GET", "/api/me", signed, reply(s.me), "Who the token stands for"},
		{"POST", "/api/tokens", signed, made(reply(s.mint)), "Mint a token with a part of one's own rights"},
		{"GET", "/api/tokens", signed, reply(s.listTokens), "List mount tokens"},
		{"DELETE", "/api/tokens/{id}", signed, reply(s.revoke), "Revoke a token"},

		{"POST", "/api/sessions", signed, made(reply(s.createSession)), "Create a session; answers with its token"},
		{"GET", "/api/sessions", signed, reply(s.listSessions), "List sessions, newest first"},
		{"GET", "/api/sessions/{sid}", signed, reply(s.showSession), "Show a session"},
		{"PATCH", "/api/sessions/{sid}", signed, reply(s.renameSession), "Rename a session"},
		{"DELETE", "/api/sessions/{sid}", signed, reply(s.endSession), "End a session; what it holds stays readable"},

		{"GET", "/api/{scope}/files", signed, stream[listQuery, body[listing]](s.getFile), "List the root"},
		{"GET", "/api/{scope}/files/{name...}", signed, stream[fileQuery, body[listing]](s.getFile, "application/octet-stream"), "Read a file, or list a directory"},
		{"PUT", "/api/{scope}/files/{name...}", signed, stream[fileBody, body[written]](s.putFile), "Write a whole file"},
		{"DELETE", "/api/{scope}/files/{name...}", signed, stream[conditions, body[removed]](s.deleteFile), "Delete a file, or a directory with all in it"},
		{"POST", "/api/{scope}/move", signed, reply(s.move), "Move a file or directory"},
		{"POST", "/api/{scope}/copy", signed, reply(s.copy), "Copy a file or directory, without moving bytes"},
		{"POST", "/api/{scope}/mkdir", signed, reply(s.mkdir), "Make a directory"},

		{"GET", "/api/uploads", signed, stream[listQuery, body[listing]](s.getFile), "List the shared root"},
		{"POST", "/api/uploads", signed, made(stream[uploadForm, body[uploaded]](s.postUploads)), "Upload files of a form to shared"},
		{"GET", "/api/uploads/{name...}", signed, stream[fileQuery, body[listing]](s.getFile, "application/octet-stream"), "Read a shared file, or list a directory"},
		{"PUT", "/api/uploads/{name...}", signed, stream[fileBody, body[written]](s.putFile), "Write a whole shared file"},
		{"DELETE", "/api/uploads/{name...}", signed, stream[conditions, body[removed]](s.deleteFile), "Delete a shared file or directory"},
	}
}
