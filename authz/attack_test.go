package authz

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Each attack begins with a token that counts, so that it is refused for what
// it does and not for something else.

func TestAttackNoneAlgorithm(t *testing.T) {
	w := newWorld(t, nil)
	w.accepts(w.own(nil))
	for _, alg := range []string{"none", "None", "NONE", "nOnE", ""} {
		w.refuses(compact(t, map[string]any{"alg": alg}, w.said(nil), nil))
		w.refuses(compact(t, map[string]any{"alg": alg, "kid": w.ownHeader()["kid"]}, w.said(nil), nil))
	}
	w.refuses(compact(t, map[string]any{"kid": w.ownHeader()["kid"]}, w.said(nil), nil))
}

func TestAttackHS256WithThePublicKey(t *testing.T) {
	public, private := rsaKey(t)
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	file := filepath.Join(t.TempDir(), "public.pem")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *Config) {
		c.Issuers = []Issuer{
			{Name: "idp", PublicKey: file},
			{Name: "platform", Secret: []byte(strings.Repeat("s", 32))},
		}
	})
	said := w.said(jwt.MapClaims{"iss": "idp"})
	w.accepts(w.sign(jwt.SigningMethodRS256, private, nil, said))
	own := w.keys.signer.Public().(ed25519.PublicKey)
	for _, secret := range [][]byte{text, der, []byte(strings.TrimSpace(string(text))), x509.MarshalPKCS1PublicKey(public)} {
		w.refuses(w.sign(jwt.SigningMethodHS256, secret, nil, said))
	}
	w.refuses(w.sign(jwt.SigningMethodHS256, []byte(own), w.ownHeader(), w.said(nil)))
	// Another algorithm of the very same key is not the one it is pinned to.
	w.refuses(w.sign(jwt.SigningMethodPS256, private, nil, said))
	w.refuses(w.sign(jwt.SigningMethodRS512, private, nil, said))
}

func TestAttackWrongKey(t *testing.T) {
	secret, other := []byte(strings.Repeat("s", 32)), []byte(strings.Repeat("t", 32))
	w := newWorld(t, func(c *Config) { c.Issuers = []Issuer{{Name: "platform", Secret: secret}} })
	_, mallory, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w.refuses(w.sign(jwt.SigningMethodEdDSA, mallory, w.ownHeader(), w.said(nil)))
	said := w.said(jwt.MapClaims{"iss": "platform"})
	w.accepts(w.sign(jwt.SigningMethodHS256, secret, nil, said))
	w.refuses(w.sign(jwt.SigningMethodHS256, other, nil, said))
	w.refuses(w.sign(jwt.SigningMethodHS256, []byte{}, nil, said))
	// The key of one issuer says nothing for another, nor for varve itself.
	w.refuses(w.sign(jwt.SigningMethodHS256, secret, nil, w.said(nil)))
	w.refuses(w.sign(jwt.SigningMethodHS256, secret, w.ownHeader(), w.said(nil)))
	w.refuses(w.sign(jwt.SigningMethodEdDSA, w.keys.signer, w.ownHeader(), said))
}

func TestAttackAudience(t *testing.T) {
	secret := []byte(strings.Repeat("s", 32))
	w := newWorld(t, func(c *Config) {
		c.Issuers = []Issuer{{Name: "platform", Secret: secret}, {Name: "strict", Secret: secret, Audience: "files"}}
	})
	for _, aud := range []any{"other", "", []string{}, []string{"other", "else"}, "varve ", "VARVE", 7, nil, map[string]any{}} {
		w.refuses(w.sign(jwt.SigningMethodEdDSA, w.keys.signer, w.ownHeader(),
			jwt.MapClaims{"sub": "ann", "exp": w.time.Add(time.Hour).Unix(), "aud": aud}))
		w.refuses(w.sign(jwt.SigningMethodHS256, secret, nil,
			jwt.MapClaims{"iss": "platform", "sub": "ann", "exp": w.time.Add(time.Hour).Unix(), "aud": aud}))
	}
	w.accepts(w.own(jwt.MapClaims{"aud": []string{"other", "varve"}}))
	w.accepts(w.sign(jwt.SigningMethodHS256, secret, nil, w.said(jwt.MapClaims{"iss": "strict", "aud": "files"})))
	w.refuses(w.sign(jwt.SigningMethodHS256, secret, nil, w.said(jwt.MapClaims{"iss": "strict", "aud": "varve"})))
	w.refuses(w.sign(jwt.SigningMethodHS256, secret, nil, w.said(jwt.MapClaims{"iss": "strict"})))
}

func TestAttackExpired(t *testing.T) {
	w := newWorld(t, nil)
	for _, exp := range []any{w.time.Add(-31 * time.Second).Unix(), 0, -1, 1, nil, "9999999999", true, -1e300, 1e300} {
		if exp == nil {
			w.refuses(w.own(jwt.MapClaims{"exp": nil}))
			continue
		}
		w.refuses(w.own(jwt.MapClaims{"exp": exp}))
	}
	w.accepts(w.own(jwt.MapClaims{"exp": w.time.Add(-29 * time.Second).Unix()}))

	token := w.local(Claims{Sub: "ann", TTL: time.Minute})
	w.accepts(token)
	w.time = w.time.Add(time.Minute + 29*time.Second)
	w.accepts(token)
	w.time = w.time.Add(2 * time.Second)
	w.refuses(token) // remembered as verified, but not for longer than it counts
}

func TestAttackNotYetValid(t *testing.T) {
	w := newWorld(t, nil)
	for _, name := range []string{"nbf", "iat"} {
		w.refuses(w.own(jwt.MapClaims{name: w.time.Add(31 * time.Second).Unix()}))
		w.refuses(w.own(jwt.MapClaims{name: "soon"}))
		w.accepts(w.own(jwt.MapClaims{name: w.time.Add(29 * time.Second).Unix()}))
	}
}

func TestAttackUnknownKid(t *testing.T) {
	w := newWorld(t, nil)
	for _, header := range []map[string]any{
		nil, {"kid": ""}, {"kid": "none"}, {"kid": 7}, {"kid": nil}, {"kid": "../keys/0001.pem"}, {"kid": "/dev/null"}, {"kid": []string{"a"}},
	} {
		w.refuses(w.sign(jwt.SigningMethodEdDSA, w.keys.signer, header, w.said(nil)))
	}
	w.refuses(w.own(jwt.MapClaims{"iss": "varve"}))
	w.refuses(w.own(jwt.MapClaims{"iss": ""}))
	w.refuses(w.own(jwt.MapClaims{"iss": 7}))
}

func TestAttackTampered(t *testing.T) {
	w := newWorld(t, nil)
	token := w.local(Claims{Sub: "ann", Session: "session1"})
	for i := range token {
		for _, c := range []byte{'A', 'Q', '.', '=', 0} {
			if token[i] == c {
				continue
			}
			changed := []byte(token)
			changed[i] = c
			w.refuses(string(changed))
		}
		w.refuses(token[:i])
	}
	parts := strings.Split(token, ".")
	w.refuses(token + ".")
	w.refuses(token + "." + parts[2])
	w.refuses(token + "=")
	w.refuses(" " + token)
	w.refuses(parts[0] + "." + segment(t, w.said(jwt.MapClaims{"sub": "bob"})) + "." + parts[2])
	w.refuses(parts[0] + "." + parts[1] + ".")
	w.accepts(token)
}

func TestAttackRevoked(t *testing.T) {
	w := newWorld(t, nil)
	token, other := w.local(Claims{Sub: "ann"}), w.local(Claims{Sub: "ann"})
	p := w.accepts(token)
	if err := w.Revoke(t.Context(), p, p.TokenID); err != nil {
		t.Fatal(err)
	}
	w.refuses(token) // though it was verified before
	w.accepts(other)
}

func TestAttackKeyInTheHeader(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwk := map[string]any{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "mine", "use": "sig",
		"x": base64.RawURLEncoding.EncodeToString(public)}
	set, err := json.Marshal(map[string]any{"keys": []any{jwk}})
	if err != nil {
		t.Fatal(err)
	}
	mallory := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the server was made to ask for %s", r.URL)
	}))
	defer mallory.Close()
	file := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(file, set, 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, nil)
	for _, header := range []map[string]any{
		{"jwk": jwk}, {"jwk": jwk, "kid": "mine"},
		{"jku": mallory.URL, "kid": "mine"}, {"jku": "file://" + file, "kid": "mine"},
		{"x5u": mallory.URL}, {"x5c": []string{"AAAA"}},
	} {
		w.refuses(w.sign(jwt.SigningMethodEdDSA, private, header, w.said(nil)))
		if header["kid"] == nil {
			header["kid"] = w.ownHeader()["kid"]
			w.refuses(w.sign(jwt.SigningMethodEdDSA, private, header, w.said(nil)))
			// They are passed over, not believed: varve's own key still counts.
			w.accepts(w.sign(jwt.SigningMethodEdDSA, w.keys.signer, header, w.said(nil)))
		}
	}
}

func TestAttackHeaderExtensions(t *testing.T) {
	w := newWorld(t, nil)
	for _, differs := range []map[string]any{
		{"crit": []string{"exp"}}, {"crit": []string{}}, {"crit": nil}, {"crit": []string{"b64"}, "b64": false},
		{"typ": "dpop+jwt"}, {"typ": "logout+jwt"}, {"typ": 7}, {"typ": nil},
	} {
		header := w.ownHeader()
		for name, value := range differs {
			header[name] = value
		}
		w.refuses(w.sign(jwt.SigningMethodEdDSA, w.keys.signer, header, w.said(nil)))
	}
	for _, typ := range []string{"JWT", "jwt", "at+jwt", "application/at+jwt"} {
		header := w.ownHeader()
		header["typ"] = typ
		w.accepts(w.sign(jwt.SigningMethodEdDSA, w.keys.signer, header, w.said(nil)))
	}
}

func TestAttackClaims(t *testing.T) {
	w := newWorld(t, nil)
	for _, differs := range []jwt.MapClaims{
		{"sub": nil}, {"sub": ""}, {"sub": 7}, {"sub": []string{"ann"}}, {"sub": "a\nb"}, {"sub": "a\x00"},
		{"sub": "a\u0085b"}, {"sub": strings.Repeat("a", 256)}, {"Sub": "ann", "sub": nil},
		{"sid": ""}, {"sid": "short"}, {"sid": strings.Repeat("x", 65)}, {"sid": "../../etc"}, {"sid": "abc def gh"},
		{"sid": 12345678}, {"sid": "sessi\u00f6n1"}, {"sid": false},
		{"path": ""}, {"path": "/"}, {"path": "/docs"}, {"path": "docs/"}, {"path": ".."}, {"path": "docs/../.."},
		{"path": "docs/../etc"}, {"path": "./docs"}, {"path": "docs//a"}, {"path": `docs\a`}, {"path": "docs\x00"},
		{"path": "docs\n"}, {"path": strings.Repeat("a", 4097)}, {"path": 7}, {"path": []string{"docs"}},
		{"scope": 7}, {"scope": []string{"read"}}, {"scope": nil, "path": map[string]any{}},
		{"jti": 7}, {"jti": "a\r\nb"}, {"jti": strings.Repeat("a", 256)},
		{"idp": "nobody"}, {"idp": 7, "sub": "ann", "sid": "x"},
	} {
		w.refuses(w.own(differs))
	}
	w.refuses(compact(t, map[string]any{"alg": "EdDSA", "kid": w.ownHeader()["kid"]}, nil, w.keys.signer))
}

// What a session's token may not see is Allows' to say; see TestAllows. Here:
// that one cannot be turned into another's.
func TestAttackAnotherSessions(t *testing.T) {
	w := newWorld(t, nil)
	mine := w.accepts(w.local(Claims{Sub: "ann", Session: "session1"}))
	theirs := Tree{Session: "session2", Owner: mine.Account()}
	for action := See; action <= ExportOut; action++ {
		if Allows(mine, action, theirs) {
			t.Errorf("Allows(session1, %d, session2) = true, want false", action)
		}
	}
	if _, err := w.Mint(t.Context(), mine, Claims{Session: "session2"}); err == nil {
		t.Error("Mint: session1 made a token for session2")
	}
}

func TestAttackHugeToken(t *testing.T) {
	w := newWorld(t, nil)
	w.refuses(strings.Repeat("a", 1<<20))
	w.refuses(strings.Repeat(".", 1<<14))
	w.refuses(mountPrefix + strings.Repeat("a", 1<<13))
	header := fmt.Sprintf(`{"alg":"EdDSA","kid":%s1%s}`, strings.Repeat("[", 5000), strings.Repeat("]", 5000))
	w.refuses(base64.RawURLEncoding.EncodeToString([]byte(header)) + ".e30.AA")
}

func TestAttackForgedMountToken(t *testing.T) {
	w := newWorld(t, nil)
	_, token, err := w.MintMount(t.Context(), w.accepts(w.local(Claims{Sub: "ann"})), "", Claims{})
	if err != nil {
		t.Fatal(err)
	}
	w.accepts(token)
	sum := sha256.Sum256([]byte(token))
	for _, forged := range []string{
		mountPrefix, token + "a", token[:len(token)-1], strings.ToUpper(token), strings.TrimPrefix(token, mountPrefix),
		mountPrefix + "' OR 1=1 --", mountPrefix + string(sum[:]), token + "\x00",
	} {
		w.refuses(forged)
	}
}

// compact makes a token by hand, signed with HS256 or Ed25519, or not at all.
func compact(t *testing.T, header map[string]any, said jwt.MapClaims, key any) string {
	t.Helper()
	text := segment(t, header) + "." + segment(t, said)
	var sig []byte
	switch k := key.(type) {
	case []byte:
		mac := hmac.New(sha256.New, k)
		mac.Write([]byte(text))
		sig = mac.Sum(nil)
	case ed25519.PrivateKey:
		sig = ed25519.Sign(k, []byte(text))
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func segment(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func rsaKey(t *testing.T) (*rsa.PublicKey, *rsa.PrivateKey) {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, minRSABits)
	if err != nil {
		t.Fatal(err)
	}
	return &k.PublicKey, k
}

func ecKey(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}
