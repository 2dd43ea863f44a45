package authz

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestVerifyReadsWhatMintSays(t *testing.T) {
	w := newWorld(t, nil)
	const session = "k3J9_xYzAbCdEfGhIjKlMn"
	tests := map[string]struct {
		claims Claims
		want   Principal
	}{
		"a user": {Claims{Sub: "ann"},
			Principal{Sub: "ann", Scopes: Read | Write, Path: "."}},
		"a session": {Claims{Sub: "ann", Session: session},
			Principal{Sub: "ann", Session: session, Scopes: Read | Write, Path: "."}},
		"an operator": {Claims{Sub: "root", Scopes: Read | Admin},
			Principal{Sub: "root", Scopes: Read | Admin, Path: "."}},
		"a path, decomposed": {Claims{Sub: "ann", Path: "docs/u\u0308ber", Scopes: Read},
			Principal{Sub: "ann", Scopes: Read, Path: "docs/über"}},
		"all scopes": {Claims{Sub: "ann", Scopes: Read | Write | Share | Publish | Export},
			Principal{Sub: "ann", Scopes: Read | Write | Share | Publish | Export, Path: "."}},
		"its audience": {Claims{Sub: "ann", Aud: "varve"},
			Principal{Sub: "ann", Scopes: Read | Write, Path: "."}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.claims.TTL = 2 * time.Hour
			got := w.accepts(w.local(test.claims))
			if len(got.TokenID) != 11 {
				t.Errorf("Verify: TokenID %q, want 11 characters", got.TokenID)
			}
			got.TokenID = ""
			test.want.Mints, test.want.Expires = true, w.time.Add(2*time.Hour)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Verify(Mint(%+v)) (-want +got):\n%s", test.claims, diff)
			}
		})
	}
}

func TestMintedTokenFitsAPassword(t *testing.T) {
	w := newWorld(t, nil)
	token := w.local(Claims{Sub: "maximilian.becker", Session: strings.Repeat("x", 22)})
	if len(token) > MaxPassword {
		t.Errorf("token of a session has %d characters, want at most %d: %s", len(token), MaxPassword, shown(token))
	}
	if got := shown(token); strings.Contains(got, "typ") || strings.Contains(got, "iss") || strings.Contains(got, "scope") {
		t.Errorf("token says what is implied: %s", got)
	}
}
