package authz

import (
	"context"
	"net/http"
	"time"

	"varve/history"
)

// Claims is what a token to be minted shall say.
type Claims struct {
	Sub     string
	Session string
	Scopes  Scope // zero: read and write
	Path    string
	Aud     string        // empty: implied
	TTL     time.Duration // of the token; zero: the default (24 h)
}

// Keys are the local signing keys in DIR/keys. Minting needs nothing else, so
// `varve token` works without a running server.
type Keys struct{}

// OpenKeys reads the keys in dir (mode 0700), making the first one if there is none.
func OpenKeys(dir string) (*Keys, error) { panic("todo") }

// Mint signs a compact JWT.
func (k *Keys) Mint(now time.Time, c Claims) (string, error) { panic("todo") }

// Config says which tokens count beside the local ones.
type Config struct {
	Keys *Keys
	Log  *history.Log     // mount tokens and revocations
	Now  func() time.Time // nil: time.Now
	// Issuers are external issuers of JWTs; none by default.
	Issuers []Issuer
	// Audience every token with an aud claim must name; default "varve".
	Audience string
	// Leeway for exp and nbf; default 30 s.
	Leeway time.Duration
	// Client fetches JWKS documents; nil means one that refuses redirects and
	// private, loopback and link-local addresses.
	Client *http.Client
}

// Issuer is an external issuer of JWTs.
type Issuer struct {
	Name          string // its iss claim; empty: tokens without iss signed with this key
	Prefix        string // put before every sub, so that "ann" of two issuers are two users
	Audience      string // what its tokens must name in aud; empty: Config.Audience
	Secret        []byte // HS256, at least 32 bytes
	PublicKey     string // PEM file: RS256, ES256 or EdDSA
	JWKS          string // file or https URL
	Admin         bool   // its scope admin counts
	MintsSessions bool   // a first write of its tokens creates their session
}

// Authority verifies and mints tokens. Its methods may be called concurrently.
type Authority struct{}

// New checks cfg and loads its keys.
func New(ctx context.Context, cfg Config) (*Authority, error) { panic("todo") }

// Verify turns a token (a JWT or a mount token) into the principal it stands
// for, or ErrUnauthorized. Other errors mean that it could not be checked.
func (a *Authority) Verify(ctx context.Context, token string) (Principal, error) { panic("todo") }

// Mint makes a JWT that carries at most by's own rights and term
// (ErrUnauthorized for more; a mount token mints nothing).
func (a *Authority) Mint(ctx context.Context, by Principal, c Claims) (string, error) { panic("todo") }

// MountToken describes one; the token itself is shown only once.
type MountToken struct {
	ID       string
	Name     string // for people: "Finder on Ann's laptop"
	Account  history.Account
	Session  string
	Scopes   Scope
	Path     string
	Created  time.Time
	Expires  time.Time // zero: none
	LastUsed time.Time // zero: never; exact to a minute
	Agent    string    // User-Agent it was last used by
	Revoked  bool
}

// MintMount makes a mount token (at most 48 characters) with at most by's
// rights; it is a change in the log.
func (a *Authority) MintMount(ctx context.Context, by Principal, name string, c Claims) (MountToken, string, error) {
	panic("todo")
}

// Mounts lists the mount tokens of by's account (of its session only, when by is
// bound to one).
func (a *Authority) Mounts(ctx context.Context, by Principal) ([]MountToken, error) { panic("todo") }

// Revoke revokes the mount token or the JWT (jti) named id at once:
// fs.ErrNotExist if by has no such mount token.
func (a *Authority) Revoke(ctx context.Context, by Principal, id string) error { panic("todo") }

// Used notes that a mount token was used by a User-Agent, at most once a minute.
func (a *Authority) Used(ctx context.Context, p Principal, agent string) { panic("todo") }

// Via is how a token travelled.
type Via uint8

// The ways.
const (
	None Via = iota
	Bearer
	Basic
	Cookie
)

// CookieName is the cookie of the browser app.
const CookieName = "__Host-varve"

// Credentials finds the token of a request: Authorization: Bearer, the password
// of Basic (any user name), or the cookie. An empty Bearer is no credential.
func Credentials(r *http.Request) (token string, via Via) { panic("todo") }
