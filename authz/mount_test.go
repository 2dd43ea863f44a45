package authz

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varve/history"
	"varve/history/sql"
)

func TestMountTokenLives(t *testing.T) {
	w := newWorld(t, nil)
	ann := w.accepts(w.local(Claims{Sub: "ann", TTL: time.Hour}))
	made, token, err := w.MintMount(t.Context(), ann, "Finder on Ann's laptop", Claims{Session: "session1", Path: "docs", Scopes: Read})
	if err != nil {
		t.Fatal(err)
	}
	want := MountToken{
		ID: made.ID, Name: "Finder on Ann's laptop", Account: ann.Account(), Session: "session1", Path: "docs",
		Scopes: Read, Created: w.time, Expires: ann.Expires,
	}
	w.mounts(ann, want)
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("MintMount (-want +got):\n%s", diff)
	}
	if len(token) > 48 || !strings.HasPrefix(token, "vm_") {
		t.Errorf("MintMount: token %q, want at most 48 characters that begin vm_", token)
	}

	p := w.accepts(token)
	if diff := cmp.Diff(Principal{Sub: "ann", Session: "session1", Scopes: Read, Path: "docs", TokenID: made.ID,
		Expires: ann.Expires, Mints: true, Mount: true}, p); diff != "" {
		t.Errorf("Verify (-want +got):\n%s", diff)
	}
	if _, err := w.Mint(t.Context(), p, Claims{}); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("Mint by a mount token = %v, want ErrUnauthorized", err)
	}

	before := w.log.Seq()
	w.Used(t.Context(), p, "WebDAVFS/3.0.0")
	used := w.time
	w.time = w.time.Add(time.Minute - 1)
	w.Used(t.Context(), p, "rclone/1.76")
	want.LastUsed, want.Agent = used, "WebDAVFS/3.0.0"
	w.mounts(ann, want)
	w.time = w.time.Add(1)
	w.Used(t.Context(), p, strings.Repeat("ä", 200))
	want.LastUsed, want.Agent = w.time, strings.Repeat("ä", 127)
	w.mounts(ann, want)
	w.Used(t.Context(), ann, "curl") // no mount token
	if got := w.log.Seq(); got != before {
		t.Errorf("Used made %d changes, want none", got-before)
	}

	if err := w.Revoke(t.Context(), ann, made.ID); err != nil {
		t.Fatal(err)
	}
	w.refuses(token)
	want.Revoked = true
	w.mounts(ann, want)
	if err := w.Revoke(t.Context(), ann, made.ID); err != nil || w.log.Seq() != before+1 {
		t.Errorf("Revoke again = %v and %d changes, want none", err, w.log.Seq()-before-1)
	}
}

func TestMountTokenExpires(t *testing.T) {
	w := newWorld(t, nil)
	root := Principal{Sub: "root", Scopes: Read | Admin, Path: "."}
	_, short, err := w.MintMount(t.Context(), root, "", Claims{Sub: "ann", TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	_, endless, err := w.MintMount(t.Context(), root, "", Claims{Sub: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	w.time = w.time.Add(time.Hour - time.Second)
	w.accepts(short)
	w.time = w.time.Add(time.Second)
	w.refuses(short)
	w.time = w.time.AddDate(10, 0, 0)
	if p := w.accepts(endless); !p.Expires.IsZero() {
		t.Errorf("a mount token without end expires %v", p.Expires)
	}
}

func TestMountTokenIsStoredHashed(t *testing.T) {
	w := newWorld(t, nil)
	made, token, err := w.MintMount(t.Context(), w.accepts(w.local(Claims{Sub: "ann"})), "Finder", Claims{})
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		`SELECT id || name || hex(hash) || hash FROM mount_token`, `SELECT detail FROM change`,
	} {
		for _, text := range w.rows(query) {
			if strings.Contains(strings.ToLower(text), strings.TrimPrefix(token, mountPrefix)) {
				t.Errorf("%s holds the token: %s", query, text)
			}
		}
	}
	got := w.rows(`SELECT op || detail FROM change ORDER BY seq DESC LIMIT 1`)
	if diff := cmp.Diff([]string{`token{"does":"mint","id":"` + made.ID + `","name":"Finder"}`}, got); diff != "" {
		t.Errorf("the change (-want +got):\n%s", diff)
	}
}

func TestWhoRevokesAMountToken(t *testing.T) {
	root := Principal{Sub: "root", Scopes: Read | Admin, Path: ".", Mints: true}
	user := func(p Principal) Principal { p.Sub = "ann"; return p }
	of := Claims{Sub: "ann", Session: "session1", Path: "docs", Scopes: Read}
	w := newWorld(t, nil)
	for name, test := range map[string]struct {
		by   Principal
		want error
	}{
		"its user":                 {user(Principal{Scopes: Read | Write, Path: "."}), nil},
		"its session":              {user(Principal{Session: "session1", Scopes: Read, Path: "."}), nil},
		"within its path":          {user(Principal{Scopes: Read, Path: "docs"}), nil},
		"an operator":              {Principal{Sub: "eve", Scopes: Admin, Path: "."}, nil},
		"another session":          {user(Principal{Session: "session2", Scopes: Read | Write, Path: "."}), fs.ErrNotExist},
		"within another path":      {user(Principal{Scopes: Read | Write, Path: "docs/a"}), fs.ErrNotExist},
		"with other rights":        {user(Principal{Scopes: Share | Publish, Path: "."}), fs.ErrNotExist},
		"a user who may write":     {user(Principal{Scopes: Write, Path: "."}), nil},
		"another mount token":      {user(Principal{Scopes: Read | Write, Path: ".", Mount: true}), fs.ErrNotExist},
		"another user":             {Principal{Sub: "bob", Scopes: Read | Write, Path: "."}, fs.ErrNotExist},
		"a namesake of an issuer":  {Principal{Issuer: "idp", Sub: "ann", Scopes: Read | Write, Path: "."}, fs.ErrNotExist},
		"an operator in a session": {Principal{Sub: "eve", Session: "session1", Scopes: Admin, Path: "."}, fs.ErrNotExist},
	} {
		made, token, err := w.MintMount(t.Context(), root, "", of)
		if err != nil {
			t.Fatal(err)
		}
		w.accepts(token)
		if err := w.Revoke(t.Context(), test.by, made.ID); !errors.Is(err, test.want) {
			t.Errorf("Revoke by %s = %v, want %v", name, err, test.want)
		}
		if test.want != nil {
			w.accepts(token)
		} else {
			w.refuses(token)
		}
	}
}

func TestMountTokenRevokesItself(t *testing.T) {
	w := newWorld(t, nil)
	made, token, err := w.MintMount(t.Context(), w.accepts(w.local(Claims{Sub: "ann"})), "", Claims{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Revoke(t.Context(), w.accepts(token), made.ID); err != nil {
		t.Fatal(err)
	}
	w.refuses(token)
}

func TestMountsListsOwn(t *testing.T) {
	w := newWorld(t, nil)
	ann := w.accepts(w.local(Claims{Sub: "ann"}))
	var ids []string
	for _, session := range []string{"", "session1", "session2"} {
		w.time = w.time.Add(time.Second)
		made, _, err := w.MintMount(t.Context(), ann, "", Claims{Session: session})
		if err != nil {
			t.Fatal(err)
		}
		ids = append([]string{made.ID}, ids...)
	}
	for name, test := range map[string]struct {
		by   Principal
		want []string
	}{
		"the user":           {ann, ids},
		"a session":          {Principal{Sub: "ann", Session: "session1", Scopes: Read, Path: "."}, ids[1:2]},
		"a new session":      {Principal{Sub: "ann", Session: "session3", Scopes: Read, Path: "."}, nil},
		"who may not read":   {Principal{Sub: "ann", Scopes: Write | Share, Path: "."}, nil},
		"who is confined":    {Principal{Sub: "ann", Scopes: Read, Path: "docs"}, nil},
		"a confined session": {Principal{Sub: "ann", Session: "session1", Scopes: Read, Path: "docs"}, nil},
		"another user":       {Principal{Sub: "bob", Scopes: Read, Path: "."}, nil},
		"another issuer":     {Principal{Issuer: "idp", Sub: "ann", Scopes: Read, Path: "."}, nil},
		"an operator":        {Principal{Sub: "root", Scopes: Admin, Path: "."}, nil},
	} {
		list, err := w.Mounts(t.Context(), test.by)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range list {
			got = append(got, m.ID)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("Mounts of %s (-want +got):\n%s", name, diff)
		}
	}
	if _, err := w.Mounts(t.Context(), Principal{}); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("Mounts of nobody = %v, want ErrUnauthorized", err)
	}
}

func TestMintMountRefusesNames(t *testing.T) {
	w := newWorld(t, nil)
	ann := w.accepts(w.local(Claims{Sub: "ann"}))
	for _, name := range []string{"a\nb", "\x1b[2J", "\xff", strings.Repeat("a", 256)} {
		if _, _, err := w.MintMount(t.Context(), ann, name, Claims{}); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("MintMount(%q) = %v, want fs.ErrInvalid", name, err)
		}
	}
}

// No query reads more of a table than it needs.
func TestQueryPlans(t *testing.T) {
	w := newWorld(t, nil)
	for query, args := range map[string][]any{
		selectRevoked:      {"jti", "", "ann"},
		deleteRevoked:      {0},
		selectMountByHash:  {[]byte{1}},
		selectMountByID:    {"mt_1"},
		selectMountByOwner: {"", "ann"},
		revokeMount:        {1, "mt_1"},
		useMount:           {1, "", "mt_1"},
	} {
		err := w.log.View(t.Context(), func(tx *history.Tx) error {
			return tx.Rows("EXPLAIN QUERY PLAN "+query, args, func(row sql.Row) error {
				var id, parent, unused int
				var detail string
				if err := row.Scan(&id, &parent, &unused, &detail); err != nil {
					return err
				}
				if strings.Contains(detail, "SCAN") {
					t.Errorf("%s: %s", query, detail)
				}
				return nil
			})
		})
		if err != nil {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// mounts compares ann's list with what it should be.
func (w *world) mounts(by Principal, want ...MountToken) {
	w.t.Helper()
	got, err := w.Mounts(w.t.Context(), by)
	if err != nil {
		w.t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("Mounts (-want +got):\n%s", diff)
	}
}
