package layers

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"varve/authz"
	"varve/history"
)

func (h hand) stage(name, text string) *Staged {
	h.w.t.Helper()
	s, err := h.Receive(h.w.t.Context(), name, PutOptions{
		Body: strings.NewReader(text), Length: int64(len(text)), Cond: Cond{IfNoneMatch: []string{"*"}},
	})
	h.want("receive "+name, nil, err)
	return s
}

func TestFormsLoseNothing(t *testing.T) {
	w := newLimitedWorld(t, Limits{Quota: 100})
	ann := w.User("ann")
	_, err := ann.PutAll(t.Context(), []*Staged{ann.stage("a", "first"), ann.stage("a", "second")})
	ann.want("one name twice in a form", fs.ErrExist, err)
	var many []*Staged
	for i := range 5 {
		many = append(many, ann.stage(fmt.Sprint(i), strings.Repeat("x", 90)+fmt.Sprint(i)))
	}
	_, err = ann.PutAll(t.Context(), many)
	ann.want("a form over the quota", ErrQuota, err)
	ann.shows()
	results, err := ann.PutAll(t.Context(), []*Staged{ann.stage("a", "1"), ann.stage("b", "2")})
	if err != nil || len(results) != 2 || results[0].Seq != results[1].Seq || results[1].Entry.Name != "b" {
		t.Errorf("PutAll = %+v, %v", results, err)
	}
	ann.shows("a=1", "b=2")
}

func TestFormWithAnIdenticalFileIsAPut(t *testing.T) {
	w := newWorld(t)
	ann := w.User("ann").put("a", "same")
	one, err := ann.Receive(t.Context(), "a", PutOptions{Body: strings.NewReader("same"), Length: 4})
	ann.want("receive", nil, err)
	results, err := ann.PutAll(t.Context(), []*Staged{one, ann.stage("b", "new")})
	ann.want("put all", nil, err)
	if results[0].Created || !results[1].Created || results[0].Entry.ETag != ann.stat("a").ETag {
		t.Errorf("results = %+v", results)
	}
}

func TestPropertiesCount(t *testing.T) {
	w := newLimitedWorld(t, Limits{Quota: 100})
	ann := w.User("ann").put("a", "1")
	patch := func(n int) error {
		p := PropPatch{Prop: Prop{Space: "x", Local: "c", Value: strings.Repeat("v", n)}}
		_, err := ann.SetProps(t.Context(), "a", []PropPatch{p}, time.Time{}, Cond{})
		return err
	}
	ann.want("properties within the quota", nil, patch(80))
	ann.want("properties beyond it", ErrQuota, patch(80))
}

func TestLocksOfOthersAndOfThePast(t *testing.T) {
	w := newLimitedWorld(t, Limits{Locks: 2})
	ann, bob := w.User("ann"), w.User("bob")
	ann.put("a", "1").put("b", "2").put("c", "3")
	ann.lock("a", LockOptions{})
	ann.lock("b", LockOptions{})
	bob.lock("c", LockOptions{})
	ann.put("d", "4")
	_, _, err := ann.Lock(t.Context(), "d", LockOptions{})
	ann.want("a third lock", ErrTooManyLocks, err)
	w.later(2 * time.Hour)
	ann.lock("d", LockOptions{})
	ann.put("a", "after the lock expired")
}

func TestPathShowsNothingBesideTheWay(t *testing.T) {
	w := newWorld(t)
	ann := w.User("ann").mkdir("in", "in/side").put("in/side/a", "1")
	_, err := ann.SetProps(t.Context(), "in", []PropPatch{{Prop: Prop{Space: "x", Local: "p", Value: "secret"}}}, time.Time{}, Cond{})
	ann.want("setprops", nil, err)
	who := user("ann")
	who.Path = "in/side"
	h := hand{w.store.View(who, Scope{}), w}
	before := []Entry{h.stat("."), h.stat("in")}
	ann.put("in/beside", "2").put("z", "3")
	for i, name := range []string{".", "in"} {
		e := h.stat(name)
		if e.ETag != before[i].ETag || !e.Modified.Equal(before[i].Modified) || len(e.Version.Props) > 0 {
			t.Errorf("%s tells of what happens beside the way: %+v", name, e)
		}
	}
	ann.remove("in").put("in", "a file outside")
	if got := h.read("in"); got != "absent" {
		t.Errorf("a file in place of the way reads %q", got)
	}
	h.shows()
}

func TestCopyFromAnotherViewIsConfined(t *testing.T) {
	w := newWorld(t)
	w.User("ann").mkdir("in", "in/side").put("in/secret", "1")
	who := agent("ann", "session-one")
	who.Path = "in/side"
	shared := w.store.View(who, Scope{Kind: SharedOnly})
	h := hand{w.store.View(who, Scope{}), w}
	_, err := h.Copy(t.Context(), shared, "in", "in/side/x", CopyOptions{})
	h.want("copy of an ancestor from another view", fs.ErrPermission, err)
}

func TestForeignTokenIsRefusedEverywhere(t *testing.T) {
	w := newWorld(t)
	w.Session("one").put("x", "1")
	for _, scope := range []Scope{{}, {Kind: SharedOnly}, {Kind: SessionView, Session: "session-two"}} {
		_, err := w.store.View(agent("eve", "session-one"), scope).Stat(t.Context(), ".")
		if !errors.Is(err, authz.ErrUnauthorized) {
			t.Errorf("scope %+v with a token of another's session: %v", scope, err)
		}
	}
}

func TestFreeSpaceIsCoarse(t *testing.T) {
	for n, want := range map[int64]int64{0: 0, 63: 63, 64: 64, 65: 64, 1<<40 + 12345: 1 << 40} {
		if got := coarse(n); got != want {
			t.Errorf("coarse(%d) = %d, want %d", n, got, want)
		}
	}
}

func TestEmptyImpliedDirectoryOverAFile(t *testing.T) {
	for _, does := range []string{"props", "put"} {
		w := newWorld(t)
		ann, s := w.User("ann").mkdir("d").put("d/a", "1"), w.Session("one")
		s.remove("d/a")
		ann.remove("d").put("d", "file")
		if does == "put" {
			s.put("d", "mine")
		} else {
			_, err := s.SetProps(t.Context(), "d", []PropPatch{{Prop: Prop{Space: "x", Local: "p"}}}, time.Time{}, Cond{})
			s.want("setprops", nil, err)
		}
		e := s.stat("d")
		if lower := ann.stat("d").Version; e.Shadowed || e.Version.Origin != (Ref{Node: lower.Node, Seq: lower.Seq}) {
			t.Errorf("%s: %+v over %+v", does, e, lower)
		}
	}
}

func TestMkdirAllKeepsWhatWasDeletedHidden(t *testing.T) {
	w := newWorld(t)
	ann, s := w.User("ann").mkdir("d", "d/sub").put("d/sub/old", "1"), w.Session("one")
	s.remove("d/sub")
	ann.remove("d")
	_, err := s.MkdirAll(t.Context(), "d/sub")
	s.want("mkdir", nil, err)
	ann.mkdir("d", "d/sub").put("d/sub/old", "2")
	s.shows("d/", "d/sub/")
}

func TestNamesStayInBoundsWhenMoved(t *testing.T) {
	w := newLimitedWorld(t, Limits{Name: 20})
	ann := w.User("ann").mkdir("a", "a/bbbbbbbbbb").put("a/bbbbbbbbbb/c", "1")
	_, err := ann.Move(t.Context(), "a", "eeeeeeeeee", CopyOptions{})
	ann.want("move to names too long", ErrNameTooLong, err)
	ann.shows("a/", "a/bbbbbbbbbb/", "a/bbbbbbbbbb/c=1")
}

func TestPredecessorsOfAMovedTree(t *testing.T) {
	w := newWorld(t)
	ann := w.User("ann").mkdir("d", "x").put("d/f", "1").put("x/f", "2")
	d, f := ann.stat("d").Version, ann.stat("d/f").Version
	ann.remove("d").move("x", "d")
	if got := ann.stat("d").Version.Predecessor.Node; got != d.Node {
		t.Errorf("predecessor of d = %d, want %d", got, d.Node)
	}
	if got := ann.stat("d/f").Version.Predecessor.Node; got != f.Node {
		t.Errorf("predecessor of d/f = %d, want %d", got, f.Node)
	}
}

func TestShallowCopyNeedsRoomForItselfOnly(t *testing.T) {
	w := newLimitedWorld(t, Limits{Quota: 10})
	ann := w.User("ann").mkdir("d").put("d/x", "12345678")
	_, err := ann.Copy(t.Context(), ann.View, "d", "e", CopyOptions{Shallow: true})
	ann.want("shallow copy", nil, err)
	_, err = ann.Copy(t.Context(), ann.View, "d", "f", CopyOptions{})
	ann.want("deep copy", ErrQuota, err)
}

func TestDirectoryTagsChangeWithWhatTheyHold(t *testing.T) {
	w := newWorld(t)
	ann, s := w.User("ann").mkdir("d", "d/e").put("d/e/f", "1"), w.Session("one")
	seen := map[string]bool{}
	for i, do := range []func(){
		func() {}, func() { ann.put("d/e/f", "2") }, func() { s.put("d/e/g", "3") }, func() { s.remove("d/e/f") },
		func() { s.move("d/e/g", "d/h") }, func() { s.remove("d/h") },
	} {
		do()
		tag := s.stat("d").ETag
		if seen[tag] {
			t.Errorf("step %d: the tag %s comes again", i, tag)
		}
		seen[tag] = true
		if other := s.stat("d").ETag; other != tag {
			t.Errorf("step %d: the tag changes from %s to %s by itself", i, tag, other)
		}
	}
	tag := s.stat("d").ETag
	ann.put("beside", "1")
	if got := s.stat("d").ETag; got != tag {
		t.Error("the tag changes with what lies beside")
	}
}

func TestEndingASessionDropsItsLocks(t *testing.T) {
	w := newWorld(t)
	s := w.Session("one").put("a", "1")
	s.lock("a", LockOptions{})
	_, err := w.store.EndSession(t.Context(), user("ann"), "session-one")
	s.want("end", nil, err)
	l, err := s.List(t.Context(), "a", ListOptions{Locks: true})
	if err != nil || len(l.Locks) > 0 {
		t.Errorf("locks after the end = %+v, %v", l.Locks, err)
	}
}

func TestLocksOfWhatIsReplacedGo(t *testing.T) {
	w := newWorld(t)
	ann := w.User("ann").mkdir("d", "n").put("d/x", "1").put("f", "1").put("g", "2")
	l := ann.lock("d/x", LockOptions{})
	_, err := ann.Move(t.Context(), "n", "d", CopyOptions{Overwrite: true, Cond: tokens(l)})
	ann.want("move over a locked tree", nil, err)
	ann.put("d/x", "free")
	l = ann.lock("f", LockOptions{})
	_, err = ann.Move(t.Context(), "g", "f", CopyOptions{Overwrite: true, Cond: tokens(l)})
	ann.want("save by rename over a locked file", nil, err)
	ann.want("the file saved over is still locked", ErrLocked, ann.tryPut("f", "x", Cond{}))
}

func TestWhatAWriteRecords(t *testing.T) {
	w := newWorld(t)
	ann, s := w.User("ann").mkdir("d").put("d/a", "1").put("gone", "1"), w.Session("one")
	_, err := ann.SetProps(t.Context(), "d", []PropPatch{{Prop: Prop{Space: "x", Local: "p", Value: "1"}}}, time.Time{}, Cond{})
	ann.want("setprops", nil, err)
	s.put("d/b", "2")
	ann.remove("d")
	if got := s.stat("d").Version.Props; len(got) != 1 {
		t.Errorf("an implied directory left alone has properties %v, want those of its source", got)
	}
	s.put("empty", "")
	if got := s.stat("empty").Version.Flags; got&history.Placeholder == 0 {
		t.Error("an empty file just made is no placeholder")
	}
	s.put("empty", "full")
	if got := s.stat("empty").Version.Flags; got&history.Placeholder != 0 {
		t.Error("a file that was filled is a placeholder still")
	}
	made := s.stat("d/b").Version
	s.copy("d/b", "c")
	if got := s.stat("c").Version; !got.Born.Equal(got.Time) || got.From != (Ref{Node: made.Node, Seq: made.Seq}) || got.Charge != 1 {
		t.Errorf("a copy: %+v of %+v", got, made)
	}
	lower := ann.stat("gone").Version
	s.remove("gone")
	hidden := w.head(w.sessionLayer("session-one"), "gone")
	if hidden.Origin != (Ref{Node: lower.Node, Seq: lower.Seq}) || hidden.Base < lower.Seq {
		t.Errorf("a whiteout: %+v over %+v", hidden, lower)
	}
}

// head is what a layer says of a name itself.
func (w *world) head(layer history.Layer, name string) (h history.Head) {
	w.t.Helper()
	err := w.log.View(w.t.Context(), func(tx *history.Tx) error {
		k := history.Key{Layer: layer, Name: name}
		found, err := tx.Heads([]history.Key{k}, Live)
		h = found[k]
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

func TestBaseOfAFrozenSession(t *testing.T) {
	w := newWorld(t)
	ann, s := w.User("ann").put("a", "1"), w.Session("one").put("x", "1")
	then := w.log.Seq()
	w.freeze("session-one", then)
	ann.put("a", "2")
	s.put("a", "mine")
	if got := s.stat("a").Version.Base; got != then {
		t.Errorf("base = %d, want %d, where the session is frozen", got, then)
	}
}
