package history

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	gocmp "github.com/google/go-cmp/cmp"
)

// check compares what a Tx says with the model, at some moment.
func (w *world) check(tx *Tx) {
	w.t.Helper()
	if tx.Seq() != w.model.seq {
		w.t.Fatalf("Seq = %d, want %d", tx.Seq(), w.model.seq)
	}
	at := Live
	if w.rand.IntN(2) == 0 {
		at = 1 + Seq(w.rand.Int64N(int64(w.model.seq)))
	}
	layer := w.layer()
	var keys []Key
	want := map[Key]Head{}
	for range w.rand.IntN(20) {
		k := Key{layer, join(w.directory(layer), pick(w, elements))}
		keys = append(keys, k)
		if v := w.model.at(k, at); v.Kind != Gap {
			want[k] = w.model.head(v, at)
		}
		w.checkLast(tx, k)
	}
	w.checkLasts(tx, keys)
	got, err := tx.Heads(keys, at)
	if err != nil || !equal(got, want) {
		w.t.Fatalf("Heads(%v, %d): %v\n%s", keys, at, err, gocmp.Diff(want, got))
	}
	w.checkSums(tx)
	// What reads a range settles what is pending: after it, or not at all.
	if w.rand.IntN(2) == 0 {
		return
	}
	for _, k := range keys {
		w.checkVersion(tx, w.model.at(k, Live))
	}
	for _, dir := range []string{".", w.directory(layer), "a", "none"} {
		w.checkDir(tx, layer, dir, at)
	}
	w.checkSessions(tx)
}

func (w *world) checkDir(tx *Tx, layer Layer, dir string, at Seq) {
	w.t.Helper()
	got, err := tx.Children(layer, dir, at)
	if want := w.model.below(layer, dir, at, false); err != nil || !equal(got, want) {
		w.t.Fatalf("Children(%d, %q, %d): %v\n%s", layer, dir, at, err, gocmp.Diff(want, got))
	}
	all, err := tx.Below(layer, dir, at, MaxEntries)
	want := w.model.below(layer, dir, at, true)
	seen := map[string]bool{dir: true}
	for _, h := range all {
		if p := parent(Key{layer, h.Name}).Name; !seen[p] {
			w.t.Fatalf("Below(%d, %q, %d): %q comes before %q", layer, dir, at, h.Name, p)
		}
		seen[h.Name] = true
	}
	slices.SortFunc(all, func(a, b Head) int { return strings.Compare(a.Name, b.Name) })
	if err != nil || !equal(all, want) {
		w.t.Fatalf("Below(%d, %q, %d): %v\n%s", layer, dir, at, err, gocmp.Diff(want, all))
	}
	if len(want) > 0 {
		if _, err := tx.Below(layer, dir, at, len(want)-1); !errors.Is(err, ErrTooManyEntries) {
			w.t.Fatalf("Below with a limit of one less = %v, want ErrTooManyEntries", err)
		}
	}
	real, err := tx.Real(layer, dir, at)
	wantReal := slices.ContainsFunc(want, func(h Head) bool { return isReal(&h.Version) })
	if err != nil || real != wantReal {
		w.t.Fatalf("Real(%d, %q, %d) = %v, %v, want %v", layer, dir, at, real, err, wantReal)
	}
}

func (w *world) checkLast(tx *Tx, k Key) {
	w.t.Helper()
	last, err := tx.Last(k)
	if want := w.model.at(k, Live); want.Seq == 0 {
		if !errors.Is(err, fs.ErrNotExist) {
			w.t.Fatalf("Last(%v) = %v, want fs.ErrNotExist", k, err)
		}
	} else if err != nil || !equal(last, want) {
		w.t.Fatalf("Last(%v): %v\n%s", k, err, gocmp.Diff(want, last))
	}
}

func (w *world) checkLasts(tx *Tx, keys []Key) {
	w.t.Helper()
	want := map[Key]Version{}
	for _, k := range keys {
		if v := w.model.at(k, Live); v.Seq != 0 {
			want[k] = v
		}
	}
	got, err := tx.Lasts(keys)
	if err != nil || !equal(got, want) {
		w.t.Fatalf("Lasts(%v): %v\n%s", keys, err, gocmp.Diff(want, got))
	}
}

func (w *world) checkVersion(tx *Tx, want Version) {
	w.t.Helper()
	if want.Kind < File {
		return
	}
	v, err := tx.Version(Ref{want.Node, want.Seq})
	if err != nil || !equal(v, want) {
		w.t.Fatalf("Version(%d, %d): %v\n%s", want.Node, want.Seq, err, gocmp.Diff(want, v))
	}
}

func (w *world) checkSums(tx *Tx) {
	w.t.Helper()
	for a, want := range w.model.usage {
		if got, err := tx.Usage(a); err != nil || got != want {
			w.t.Fatalf("Usage(%v) = %d, %v, want %d", a, got, err, want)
		}
	}
	for _, want := range w.model.sessions {
		if got, err := tx.Session(want.ID); err != nil || !equal(got, want) {
			w.t.Fatalf("Session(%s): %v\n%s", want.ID, err, gocmp.Diff(want, got))
		}
	}
}

func (w *world) checkSessions(tx *Tx) {
	w.t.Helper()
	newest := slices.Clone(w.model.sessions)
	slices.Reverse(newest)
	var got []Session
	for after := ""; ; after = got[len(got)-1].ID {
		page, err := tx.Sessions(Account{}, after, 3)
		if err != nil {
			w.t.Fatalf("Sessions: %v", err)
		}
		if got = append(got, page...); len(page) < 3 {
			break
		}
	}
	if !equal(got, newest) {
		w.t.Fatalf("Sessions:\n%s", gocmp.Diff(newest, got))
	}
	ann := Account{Sub: "ann"}
	own, err := tx.Sessions(ann, "", 100)
	want := slices.DeleteFunc(newest, func(s Session) bool { return s.Owner != ann })
	if err != nil || !equal(own, want) {
		w.t.Fatalf("Sessions(ann): %v\n%s", err, gocmp.Diff(want, own))
	}
}
