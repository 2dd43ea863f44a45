package history

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"varve/history/blob"
	"varve/history/sql"
)

// world drives a log and its model with the same random changes.
type world struct {
	t     *testing.T
	rand  *rand.Rand
	log   *Log
	model *model
	texts []string
	clock time.Time
	fault fault
}

func (w *world) now() time.Time {
	// The clock goes back at times; commit times do not.
	return w.clock.Add(time.Duration(w.rand.IntN(1000)-500) * time.Millisecond)
}

// Elements that sort around the slash and the dot.
var elements = []string{"a", "b", "a.b", "a0", "!x", "a-", "Z", "é", "aa"}

func pick[T any](w *world, list []T) T { return list[w.rand.IntN(len(list))] }

func (w *world) layer() Layer {
	if len(w.model.sessions) == 0 || w.rand.IntN(2) == 0 {
		return Shared
	}
	return pick(w, w.model.sessions).Layer
}

// directory picks a directory there is in layer.
func (w *world) directory(layer Layer) string {
	dirs := []string{"."}
	for _, h := range w.model.below(layer, ".", Live, true) {
		if h.Kind == Dir && strings.Count(h.Name, "/") < 4 {
			dirs = append(dirs, h.Name)
		}
	}
	return pick(w, dirs)
}

func (w *world) account() Account {
	return Account{Issuer: pick(w, []string{"", "idp"}), Sub: pick(w, []string{"ann", "bob"})}
}

// change plans something valid, reading through tx as it goes.
func (w *world) change(tx *Tx) *Change {
	layer := w.layer()
	k := Key{layer, join(w.directory(layer), pick(w, elements))}
	c := &Change{Op: OpPut, Owner: w.account(), Agent: "model", Actor: Actor{Account: w.account()}}
	switch old := w.model.at(k, Live); w.rand.IntN(10) {
	case 0:
		w.session(tx, c)
	case 1:
		c.Op = OpDelete
		w.remove(tx, c, k)
	case 2:
		c.Op, c.Renews = OpRenew, []Key{k, {layer, "a"}}
		if k.Name == "a" {
			c.Renews = c.Renews[:1]
		}
	case 3, 4:
		c.Op = OpMkdir
		v := Version{Layer: layer, Name: k.Name, Kind: Dir, Flags: Flags(w.rand.IntN(4)), Node: old.Node,
			Props: []Prop{{"DAV:", "x", "en", strings.Repeat("p", w.rand.IntN(40))}}, Tier: "standard"}
		if old.Kind != Dir {
			v.Node = NewNode
		}
		c.Versions = []Version{v}
	default:
		if len(w.model.below(k.Layer, k.Name, Live, true)) > 0 {
			w.remove(tx, c, k)
			c.Versions = slices.DeleteFunc(c.Versions, func(v Version) bool { return v.Name == k.Name })
		}
		c.Versions = append(c.Versions, w.file(c, k))
	}
	return c
}

// remove makes k and what is below it gaps, or k a whiteout.
func (w *world) remove(tx *Tx, c *Change, k Key) {
	list, err := tx.Below(k.Layer, k.Name, Live, MaxEntries)
	if err != nil {
		w.t.Fatalf("Below(%v): %v", k, err)
	}
	for _, h := range list {
		c.Versions = append(c.Versions, Version{Layer: k.Layer, Name: h.Name, Node: h.Node})
	}
	c.Versions = append(c.Versions, Version{Layer: k.Layer, Name: k.Name, Kind: pick(w, []Kind{Gap, Whiteout})})
}

func (w *world) file(c *Change, k Key) Version {
	u := upload(w.t, w.log, strings.Repeat(pick(w, w.texts), 1+w.rand.IntN(2)))
	c.Uploads = []*blob.Upload{u}
	return Version{Layer: k.Layer, Name: k.Name, Kind: File, Content: u.Info, Charge: u.Size, Spelling: "spelt",
		Type: "text/plain", Mtime: time.Unix(int64(w.rand.IntN(3)), 5).UTC(), Origin: Ref{3, 4}, Base: 5, From: Ref{6, 7},
		Predecessor: Ref{8, 9}}
}

func (w *world) session(tx *Tx, c *Change) {
	c.Op = OpSession
	if len(w.model.sessions) > 0 && w.rand.IntN(3) == 0 {
		s := pick(w, w.model.sessions)
		c.Session = &Session{ID: s.ID, Name: "renamed", Sealed: w.clock, Freeze: tx.Seq()}
		return
	}
	layer, err := tx.NewLayer()
	if err != nil {
		w.t.Fatalf("NewLayer: %v", err)
	}
	id := fmt.Sprintf("session-%d", len(w.model.sessions))
	c.Session = &Session{ID: id, Layer: layer, Owner: w.account(), Name: "new"}
}

// step commits a few changes in one batch and compares what was written. At times
// the batch fails, and they are planned again.
func (w *world) step() {
	w.clock = w.clock.Add(time.Duration(w.rand.IntN(3)) * time.Second)
	before := w.model.clone()
	planned := make([]*Change, 1+w.rand.IntN(6))
	var batch []*request
	for i := range planned {
		batch = append(batch, &request{ctx: w.t.Context(), plan: func(tx *Tx) (*Change, error) {
			if planned[i] != nil {
				w.forget(planned[i])
			}
			if i == 0 { // all others follow
				w.model = before.clone()
			}
			if w.rand.IntN(3) == 0 {
				w.check(tx)
			}
			first := planned[i] == nil
			planned[i] = w.change(tx)
			if first && i > 0 && i == len(batch)-1 && w.rand.IntN(3) == 0 {
				w.fault = fault{"INSERT INTO " + pick(w, []string{"change", "head"}), rollBack}
			}
			w.model.apply(planned[i], tx.Now())
			return planned[i], nil
		}})
	}
	w.log.answer(batch)
	w.fault = fault{}
	for _, r := range batch {
		if r.err != nil {
			w.t.Fatalf("Commit: %v", r.err)
		}
		for _, v := range r.change.Versions {
			if want := w.model.at(Key{v.Layer, v.Name}, v.Seq); !equal(v, want) {
				w.t.Fatalf("change %d wrote\n%s", v.Seq, gocmp.Diff(want, v))
			}
		}
	}
}

// forget takes back what a plan did that is run again.
func (w *world) forget(planned *Change) {
	for _, u := range planned.Uploads {
		w.log.Discard(u)
	}
}

func equal(a, b any) bool { return gocmp.Equal(a, b, cmpopts.EquateEmpty()) }

func TestModel(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("VARVE_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("VARVE_SEED=%d", seed)
	w := &world{t: t, rand: rand.New(rand.NewPCG(seed, 0)), clock: time.Unix(1e9, 0)}
	w.model = &model{versions: map[Layer]map[string][]Version{}, usage: map[Account]int64{}}
	for i := range 30 {
		w.texts = append(w.texts, strings.Repeat(strconv.Itoa(i), i))
	}
	ran := statements{texts: map[string]bool{}}
	opts := Options{Dir: t.TempDir(), Inline: 20, Now: w.now}
	opts.fault = func(c *sql.Conn, query string) error {
		return errors.Join(ran.note(c, query), w.fault.on(c, query))
	}
	w.log = openLog(t, opts)
	first := Change{Versions: []Version{{Layer: Shared, Name: ".", Kind: Dir}}}
	w.model.apply(&first, fromNanos(w.log.last.time))
	for i := range long(t, 60, 1500) {
		w.step()
		view(t, w.log, func(tx *Tx) error { w.check(tx); return nil })
		if i%50 == 49 {
			w.verify()
			w.reopen(opts)
		}
	}
	w.verify()
	explain(t, w.log, &ran)
}

func (w *world) reopen(opts Options) {
	if err := w.log.Close(); err != nil {
		w.t.Fatalf("Close: %v", err)
	}
	w.log = openLog(w.t, opts)
}

func (w *world) verify() {
	w.t.Helper()
	if _, err := w.log.Collect(context.Background()); err != nil {
		w.t.Fatalf("Collect: %v", err)
	}
	wantClean(w.t, w.log)
	for _, s := range w.model.sessions {
		for name := range w.model.versions[s.Layer] {
			v := w.model.at(Key{s.Layer, name}, Live)
			if v.Kind != File {
				continue
			}
			if got := content(w.t, w.log, v.Content.Ref); int64(len(got)) != v.Content.Size {
				w.t.Fatalf("content of %q at %d has %d bytes, want %d", v.Name, v.Seq, len(got), v.Content.Size)
			}
		}
	}
}

// wantClean verifies a log that nothing should be wrong in.
func wantClean(t testing.TB, l *Log) Report {
	t.Helper()
	r, err := l.Verify(t.Context(), nil)
	if err != nil {
		t.Fatalf("Verify: %v", err)
	}
	for _, p := range r.Problems {
		t.Errorf("Verify: %s: %s", p.Kind, p.Text)
	}
	if r.Orphans+r.Spooled > 0 {
		t.Errorf("Verify: %d orphans, %d spooled, want none", r.Orphans, r.Spooled)
	}
	return r
}
