package layers

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"varve/authz"
)

func TestAnotherSessionIsAsIfItDidNotExist(t *testing.T) {
	w := newWorld(t)
	w.Session("one").put("secret", "1")
	ctx := t.Context()
	for _, who := range []Caller{agent("ann", "session-two"), user("bob"), agent("bob", "session-bob"), {}} {
		for _, id := range []string{"session-one", "session-none"} {
			v := w.store.View(who, Scope{Kind: SessionView, Session: id})
			_, stat := v.Stat(ctx, "secret")
			_, none := v.Stat(ctx, "none")
			_, put := v.Put(ctx, "x", PutOptions{Body: failing{t}, Length: 1})
			_, removed := v.Remove(ctx, "secret", Cond{})
			_, _, locked := v.Lock(ctx, "secret", LockOptions{})
			_, shown := w.store.Session(ctx, who, id)
			_, ended := w.store.EndSession(ctx, who, id)
			for i, err := range []error{stat, none, put, removed, locked, shown, ended, v.Probe(ctx), v.Unlock(ctx, "secret", "t")} {
				if !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s %s: answer %d = %v, want not found", who.Sub, id, i, err)
				}
			}
		}
	}
}

func TestWhoMayWrite(t *testing.T) {
	w := newWorld(t)
	s := w.Session("one").put("mine", "1")
	ctx := t.Context()
	owner := hand{w.store.View(user("ann"), Scope{Kind: SessionView, Session: "session-one"}), w}
	owner.shows("mine=1")
	owner.want("the owner writing into a session", ErrReadOnly, owner.tryPut("x", "", Cond{}))
	shared := hand{w.store.View(s.who, Scope{Kind: SharedOnly}), w}
	shared.want("a session writing shared", ErrReadOnly, shared.tryPut("x", "", Cond{}))
	if _, err := w.store.EndSession(ctx, user("ann"), "session-one"); err != nil {
		t.Fatal(err)
	}
	s.want("writing to a sealed session", ErrSealed, s.tryPut("x", "", Cond{}))
	owner.shows("mine=1")
	stolen := hand{w.store.View(agent("bob", "session-one"), Scope{}), w}
	_, err := stolen.Stat(ctx, ".")
	stolen.want("a token with another owner", authz.ErrUnauthorized, err)
	reader := user("ann")
	reader.Scopes = authz.Read
	ro := hand{w.store.View(reader, Scope{}), w}
	ro.want("writing with a token that may only read", ErrScope, ro.tryPut("x", "", Cond{}))
	ro.want("asking whether it may", ErrScope, ro.MayWrite(ctx, "x"))
	roShared := hand{w.store.View(Caller{Principal: authz.Principal{
		Sub: "ann", Session: "session-two", Scopes: authz.Read, Path: ".",
	}}, Scope{Kind: SharedOnly}), w}
	roShared.want("a session that may only read writing shared", ErrReadOnly, roShared.tryPut("x", "", Cond{}))
	nosy := user("bob")
	nosy.Scopes = authz.Read
	stranger := hand{w.store.View(nosy, Scope{Kind: SessionView, Session: "session-one"}), w}
	stranger.want("a stranger that may only read", fs.ErrNotExist, stranger.tryPut("x", "", Cond{}))
	stranger.want("a stranger asking whether it may", fs.ErrNotExist, stranger.MayWrite(ctx, "x"))
	past := hand{ro.At(w.log.Seq()), w}
	past.want("writing the past", ErrReadOnly, past.tryPut("x", "", Cond{}))
	foreign := agent("ann", "session-new")
	foreign.Mints = false
	strange := hand{w.store.View(foreign, Scope{}), w}
	strange.shows()
	strange.want("making a session with a token that may not", ErrReadOnly, strange.tryPut("x", "", Cond{}))
}

func TestFirstWriteMakesTheSession(t *testing.T) {
	w := newWorld(t)
	w.User("ann").put("a", "1")
	s := w.Session("one")
	before := w.log.Seq()
	s.shows("a=1")
	if _, err := w.store.Session(t.Context(), s.who, "session-one"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading made the session: %v", err)
	}
	s.want("a refused write", ErrPrecondition, s.tryPut("a", "", Cond{IfMatch: []string{`"x"`}}))
	if got := w.log.Seq(); got != before {
		t.Errorf("reading and a refused write made %d changes", got-before)
	}
	s.put("b", "2")
	got, err := w.store.Session(t.Context(), s.who, "session-one")
	if err != nil || got.Owner.Sub != "ann" || got.Born != before+1 {
		t.Errorf("session = %+v, %v; want it born with the first write", got, err)
	}
}

func TestPathConfines(t *testing.T) {
	w := newWorld(t)
	w.User("ann").mkdir("in", "in/side", "out").put("in/side/a", "1").put("in/b", "2").put("out/c", "3")
	who := user("ann")
	who.Path = "in/side"
	h := hand{w.store.View(who, Scope{}), w}
	h.shows("in/", "in/side/", "in/side/a=1")
	ctx := t.Context()
	locked, _, err := w.User("ann").Lock(ctx, "out/c", LockOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"in/b", "out", "out/c", "nowhere"} {
		_, err := h.Stat(ctx, name)
		h.want("stat "+name, fs.ErrNotExist, err)
		h.want("put "+name, fs.ErrNotExist, h.tryPut(name, "", Cond{}))
		_, err = h.Move(ctx, "in/side/a", name, CopyOptions{Overwrite: true})
		h.want("move to "+name, fs.ErrNotExist, err)
		_, err = h.Copy(ctx, h.View, name, "in/side/x", CopyOptions{})
		h.want("copy of "+name, fs.ErrNotExist, err)
	}
	_, err = h.Copy(ctx, h.View, "in", "in/side/x", CopyOptions{})
	h.want("copying an ancestor of the path", fs.ErrPermission, err)
	_, err = h.Remove(ctx, "in", Cond{})
	h.want("removing an ancestor", fs.ErrPermission, err)
	h.put("in/side/new", "4")
	for _, list := range []IfList{
		{Name: "out/c", Terms: []IfTerm{{Token: locked.Token}}},
		{Name: "out/c", Terms: []IfTerm{{ETag: w.User("ann").stat("out/c").ETag}}},
	} {
		h.want("a condition on what lies outside", ErrPrecondition, h.tryPut("in/side/a", "", Cond{If: []IfList{list}}))
	}
}

func TestSessions(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	one, err := w.store.CreateSession(ctx, user("ann"), "", "first")
	if err != nil || len(one.ID) != 22 {
		t.Fatalf("CreateSession = %+v, %v", one, err)
	}
	for _, c := range []struct {
		who      Caller
		id, name string
		want     error
	}{
		{user("ann"), one.ID, "", fs.ErrExist},
		{user("bob"), one.ID, "", fs.ErrExist},
		{user("ann"), "short", "", fs.ErrInvalid},
		{user("ann"), "../../etc/passwd", "", fs.ErrInvalid},
		{user("ann"), "", "bad\x00name", fs.ErrInvalid},
		{agent("ann", one.ID), "", "", fs.ErrPermission},
		{Caller{Principal: authz.Principal{Sub: "ann", Scopes: authz.Read, Path: "."}}, "", "", ErrScope},
		{Caller{}, "", "", authz.ErrUnauthorized},
	} {
		if _, err := w.store.CreateSession(ctx, c.who, c.id, c.name); !errors.Is(err, c.want) {
			t.Errorf("CreateSession(%s, %q, %q) = %v, want %v", c.who.Sub, c.id, c.name, err, c.want)
		}
	}
	two, err := w.store.CreateSession(ctx, user("ann"), "", "second")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		who  Caller
		want []string
	}{
		{user("ann"), []string{two.ID, one.ID}},
		{user("bob"), nil},
		{agent("ann", one.ID), []string{one.ID}},
	} {
		got, err := w.store.Sessions(ctx, c.who, "", 10)
		var ids []string
		for _, s := range got {
			ids = append(ids, s.ID)
		}
		if err != nil || strings.Join(ids, " ") != strings.Join(c.want, " ") {
			t.Errorf("Sessions(%s) = %v, %v, want %v", c.who.Sub, ids, err, c.want)
		}
	}
	blind := user("ann")
	blind.Scopes = authz.Write
	if got, err := w.store.Sessions(ctx, blind, "", 10); len(got) > 0 || err != nil {
		t.Errorf("Sessions without the right to read = %v, %v, want none", got, err)
	}
	if got, err := w.store.Sessions(ctx, user("ann"), two.ID, 10); err != nil || len(got) != 1 || got[0].ID != one.ID {
		t.Errorf("Sessions after %s = %v, %v, want %s", two.ID, got, err, one.ID)
	}
	for _, after := range []string{one.ID, two.ID, "session-none"} {
		if got, err := w.store.Sessions(ctx, user("bob"), after, 10); !errors.Is(err, fs.ErrNotExist) || got != nil {
			t.Errorf("Sessions of bob after %s = %v, %v, want not found", after, got, err)
		}
	}
	if s, err := w.store.RenameSession(ctx, user("ann"), one.ID, "better"); err != nil || s.Name != "better" {
		t.Errorf("RenameSession = %+v, %v", s, err)
	}
	for range 2 {
		if s, err := w.store.EndSession(ctx, user("ann"), one.ID); err != nil || s.Sealed.IsZero() {
			t.Errorf("EndSession = %+v, %v", s, err)
		}
	}
	if _, err := w.store.CreateSession(ctx, user("ann"), one.ID, ""); !errors.Is(err, fs.ErrExist) {
		t.Errorf("an ended session's id again: %v, want ErrExist", err)
	}
}

func TestClean(t *testing.T) {
	l := Limits{}.withDefaults()
	long := strings.Repeat("x", 255)
	for _, c := range []struct {
		raw, want string
		err       error
	}{
		{"", ".", nil}, {"/", ".", nil}, {"//a///b/", "a/b", nil}, {"a/../../../etc", "etc", nil},
		{"/a/./b/..", "a", nil}, {"u\u0308", "ü", nil}, {"a b%", "a b%", nil}, {long, long, nil},
		{"..", ".", nil}, {"a/../..", ".", nil},
		{"a\x00b", "", fs.ErrInvalid}, {"a\nb", "", fs.ErrInvalid}, {`a\b`, "", fs.ErrInvalid},
		{"a\xff", "", fs.ErrInvalid}, {"a\u0085", "", fs.ErrInvalid},
		{long + "x", "", ErrNameTooLong}, {strings.Repeat("xxxxxxx/", 513), "", ErrNameTooLong},
	} {
		got, _, err := l.Clean(c.raw)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("Clean(%.20q) = %.20q, %v, want %.20q, %v", c.raw, got, err, c.want, c.err)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"a/b", "../..", "a\x00", "u\u0308/ü", "//", `\`, "a/%2e%2e/b"} {
		f.Add(s)
	}
	l := Limits{}.withDefaults()
	f.Fuzz(func(t *testing.T, raw string) {
		name, _, err := l.Clean(raw)
		if err != nil {
			return
		}
		if !fs.ValidPath(name) {
			t.Errorf("Clean(%q) = %q, which is no valid path", raw, name)
		}
		if again, _, err := l.Clean(name); err != nil || again != name {
			t.Errorf("Clean(Clean(%q)) = %q, %v", raw, again, err)
		}
	})
}
