package authz

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func TestJWKSFile(t *testing.T) {
	first, second := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P256())
	file := writeFile(t, jwks(t, ecJWK("first", first)))
	w := newWorld(t, func(c *Config) { c.Issuers = []Issuer{{Name: "idp", JWKS: file}} })
	of := func(kid string, k *ecdsa.PrivateKey) string { return w.es256(kid, k) }
	w.accepts(of("first", first))
	w.refuses(of("second", second))
	w.refuses(of("first", second))
	w.refuses(of("second", first))

	// A key turned to later is found without a restart, and one that was taken
	// away does not count for long.
	if err := os.WriteFile(file, jwks(t, ecJWK("second", second)), 0o600); err != nil {
		t.Fatal(err)
	}
	w.time = w.time.Add(setPause)
	w.accepts(of("second", second))
	w.refuses(of("first", first))
}

func TestJWKSHasToNameTheAudience(t *testing.T) {
	k := ecKey(t, elliptic.P256())
	file := writeFile(t, jwks(t, ecJWK("first", k)))
	w := newWorld(t, func(c *Config) { c.Issuers = []Issuer{{Name: "idp", JWKS: file}} })
	w.refuses(w.sign(jwt.SigningMethodES256, k, map[string]any{"kid": "first"}, w.said(jwt.MapClaims{"iss": "idp"})))
}

func TestJWKSPassesOverOtherKeys(t *testing.T) {
	k := ecKey(t, elliptic.P256())
	secret := []byte(strings.Repeat("s", minSecret))
	encrypting, otherAlg := ecJWK("enc", k), ecJWK("es384", k)
	encrypting["use"], otherAlg["alg"] = "enc", "ES384"
	certified := ecJWK("certified", k)
	certified["x5u"] = "http://127.0.0.1:1/"
	file := writeFile(t, jwks(t, encrypting, otherAlg, certified,
		map[string]any{"kty": "oct", "kid": "oct", "k": base64.RawURLEncoding.EncodeToString(secret)},
		map[string]any{"kty": "EC", "kid": "broken", "crv": "P-256", "x": "AA", "y": "AA"},
		map[string]any{"kty": "new", "kid": "new"}))
	w := newWorld(t, func(c *Config) { c.Issuers = []Issuer{{Name: "idp", JWKS: file}} })
	w.accepts(w.es256("certified", k))
	w.accepts(w.es256("", k))
	for _, kid := range []string{"enc", "es384", "broken", "new"} {
		w.refuses(w.es256(kid, k))
	}
	w.refuses(w.sign(jwt.SigningMethodHS256, secret, map[string]any{"kid": "oct"},
		w.said(jwt.MapClaims{"iss": "idp", "aud": "varve"})))
}

func TestJWKSBehindAURL(t *testing.T) {
	first, second := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P256())
	idp := newProvider(t, jwks(t, ecJWK("first", first)))
	w := newWorld(t, func(c *Config) {
		c.Client = idp.Client()
		c.Issuers = []Issuer{{Name: "idp", JWKS: idp.URL}}
	})
	idp.wants(0) // nobody has asked yet
	w.accepts(w.es256("first", first))
	w.accepts(w.es256("first", first))
	idp.wants(1)

	// Unknown kids make varve ask again, but not as often as they come.
	for range 10 {
		w.refuses(w.es256("second", second))
	}
	idp.wants(1)
	w.time = w.time.Add(setPause)
	for range 10 {
		w.refuses(w.es256("second", second))
	}
	idp.wants(2)
	idp.serves(http.StatusOK, jwks(t, ecJWK("first", first), ecJWK("second", second)))
	w.time = w.time.Add(setPause)
	w.accepts(w.es256("second", second))
	idp.wants(3)

	// While it is down its keys go on to count, for a day.
	idp.serves(http.StatusInternalServerError, nil)
	w.time = w.time.Add(setFresh)
	w.accepts(w.es256("first", first))
	idp.wants(4)
	w.cannotTell(w.es256("third", first))
	w.time = w.time.Add(setUsable)
	w.cannotTell(w.es256("first", first))
	w.accepts(w.local(Claims{Sub: "ann"})) // others are not concerned
}

func TestJWKSThatIsNotThereIsNoRefusal(t *testing.T) {
	k := ecKey(t, elliptic.P256())
	idp := newProvider(t, nil)
	w := newWorld(t, func(c *Config) {
		c.Client = idp.Client()
		c.Issuers = []Issuer{{Name: "idp", JWKS: idp.URL}}
	})
	for _, bad := range []struct {
		status int
		body   []byte
	}{
		{http.StatusNotFound, nil}, {http.StatusOK, []byte("<html>")}, {http.StatusOK, []byte(`{"keys":[]}`)},
		{http.StatusOK, []byte(strings.Repeat(" ", maxSet+1))},
	} {
		idp.serves(bad.status, bad.body)
		w.cannotTell(w.es256("first", k))
		w.time = w.time.Add(setPause)
	}
	idp.serves(http.StatusOK, jwks(t, ecJWK("first", k)))
	w.accepts(w.es256("first", k))
}

func TestPublicClientStaysOutside(t *testing.T) {
	k := ecKey(t, elliptic.P256())
	idp := newProvider(t, jwks(t, ecJWK("first", k)))
	client := publicClient()
	if _, err := fetch(t.Context(), client, idp.URL); !errors.Is(err, errPrivate) {
		t.Errorf("fetch from a loopback address = %v, want errPrivate", err)
	}
	_, port, _ := strings.Cut(strings.TrimPrefix(idp.URL, "http://"), ":")
	if _, err := fetch(t.Context(), client, "http://localhost:"+port); !errors.Is(err, errPrivate) {
		t.Errorf("fetch from a name of a loopback address = %v, want errPrivate", err)
	}
	idp.wants(0)

	// Redirects, tried with a way to the test's server.
	client.Transport = http.DefaultTransport
	from := httptest.NewServer(http.RedirectHandler(idp.URL, http.StatusFound))
	defer from.Close()
	if _, err := fetch(t.Context(), client, from.URL); err == nil {
		t.Error("fetch of a redirect: no error")
	}
	idp.wants(0)
}

func TestIsPublic(t *testing.T) {
	for _, outside := range []string{"8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8"} {
		if !isPublic(netip.MustParseAddr(outside)) {
			t.Errorf("isPublic(%s) = false, want true", outside)
		}
	}
	for _, inside := range []string{
		"127.0.0.1", "127.1.2.3", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
		"100.64.0.1", "192.0.0.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00::1",
		"ff02::1", "fec0::1", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:a00:1::1", "2002:a00:1::1%eth0", "2001::1",
	} {
		if isPublic(netip.MustParseAddr(inside)) {
			t.Errorf("isPublic(%s) = true, want false", inside)
		}
	}
}

// provider serves a JWK Set on loopback and counts who asks.
type provider struct {
	*httptest.Server
	t *testing.T

	mu     sync.Mutex
	status int
	set    []byte
	asked  int
}

func newProvider(t *testing.T, set []byte) *provider {
	t.Helper()
	p := &provider{t: t, status: http.StatusOK, set: set}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.asked++
		w.WriteHeader(p.status)
		w.Write(p.set)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) serves(status int, set []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status, p.set = status, set
}

func (p *provider) wants(asked int) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked != asked {
		p.t.Errorf("the issuer was asked %d times, want %d", p.asked, asked)
	}
}

// cannotTell is for tokens that are neither good nor bad.
func (w *world) cannotTell(token string) {
	w.t.Helper()
	if _, err := w.Verify(context.Background(), token); err == nil || errors.Is(err, ErrUnauthorized) {
		w.t.Errorf("Verify(%s) = %v, want an error other than ErrUnauthorized", shown(token), err)
	}
}

// es256 signs a token of issuer idp, a different one each time.
func (w *world) es256(kid string, k *ecdsa.PrivateKey) string {
	w.t.Helper()
	header := map[string]any{}
	if kid != "" {
		header["kid"] = kid
	}
	return w.sign(jwt.SigningMethodES256, k, header, w.said(jwt.MapClaims{
		"iss": "idp", "aud": "varve", "exp": w.time.Add(48 * time.Hour).Unix(), "jti": newJTI(),
	}))
}

func ecJWK(kid string, k *ecdsa.PrivateKey) map[string]any {
	point, err := k.PublicKey.Bytes() // 4, x, y
	if err != nil {
		panic(err)
	}
	x, y := point[1:33], point[33:]
	encode := base64.RawURLEncoding.EncodeToString
	return map[string]any{"kty": "EC", "crv": "P-256", "kid": kid, "x": encode(x), "y": encode(y)}
}

func jwks(t *testing.T, keys ...map[string]any) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return text
}
