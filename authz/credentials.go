package authz

import (
	"net/http"
	"strings"
)

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
// of Basic (any user name), or the cookie. An empty Bearer is no credential,
// nor are two Authorization headers: a proxy may have looked at the other one.
func Credentials(r *http.Request) (token string, via Via) {
	if headers := r.Header.Values("Authorization"); len(headers) > 1 {
		return "", None
	}
	if token, via = authorization(r); token != "" {
		return token, via
	}
	if c, err := r.Cookie(CookieName); err == nil && c.Value != "" {
		return c.Value, Cookie
	}
	return "", None
}

// authorization reads the header. Tokens are copied by hand, with blanks.
func authorization(r *http.Request) (token string, via Via) {
	if _, password, ok := r.BasicAuth(); ok {
		return strings.TrimSpace(password), Basic
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token), Bearer
	}
	return "", None
}
