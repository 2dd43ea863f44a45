package authz

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"varve/history"
	"varve/history/sql"
)

// Defaults of a Config.
const (
	defaultAudience = "varve"
	defaultLeeway   = 30 * time.Second
)

// maxToken is more than any token has that counts.
const maxToken = 16 << 10 // bytes

// Config says which tokens count beside the local ones. Keys and Log are needed.
type Config struct {
	Keys *Keys
	Log  *history.Log     // mount tokens and revocations
	Now  func() time.Time // nil: time.Now
	// Issuers are external issuers of JWTs; none by default.
	Issuers []Issuer
	// Audience every token with an aud claim must name; default "varve".
	Audience string
	// Leeway for exp, nbf and iat; default 30 s, negative: none.
	Leeway time.Duration
	// Client fetches JWKS documents; nil means one that refuses redirects and
	// private, loopback and link-local addresses.
	Client *http.Client
}

// Authority verifies and mints tokens. Its methods may be called concurrently.
type Authority struct {
	keys    *Keys
	log     *history.Log
	now     func() time.Time
	leeway  time.Duration
	own     *issuer // of the local keys
	issuers []*issuer
	parser  *jwt.Parser
	cache   cache

	using sync.Mutex           // guards used
	used  map[string]time.Time // when the use of a mount token was last written down
}

// New checks cfg and reads the keys its issuers have in files.
func New(ctx context.Context, cfg Config) (*Authority, error) {
	if cfg.Keys == nil || cfg.Log == nil {
		return nil, fmt.Errorf("authz.Config without Keys or Log: %w", fs.ErrInvalid)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Audience == "" {
		cfg.Audience = defaultAudience
	}
	if cfg.Leeway == 0 {
		cfg.Leeway = defaultLeeway
	}
	cfg.Leeway = max(cfg.Leeway, 0)
	a := &Authority{
		keys: cfg.Keys, log: cfg.Log, now: cfg.Now, leeway: cfg.Leeway,
		own: &issuer{
			Issuer:   Issuer{Admin: true, MintsSessions: true},
			audience: cfg.Audience,
			fixed:    cfg.Keys.public,
		},
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{edDSA, es256, rs256, hs256}),
			jwt.WithStrictDecoding(), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
			jwt.WithLeeway(cfg.Leeway), jwt.WithTimeFunc(cfg.Now)),
		cache: cache{entries: map[digest]entry{}},
		used:  map[string]time.Time{},
	}
	for _, one := range cfg.Issuers {
		if a.issuer(one.Name) != nil {
			return nil, fmt.Errorf("issuer %q is configured twice: %w", one.Name, fs.ErrInvalid)
		}
		i, err := newIssuer(ctx, cfg, one)
		if err != nil {
			return nil, err
		}
		a.issuers = append(a.issuers, i)
	}
	return a, nil
}

// issuer finds a configured one; nil if there is none of that name.
func (a *Authority) issuer(name string) *issuer {
	at := slices.IndexFunc(a.issuers, func(i *issuer) bool { return i.Name == name })
	if at < 0 {
		return nil
	}
	return a.issuers[at]
}

// JWKS is the JSON Web Key Set others verify varve's own tokens with.
func (a *Authority) JWKS() ([]byte, error) { return a.keys.JWKS() }

// Verify turns a token (a JWT or a mount token) into the principal it stands
// for, or ErrUnauthorized. Other errors mean that it could not be checked.
func (a *Authority) Verify(ctx context.Context, token string) (Principal, error) {
	if len(token) > maxToken {
		return Principal{}, fmt.Errorf("%w: token of %d bytes", ErrUnauthorized, len(token))
	}
	sum := digest(sha256.Sum256([]byte(token)))
	now := a.now()
	if p, ok := a.cache.find(sum, now); ok {
		return p, nil
	}
	epoch := a.cache.began()
	var p Principal
	var err error
	ends := time.Time{}
	if strings.HasPrefix(token, mountPrefix) {
		if p, err = a.verifyMount(ctx, sum, now); err == nil {
			ends = p.Expires
		}
	} else if p, err = a.verifyJWT(ctx, token); err == nil {
		ends = p.Expires.Add(a.leeway)
	}
	if err != nil {
		return Principal{}, err
	}
	a.cache.keep(sum, epoch, now, ends, p)
	return p, nil
}

// verifyJWT checks a JWT and that it was not revoked.
func (a *Authority) verifyJWT(ctx context.Context, token string) (Principal, error) {
	p, err := a.parse(ctx, token)
	if err != nil || p.TokenID == "" {
		return p, err
	}
	revoked := false
	err = a.log.View(ctx, func(tx *history.Tx) error {
		args := []any{p.TokenID, p.Issuer, p.Sub}
		return tx.Rows(selectRevoked, args, func(sql.Row) error { revoked = true; return nil })
	})
	switch {
	case err != nil:
		return Principal{}, fmt.Errorf("looking for a revocation: %w", err)
	case revoked:
		return Principal{}, fmt.Errorf("%w: token %s is revoked", ErrUnauthorized, p.TokenID)
	}
	return p, nil
}

// parse checks all of a JWT that can be checked without the store.
func (a *Authority) parse(ctx context.Context, token string) (Principal, error) {
	var from *issuer
	var missing error // the keys could not be fetched
	said := jwt.MapClaims{}
	_, err := a.parser.ParseWithClaims(token, said, func(t *jwt.Token) (any, error) {
		var kid string
		var err error
		if kid, err = checkHeader(t.Header); err != nil {
			return nil, err
		}
		if from, err = a.source(kid, said); err != nil {
			return nil, err
		}
		keys, err := from.keys(ctx, kid, t.Method.Alg())
		if err != nil && !errors.Is(err, ErrUnauthorized) {
			missing = fmt.Errorf("keys of issuer %q: %w", from.Name, err)
		}
		return keys, err
	})
	if missing != nil {
		return Principal{}, missing
	}
	var p Principal
	if err == nil {
		err = from.checkAudience(said)
	}
	if err == nil {
		from, err = a.account(from, said)
	}
	if err == nil {
		p, err = from.principal(said)
	}
	if err != nil {
		return Principal{}, fmt.Errorf("%w: %w", ErrUnauthorized, err)
	}
	return p, nil
}

// checkHeader returns the kid of a JOSE header. Everything in a header that
// says where to find keys (jku, jwk, x5c, x5u) is passed over: whoever made the
// token wrote it. An extension that must be understood is not (RFC 7515,
// section 4.1.11), nor is a token of another kind (RFC 8725, section 3.11).
func checkHeader(header map[string]any) (kid string, err error) {
	if _, there := header["crit"]; there {
		return "", errors.New("header has crit")
	}
	if typ, there := header["typ"]; there {
		name, _ := typ.(string)
		switch strings.TrimPrefix(strings.ToLower(name), "application/") {
		case "jwt", "at+jwt":
		default:
			return "", fmt.Errorf("header has typ %.80q", name)
		}
	}
	value, there := header["kid"]
	kid, ok := value.(string)
	if there && (!ok || kid == "") {
		return "", errors.New("kid is no name of a key")
	}
	return kid, nil
}

// source decides by whose keys a token is to be verified: its issuer's, or, when
// it names none, varve's own if one of them has its kid.
func (a *Authority) source(kid string, said jwt.MapClaims) (*issuer, error) {
	name := ""
	if value, there := said["iss"]; there {
		if name, _ = value.(string); name == "" {
			return nil, errors.New("iss is no name of an issuer")
		}
	} else if slices.ContainsFunc(a.own.fixed, func(k key) bool { return k.id == kid }) {
		return a.own, nil
	}
	if i := a.issuer(name); i != nil {
		return i, nil
	}
	return nil, fmt.Errorf("issuer %.80q and kid %.80q are unknown", name, kid)
}

// account decides whose user the sub of a token is: its issuer's, but a token of
// varve's own may be for the user of another one that is still configured.
func (a *Authority) account(from *issuer, said jwt.MapClaims) (*issuer, error) {
	value, there := said[idp]
	if from != a.own || !there {
		return from, nil
	}
	name, _ := value.(string)
	return a.home(name)
}

// home is the issuer of an account varve itself has a token for, without the
// prefix, which the account's sub has already.
func (a *Authority) home(name string) (*issuer, error) {
	if name == "" {
		return a.own, nil
	}
	i := a.issuer(name)
	if i == nil {
		return nil, fmt.Errorf("%w: issuer %q is not configured any more", ErrUnauthorized, name)
	}
	bare := i.Issuer
	bare.Prefix = ""
	return &issuer{Issuer: bare}, nil
}
