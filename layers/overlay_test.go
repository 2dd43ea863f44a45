package layers

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"varve/history"
)

// TestOverlayRules tells, story by story, what the table of overlay rules means.
func TestOverlayRules(t *testing.T) {
	for _, story := range []struct {
		name string
		tell func(w *world, ann, s, other hand)
	}{
		{"a session reads shared live", func(w *world, ann, s, other hand) {
			ann.put("a", "1")
			s.shows("a=1")
			ann.put("a", "2")
			s.shows("a=2")
		}},
		{"writing over a lower file stays private", func(w *world, ann, s, other hand) {
			ann.put("a", "1")
			s.put("a", "mine").shows("a=mine")
			ann.shows("a=1")
			other.shows("a=1")
		}},
		{"deleting a shared file hides it from the session only", func(w *world, ann, s, other hand) {
			ann.put("a", "1").put("b", "2")
			s.remove("a").shows("b=2")
			ann.shows("a=1", "b=2")
			other.shows("a=1", "b=2")
		}},
		{"deleting a deep shared directory", func(w *world, ann, s, other hand) {
			ann.mkdir("d", "d/e").put("d/e/f", "1")
			s.remove("d").shows()
			ann.shows("d/", "d/e/", "d/e/f=1")
		}},
		{"a recreated directory is opaque for ever", func(w *world, ann, s, other hand) {
			ann.mkdir("d").put("d/old", "1")
			s.remove("d").mkdir("d").shows("d/")
			s.put("d/mine", "2").shows("d/", "d/mine=2")
			ann.put("d/later", "3")
			s.shows("d/", "d/mine=2")
		}},
		{"a file in place of a deleted directory, and the reverse", func(w *world, ann, s, other hand) {
			ann.mkdir("d").put("d/x", "1").put("f", "2")
			s.remove("d").put("d", "file").remove("f").mkdir("f").put("f/y", "3")
			s.shows("d=file", "f/", "f/y=3")
			ann.shows("d/", "d/x=1", "f=2")
		}},
		{"deleting a file over a shared directory does not bring the directory back", func(w *world, ann, s, other hand) {
			ann.mkdir("d").put("d/x", "1")
			s.remove("d").put("d", "file").remove("d").shows()
		}},
		{"a session directory over a shared file", func(w *world, ann, s, other hand) {
			s.mkdir("n").put("n/x", "1")
			ann.put("n", "file")
			s.shows("n/", "n/x=1")
			ann.shows("n=file")
		}},
		{"shared turns a file into a directory under an override", func(w *world, ann, s, other hand) {
			ann.put("a", "1")
			s.put("a", "mine")
			ann.remove("a").mkdir("a").put("a/x", "2")
			s.shows("a=mine")
		}},
		{"shared turns a directory into a file under own content", func(w *world, ann, s, other hand) {
			ann.mkdir("d").put("d/x", "1")
			s.put("d/mine", "2")
			ann.remove("d").put("d", "file")
			s.shows("d/", "d/mine=2")
		}},
		{"an implied directory without content is as if it did not exist", func(w *world, ann, s, other hand) {
			ann.mkdir("d").put("d/x", "1")
			s.remove("d/x").shows("d/")
			ann.remove("d")
			s.shows()
			ann.put("d", "file")
			s.shows("d=file")
		}},
		{"writing over a file that shows through an empty implied directory", func(w *world, ann, s, other hand) {
			ann.mkdir("d").put("d/x", "1")
			s.remove("d/x")
			ann.remove("d").put("d", "file")
			s.put("d", "mine").shows("d=mine").remove("d").shows()
		}},
		{"moving a shared directory", func(w *world, ann, s, other hand) {
			ann.mkdir("d", "d/e").put("d/e/f", "1").put("d/g", "2")
			s.move("d", "n").shows("n/", "n/e/", "n/e/f=1", "n/g=2")
			ann.shows("d/", "d/e/", "d/e/f=1", "d/g=2")
			other.shows("d/", "d/e/", "d/e/f=1", "d/g=2")
		}},
		{"moving a shared directory, then making its old name again", func(w *world, ann, s, other hand) {
			ann.mkdir("d").put("d/x", "1")
			s.move("d", "n").mkdir("d").shows("d/", "n/", "n/x=1")
			s.put("d/y", "2").shows("d/", "d/y=2", "n/", "n/x=1")
		}},
		{"moving onto a merged directory replaces it", func(w *world, ann, s, other hand) {
			ann.mkdir("a", "b").put("a/x", "1").put("b/y", "2").put("b/x", "3")
			s.put("b/z", "4").move("a", "b").shows("b/", "b/x=1")
			ann.put("b/w", "5")
			s.shows("b/", "b/x=1")
		}},
		{"moving onto a whiteout and back again", func(w *world, ann, s, other hand) {
			ann.mkdir("a", "b").put("a/x", "1").put("b/y", "2")
			s.remove("b").move("a", "b").shows("b/", "b/x=1").move("b", "a").shows("a/", "a/x=1")
		}},
		{"copying a merged directory leaves whiteouts out", func(w *world, ann, s, other hand) {
			ann.mkdir("a").put("a/x", "1").put("a/y", "2")
			s.remove("a/x").put("a/z", "3").copy("a", "c").shows("a/", "a/y=2", "a/z=3", "c/", "c/y=2", "c/z=3")
		}},
		{"moving a directory with whiteouts and overrides", func(w *world, ann, s, other hand) {
			ann.mkdir("a", "a/b").put("a/x", "1").put("a/y", "2").put("a/b/z", "3")
			s.remove("a/x").put("a/y", "mine").move("a", "c").shows("c/", "c/y=mine", "c/b/", "c/b/z=3")
			ann.shows("a/", "a/b/", "a/x=1", "a/y=2", "a/b/z=3")
		}},
		{"a hidden name stays hidden when shared uploads it again", func(w *world, ann, s, other hand) {
			ann.put("a", "1")
			s.remove("a")
			ann.put("a", "2")
			s.shows()
		}},
		{"deleting an override hides what it was made over", func(w *world, ann, s, other hand) {
			ann.put("a", "1")
			s.put("a", "mine").remove("a").shows()
		}},
		{"rm -rf a; mkdir -p a/b; rm -r a/b", func(w *world, ann, s, other hand) {
			ann.mkdir("a", "a/b").put("a/b/c", "1")
			s.remove("a").mkdir("a", "a/b").remove("a/b").shows("a/")
		}},
		{"names of other overlays mean nothing", func(w *world, ann, s, other hand) {
			ann.put(".wh.x", "1").put("x", "2").put(".wh..wh..opq", "3")
			s.shows(".wh.x=1", "x=2", ".wh..wh..opq=3").remove("x").shows(".wh.x=1", ".wh..wh..opq=3")
		}},
		{"two spellings are one entry", func(w *world, ann, s, other hand) {
			ann.put("u\u0308.txt", "1")
			s.put("ü.txt", "2").shows("ü.txt=2")
			if got := s.stat("ü.txt").Base; got != "u\u0308.txt" {
				w.t.Errorf("spelled %q, want the spelling of its creation", got)
			}
		}},
		{"a session file deleted before shared has the name does not hide it later", func(w *world, ann, s, other hand) {
			s.put("a", "mine").remove("a")
			ann.put("a", "1")
			s.shows("a=1")
		}},
		{"a condition on the shared file a session saw", func(w *world, ann, s, other hand) {
			ann.put("a", "1")
			seen := Cond{IfMatch: []string{s.stat("a").ETag}}
			ann.put("a", "2")
			s.want("put over what has changed", ErrPrecondition, s.tryPut("a", "mine", seen))
			s.put("a", "mine")
			tag := s.stat("a").ETag
			ann.put("a", "3")
			if got := s.stat("a"); got.ETag != tag {
				w.t.Errorf("the override's ETag went from %s to %s with the lower file", tag, got.ETag)
			}
		}},
		{"a shallow copy is the directory alone", func(w *world, ann, s, other hand) {
			ann.mkdir("d").put("d/x", "1")
			_, err := s.Copy(w.t.Context(), s.View, "d", "e", CopyOptions{Shallow: true})
			s.want("copy", nil, err)
			s.shows("d/", "d/x=1", "e/")
		}},
		{"a property copies a shared file up without its bytes", func(w *world, ann, s, other hand) {
			ann.put("a", "some text")
			stored, lower := w.stored(), ann.stat("a").Version
			patch := []PropPatch{{Prop: Prop{Space: "urn:x", Local: "p", Value: "1"}}}
			_, err := s.SetProps(w.t.Context(), "a", patch, time.Time{}, Cond{})
			s.want("setprops", nil, err)
			e := s.stat("a")
			if e.Source != FromSession || e.Version.Content != lower.Content || e.Version.Charge != int64(len("urn:x"+"p"+"1")) || w.stored() != stored {
				w.t.Errorf("copied up: %+v", e)
			}
			if got := ann.stat("a").Version; len(got.Props) != 0 || other.stat("a").Source != FromShared {
				w.t.Errorf("the property shows below: %+v", got)
			}
			s.shows("a=some text")
		}},
		{"content that one session alone refers to goes with nobody else's", func(w *world, ann, s, other hand) {
			ann.put("a", strings.Repeat("shared", 5000))
			other.put("b", strings.Repeat("other", 5000))
			s.copy("a", "c").put("d", strings.Repeat("own", 9000)).remove("c").remove("d")
			_, err := w.store.EndSession(w.t.Context(), user("ann"), "session-one")
			s.want("end", nil, err)
			if _, err := w.log.Collect(w.t.Context()); err != nil {
				w.t.Fatal(err)
			}
			ann.read("a")
			other.read("b")
		}},
		{"a large merged directory lists in order, each name once", func(w *world, ann, s, other hand) {
			ann.mkdir("d")
			s.mkdir("d/own")
			for i := range 60 {
				ann.put(fmt.Sprintf("d/%02d", i), "1")
				if i%3 == 0 {
					s.put(fmt.Sprintf("d/%02d", i), "2")
				}
			}
			l, err := s.List(w.t.Context(), "d", ListOptions{Entries: true})
			if err != nil || len(l.Entries) != 61 {
				w.t.Errorf("list has %d entries, %v", len(l.Entries), err)
			}
			s.tree()
		}},
		{"the atomic save", func(w *world, ann, s, other hand) {
			ann.put("doc", "1")
			s.put(".doc.swp", "2").move(".doc.swp", "doc").shows("doc=2")
			ann.shows("doc=1")
		}},
		{"discarding an override or a deletion shows the lower entry again", func(w *world, ann, s, other hand) {
			ann.mkdir("d", "e").put("a", "1").put("b", "2").put("d/x", "3").put("e/y", "4")
			s.put("a", "mine").remove("b").remove("d/x").put("d/z", "5").remove("e").mkdir("e").put("e/w", "6")
			s.shows("a=mine", "d/", "d/z=5", "e/", "e/w=6")
			ann.put("b", "again")
			for _, name := range []string{"a", "b", "d", "e"} {
				_, err := s.Discard(w.t.Context(), name, Cond{})
				s.want("discard "+name, nil, err)
			}
			s.shows("a=1", "b=again", "d/", "d/x=3", "e/", "e/y=4")
			_, err := s.Discard(w.t.Context(), "a", Cond{})
			s.want("discard of nothing", fs.ErrNotExist, err)
			_, err = ann.Discard(w.t.Context(), "a", Cond{})
			s.want("discard in shared", fs.ErrPermission, err)
		}},
		{"the owner discards through the session's view", func(w *world, ann, s, other hand) {
			ann.put("a", "1")
			s.put("a", "mine")
			owner := w.store.View(user("ann"), Scope{Kind: SessionView, Session: "session-one"})
			_, err := owner.Discard(w.t.Context(), "a", Cond{})
			s.want("discard by the owner", nil, err)
			s.shows("a=1")
		}},
		{"a frozen session sees shared as it stood", func(w *world, ann, s, other hand) {
			ann.mkdir("d").put("d/x", "1").put("a", "1")
			s.put("own", "0")
			then := w.log.Seq()
			w.freeze("session-one", then)
			ann.put("a", "2").put("d/y", "2").remove("d/x")
			s.shows("a=1", "d/", "d/x=1", "own=0")
			s.put("d/z", "3").remove("a").shows("d/", "d/x=1", "d/z=3", "own=0")
			ann.shows("a=2", "d/", "d/y=2")
		}},
		{"a nested write copies up what it stands on", func(w *world, ann, s, other hand) {
			ann.mkdir("a", "a/b", "a/b/c").put("a/b/c/x", "1")
			s.put("a/b/c/y", "2").shows("a/", "a/b/", "a/b/c/", "a/b/c/x=1", "a/b/c/y=2")
			ann.remove("a")
			s.shows("a/", "a/b/", "a/b/c/", "a/b/c/y=2")
		}},
	} {
		t.Run(story.name, func(t *testing.T) {
			w := newWorld(t)
			story.tell(w, w.User("ann"), w.Session("one"), w.Session("two"))
		})
	}
}

func TestDeletingOwnFileLeavesNoWhiteout(t *testing.T) {
	w := newWorld(t)
	s := w.Session("one")
	s.put("mine", "1").remove("mine")
	layer := w.sessionLayer("session-one")
	if rows := w.rows(layer); len(rows) != 0 {
		t.Errorf("rows of the layer = %v, want none", rows)
	}
}

func (w *world) sessionLayer(id string) history.Layer {
	w.t.Helper()
	var layer history.Layer
	err := w.log.View(w.t.Context(), func(tx *history.Tx) error {
		s, err := tx.Session(id)
		layer = s.Layer
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return layer
}

func TestOverrideRecordsWhatItWasMadeOver(t *testing.T) {
	w := newWorld(t)
	ann, s := w.User("ann"), w.Session("one")
	ann.put("a", "1")
	lower := ann.stat("a").Version
	s.put("a", "mine")
	first := s.stat("a")
	if want := (Ref{Node: lower.Node, Seq: lower.Seq}); first.Version.Origin != want {
		t.Errorf("origin = %v, want %v", first.Version.Origin, want)
	}
	if first.Version.Base < lower.Seq || first.Shadowed || first.Source != FromSession {
		t.Errorf("base %d, shadowed %t, source %s", first.Version.Base, first.Shadowed, first.Source)
	}
	ann.put("a", "2")
	s.put("a", "again")
	again := s.stat("a")
	if again.Version.Origin != first.Version.Origin || again.Version.Base != first.Version.Base {
		t.Errorf("saving again moved origin to %v and base to %d", again.Version.Origin, again.Version.Base)
	}
	if !again.Shadowed {
		t.Error("shadowed = false after the lower file changed")
	}
	if again.Version.Node != first.Version.Node {
		t.Errorf("saving again made node %d of %d", again.Version.Node, first.Version.Node)
	}
}

func TestIdenticalBytes(t *testing.T) {
	w := newWorld(t)
	ann, s := w.User("ann"), w.Session("one")
	ann.put("a", "same")
	s.put("a", "same")
	if got := s.stat("a").Source; got != FromSession {
		t.Fatalf("identical bytes over a lower file: source %s, want an override", got)
	}
	before := s.stat("a").Version
	r, err := s.Put(t.Context(), "a", PutOptions{Body: strings.NewReader("same"), Length: 4})
	if err != nil || r.Created || r.Entry.ETag == "" || r.Seq <= before.Seq {
		t.Errorf("identical bytes over the own head = %+v, %v", r, err)
	}
	if got := s.stat("a").Version.Seq; got != before.Seq {
		t.Errorf("identical bytes made version %d after %d", got, before.Seq)
	}
	mtime := time.Unix(1e9, 0).UTC()
	if _, err := s.Put(t.Context(), "a", PutOptions{Body: strings.NewReader("same"), Length: 4, Mtime: mtime}); err != nil {
		t.Fatal(err)
	}
	if got := s.stat("a").Version; got.Seq == before.Seq || !got.Mtime.Equal(mtime) || got.Charge != 0 {
		t.Errorf("a new mtime with identical bytes: %+v", got)
	}
}

func TestNodesSurviveMoves(t *testing.T) {
	w := newWorld(t)
	ann := w.User("ann")
	ann.mkdir("d").put("d/a", "1").put("b", "2")
	a, b := ann.stat("d/a").Version, ann.stat("b").Version
	ann.move("d", "e")
	if got := ann.stat("e/a").Version.Node; got != a.Node {
		t.Errorf("node after a move = %d, want %d", got, a.Node)
	}
	ann.move("e/a", "b")
	got := ann.stat("b").Version
	if got.Node != b.Node || got.From.Node != a.Node {
		t.Errorf("file moved over a file: node %d from %v, want node %d from %d", got.Node, got.From, b.Node, a.Node)
	}
	ann.remove("b").put("b", "3")
	if got := ann.stat("b").Version; got.Predecessor.Node != b.Node || got.Node == b.Node {
		t.Errorf("recreated: node %d predecessor %v, want a new node after %d", got.Node, got.Predecessor, b.Node)
	}
}

func TestTreeOperationsAreOneChange(t *testing.T) {
	w := newWorld(t)
	ann, s := w.User("ann"), w.Session("one")
	ann.mkdir("d")
	for i := range 20 {
		ann.put(fmt.Sprintf("d/%d", i), "x")
	}
	stored := w.stored()
	for _, do := range []func(){
		func() { s.copy("d", "c") }, func() { s.move("d", "e") }, func() { s.remove("e") },
	} {
		before := w.log.Seq()
		do()
		if got := w.log.Seq(); got != before+1 {
			t.Errorf("a tree operation took %d changes", got-before)
		}
	}
	if got := w.stored(); got != stored {
		t.Errorf("tree operations stored %d bytes", got-stored)
	}
}

func (w *world) stored() (n int64) {
	w.t.Helper()
	err := w.log.View(w.t.Context(), func(tx *history.Tx) (err error) {
		n, err = tx.Stored()
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

func TestMkdirAll(t *testing.T) {
	w := newWorld(t)
	ann, s := w.User("ann"), w.Session("one")
	ann.mkdir("a").put("f", "1")
	before := w.log.Seq()
	r, err := s.MkdirAll(t.Context(), "a/b/u\u0308/d")
	if err != nil || !r.Created || r.Seq != before+1 || w.log.Seq() != before+1 {
		t.Fatalf("MkdirAll = %+v, %v after seq %d", r, err, before)
	}
	s.shows("a/", "a/b/", "a/b/ü/", "a/b/ü/d/", "f=1")
	if r, err := s.MkdirAll(t.Context(), "a/b"); err != nil || r.Created || r.Entry.Name != "a/b" {
		t.Errorf("MkdirAll of what exists = %+v, %v", r, err)
	}
	_, err = s.MkdirAll(t.Context(), "f")
	s.want("over a file", fs.ErrExist, err)
	_, err = s.MkdirAll(t.Context(), "f/x/y")
	s.want("below a file", ErrNoParent, err)
	s.remove("a/b")
	ann.remove("a")
	_, err = s.MkdirAll(t.Context(), "a/b/c")
	s.want("over an empty implied directory", nil, err)
	s.shows("a/", "a/b/", "a/b/c/", "f=1")
}

func TestMoments(t *testing.T) {
	w := newWorld(t)
	ann, s := w.User("ann"), w.Session("one")
	ann.mkdir("d").put("d/x", "1")
	s.put("d/y", "2")
	then := w.log.Seq()
	s.remove("d")
	ann.put("d/x", "3")
	hand{s.At(then), w}.shows("d/", "d/x=1", "d/y=2")
	hand{ann.At(then), w}.shows("d/", "d/x=1")
	past := hand{s.At(then), w}
	past.want("put at a moment", ErrReadOnly, past.tryPut("z", "", Cond{}))
	s.shows()
}

func TestRefusals(t *testing.T) {
	w := newWorld(t)
	ann := w.User("ann")
	ann.mkdir("d", "d/e").put("f", "1")
	ctx := t.Context()
	overlap := func(from, to string) error {
		_, err := ann.Move(ctx, from, to, CopyOptions{Overwrite: true})
		return err
	}
	_, exists := ann.Mkdir(ctx, "d", nil, Cond{})
	_, orphan := ann.Mkdir(ctx, "no/d", nil, Cond{})
	_, kept := ann.Copy(ctx, ann.View, "f", "d", CopyOptions{})
	_, root := ann.Remove(ctx, ".", Cond{})
	_, missing := ann.Move(ctx, "none", "f", CopyOptions{Overwrite: true})
	for _, c := range []struct {
		what      string
		got, want error
	}{
		{"put over a directory", ann.tryPut("d", "", Cond{}), ErrIsDir},
		{"put without a parent", ann.tryPut("no/x", "", Cond{}), ErrNoParent},
		{"put below a file", ann.tryPut("f/x", "", Cond{}), ErrNoParent},
		{"mkdir over a directory", exists, fs.ErrExist},
		{"mkdir without a parent", orphan, ErrNoParent},
		{"move into itself", overlap("d", "d/e/x"), ErrOverlap},
		{"move onto an ancestor", overlap("d/e", "d"), ErrOverlap},
		{"move onto itself", overlap("f", "f"), ErrOverlap},
		{"move of the root", overlap(".", "x"), ErrRoot},
		{"copy without overwrite", kept, ErrPrecondition},
		{"remove the root", root, ErrRoot},
		{"move of nothing", missing, fs.ErrNotExist},
	} {
		ann.want(c.what, c.want, c.got)
	}
	ann.shows("d/", "d/e/", "f=1")
}

// TestTransferNamesTheEndAtFault: an error names the source or the destination,
// whichever is to blame.
func TestTransferNamesTheEndAtFault(t *testing.T) {
	w := newWorld(t)
	ann := w.User("ann")
	ann.mkdir("d").put("f", "1").put("g", "2")
	ctx := t.Context()
	for _, c := range []struct{ from, to, want string }{
		{"f", "g", "g"},
		{"f", "none/x", "none/x"},
		{"f", "g/x", "g/x"},
		{"d", "d/x", "d/x"},
		{"none", "x", "none"},
		{"none", "none/x", "none"},
	} {
		_, moved := ann.Move(ctx, c.from, c.to, CopyOptions{})
		_, copied := ann.Copy(ctx, ann.View, c.from, c.to, CopyOptions{})
		for op, err := range map[string]error{"Move": moved, "Copy": copied} {
			var pe *fs.PathError
			if !errors.As(err, &pe) || pe.Path != c.want {
				t.Errorf("%s(%s, %s) = %v, want it to name %s", op, c.from, c.to, err, c.want)
			}
		}
	}
}
