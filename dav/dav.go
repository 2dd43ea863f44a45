// Package dav translates WebDAV to View operations, and back.
//
// # What is served
//
// /dav/ is the caller's home, /shared/ the shared layer alone and
// /sessions/{sid}/ the view of one session; / and /sessions/ list them, because
// Explorer asks every ancestor of a mount for its properties. A URL's path is
// cleaned once, by layers.Limits.Clean, before anything looks at it, and what was
// cleaned is what is authorised and served. Nothing here ever redirects: WebDAV
// clients do not follow.
//
// # How
//
// A handler parses, calls one View operation and writes the answer. It returns
// an error for a refusal; one table (errors.go) turns it into a status, a
// DAV:error body where RFC 4918 names a precondition, and a hint for people.
// Rights, conditions, locks and quota are the View's business: conditions are
// parsed here into one layers.Cond and judged there, before the body is read and
// again in the commit.
//
// XML is read by a strict reader of bounded depth and size (xmlreader.go): no
// document types, no entities, no undeclared prefixes. XML is written by
// appending to a buffer, because reflection costs a hundred times more than the
// listing itself. Everything a listing shows is read before its first byte is
// written, so a failure is a status and never half an answer.
//
// # Beside the handler
//
// FileSystem and Locks serve a View through golang.org/x/net/webdav's Handler.
// That Handler loses data on broken uploads and knows few conditions, so it does
// not serve here, but it is the oracle that ours is compared with.
package dav

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"varve/authz"
	"varve/layers"
)

// Config of a Handler. Store is required.
type Config struct {
	Store *layers.Store
	// Log gets what went wrong inside, one line for each such answer. If the context
	// of a request carries a logger of its own, that gets it as the field error, for
	// the one line that whoever put it there writes.
	Log zerolog.Logger
	// Hosts are the public names ("dav.example.org", with a port where it is not
	// the scheme's) that a Destination or an If header may use for this server,
	// beside the Host of the request itself.
	Hosts []string
	// Prefix is the path below which a proxy shows this server and which it takes
	// off ("/files"): put before every href, taken off Destination and If.
	Prefix string
	// Unauthorized answers a request whose credentials turn out not to count
	// (a token for a session of another owner). Nil means a plain 401 with a Basic
	// and a Bearer challenge.
	Unauthorized http.HandlerFunc
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Handler serves WebDAV to principals that authz.With put into the request's
// context. It may be used concurrently.
type Handler struct {
	store        *layers.Store
	limits       layers.Limits
	log          zerolog.Logger
	hosts        map[string]bool
	prefix       string
	unauthorized http.HandlerFunc
	pagePolicy   string // listingPolicy
	now          func() time.Time
	refused      *refusals
	buffers      sync.Pool // of *[]byte, for answers
}

// New makes a Handler.
func New(cfg Config) (*Handler, error) {
	if cfg.Store == nil {
		return nil, errors.New("dav: config names no store")
	}
	h := &Handler{
		store:        cfg.Store,
		limits:       cfg.Store.Limits(),
		log:          cfg.Log,
		hosts:        make(map[string]bool),
		prefix:       cleanPrefix(cfg.Prefix),
		unauthorized: cfg.Unauthorized,
		pagePolicy:   listingPolicy(),
		now:          cfg.Now,
		refused:      &refusals{},
		buffers:      sync.Pool{New: func() any { return new([]byte) }},
	}
	for _, host := range cfg.Hosts {
		h.hosts[canonicalHost(host)] = true
	}
	if h.unauthorized == nil {
		h.unauthorized = challenge
	}
	if h.now == nil {
		h.now = time.Now
	}
	return h, nil
}

// caller is who a request acts for.
func caller(r *http.Request) layers.Caller {
	return layers.Caller{Principal: authz.From(r.Context()), Agent: r.UserAgent()}
}

// challenge is the plain 401. A page's script is not offered Basic: its browser
// would put up a dialog of its own.
func challenge(w http.ResponseWriter, r *http.Request) {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode == "" || mode == "navigate" {
		w.Header().Add("WWW-Authenticate", `Basic realm="varve", charset="UTF-8"`)
	}
	w.Header().Add("WWW-Authenticate", `Bearer realm="varve"`)
	http.Error(w, "credentials needed", http.StatusUnauthorized)
}
