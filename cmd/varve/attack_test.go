package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"varve/authz"
)

// surfaces is a request of each kind to each surface.
func surfaces() []raw {
	json := []string{"Content-Type: application/json"}
	return append(firstWrites("no-such-session"),
		raw{method: "GET", target: "/shared/file.txt"}, raw{method: "PUT", target: "/shared/file.txt", body: "x", wait: true},
		raw{method: "PROPFIND", target: "/"}, raw{method: "PROPFIND", target: "/sessions/"}, raw{method: "GET", target: "/sessions/"},
		raw{method: "OPTIONS", target: "/dav/"}, raw{method: "UNLOCK", target: "/dav/file.txt", header: []string{"Lock-Token: <x>"}},
		raw{method: "GET", target: "/api/me"}, raw{method: "GET", target: "/api/tokens"},
		raw{method: "POST", target: "/api/tokens", header: json, body: `{"mount":true}`},
		raw{method: "POST", target: "/api/sessions", header: json, body: `{}`}, raw{method: "DELETE", target: "/api/tokens/x"},
		raw{method: "GET", target: "/api/shared/files/file.txt"}, raw{method: "GET", target: "/api/uploads"},
		raw{method: "PUT", target: "/api/uploads/file.txt", body: "x", wait: true}, raw{method: "BREW", target: "/dav/file.txt"},
	)
}

// refuses checks that a token counts nowhere, however it travels, and that the
// answer says how to do better.
func (w *attacked) refuses(t *testing.T, token string) {
	t.Helper()
	l := w.line(t)
	for _, carrier := range []func(string) string{bearer, basic, cookie} {
		for _, r := range surfaces() {
			a := l.ask(r.with(carrier(token)))
			want := []string{`Basic realm="varve", charset="UTF-8"`, `Bearer realm="varve", error="invalid_token"`}
			if diff := cmp.Diff(want, a.header.Values("WWW-Authenticate")); a.status != 401 || a.interim > 0 || diff != "" {
				t.Errorf("%v with %.30s = %d, %d interim answers, challenges (-want +got):\n%s", r, carrier(token), a.status, a.interim, diff)
			}
		}
	}
	body, err := json.Marshal(map[string]string{"token": token})
	if err != nil {
		t.Fatal(err)
	}
	a := l.ask(raw{method: "POST", target: "/api/signin", header: []string{"Content-Type: application/json"}, body: string(body)})
	if a.status != 401 || a.header.Get("Set-Cookie") != "" {
		t.Errorf("signing in with it = %s", a.whole)
	}
}

// takes checks that a token counts, so that one that differs in one thing is
// refused for that.
func (w *attacked) takes(t *testing.T, token string) {
	t.Helper()
	if a := w.line(t).ask(raw{method: "GET", target: "/dav/file.txt", header: []string{bearer(token)}}); a.status != 200 {
		t.Fatalf("a good token = %s", a.whole)
	}
}

func TestForgedTokens(t *testing.T) {
	w := newAttacked(t)
	w.takes(t, w.mine(t, nil))
	w.takes(t, platform(t, map[string]any{"iss": "platform"}))
	w.takes(t, w.fromIDP(t, jwt.SigningMethodRS256, w.idp))
	for name, tokens := range w.forgeries(t) {
		t.Run(name, func(t *testing.T) {
			w.changesNothing(t, func() {
				for _, token := range tokens {
					w.refuses(t, token)
				}
			})
		})
	}
	a := w.line(t).ask(raw{method: "GET", target: "/dav/", header: []string{bearer(strings.Repeat("a", 200<<10))}})
	if a.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a token of 200 KiB = %d, want 431", a.status)
	}
}

// mine is a token as the server's own key signs it.
func (w *attacked) mine(t *testing.T, differs map[string]any) string {
	t.Helper()
	return forge(t, jwt.SigningMethodEdDSA, w.own, map[string]any{"kid": w.kid}, differs)
}

// platform is a token as the issuer with the secret signs it; iss is for the caller to say.
func platform(t *testing.T, differs map[string]any) string {
	t.Helper()
	return forge(t, jwt.SigningMethodHS256, []byte(strings.Repeat("s", 32)), nil, differs)
}

// fromIDP is a token that says it is the issuer's with the RSA key.
func (w *attacked) fromIDP(t *testing.T, method jwt.SigningMethod, key any) string {
	t.Helper()
	return forge(t, method, key, nil, map[string]any{"iss": "idp"})
}

// forgeries are tokens that do not count, by what is wrong with them.
func (w *attacked) forgeries(t *testing.T) map[string][]string {
	t.Helper()
	_, mallory, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	kid, now := map[string]any{"kid": w.kid}, time.Now()
	public := w.own.Public().(ed25519.PublicKey)
	claims := map[string]any{"sub": "ann", "exp": now.Add(time.Hour).Unix()}
	good := strings.Split(w.mine(t, nil), ".")
	signed := good[0] + "." + good[1] + "."
	return map[string][]string{
		"none algorithm": {
			unsigned(map[string]any{"alg": "none"}, claims, ""), unsigned(map[string]any{"alg": "nOnE", "kid": w.kid}, claims, ""),
			unsigned(map[string]any{"alg": "", "kid": w.kid}, claims, ""), unsigned(map[string]any{"kid": w.kid}, claims, ""),
			unsigned(map[string]any{"alg": "none", "kid": w.kid}, claims, good[2]), part(map[string]any{"alg": "none"}) + "." + part(claims),
		},
		"HS256 with the public key": {
			forge(t, jwt.SigningMethodHS256, []byte(public), kid, nil),
			forge(t, jwt.SigningMethodHS256, []byte(part(string(public))), kid, nil),
			w.fromIDP(t, jwt.SigningMethodHS256, w.idpPEM), w.fromIDP(t, jwt.SigningMethodHS256, []byte(strings.TrimSpace(string(w.idpPEM)))),
			w.fromIDP(t, jwt.SigningMethodHS256, x509.MarshalPKCS1PublicKey(&w.idp.PublicKey)),
		},
		"wrong key": {
			forge(t, jwt.SigningMethodEdDSA, mallory, kid, nil), forge(t, jwt.SigningMethodEdDSA, mallory, nil, nil),
			forge(t, jwt.SigningMethodHS256, []byte(strings.Repeat("t", 32)), nil, map[string]any{"iss": "platform"}),
			forge(t, jwt.SigningMethodHS256, []byte{}, nil, map[string]any{"iss": "platform"}),
			platform(t, map[string]any{"iss": "idp"}), platform(t, nil), w.mine(t, map[string]any{"iss": "platform"}),
			w.fromIDP(t, jwt.SigningMethodPS256, w.idp), w.fromIDP(t, jwt.SigningMethodRS512, w.idp),
		},
		"wrong audience": {
			w.mine(t, map[string]any{"aud": "other"}), w.mine(t, map[string]any{"aud": []string{}}), w.mine(t, map[string]any{"aud": 7}),
			platform(t, map[string]any{"iss": "platform", "aud": "other"}),
		},
		"expired":       {w.mine(t, map[string]any{"exp": now.Add(-time.Minute).Unix()}), w.mine(t, map[string]any{"exp": nil}), w.mine(t, map[string]any{"exp": "9999999999"}), w.mine(t, map[string]any{"exp": 0})},
		"not yet valid": {w.mine(t, map[string]any{"nbf": now.Add(5 * time.Minute).Unix()}), w.mine(t, map[string]any{"iat": now.Add(5 * time.Minute).Unix()}), w.mine(t, map[string]any{"nbf": "soon"})},
		"unknown kid": {
			forge(t, jwt.SigningMethodEdDSA, w.own, map[string]any{"kid": "other"}, nil), forge(t, jwt.SigningMethodEdDSA, w.own, nil, nil),
			forge(t, jwt.SigningMethodEdDSA, w.own, map[string]any{"kid": ""}, nil), forge(t, jwt.SigningMethodEdDSA, w.own, map[string]any{"kid": 1}, nil),
			forge(t, jwt.SigningMethodEdDSA, mallory, map[string]any{"kid": "../keys/0001.pem"}, nil),
			forge(t, jwt.SigningMethodHS256, []byte{}, map[string]any{"kid": "/dev/null"}, nil),
		},
		"unknown issuer": {platform(t, map[string]any{"iss": "nobody"}), platform(t, map[string]any{"iss": ""}), platform(t, map[string]any{"iss": []string{"platform"}})},
		"tampered payload": {
			good[0] + "." + part(map[string]any{"sub": "root", "exp": claims["exp"]}) + "." + good[2],
			good[0] + "." + part(map[string]any{"sub": "ann", "exp": claims["exp"], "scope": "admin"}) + "." + good[2],
			part(map[string]any{"alg": "EdDSA", "kid": w.kid, "typ": "JWT "}) + "." + good[1] + "." + good[2],
		},
		"tampered signature": {
			signed, good[0] + "." + good[1], signed + good[2][:80],
			signed + flip(good[2], 0), signed + flip(good[2], 40), signed + flip(good[2], 84),
			signed + good[2] + "=", signed + good[2] + "." + good[2], good[0] + "." + good[2] + "." + good[1],
			strings.Join(good, ".") + "." + strings.Join(good, "."),
		},
		"claims without sense": {
			w.mine(t, map[string]any{"sid": ""}), w.mine(t, map[string]any{"sid": "short"}), w.mine(t, map[string]any{"sid": 12345678}), w.mine(t, map[string]any{"sid": "../../../x"}),
			w.mine(t, map[string]any{"sub": nil}), w.mine(t, map[string]any{"sub": ""}), w.mine(t, map[string]any{"path": "../x"}), w.mine(t, map[string]any{"path": "/"}),
			w.mine(t, map[string]any{"path": "a//b"}), w.mine(t, map[string]any{"path": `a\b`}), w.mine(t, map[string]any{"path": 1}), w.mine(t, map[string]any{"scope": []string{"read"}}),
		},
		"a header that must be understood": {forge(t, jwt.SigningMethodEdDSA, w.own, map[string]any{"kid": w.kid, "crit": []string{"exp"}}, nil),
			forge(t, jwt.SigningMethodEdDSA, w.own, map[string]any{"kid": w.kid, "typ": "dpop+jwt"}, nil)},
		"huge":           {w.mine(t, map[string]any{"more": strings.Repeat("x", 20<<10)}), strings.Repeat("a", 20<<10), strings.Repeat(".", 20<<10)},
		"no mount token": {"vm_", "vm_aaaaaaaaaaaaaaaaaaaaaaaaaa", "vm_%", "mt_aaaaaaaaaaa"},
	}
}

// flip changes one character of base64.
func flip(s string, at int) string {
	c := byte('A')
	if s[at] == c {
		c = 'B'
	}
	return s[:at] + string(c) + s[at+1:]
}

// TestKeysNamedByTheToken: whoever made a token does not say where its key is,
// and the server does not go and look.
func TestKeysNamedByTheToken(t *testing.T) {
	w := newAttacked(t)
	public, mallory, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwk := map[string]any{"kty": "OKP", "crv": "Ed25519", "x": part(string(public)), "kid": "mallory", "alg": "EdDSA", "use": "sig"}
	var fetched atomic.Int64
	far := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		fetched.Add(1)
		// An error means that the client is gone.
		_ = json.NewEncoder(rw).Encode(map[string]any{"keys": []any{jwk}})
	}))
	defer far.Close()
	w.changesNothing(t, func() {
		for _, id := range []string{"mallory", w.kid} {
			for _, iss := range []any{nil, "idp", "platform", far.URL} {
				w.refuses(t, forge(t, jwt.SigningMethodEdDSA, mallory, map[string]any{
					"kid": id, "jwk": jwk, "jku": far.URL + "/jwks.json", "x5u": far.URL + "/chain.pem", "x5c": []string{"MIIB"},
				}, map[string]any{"iss": iss}))
			}
		}
	})
	if n := fetched.Load(); n > 0 {
		t.Errorf("the server fetched %d times what a token named", n)
	}
	// They are passed over, not refused, beside a signature that is good.
	w.takes(t, forge(t, jwt.SigningMethodEdDSA, w.own, map[string]any{"kid": w.kid, "jku": far.URL, "jwk": jwk}, nil))
}

func TestRevokedTokens(t *testing.T) {
	w := newAttacked(t)
	user := w.mint(authz.Claims{Sub: "ann"})
	for name, token := range map[string]string{
		"JWT of a user":            w.mint(authz.Claims{Sub: "ann"}),
		"JWT of a session":         w.mint(authz.Claims{Sub: "ann", Session: "session-of-ann"}),
		"mount token of a user":    w.mount(user),
		"mount token of a session": w.mount(w.mint(authz.Claims{Sub: "ann", Session: "session-of-ann"})),
	} {
		t.Run(name, func(t *testing.T) {
			w.takes(t, token)
			var me struct{ ID string }
			w.decode(w.ok("GET", "/api/me", token, ""), &me)
			w.ok("DELETE", "/api/tokens/"+me.ID, user, "")
			w.changesNothing(t, func() { w.refuses(t, token) })
		})
	}
	w.stop()
	w.restart()
	w.takes(t, user)
}

// TestTokensInOddPlaces: a token counts in Authorization and the cookie, once.
func TestTokensInOddPlaces(t *testing.T) {
	w := newAttacked(t)
	token := w.mint(authz.Claims{Sub: "ann"})
	w.takes(t, token)
	both := `Basic realm="varve", charset="UTF-8"` + "|" + `Bearer realm="varve"`
	w.changesNothing(t, func() {
		l := w.line(t)
		for _, tt := range []struct {
			name, query string
			header      []string
			challenges  string
		}{
			{"nothing", "", nil, both},
			{"query", "?token=" + token + "&access_token=" + token + "&jwt=" + token + "&authorization=Bearer%20" + token, nil, both},
			{"other headers", "", []string{"X-Auth-Token: " + token, "Proxy-" + bearer(token), "X-Forwarded-" + bearer(token)}, both},
			{"other cookies", "", []string{"Cookie: varve=" + token + "; __Secure-varve=" + token + "; token=" + token}, both},
			{"empty bearer", "", []string{"Authorization: Bearer"}, both},
			{"empty bearer and a blank", "", []string{"Authorization: Bearer "}, both},
			{"other schemes", "", []string{"Authorization: Digest " + token}, both},
			{"no scheme", "", []string{"Authorization: " + token}, both},
			{"twice", "", []string{bearer(token), bearer(token)}, both},
			{"as user name", "", []string{"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(token+":"))}, both},
			{"browser's fetch", "", []string{"Sec-Fetch-Mode: cors"}, `Bearer realm="varve"`},
			{"another origin's script", "", []string{"Origin: https://elsewhere.example"}, `Bearer realm="varve"`},
			{"old script", "", []string{"X-Requested-With: XMLHttpRequest"}, `Bearer realm="varve"`},
		} {
			for _, r := range surfaces() {
				if strings.HasPrefix(r.target, "/api/signin") {
					continue
				}
				r.target += tt.query
				a := l.ask(r.with(tt.header...))
				if got := strings.Join(a.header.Values("WWW-Authenticate"), "|"); a.status != 401 || a.interim > 0 || got != tt.challenges {
					t.Errorf("%s: %s %.40s = %d with %s, want 401 with %s", tt.name, r.method, r.target, a.status, got, tt.challenges)
				}
			}
		}
		a := l.ask(raw{method: "GET", target: "http://ann:" + token + "@" + l.host + "/dav/file.txt"})
		if a.status != 401 && a.status != 400 {
			t.Errorf("token in the request target = %s", a.whole)
		}
	})
}

// TestAnotherSubIsChallenged: a token for somebody else's session finds out in
// the handlers only; it is answered as any that does not count.
func TestAnotherSubIsChallenged(t *testing.T) {
	w := newAttacked(t)
	sid := "session-of-ann"
	w.ok("PUT", "/dav/x", w.mint(authz.Claims{Sub: "ann", Session: sid}), "x")
	token := w.mint(authz.Claims{Sub: "bob", Session: sid})
	l := w.line(t)
	for _, target := range []string{"/dav/file.txt", "/api/home/files/file.txt", "/sessions/" + sid + "/"} {
		for from, want := range map[string]string{
			"X-Nothing: here": `Basic realm="varve", charset="UTF-8"|Bearer realm="varve", error="invalid_token"`, "Sec-Fetch-Mode: cors": `Bearer realm="varve", error="invalid_token"`,
		} {
			a := l.ask(raw{method: "GET", target: target, header: []string{bearer(token), from}})
			if got := strings.Join(a.header.Values("WWW-Authenticate"), "|"); a.status != 401 || got != want {
				t.Errorf("GET %s with %s = %d with %s, want 401 with %s", target, from, a.status, got, want)
			}
		}
	}
}
