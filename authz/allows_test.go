package authz

import (
	"strings"
	"testing"

	"varve/history"
)

// TestAllows walks every action of everybody on every kind of tree. A row lists
// what is allowed; each letter is an action in the order of the constants: See,
// Change, Tag, Manage, shareOut, Publish, Export.
func TestAllows(t *testing.T) {
	const letters = "SCTMOPE"
	ann := history.Account{Sub: "ann"}
	shared := Tree{}
	mine := Tree{Session: "session1", Owner: ann}
	sibling := Tree{Session: "session2", Owner: ann}
	bobs := Tree{Session: "session3", Owner: history.Account{Sub: "bob"}}
	foreign := Tree{Session: "session4", Owner: history.Account{Issuer: "idp", Sub: "ann"}}
	const all = Read | Write | Share | Publish | Export
	user := func(s Scope) Principal { return Principal{Sub: "ann", Scopes: s, Path: "."} }
	agent := func(s Scope) Principal { return Principal{Sub: "ann", Session: "session1", Scopes: s, Path: "."} }

	tests := []struct {
		name string
		who  Principal
		// what each tree allows
		shared, mine, sibling, bobs, foreign string
	}{
		{"nobody", Principal{}, "", "", "", "", ""},
		{"nobody with scopes", Principal{Scopes: all | Admin, Path: "."}, "", "", "", "", ""},

		{"a session", agent(all), "SE", "SCTOPE", "", "", ""},
		{"a session, read", agent(Read), "S", "S", "", "", ""},
		{"a session, write", agent(Write), "", "CT", "", "", ""},
		{"a session, read and write", agent(Read | Write), "S", "SCT", "", "", ""},
		{"a session, share", agent(Share), "", "O", "", "", ""},
		{"a session, publish", agent(Publish), "", "P", "", "", ""},
		{"a session, export", agent(Export), "E", "E", "", "", ""},
		{"a session, admin", agent(Admin), "", "", "", "", ""},
		{"a session, all and admin", agent(all | Admin), "SE", "SCTOPE", "", "", ""},
		{"a session of another's sub", Principal{Sub: "bob", Session: "session1", Scopes: all, Path: "."},
			"SE", "", "", "", ""},
		{"a session of another issuer", Principal{Issuer: "idp", Sub: "ann", Session: "session1", Scopes: all, Path: "."},
			"SE", "", "", "", ""},

		{"a user", user(all), "SCTE", "STMOPE", "STMOPE", "", ""},
		{"a user, read", user(Read), "S", "S", "S", "", ""},
		{"a user, write", user(Write), "CT", "TM", "TM", "", ""},
		{"a user, read and write", user(Read | Write), "SCT", "STM", "STM", "", ""},
		{"a user, share", user(Share), "", "O", "O", "", ""},
		{"a user, publish", user(Publish), "", "P", "P", "", ""},
		{"a user, export", user(Export), "E", "E", "E", "", ""},
		{"a user, no scope", user(0), "", "", "", "", ""},
		{"a user within a path", Principal{Sub: "ann", Scopes: all, Path: "docs"}, "SCTE", "STOPE", "STOPE", "", ""},
		{"a user by mount token", Principal{Sub: "ann", Scopes: all, Path: ".", Mount: true},
			"SCTE", "STMOPE", "STMOPE", "", ""},
		{"a user of another issuer", Principal{Issuer: "idp", Sub: "ann", Scopes: all, Path: "."},
			"SCTE", "", "", "", "STMOPE"},

		{"an operator", Principal{Sub: "root", Scopes: Admin, Path: "."},
			"STME", "STMOE", "STMOE", "STMOE", "STMOE"},
		{"an operator who is a user too", Principal{Sub: "root", Scopes: all | Admin, Path: "."},
			"SCTME", "STMOE", "STMOE", "STMOE", "STMOE"},
		{"an operator who owns sessions", user(all | Admin), "SCTME", "STMOPE", "STMOPE", "STMOE", "STMOE"},
		{"an operator within a path", Principal{Sub: "root", Scopes: Admin, Path: "docs"},
			"STE", "STOE", "STOE", "STOE", "STOE"},
	}
	for _, test := range tests {
		for _, at := range []struct {
			name string
			tree Tree
			want string
		}{
			{"shared", shared, test.shared}, {"its session", mine, test.mine}, {"another session of its owner", sibling, test.sibling},
			{"another's session", bobs, test.bobs}, {"a session of another issuer's user", foreign, test.foreign},
		} {
			for i, letter := range letters {
				want := strings.ContainsRune(at.want, letter)
				if got := Allows(test.who, Action(i), at.tree); got != want {
					t.Errorf("Allows(%s, %c, %s) = %v, want %v", test.name, letter, at.name, got, want)
				}
			}
			if Allows(test.who, Action(len(letters)), at.tree) {
				t.Errorf("Allows(%s, an unknown action, %s) = true, want false", test.name, at.name)
			}
		}
	}
}

func TestReach(t *testing.T) {
	tests := []struct {
		path, name string
		want       Reach
	}{
		{".", ".", Inside}, {".", "a/b", Inside},
		{"docs/a", ".", OnTheWay}, {"docs/a", "docs", OnTheWay}, {"docs/a", "docs/a", Inside}, {"docs/a", "docs/a/b", Inside},
		{"docs/a", "docs/ab", Outside}, {"docs/a", "doc", Outside}, {"docs/a", "docs/b", Outside}, {"docs/a", "docsa", Outside},
		{"", "docs", Outside},
	}
	for _, test := range tests {
		if got := (Principal{Path: test.path}).Reach(test.name); got != test.want {
			t.Errorf("Reach of %q from path %q = %v, want %v", test.name, test.path, got, test.want)
		}
	}
}
