package authz

import (
	"crypto"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"varve/history"
)

func TestPublicKeyOfAnIssuer(t *testing.T) {
	_, rsaPrivate := rsaKey(t)
	edPublic, edPrivate, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec := ecKey(t, elliptic.P256())
	tests := []struct {
		method          jwt.SigningMethod
		public, private any
	}{
		{jwt.SigningMethodRS256, &rsaPrivate.PublicKey, rsaPrivate},
		{jwt.SigningMethodES256, &ec.PublicKey, ec},
		{jwt.SigningMethodEdDSA, edPublic, edPrivate},
	}
	for _, test := range tests {
		t.Run(test.method.Alg(), func(t *testing.T) {
			file := pemFile(t, "PUBLIC KEY", test.public)
			w := newWorld(t, func(c *Config) { c.Issuers = []Issuer{{Name: "idp", PublicKey: file}} })
			said := w.said(jwt.MapClaims{"iss": "idp", "aud": "varve", "scope": "read admin", "sid": "session1"})
			got := w.accepts(w.sign(test.method, test.private, nil, said))
			want := Principal{Issuer: "idp", Sub: "ann", Session: "session1", Scopes: Read, Path: ".", Expires: got.Expires}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Verify (-want +got):\n%s", diff)
			}
			for _, other := range tests {
				if other.method != test.method {
					w.refuses(w.sign(other.method, other.private, nil, said))
				}
			}
		})
	}
}

func TestPublicKeyFileMayHoldSeveralKeys(t *testing.T) {
	first, second := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P256())
	file := pemFile(t, "PUBLIC KEY", &first.PublicKey, &second.PublicKey)
	w := newWorld(t, func(c *Config) { c.Issuers = []Issuer{{PublicKey: file}} })
	for _, private := range []crypto.Signer{first, second} {
		w.accepts(w.sign(jwt.SigningMethodES256, private, map[string]any{"kid": "whatever"}, w.said(nil)))
	}
}

func TestWhatAnIssuerMayGive(t *testing.T) {
	secret := []byte(strings.Repeat("s", minSecret))
	tests := map[string]struct {
		issuer Issuer
		said   jwt.MapClaims
		want   Principal
	}{
		"without a name, its users are varve's own": {Issuer{}, nil,
			Principal{Sub: "ann", Scopes: Read | Write}},
		"a prefix": {Issuer{Name: "idp", Prefix: "idp:"}, nil,
			Principal{Issuer: "idp", Sub: "idp:ann", Scopes: Read | Write}},
		"no operators": {Issuer{Name: "idp"}, jwt.MapClaims{"scope": "read write admin"},
			Principal{Issuer: "idp", Sub: "ann", Scopes: Read | Write}},
		"operators": {Issuer{Name: "idp", Admin: true}, jwt.MapClaims{"scope": "read write admin"},
			Principal{Issuer: "idp", Sub: "ann", Scopes: Read | Write | Admin}},
		"no operator in a session": {Issuer{Name: "idp", Admin: true}, jwt.MapClaims{"scope": "read admin", "sid": "session1"},
			Principal{Issuer: "idp", Sub: "ann", Session: "session1", Scopes: Read}},
		"sessions": {Issuer{Name: "idp", MintsSessions: true}, jwt.MapClaims{"sid": "session1"},
			Principal{Issuer: "idp", Sub: "ann", Session: "session1", Scopes: Read | Write, Mints: true}},
		"words of other programs": {Issuer{Name: "idp"}, jwt.MapClaims{"scope": "openid read files:write"},
			Principal{Issuer: "idp", Sub: "ann", Scopes: Read}},
		"only such words": {Issuer{Name: "idp"}, jwt.MapClaims{"scope": "openid READ"},
			Principal{Issuer: "idp", Sub: "ann"}},
		"an empty scope": {Issuer{Name: "idp"}, jwt.MapClaims{"scope": " "},
			Principal{Issuer: "idp", Sub: "ann", Scopes: Read | Write}},
		"varve's own claim": {Issuer{Name: "idp"}, jwt.MapClaims{"idp": "other"},
			Principal{Issuer: "idp", Sub: "ann", Scopes: Read | Write}},
	}
	w := newWorld(t, nil)
	for name, test := range tests {
		test.issuer.Secret = secret
		said := w.said(test.said)
		if test.issuer.Name != "" {
			said["iss"] = test.issuer.Name
		}
		got, err := w.elsewhere(test.issuer).Verify(t.Context(), w.sign(jwt.SigningMethodHS256, secret, nil, said))
		if err != nil {
			t.Errorf("Verify with %s: %v", name, err)
		}
		test.want.Path, test.want.Expires = ".", w.time.Add(time.Hour)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("Verify with %s (-want +got):\n%s", name, diff)
		}
	}
}

func TestNewRefusesIssuers(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	ec := ecKey(t, elliptic.P384())
	der, err := x509.MarshalPKCS8PrivateKey(ecKey(t, elliptic.P256()))
	if err != nil {
		t.Fatal(err)
	}
	private := writeFile(t, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	secret := []byte(strings.Repeat("s", minSecret))
	w := newWorld(t, nil)
	for name, issuers := range map[string][]Issuer{
		"nothing to verify with":      {{Name: "idp"}},
		"two ways to verify":          {{Name: "idp", Secret: secret, JWKS: "https://example.org/"}},
		"a short secret":              {{Name: "idp", Secret: secret[1:]}},
		"the same name twice":         {{Name: "idp", Secret: secret}, {Name: "idp", Secret: secret}},
		"no name twice":               {{Secret: secret}, {Secret: secret}},
		"a key that is not there":     {{Name: "idp", PublicKey: "nowhere.pem"}},
		"no PEM":                      {{Name: "idp", PublicKey: writeFile(t, []byte("hello"))}},
		"a private key":               {{Name: "idp", PublicKey: private}},
		"a key of 1024 bits":          {{Name: "idp", PublicKey: pemFile(t, "PUBLIC KEY", &small.PublicKey)}},
		"another curve":               {{Name: "idp", PublicKey: pemFile(t, "PUBLIC KEY", &ec.PublicKey)}},
		"a JWK Set that is not there": {{Name: "idp", JWKS: "nowhere.json"}},
		"a JWK Set without keys":      {{Name: "idp", JWKS: writeFile(t, []byte(`{"keys":[]}`))}},
		"a JWK Set that is none":      {{Name: "idp", JWKS: writeFile(t, []byte(`[`))}},
		"a JWK Set without TLS":       {{Name: "idp", JWKS: "http://example.org/"}},
		"a JWK Set by another way":    {{Name: "idp", JWKS: "file:///etc/passwd"}},
	} {
		if _, err := New(t.Context(), Config{Keys: w.keys, Log: w.log, Issuers: issuers}); err == nil {
			t.Errorf("New with %s: no error", name)
		}
	}
	if _, err := New(t.Context(), Config{}); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("New without keys and log = %v, want fs.ErrInvalid", err)
	}
}

// A session of an external user gets a token of varve's own. It stands for the
// very same user, as long as the issuer is configured.
func TestOwnTokenOfAnExternalUser(t *testing.T) {
	secret := []byte(strings.Repeat("s", minSecret))
	w := newWorld(t, func(c *Config) {
		c.Issuers = []Issuer{{Name: "idp", Prefix: "idp:", Secret: secret, Admin: true}}
	})
	by := w.accepts(w.sign(jwt.SigningMethodHS256, secret, nil, w.said(jwt.MapClaims{"iss": "idp", "scope": "read write admin"})))
	w.makeSession("session1", by.Account())
	for _, c := range []Claims{{}, {Session: "session1"}, {Scopes: Read | Admin}} {
		token, err := w.Mint(t.Context(), by, c)
		if err != nil {
			t.Fatal(err)
		}
		_, mount, err := w.MintMount(t.Context(), by, "", c)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{token, mount} {
			got := w.accepts(text)
			if got.Account() != by.Account() || got.Mints || got.Session != c.Session {
				t.Errorf("Verify(Mint(%+v)) = %+v, want a token of %+v", c, got, by.Account())
			}
		}
		// The same store, served without the issuer, or with one trusted less.
		w.refusesElsewhere(token, mount)
		less := w.elsewhere(Issuer{Name: "idp", Secret: secret})
		for _, text := range []string{token, mount} {
			if got, err := less.Verify(t.Context(), text); err != nil || got.Scopes.Has(Admin) {
				t.Errorf("Verify without Issuer.Admin = %+v, %v, want no scope admin", got, err)
			}
		}
	}
}

// Whose own token makes no sessions cannot get one of varve's that does.
func TestIssuerWithoutSessionsGetsNone(t *testing.T) {
	secret := []byte(strings.Repeat("s", minSecret))
	w := newWorld(t, func(c *Config) { c.Issuers = []Issuer{{Secret: secret}} })
	by := w.accepts(w.sign(jwt.SigningMethodHS256, secret, nil, w.said(jwt.MapClaims{"sid": "session1"})))
	refused := func(when string) {
		t.Helper()
		if _, err := w.Mint(t.Context(), by, Claims{}); !errors.Is(err, ErrUnauthorized) {
			t.Errorf("Mint for a session that %s = %v, want ErrUnauthorized", when, err)
		}
		if _, _, err := w.MintMount(t.Context(), by, "", Claims{}); !errors.Is(err, ErrUnauthorized) {
			t.Errorf("MintMount for a session that %s = %v, want ErrUnauthorized", when, err)
		}
	}
	refused("is not there")
	w.makeSession("session1", history.Account{Sub: "bob"})
	refused("is another's")
	w.makeSession("session2", by.Account())
	by.Session = "session2"
	if _, err := w.Mint(t.Context(), by, Claims{}); err != nil {
		t.Errorf("Mint for its session: %v", err)
	}
}

// makeSession makes one as layers does.
func (w *world) makeSession(id string, owner history.Account) {
	w.t.Helper()
	_, err := w.log.Commit(w.t.Context(), func(tx *history.Tx) (*history.Change, error) {
		layer, err := tx.NewLayer()
		return &history.Change{Actor: history.Actor{Account: owner}, Owner: owner, Op: history.OpSession,
			Session: &history.Session{ID: id, Layer: layer, Owner: owner, Freeze: history.Live}}, err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// elsewhere is another authority over the same store and keys.
func (w *world) elsewhere(issuers ...Issuer) *Authority {
	w.t.Helper()
	a, err := New(w.t.Context(), Config{Keys: w.keys, Log: w.log, Now: w.now, Issuers: issuers})
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func (w *world) refusesElsewhere(tokens ...string) {
	w.t.Helper()
	a := w.elsewhere()
	for _, token := range tokens {
		if _, err := a.Verify(w.t.Context(), token); !errors.Is(err, ErrUnauthorized) {
			w.t.Errorf("Verify without the issuer = %v, want ErrUnauthorized", err)
		}
	}
}

func writeFile(t *testing.T, content []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func pemFile(t *testing.T, kind string, public ...any) string {
	t.Helper()
	var text []byte
	for _, one := range public {
		der, err := x509.MarshalPKIXPublicKey(one)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})...)
	}
	return writeFile(t, text)
}
