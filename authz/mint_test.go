package authz

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varve/history"
	"varve/history/sql"
)

// TestDerive holds for both kinds of tokens: no more rights, path, session and
// term than their maker's.
func TestDerive(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 15, 0, 0, time.UTC)
	hour := now.Add(time.Hour)
	ann := Principal{Sub: "ann", Scopes: Read | Write | Share, Path: ".", Expires: hour, TokenID: "x", Mints: true}
	agent := Principal{Sub: "ann", Session: "session1", Scopes: Read | Write, Path: ".", Expires: hour}
	docs := Principal{Sub: "ann", Scopes: Read | Write, Path: "docs", Expires: hour}
	root := Principal{Sub: "root", Scopes: Read | Write | Admin, Path: "."}
	other := Principal{Issuer: "idp", Sub: "ann", Scopes: Read | Write | Admin, Path: ".", Expires: hour}
	mount := ann
	mount.Mount = true
	of := func(p Principal, change func(*Principal)) Principal {
		d := Principal{Issuer: p.Issuer, Sub: p.Sub, Session: p.Session, Scopes: Read | Write, Path: p.Path, Expires: hour}
		change(&d)
		return d
	}
	same := func(*Principal) {}
	tests := []struct {
		name string
		by   Principal
		ask  Claims
		want Principal
		err  error
	}{
		{"nothing in particular", ann, Claims{}, of(ann, same), nil},
		{"itself", ann, Claims{Sub: "ann"}, of(ann, same), nil},
		{"fewer rights", ann, Claims{Scopes: Read}, of(ann, func(p *Principal) { p.Scopes = Read }), nil},
		{"its other rights", ann, Claims{Scopes: Share}, of(ann, func(p *Principal) { p.Scopes = Share }), nil},
		{"more rights", ann, Claims{Scopes: Read | Publish}, Principal{}, ErrUnauthorized},
		{"admin", ann, Claims{Scopes: Admin}, Principal{}, ErrUnauthorized},
		{"a session", ann, Claims{Session: "session1"}, of(ann, func(p *Principal) { p.Session = "session1" }), nil},
		{"no session id", ann, Claims{Session: "../x"}, Principal{}, fs.ErrInvalid},
		{"somebody else", ann, Claims{Sub: "bob"}, Principal{}, ErrUnauthorized},
		{"a shorter term", ann, Claims{TTL: time.Minute}, of(ann, func(p *Principal) { p.Expires = now.Add(time.Minute) }), nil},
		{"its whole term", ann, Claims{TTL: time.Hour}, of(ann, same), nil},
		{"a longer term", ann, Claims{TTL: time.Hour + 1}, Principal{}, ErrUnauthorized},
		{"a term that is over", ann, Claims{TTL: -1}, Principal{}, ErrUnauthorized},
		{"a path", ann, Claims{Path: "docs"}, of(ann, func(p *Principal) { p.Path = "docs" }), nil},
		{"no clean path", ann, Claims{Path: "docs/../x"}, Principal{}, fs.ErrInvalid},

		{"a session: nothing in particular", agent, Claims{}, of(agent, same), nil},
		{"a session: itself", agent, Claims{Session: "session1"}, of(agent, same), nil},
		{"a session: another", agent, Claims{Session: "session2"}, Principal{}, ErrUnauthorized},
		{"a session: another's", agent, Claims{Sub: "bob"}, Principal{}, ErrUnauthorized},

		{"a path: nothing in particular", docs, Claims{}, of(docs, same), nil},
		{"a path: below", docs, Claims{Path: "docs/a"}, of(docs, func(p *Principal) { p.Path = "docs/a" }), nil},
		{"a path: above", docs, Claims{Path: "."}, Principal{}, ErrUnauthorized},
		{"a path: beside", docs, Claims{Path: "docsa"}, Principal{}, ErrUnauthorized},
		{"a path: out of it", docs, Claims{Path: "docs/../etc"}, Principal{}, fs.ErrInvalid},

		{"an operator: any user", root, Claims{Sub: "bob", Session: "session3"},
			Principal{Sub: "bob", Session: "session3", Scopes: Read | Write, Path: "."}, nil},
		{"an operator: another one", root, Claims{Sub: "bob", Scopes: Admin},
			Principal{Sub: "bob", Scopes: Admin, Path: "."}, nil},
		{"an operator: more rights", root, Claims{Sub: "bob", Scopes: Export}, Principal{}, ErrUnauthorized},
		{"an operator: admin in a session", root, Claims{Session: "session3", Scopes: Admin}, Principal{}, fs.ErrInvalid},
		{"an operator of an issuer: itself", other, Claims{}, of(other, same), nil},
		{"an operator of an issuer: a user of varve's own", other, Claims{Sub: "bob"},
			Principal{Sub: "bob", Scopes: Read | Write, Path: ".", Expires: hour}, nil},

		{"a mount token", mount, Claims{}, Principal{}, ErrUnauthorized},
		{"nobody", Principal{}, Claims{}, Principal{}, ErrUnauthorized},
		{"nobody for somebody", Principal{Scopes: Read | Admin, Path: "."}, Claims{Sub: "ann"}, Principal{}, ErrUnauthorized},
		{"no rights", Principal{Sub: "ann", Path: "."}, Claims{}, Principal{}, ErrUnauthorized},
		{"whose term is over", Principal{Sub: "ann", Scopes: Read, Path: ".", Expires: now}, Claims{}, Principal{}, ErrUnauthorized},
	}
	for _, test := range tests {
		got, err := test.by.derive(test.ask, now, 0)
		if !errors.Is(err, test.err) {
			t.Errorf("%s: derive(%+v) = %v, want %v", test.name, test.ask, err, test.err)
		}
		if diff := cmp.Diff(test.want, got); err == nil && diff != "" {
			t.Errorf("%s: derive(%+v) (-want +got):\n%s", test.name, test.ask, diff)
		}
	}
}

func TestMintOfADerivedToken(t *testing.T) {
	w := newWorld(t, nil)
	by := w.accepts(w.local(Claims{Sub: "ann", Path: "docs", TTL: time.Hour}))
	token, err := w.Mint(t.Context(), by, Claims{Session: "session1", Scopes: Read})
	if err != nil {
		t.Fatal(err)
	}
	got := w.accepts(token)
	want := Principal{Sub: "ann", Session: "session1", Scopes: Read, Path: "docs", Expires: by.Expires, Mints: true, TokenID: got.TokenID}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Verify(Mint) (-want +got):\n%s", diff)
	}
	day, err := w.Mint(t.Context(), Principal{Sub: "root", Scopes: Read, Path: "."}, Claims{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := w.accepts(day).Expires, w.time.Add(defaultTTL); !got.Equal(want) {
		t.Errorf("a token without TTL expires %v, want %v", got, want)
	}
}

func TestMintIsLogged(t *testing.T) {
	w := newWorld(t, nil)
	by := w.accepts(w.local(Claims{Sub: "ann", TTL: time.Hour}))
	if _, err := w.Mint(t.Context(), by, Claims{Scopes: Admin}); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("Mint of more rights = %v, want ErrUnauthorized", err)
	}
	token, err := w.Mint(t.Context(), by, Claims{Session: "session1", Scopes: Read, Path: "docs"})
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"does":"mint","id":%q,"session":"session1","sub":"ann","scope":"read","path":"docs","exp":%d}`,
		w.accepts(token).TokenID, by.Expires.Unix())
	got := w.rows(`SELECT detail FROM change WHERE op = 'token'`)
	if diff := cmp.Diff([]string{want}, got); diff != "" {
		t.Errorf("changes of tokens (-want +got):\n%s", diff)
	}
}

// TestRevokeDuringVerify: what was verified before a revocation is not
// remembered after it.
func TestRevokeDuringVerify(t *testing.T) {
	w := newWorld(t, nil)
	token := w.local(Claims{Sub: "ann"})
	sum := digest(sha256.Sum256([]byte(token)))
	epoch := w.cache.began()
	p, err := w.verifyJWT(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Revoke(t.Context(), p, p.TokenID); err != nil {
		t.Fatal(err)
	}
	w.cache.keep(sum, epoch, w.time, p.Expires, p)
	w.refuses(token)
}

func TestRevokeOfAJWT(t *testing.T) {
	root := Claims{Sub: "root", Scopes: Read | Admin}
	w := newWorld(t, nil)
	for _, test := range []struct {
		name   string
		by, of Claims
		want   error
	}{
		{"its user", Claims{Sub: "ann"}, Claims{Sub: "ann"}, nil},
		{"its user, of a session", Claims{Sub: "ann"}, Claims{Sub: "ann", Session: "session1"}, nil},
		{"an operator", root, Claims{Sub: "ann"}, nil},
		{"its user, who may only read", Claims{Sub: "ann", Scopes: Read}, Claims{Sub: "ann"}, fs.ErrNotExist},
		{"its user within a path", Claims{Sub: "ann", Path: "docs"}, Claims{Sub: "ann"}, fs.ErrNotExist},
		{"a session of its user's", Claims{Sub: "ann", Session: "session1"}, Claims{Sub: "ann"}, fs.ErrNotExist},
		{"nobody", Claims{}, Claims{Sub: "ann"}, ErrUnauthorized},
	} {
		var by Principal
		if test.by.Sub != "" {
			by = w.accepts(w.local(test.by))
		}
		token, changes := w.local(test.of), history.Seq(0)
		before := w.log.Seq()
		err := w.Revoke(t.Context(), by, w.accepts(token).TokenID)
		if !errors.Is(err, test.want) {
			t.Errorf("Revoke by %s = %v, want %v", test.name, err, test.want)
		}
		if test.want == nil {
			changes = 1
			w.refuses(token)
		} else {
			w.accepts(token)
		}
		if got := w.log.Seq() - before; got != changes {
			t.Errorf("Revoke by %s made %d changes, want %d", test.name, got, changes)
		}
	}
}

// Another user who says they had a token of that id revokes nothing.
func TestRevokeReachesOnlyItsAccount(t *testing.T) {
	w := newWorld(t, nil)
	token := w.local(Claims{Sub: "ann"})
	if err := w.Revoke(t.Context(), w.accepts(w.local(Claims{Sub: "bob"})), w.accepts(token).TokenID); err != nil {
		t.Fatal(err)
	}
	w.accepts(token)
}

func TestEverybodyRevokesTheTokenTheyCameWith(t *testing.T) {
	w := newWorld(t, nil)
	for _, c := range []Claims{
		{Sub: "ann", Scopes: Read, Path: "docs"}, {Sub: "ann", Session: "session1"},
	} {
		token := w.local(c)
		p := w.accepts(token)
		if err := w.Revoke(t.Context(), p, p.TokenID); err != nil {
			t.Errorf("Revoke by %+v: %v", p, err)
		}
		w.refuses(token)
	}
}

func TestRevocationsOfExpiredTokensAreForgotten(t *testing.T) {
	w := newWorld(t, nil)
	p := w.accepts(w.local(Claims{Sub: "ann", TTL: time.Hour}))
	root := Principal{Sub: "root", Scopes: Admin, Path: "."}
	for _, err := range []error{
		w.Revoke(t.Context(), p, p.TokenID), w.Revoke(t.Context(), root, "whoevers"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w.time = w.time.Add(2 * time.Hour)
	if err := w.Revoke(t.Context(), root, "another"); err != nil {
		t.Fatal(err)
	}
	got := w.rows(`SELECT jti FROM revoked ORDER BY jti`)
	if diff := cmp.Diff([]string{"another", "whoevers"}, got); diff != "" {
		t.Errorf("rows of revoked (-want +got):\n%s", diff)
	}
}

func TestRevokeRefusesIDs(t *testing.T) {
	w := newWorld(t, nil)
	root := Principal{Sub: "root", Scopes: Admin, Path: "."}
	for _, id := range []string{"", "a\nb", strings.Repeat("a", 256), "mt_nobodys"} {
		if err := w.Revoke(t.Context(), root, id); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Revoke(%q) = %v, want fs.ErrNotExist", id, err)
		}
	}
}

// TestRevokeOfWhatIsNoTokensID: a slip of the pen is told, not taken for a
// revocation. The ids of another issuer's tokens may look like anything.
func TestRevokeOfWhatIsNoTokensID(t *testing.T) {
	w := newWorld(t, nil)
	ann := w.accepts(w.local(Claims{Sub: "ann"}))
	guest := Principal{Issuer: "idp", Sub: "ann", Scopes: defaultScopes, Path: ".", TokenID: "mine"}
	for _, test := range []struct {
		by   Principal
		id   string
		want error
	}{
		{ann, "zzz", fs.ErrNotExist},
		{ann, ann.TokenID + "A", fs.ErrNotExist},
		{ann, ann.TokenID[:10] + ".", fs.ErrNotExist},
		{ann, "AAAAAAAAAAB", fs.ErrNotExist}, // more bits than newJTI has
		{ann, newJTI(), nil},
		{guest, "mine", nil},
		{guest, "another", nil},
		{Principal{Sub: "root", Scopes: Admin, Path: "."}, "zzz", nil},
	} {
		before := w.log.Seq()
		if err := w.Revoke(t.Context(), test.by, test.id); !errors.Is(err, test.want) {
			t.Errorf("Revoke(%q) by %s of %q = %v, want %v", test.id, test.by.Sub, test.by.Issuer, err, test.want)
		}
		if test.want != nil && w.log.Seq() != before {
			t.Errorf("Revoke(%q) made a change", test.id)
		}
	}
}

// A store that cannot be asked is neither yes nor no.
func TestVerifyWithoutTheStore(t *testing.T) {
	w := newWorld(t, nil)
	token := w.local(Claims{Sub: "ann"})
	_, mount, err := w.MintMount(t.Context(), w.accepts(w.local(Claims{Sub: "ann"})), "", Claims{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.log.Close(); err != nil {
		t.Fatal(err)
	}
	w.cannotTell(token)
	w.cannotTell(mount)
	w.refuses("a.b.c")
}

// rows are the first column of a query, as text.
func (w *world) rows(query string, args ...any) []string {
	w.t.Helper()
	var found []string
	err := w.log.View(w.t.Context(), func(tx *history.Tx) error {
		return tx.Rows(query, args, func(row sql.Row) error {
			var v any
			err := row.Scan(&v)
			found = append(found, fmt.Sprint(v))
			return err
		})
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}
