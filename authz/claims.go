package authz

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/text/unicode/norm"
)

// idp is the claim of a token of varve's own that names the issuer its sub
// belongs to, when that is another. Nobody else's token may say so.
const idp = "idp"

// claims spells c as a JWT does.
func (c Claims) claims(expires time.Time, issuer, jti string) (jwt.MapClaims, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	said := jwt.MapClaims{"sub": c.Sub, "exp": expires.Unix(), "jti": jti}
	for name, value := range map[string]string{"sid": c.Session, "aud": c.Aud, idp: issuer} {
		if value != "" {
			said[name] = value
		}
	}
	if c.Path != "" && c.Path != "." {
		said["path"] = c.Path
	}
	if c.Scopes != 0 && c.Scopes != defaultScopes {
		said["scope"] = c.Scopes.String()
	}
	return said, nil
}

// check refuses claims that no token may hold.
func (c Claims) check() error {
	if err := checkSub(c.Sub); err != nil {
		return err
	}
	if c.Session != "" {
		if err := checkSession(c.Session); err != nil {
			return err
		}
		if c.Scopes.Has(Admin) {
			return fmt.Errorf("scope admin of a session: %w", fs.ErrInvalid)
		}
	}
	_, err := cleanPath(cmp.Or(c.Path, "."))
	return err
}

// principal is who a verified JWT stands for. It refuses a claim that is there
// but makes no sense, instead of reading it as if it were not: a token with an
// empty sid would otherwise be its owner's.
func (i *issuer) principal(said jwt.MapClaims) (Principal, error) {
	p := Principal{Issuer: i.Name, Path: ".", Scopes: defaultScopes, Mints: i.MintsSessions}
	expires, err := said.GetExpirationTime()
	if err != nil {
		return Principal{}, err
	}
	p.Expires = expires.Time
	for name, take := range map[string]func(string) error{
		"sub":   func(s string) error { p.Sub = i.Prefix + s; return checkSub(s) }, // not only the prefix
		"sid":   func(s string) error { p.Session = s; return checkSession(s) },
		"jti":   func(s string) error { p.TokenID = s; return checkText("jti", s) },
		"path":  func(s string) (err error) { p.Path, err = cleanPath(s); return err },
		"scope": func(s string) error { p.Scopes = scopesOf(s); return nil },
	} {
		value, there := said[name]
		if !there {
			continue
		}
		text, ok := value.(string)
		if !ok {
			return Principal{}, fmt.Errorf("claim %s is no string", name)
		}
		if err := take(text); err != nil {
			return Principal{}, err
		}
	}
	if p.Sub == "" {
		return Principal{}, errors.New("no claim sub")
	}
	return i.limit(p), nil
}

// limit takes from p what its issuer may not give.
func (i *issuer) limit(p Principal) Principal {
	if !i.Admin || p.Session != "" {
		p.Scopes &^= Admin
	}
	return p
}

// scopesOf reads a scope claim. Words of other programs are passed over; a
// claim that has only such words, other than an empty one, gives no rights.
func scopesOf(words string) Scope {
	fields := strings.Fields(words)
	if len(fields) == 0 {
		return defaultScopes
	}
	var s Scope
	for _, word := range fields {
		s |= scope(word)
	}
	return s
}

// Bounds of what a token may hold.
const (
	maxText    = 255  // bytes of a sub, a jti, a mount token's name
	maxPath    = 4096 // bytes
	minSession = 8    // characters of an id
	maxSession = 64
)

func checkSub(sub string) error {
	if sub == "" {
		return fmt.Errorf("empty user: %w", fs.ErrInvalid)
	}
	return checkText("user", sub)
}

// checkText refuses what would confuse a log, a header or a reader.
func checkText(what, s string) error {
	if len(s) > maxText || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return fmt.Errorf("%s too long, not UTF-8 or with control characters: %w", what, fs.ErrInvalid)
	}
	return nil
}

func checkSession(id string) error {
	if !ValidSession(id) {
		return fmt.Errorf("session id is not 8 to 64 of A-Z a-z 0-9 _ -: %w", fs.ErrInvalid)
	}
	return nil
}

// ValidSession tells whether id is one a session can have, whoever makes it.
func ValidSession(id string) bool {
	valid := len(id) >= minSession && len(id) <= maxSession
	for i := range len(id) {
		valid = valid && sessionByte(id[i])
	}
	return valid
}

func sessionByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}

// cleanPath is path in key form. A path is not made clean here: one that needs
// it was not meant as what would come out.
func cleanPath(path string) (string, error) {
	key := norm.NFC.String(path)
	if len(key) > maxPath || !fs.ValidPath(key) || strings.Contains(key, `\`) ||
		strings.ContainsFunc(key, unicode.IsControl) {
		return "", fmt.Errorf("path of a token is not a clean name: %w", fs.ErrInvalid)
	}
	return key, nil
}
