package web

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"varve/authz"
)

// errBeyond: a token was asked for that its maker may not make.
var errBeyond = errors.New("a token beyond its maker's rights or term")

// beyond tells a refusal to mint from a refusal of the caller's own token.
func beyond(err error) error {
	if errors.Is(err, authz.ErrUnauthorized) {
		return fmt.Errorf("%w: %v", errBeyond, err)
	}
	return err
}

// token is a token in JSON: what it stands for, and of a mount token its story.
type token struct {
	Token    string     `json:"token,omitempty" doc:"The token itself; shown once, when it is made"`
	ID       string     `json:"id" doc:"To revoke it by"`
	Sub      string     `json:"sub" doc:"The user"`
	Issuer   string     `json:"issuer,omitempty" doc:"Who vouches for the user; absent for varve's own"`
	Session  string     `json:"session,omitempty" doc:"The session it is bound to"`
	Scopes   []string   `json:"scopes" nullable:"false"`
	Path     string     `json:"path,omitempty" doc:"The subtree it is confined to"`
	Expires  *time.Time `json:"expires,omitempty" doc:"Absent: never"`
	Mount    bool       `json:"mount,omitempty" doc:"It is a mount token; what follows is known of these only"`
	Name     string     `json:"name,omitempty" doc:"For people"`
	Created  *time.Time `json:"created,omitempty"`
	LastUsed *time.Time `json:"last_used,omitempty" doc:"To the minute; absent: never"`
	Agent    string     `json:"agent,omitempty" doc:"The User-Agent it was last used by"`
	Revoked  bool       `json:"revoked,omitempty"`
}

// tokenList is a list of mount tokens.
type tokenList struct {
	Tokens []token `json:"tokens" nullable:"false" doc:"Newest first, those revoked or expired included"`
}

// newToken is what minting takes.
type newToken struct {
	Mount   bool     `json:"mount,omitempty" doc:"A mount token: short, revocable, for clients that take only short passwords"`
	Name    string   `json:"name,omitempty" maxLength:"255" doc:"Of a mount token, for people"`
	Sub     string   `json:"sub,omitempty" doc:"Another user; operators only"`
	Session string   `json:"session,omitempty" doc:"Bind it to this session of the user's"`
	Scopes  []string `json:"scopes,omitempty" nullable:"false" enum:"read,write,share,publish,export,admin" doc:"Default: read and write"`
	Path    string   `json:"path,omitempty" doc:"Confine it to this subtree; without .."`
	Aud     string   `json:"aud,omitempty" doc:"Audience of a JWT"`
	TTL     string   `json:"ttl,omitempty" pattern:"^[1-9][0-9]{0,4}[smhd]$" example:"30d" doc:"At most as long as the caller's token; default 24 h, of a mount token as long as the caller's"`
}

// me says who the caller is.
func (s *Server) me(r *http.Request, _ *none) (*body[token], error) {
	return &body[token]{toToken(authz.From(r.Context()))}, nil
}

// mint makes a token with a part of the caller's rights.
func (s *Server) mint(r *http.Request, in *body[newToken]) (*answer[token], error) {
	claims, err := s.claims(r, in.Body)
	if err != nil {
		return nil, err
	}
	by := authz.From(r.Context())
	if in.Body.Mount {
		m, secret, err := s.cfg.Authority.MintMount(r.Context(), by, in.Body.Name, claims)
		if err != nil {
			return nil, beyond(err)
		}
		j := toMount(m)
		j.Token = secret
		return &answer[token]{http.StatusCreated, j}, nil
	}
	secret, err := s.cfg.Authority.Mint(r.Context(), by, claims)
	if err != nil {
		return nil, beyond(err)
	}
	p, err := s.cfg.Authority.Verify(r.Context(), secret)
	if err != nil && claims.Aud == "" {
		return nil, fmt.Errorf("verifying the token just minted: %v", err)
	}
	if err != nil { // made for another audience: not a token here
		p = authz.Principal{Sub: claims.Sub, Session: claims.Session, Scopes: claims.Scopes, Path: claims.Path}
	}
	j := toToken(p)
	j.Token = secret
	return &answer[token]{http.StatusCreated, j}, nil
}

// claims reads what a token to be minted shall say. A session it names must be
// one of its user's that the caller may see; whether another's exists does not show.
func (s *Server) claims(r *http.Request, want newToken) (authz.Claims, error) {
	c := authz.Claims{Sub: want.Sub, Session: want.Session, Aud: want.Aud, TTL: duration(want.TTL)}
	var err error
	if c.Scopes, err = authz.ParseScopes(strings.Join(want.Scopes, " ")); err != nil {
		return c, err
	}
	if want.Path != "" {
		if c.Path, _, err = s.named("body.path", want.Path); err != nil {
			return c, err
		}
	}
	by := caller(r)
	if c.Session == "" || c.Session == by.Session {
		return c, nil
	}
	one, err := s.cfg.Store.Session(r.Context(), by, c.Session)
	if err != nil {
		return c, err
	}
	if c.Sub == "" {
		c.Sub = by.Sub
	}
	if one.Owner.Sub != c.Sub {
		return c, errBeyond
	}
	return c, nil
}

// listTokens lists mount tokens.
func (s *Server) listTokens(r *http.Request, _ *none) (*body[tokenList], error) {
	found, err := s.cfg.Authority.Mounts(r.Context(), authz.From(r.Context()))
	out := &body[tokenList]{tokenList{[]token{}}}
	for _, m := range found {
		out.Body.Tokens = append(out.Body.Tokens, toMount(m))
	}
	return out, err
}

// revoke revokes a token at once.
func (s *Server) revoke(r *http.Request, in *struct {
	ID string `path:"id"`
}) (*none, error) {
	return &none{}, s.cfg.Authority.Revoke(r.Context(), authz.From(r.Context()), in.ID)
}

// credential is what signing in takes.
type credential struct {
	Token string `json:"token" minLength:"1"`
}

// signedIn is the answer to signing in.
type signedIn struct {
	Cookie http.Cookie `header:"Set-Cookie"`
	Body   token
}

// signIn turns a token into the cookie of the browser app. The __Host- prefix
// needs Secure, which browsers take over plain http only from this very machine
// (localhost); anywhere else signing in needs https.
func (s *Server) signIn(r *http.Request, in *body[credential]) (*signedIn, error) {
	secret := strings.TrimSpace(in.Body.Token)
	p, err := s.verify(r, secret, authz.Cookie)
	if err != nil {
		return nil, err
	}
	c := cookie(secret)
	c.Expires = p.Expires
	return &signedIn{c, toToken(p)}, nil
}

// signOut drops the cookie. The token stays good: see revoke.
func (s *Server) signOut(*http.Request, *none) (*struct {
	Cookie http.Cookie `header:"Set-Cookie"`
}, error) {
	c := cookie("")
	c.MaxAge = -1
	return &struct {
		Cookie http.Cookie `header:"Set-Cookie"`
	}{c}, nil
}

// cookie is the browser app's, holding a token.
func cookie(secret string) http.Cookie {
	return http.Cookie{
		Name: authz.CookieName, Value: secret, Path: "/",
		HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode,
	}
}

// toToken says in JSON who p is.
func toToken(p authz.Principal) token {
	j := token{
		ID: p.TokenID, Sub: p.Sub, Issuer: p.Issuer, Session: p.Session,
		Scopes: strings.Fields(p.Scopes.String()), Expires: orNil(p.Expires), Mount: p.Mount,
	}
	if p.Path != "." {
		j.Path = p.Path
	}
	return j
}

// toMount says in JSON what m is.
func toMount(m authz.MountToken) token {
	j := toToken(authz.Principal{
		Issuer: m.Account.Issuer, Sub: m.Account.Sub, Session: m.Session, Scopes: m.Scopes,
		Path: m.Path, TokenID: m.ID, Expires: m.Expires, Mount: true,
	})
	j.Name, j.Created, j.LastUsed, j.Agent, j.Revoked = m.Name, orNil(m.Created), orNil(m.LastUsed), m.Agent, m.Revoked
	return j
}

// orNil is t, or nil for the zero time.
func orNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
