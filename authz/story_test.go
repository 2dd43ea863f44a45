package authz

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"varve/history"
)

// world is a store, the authority over it, and a clock that stands still.
type world struct {
	*Authority
	t    testing.TB
	log  *history.Log
	keys *Keys
	time time.Time
}

// newWorld makes one; setup may be nil.
func newWorld(t testing.TB, setup func(*Config)) *world {
	t.Helper()
	w := &world{t: t, time: time.Date(2026, 11, 22, 10, 15, 0, 0, time.UTC)}
	now := func() time.Time { return w.time }
	dir := t.TempDir()
	var err error
	if w.log, err = history.Open(t.Context(), history.Options{Dir: dir, Now: now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.log.Close() })
	if w.keys, err = OpenKeys(filepath.Join(dir, "keys")); err != nil {
		t.Fatal(err)
	}
	cfg := Config{Keys: w.keys, Log: w.log, Now: now}
	if setup != nil {
		setup(&cfg)
	}
	if w.Authority, err = New(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	return w
}

// local mints a token of varve's own.
func (w *world) local(c Claims) string {
	w.t.Helper()
	token, err := w.keys.Mint(w.time, c)
	if err != nil {
		w.t.Fatalf("Mint(%+v): %v", c, err)
	}
	return token
}

// sign makes a token as somebody else would.
func (w *world) sign(method jwt.SigningMethod, key any, header map[string]any, said jwt.MapClaims) string {
	w.t.Helper()
	token := jwt.NewWithClaims(method, said)
	for name, value := range header {
		token.Header[name] = value
	}
	text, err := token.SignedString(key)
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// said are claims of ann that count, and what differs.
func (w *world) said(differs jwt.MapClaims) jwt.MapClaims {
	all := jwt.MapClaims{"sub": "ann", "exp": w.time.Add(time.Hour).Unix()}
	for name, value := range differs {
		all[name] = value
		if value == nil {
			delete(all, name)
		}
	}
	return all
}

// own signs claims with varve's own key, as nobody outside could.
func (w *world) own(differs jwt.MapClaims) string {
	w.t.Helper()
	return w.sign(jwt.SigningMethodEdDSA, w.keys.signer, w.ownHeader(), w.said(differs))
}

func (w *world) ownHeader() map[string]any {
	return map[string]any{"kid": keyID(w.keys.signer.Public().(ed25519.PublicKey))}
}

func (w *world) accepts(token string) Principal {
	w.t.Helper()
	p, err := w.Verify(context.Background(), token)
	if err != nil {
		w.t.Fatalf("Verify(%s) = %v, want a principal", shown(token), err)
	}
	return p
}

func (w *world) refuses(token string) {
	w.t.Helper()
	if p, err := w.Verify(context.Background(), token); !errors.Is(err, ErrUnauthorized) || p != (Principal{}) {
		w.t.Errorf("Verify(%s) = %+v, %v, want ErrUnauthorized", shown(token), p, err)
	}
}

// shown is a token's first two parts as JSON, for messages.
func shown(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return token
	}
	var texts []string
	for _, part := range parts[:2] {
		text, _ := base64.RawURLEncoding.DecodeString(part)
		if !json.Valid(text) {
			return token
		}
		texts = append(texts, string(text))
	}
	return strings.Join(texts, ".")
}
