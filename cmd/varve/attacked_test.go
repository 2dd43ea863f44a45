package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"varve/authz"
)

// attacked is a server that takes tokens of three: its own key, "platform" with
// a secret, and "idp" with an RSA key.
type attacked struct {
	*isolated
	own    ed25519.PrivateKey
	kid    string
	idp    *rsa.PrivateKey
	idpPEM []byte // its public key as the operator configured it
}

func newAttacked(t *testing.T) *attacked {
	t.Helper()
	w := &attacked{}
	var err error
	if w.idp, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&w.idp.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	w.idpPEM = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	config, err := json.Marshal(map[string]any{"log-level": "error", "issuers": []map[string]any{
		{"name": "platform", "hs256-secret-file": writeFile(t, "secret", strings.Repeat("s", 32)), "mints-sessions": true},
		{"name": "idp", "public-key-file": writeFile(t, "idp.pem", string(w.idpPEM))},
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.isolated = &isolated{server: startServer(t, "--config", writeFile(t, "config.json", string(config)))}
	w.openKeys()
	w.readKey()
	for _, name := range []string{"file.txt", "mine.txt"} {
		w.ok("PUT", "/shared/"+name, w.mint(authz.Claims{Sub: "ann"}), "of shared")
	}
	return w
}

// readKey reads the server's own signing key, which no attacker has, to make
// tokens that are wrong in one thing only.
func (w *attacked) readKey() {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, "keys", "0001.pem"))
	if err != nil {
		w.t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		w.t.Fatal(err)
	}
	w.own = parsed.(ed25519.PrivateKey)
	var set struct{ Keys []struct{ Kid string } }
	w.decode(w.line(w.t).ask(raw{method: "GET", target: "/.well-known/jwks.json"}), &set)
	w.kid = set.Keys[0].Kid
}

// forge signs claims of ann's. A nil value takes a header or claim away.
func forge(t *testing.T, method jwt.SigningMethod, key any, header, differs map[string]any) string {
	t.Helper()
	token := jwt.NewWithClaims(method, jwt.MapClaims{"sub": "ann", "exp": time.Now().Add(time.Hour).Unix()})
	for name, value := range header {
		token.Header[name] = value
	}
	for name, value := range differs {
		token.Claims.(jwt.MapClaims)[name] = value
		if value == nil {
			delete(token.Claims.(jwt.MapClaims), name)
		}
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// part is one part of a compact token.
func part(v any) string {
	text, ok := v.(string)
	if !ok {
		b, _ := json.Marshal(v) // maps of plain values
		text = string(b)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// unsigned makes a token by hand.
func unsigned(header, claims map[string]any, signature string) string {
	return part(header) + "." + part(claims) + "." + signature
}
