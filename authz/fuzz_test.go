package authz

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// FuzzVerify feeds tokens from outside: whatever they are, the answer is a
// principal that makes sense or ErrUnauthorized.
func FuzzVerify(f *testing.F) {
	w := newWorld(f, nil)
	good, err := w.keys.Mint(w.time, Claims{Sub: "ann", Session: "session1", Path: "docs", Scopes: Read})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("vm_abc")
	f.Add("..")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("eyJhbGciOiJIUzI1NiIsImtpZCI6bnVsbH0.bnVsbA.AA")
	f.Fuzz(func(t *testing.T, token string) {
		p, err := w.Verify(t.Context(), token)
		if err == nil && token != good {
			t.Errorf("Verify(%q) = %+v, want ErrUnauthorized", token, p)
		}
		if err != nil && !errors.Is(err, ErrUnauthorized) {
			t.Errorf("Verify(%q) = %v, want ErrUnauthorized", token, err)
		}
	})
}

// FuzzClaims feeds what a trusted key signed but nobody checked.
func FuzzClaims(f *testing.F) {
	w := newWorld(f, nil)
	f.Add(`{"sub":"ann","sid":"session1","exp":99999999999,"scope":"read","path":"docs","jti":"x"}`)
	f.Add(`{"sub":"ann","exp":1e300,"aud":[["varve"]],"nbf":null,"iat":{}}`)
	f.Add(`{"sub":"a","exp":99999999999,"path":"a/../b"}`)
	f.Add(`null`)
	f.Fuzz(func(t *testing.T, text string) {
		token := jwt.New(jwt.SigningMethodEdDSA)
		token.Header["kid"] = w.keys.public[0].id
		header, err := token.SigningString()
		if err != nil {
			t.Fatal(err)
		}
		header, _, _ = strings.Cut(header, ".")
		signed := header + "." + token.EncodeSegment([]byte(text))
		sig, err := token.Method.Sign(signed, w.keys.signer)
		if err != nil {
			t.Fatal(err)
		}
		p, err := w.parse(t.Context(), signed+"."+token.EncodeSegment(sig))
		if err != nil {
			if !errors.Is(err, ErrUnauthorized) {
				t.Errorf("parse(%s) = %v, want ErrUnauthorized", text, err)
			}
			return
		}
		bound := p.Session == "" || checkSession(p.Session) == nil && !p.Scopes.Has(Admin)
		if checkSub(p.Sub) != nil || !fs.ValidPath(p.Path) || strings.Contains(p.Path, `\`) || !bound || p.Expires.IsZero() {
			t.Errorf("parse(%s) = %+v", text, p)
		}
	})
}
