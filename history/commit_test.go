package history

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"varve/history/blob"
	"varve/history/sql"
)

// plan is a request for a batch with a fixed change.
func plan(t *testing.T, c Change) *request {
	return &request{ctx: t.Context(), plan: func(*Tx) (*Change, error) { return &c, nil }}
}

func dirVersion(layer Layer, name string) Version {
	return Version{Layer: layer, Name: name, Kind: Dir}
}

func TestCommitsRace(t *testing.T) {
	l := openLog(t, Options{Inline: 100})
	mkdir(t, l, Shared, "d")
	const callers, each = 8, 20
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			last := Seq(0)
			for j := range each {
				u, err := l.Receive(t.Context(), strings.NewReader(strings.Repeat("x", j*10)), blob.Expect{Size: -1})
				if err == nil {
					err = l.Keep(u)
				}
				if err != nil {
					t.Error(err)
					return
				}
				c, err := l.Commit(t.Context(), func(tx *Tx) (*Change, error) {
					// Everything before is visible, one's own too.
					if h, err := tx.Heads([]Key{{Shared, "d"}}, Live); err != nil || h[Key{Shared, "d"}].Touched != tx.Seq() {
						t.Errorf("Touched of d = %d, %v at seq %d", h[Key{Shared, "d"}].Touched, err, tx.Seq())
					}
					return &Change{Op: OpPut, Uploads: []*blob.Upload{u}, Versions: []Version{
						{Layer: Shared, Name: fmt.Sprintf("d/%d-%d", i, j), Kind: File, Content: u.Info}}}, nil
				})
				if err != nil {
					t.Error(err)
					return
				}
				if c.Seq <= last || l.Seq() < c.Seq {
					t.Errorf("change %d after %d, log at %d", c.Seq, last, l.Seq())
				}
				last = c.Seq
			}
		})
	}
	wg.Wait()
	if want := Seq(2 + callers*each); l.Seq() != want {
		t.Errorf("Seq = %d, want %d", l.Seq(), want)
	}
	// Equal contents raced for one row each; no loser's file stays.
	if r := wantClean(t, l); r.Blobs != each {
		t.Errorf("%d blobs, want %d", r.Blobs, each)
	}
}

func TestBatchIsolatesFailures(t *testing.T) {
	l := openLog(t, Options{})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	own := errors.New("own")
	batch := []*request{
		plan(t, Change{Op: OpMkdir, Versions: []Version{dirVersion(Shared, "a")}}),
		{ctx: t.Context(), plan: func(*Tx) (*Change, error) { return nil, own }},
		{ctx: t.Context(), plan: func(*Tx) (*Change, error) { panic("oops") }},
		{ctx: gone, plan: func(*Tx) (*Change, error) { t.Error("plan of a caller who left was run"); return nil, nil }},
		plan(t, Change{Op: OpMkdir, Versions: []Version{dirVersion(Shared, "none/b")}}), // found out when flushed
		{ctx: t.Context(), plan: func(tx *Tx) (*Change, error) {
			tx.Do("INSERT INTO nonsense VALUES (1)") // fails the transaction
			return nil, nil
		}},
		plan(t, Change{Op: OpMkdir, Versions: []Version{dirVersion(Shared, "a/b")}}),
		plan(t, Change{}),
	}
	l.answer(batch)
	for i, want := range []error{nil, own, nil, context.Canceled, fs.ErrInvalid, nil, nil, nil} {
		if want != nil && !errors.Is(batch[i].err, want) {
			t.Errorf("request %d: %v, want %v", i, batch[i].err, want)
		}
	}
	if err := batch[2].err; err == nil || !strings.Contains(err.Error(), "oops") {
		t.Errorf("panicking plan: %v", err)
	}
	if batch[5].err == nil {
		t.Error("plan with a broken statement succeeded")
	}
	for _, i := range []int{0, 6, 7} {
		if batch[i].err != nil {
			t.Errorf("request %d: %v", i, batch[i].err)
		}
	}
	if l.Seq() != 4 {
		t.Errorf("Seq = %d, want 4", l.Seq())
	}
	wantClean(t, l)
}

func TestInvalidChanges(t *testing.T) {
	l := openLog(t, Options{})
	mkdir(t, l, Shared, "d")
	put(t, l, Shared, "d/f", "x")
	stored := upload(t, l, "x")
	file := func(name string) Version { return Version{Layer: Shared, Name: name, Kind: File, Content: stored.Info} }
	other := upload(t, l, "not in the store")
	tests := []struct {
		name   string
		change Change
	}{
		{"no parent", Change{Versions: []Version{file("none/f")}}},
		{"parent is a file", Change{Versions: []Version{file("d/f/g")}}},
		{"parent becomes a file", Change{Versions: []Version{file("d"), file("d/g")}}},
		{"something left below", Change{Versions: []Version{{Layer: Shared, Name: "d"}}}},
		{"something left below a file", Change{Versions: []Version{file("d")}}},
		{"two versions of a name", Change{Versions: []Version{file("d/f"), file("d/f")}}},
		{"unknown layer", Change{Versions: []Version{{Layer: 7, Name: "d", Kind: Dir}}}},
		{"no layer", Change{Versions: []Version{{Name: "d", Kind: Dir}}}},
		{"root is a file", Change{Versions: []Version{file(".")}}},
		{"root is gone", Change{Versions: []Version{{Layer: Shared, Name: "."}}}},
		{"name not clean", Change{Versions: []Version{file("d//g")}}},
		{"name absolute", Change{Versions: []Version{file("/g")}}},
		{"name leads out", Change{Versions: []Version{file("../g")}}},
		{"no name", Change{Versions: []Version{file("")}}},
		{"file without content", Change{Versions: []Version{{Layer: Shared, Name: "g", Kind: File}}}},
		{"directory with content", Change{Versions: []Version{{Layer: Shared, Name: "g", Kind: Dir, Content: stored.Info}}}},
		{"content not in the store", Change{Versions: []Version{{Layer: Shared, Name: "g", Kind: File, Content: other.Info}}}},
		{"upload not kept", Change{Uploads: []*blob.Upload{{Info: stored.Info}}}},
		{"session with a wrong layer", Change{Session: &Session{ID: "s", Layer: 9}}},
		{"session without id", Change{Session: &Session{}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := l.Seq()
			_, err := l.Commit(t.Context(), func(*Tx) (*Change, error) { return &tt.change, nil })
			if !errors.Is(err, fs.ErrInvalid) && !errors.Is(err, errKey) {
				t.Errorf("Commit = %v, want fs.ErrInvalid", err)
			}
			if l.Seq() != before {
				t.Errorf("Seq = %d, want %d as before", l.Seq(), before)
			}
		})
	}
	many := Change{Versions: make([]Version, MaxEntries+1)}
	if _, err := l.Commit(t.Context(), func(*Tx) (*Change, error) { return &many, nil }); !errors.Is(err, ErrTooManyEntries) {
		t.Errorf("Commit of %d versions = %v, want ErrTooManyEntries", len(many.Versions), err)
	}
	wantClean(t, l)
}

// A directory that goes and comes back in one batch must not bring back what
// was left below it.
func TestBatchRecreatesDirectory(t *testing.T) {
	l := openLog(t, Options{})
	mkdir(t, l, Shared, "d")
	mkdir(t, l, Shared, "d/e")
	batch := []*request{
		plan(t, Change{Op: OpDelete, Versions: []Version{{Layer: Shared, Name: "d"}}}),
		plan(t, Change{Op: OpMkdir, Versions: []Version{dirVersion(Shared, "d")}}),
	}
	l.answer(batch)
	if batch[0].err == nil || batch[1].err != nil {
		t.Errorf("delete: %v, mkdir: %v, want an error and none", batch[0].err, batch[1].err)
	}
	wantClean(t, l)
}

func TestDo(t *testing.T) {
	l := openLog(t, Options{})
	const insert = `INSERT INTO bin (locator, at) VALUES ($1, $2)`
	const query = `SELECT locator FROM bin WHERE at = $1`
	do := func(text string, fail error) *request {
		return &request{ctx: t.Context(), plan: func(tx *Tx) (*Change, error) {
			tx.Do(insert, text, 1)
			return nil, fail
		}}
	}
	list := func(tx *Tx) (found string, err error) {
		err = tx.Rows(query, []any{1}, func(r sql.Row) error {
			var text string
			err := r.Scan(&text)
			found += text
			return err
		})
		return found, err
	}
	var seen string
	batch := []*request{do("a", nil), do("b", errors.New("no")), {ctx: t.Context(), plan: func(tx *Tx) (_ *Change, err error) {
		seen, err = list(tx)
		return nil, err
	}}, do("c", nil)}
	l.answer(batch)
	if seen != "a" {
		t.Errorf("the third plan saw %q, want a", seen)
	}
	view(t, l, func(tx *Tx) error {
		if got, err := list(tx); err != nil || got != "ac" {
			t.Errorf("rows = %q, %v, want ac", got, err)
		}
		return nil
	})
	err := l.View(t.Context(), func(tx *Tx) error {
		tx.Do(insert, "d", 1)
		_, err := list(tx)
		return err
	})
	if err == nil {
		t.Error("Do in a view went unnoticed")
	}
	if l.Seq() != 1 {
		t.Errorf("Seq = %d, want 1: no change was made", l.Seq())
	}
}

func TestTxEnds(t *testing.T) {
	l := openLog(t, Options{})
	var kept *Tx
	view(t, l, func(tx *Tx) error { kept = tx; return nil })
	if _, err := kept.Children(Shared, ".", Live); err == nil {
		t.Error("a Tx answered after its View")
	}
}

func TestClosed(t *testing.T) {
	l := openLog(t, Options{})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Commit(t.Context(), func(*Tx) (*Change, error) { return nil, nil }); !errors.Is(err, sql.ErrClosed) {
		t.Errorf("Commit after Close = %v", err)
	}
	if err := l.View(t.Context(), func(*Tx) error { return nil }); !errors.Is(err, sql.ErrClosed) {
		t.Errorf("View after Close = %v", err)
	}
}

func TestCommitTimesNeverGoBack(t *testing.T) {
	now := time.Unix(2000, 7).UTC()
	l := openLog(t, Options{Now: func() time.Time { return now }})
	a := mkdir(t, l, Shared, "a")
	now = now.Add(-time.Hour)
	b := mkdir(t, l, Shared, "b")
	if !a.Time.Equal(b.Time) {
		t.Errorf("times = %v, then %v", a.Time, b.Time)
	}
}

func TestReadersAreRefusedToWrite(t *testing.T) {
	dir := t.TempDir()
	w := openLog(t, Options{Dir: dir})
	r, err := OpenForReading(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Commit(t.Context(), func(*Tx) (*Change, error) { return nil, nil }); err == nil {
		t.Error("Commit of a log open for reading succeeded")
	}
	if _, err := r.Receive(t.Context(), strings.NewReader(""), blob.Expect{}); err == nil {
		t.Error("Receive of a log open for reading succeeded")
	}
	mkdir(t, w, Shared, "d")
	view(t, r, func(tx *Tx) error {
		if tx.Seq() != 2 {
			t.Errorf("Seq of the reader's view = %d, want 2", tx.Seq())
		}
		return nil
	})
	wantClean(t, r)
}
