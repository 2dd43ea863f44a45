package main

import (
	"strings"
	"testing"
	"time"

	"varve/authz"
)

// TestTokensMintNoMoreThanTheirRights: what a token mints has a part of its
// rights, session, path and term, or there is no token at all.
func TestTokensMintNoMoreThanTheirRights(t *testing.T) {
	w := newAttacked(t)
	w.ok("PUT", "/dav/x", w.mint(authz.Claims{Sub: "ann", Session: "session-of-ann"}), "x")
	w.ok("PUT", "/dav/x", w.mint(authz.Claims{Sub: "bob", Session: "session-of-bob"}), "x")
	for name, token := range map[string]string{
		"reader":             w.mint(authz.Claims{Sub: "bob", Scopes: authz.Read}),
		"user":               w.mint(authz.Claims{Sub: "bob", TTL: time.Hour}),
		"sharer":             w.mint(authz.Claims{Sub: "bob", Scopes: authz.Share}),
		"confined":           w.mint(authz.Claims{Sub: "bob", Path: "box/in"}),
		"session":            w.mint(authz.Claims{Sub: "bob", Session: "session-of-bob"}),
		"confined session":   w.mint(authz.Claims{Sub: "bob", Session: "session-of-bob", Path: "box/in"}),
		"mount token":        w.mount(w.mint(authz.Claims{Sub: "bob"})),
		"mount of a session": w.mount(w.mint(authz.Claims{Sub: "bob", Session: "session-of-bob"})),
		"admin nobody made":  platform(t, map[string]any{"iss": "platform", "sub": "bob", "scope": "read write admin"}),
	} {
		t.Run(name, func(t *testing.T) {
			l := w.line(t)
			var has rightsOf
			w.decode(w.ok("GET", "/api/me", token, ""), &has)
			for _, body := range greedy() {
				for _, target := range []string{"/api/tokens", "/api/sessions"} {
					a := l.ask(raw{method: "POST", target: target, header: []string{"Content-Type: application/json", bearer(token)}, body: body})
					if a.status == 201 {
						has.covers(t, w, a, body)
						continue
					}
					if a.status != 403 && a.status != 404 && a.status != 422 && a.status != 400 && a.status != 409 {
						t.Errorf("%s %s = %s", target, body, a.whole)
					}
				}
			}
		})
	}
}

// greedy is what tokens are asked for.
func greedy() []string {
	return []string{
		`{}`, `{"mount":true}`, `{"scopes":["read"]}`, `{"scopes":["write"]}`, `{"scopes":["read","write","share","publish","export"]}`, `{"scopes":["admin"]}`,
		`{"scopes":["read","admin"],"mount":true}`, `{"scopes":["read write admin"]}`, `{"scopes":[]}`, `{"scopes":[""]}`, `{"scope":"admin"}`,
		`{"sub":"ann"}`, `{"sub":"ann","mount":true}`, `{"sub":"ann","session":"session-of-ann"}`, `{"session":"session-of-ann"}`, `{"session":"session-of-ann","mount":true}`,
		`{"session":"session-of-nobody"}`, `{"session":"session-of-bob"}`, `{"session":""}`, `{"session":"x"}`, `{"sub":""}`,
		`{"path":""}`, `{"path":"/"}`, `{"path":"."}`, `{"path":".."}`, `{"path":"box"}`, `{"path":"box/in/../.."}`, `{"path":"box/inner"}`, `{"path":"box/in/deep"}`, `{"path":"other","mount":true}`,
		`{"ttl":"2h"}`, `{"ttl":"99999d"}`, `{"ttl":"99999d","mount":true}`, `{"ttl":"-1h"}`, `{"ttl":"0s"}`, `{"aud":"other"}`,
		`{"Scopes":["admin"],"scopes":["read"]}`, `{"scopes":["read"],"scopes":["admin"]}`, `{"issuer":"idp"}`, `{"id":"session-of-ann"}`, `{"name":"\u0000"}`,
	}
}

// rightsOf is what /api/me and minting say of a token.
type rightsOf struct {
	Sub, Issuer, Session, Path string
	Scopes                     []string
	Expires                    *time.Time
	Token                      string
	Mount                      any
}

// covers checks a token that was minted: by asking with it, not by what was said.
func (r rightsOf) covers(t *testing.T, w *attacked, a heard, body string) {
	t.Helper()
	var made, got rightsOf
	w.decode(a, &made)
	if made.Token == "" { // a session created by a mount token
		return
	}
	me := w.line(t).ask(raw{method: "GET", target: "/api/me", header: []string{bearer(made.Token)}})
	if me.status == 401 && strings.Contains(body, "aud") {
		return // not for here
	}
	w.decode(me, &got)
	switch {
	case r.Mount == true:
		t.Errorf("a mount token minted %s for %s", me.body, body)
	case got.Sub != r.Sub || got.Issuer != r.Issuer:
		t.Errorf("%s made a token of %s", body, got.Sub)
	case r.Session != "" && got.Session != r.Session:
		t.Errorf("%s of %s made a token of session %q", body, r.Session, got.Session)
	case got.Session == "session-of-ann":
		t.Errorf("%s made a token of ann's session", body)
	case r.Path != "" && got.Path != r.Path && !strings.HasPrefix(got.Path, r.Path+"/"):
		t.Errorf("%s confined to %q made a token of %q", body, r.Path, got.Path)
	case r.Expires != nil && (got.Expires == nil || got.Expires.After(*r.Expires)):
		t.Errorf("%s until %v made a token until %v", body, r.Expires, got.Expires)
	}
	for _, scope := range got.Scopes {
		if !strings.Contains(strings.Join(r.Scopes, " "), scope) {
			t.Errorf("%s with %v made a token with %v", body, r.Scopes, got.Scopes)
		}
	}
}
