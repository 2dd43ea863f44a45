package layers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varve/authz"
	"varve/history"
)

// world is a store with people and agents in it. After every step it checks
// what must always hold.
type world struct {
	t     *testing.T
	store *Store
	log   *history.Log
	ahead atomic.Int64 // how far the clock is ahead, in nanoseconds
}

// later lets time go by.
func (w *world) later(d time.Duration) { w.ahead.Add(int64(d)) }

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

func newWorld(t *testing.T) *world { return newLimitedWorld(t, Limits{}) }

func newLimitedWorld(t *testing.T, limits Limits) *world {
	t.Helper()
	w := &world{t: t}
	log, err := history.Open(t.Context(), history.Options{Dir: t.TempDir(), Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	w.log, w.store = log, New(Config{Log: log, Limits: limits})
	t.Cleanup(func() {
		if report, err := log.Verify(context.Background(), nil); err != nil || len(report.Problems) > 0 {
			t.Errorf("Verify after the test = %v, %v", report, err)
		}
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func user(sub string) Caller {
	return Caller{Principal: authz.Principal{Sub: sub, Scopes: authz.Read | authz.Write, Path: ".", Mints: true}}
}

func agent(owner, session string) Caller {
	c := user(owner)
	c.Session = session
	return c
}

// freeze has a session of ann's see shared as of a seq; what does so for people
// comes with its own operation.
func (w *world) freeze(id string, at Seq) {
	w.t.Helper()
	edit := func(_ *history.Tx, one *Session) error { one.Freeze = at; return nil }
	if _, err := w.store.manage(w.t.Context(), user("ann"), id, edit); err != nil {
		w.t.Fatal(err)
	}
}

// hand is somebody's home and what they do there.
type hand struct {
	*View
	w *world
}

// User is ann's home unless another name is given.
func (w *world) User(name string) hand { return hand{w.store.View(user(name), Scope{}), w} }

// Session is an agent's home; ann owns it.
func (w *world) Session(id string) hand {
	return hand{w.store.View(agent("ann", "session-"+id), Scope{}), w}
}

func (h hand) put(name, text string) hand {
	h.w.t.Helper()
	h.want("put "+name, nil, h.tryPut(name, text, Cond{}))
	return h
}

func (h hand) tryPut(name, text string, c Cond) error {
	_, err := h.Put(h.w.t.Context(), name, PutOptions{Body: strings.NewReader(text), Length: int64(len(text)), Cond: c})
	return err
}

func (h hand) mkdir(names ...string) hand {
	h.w.t.Helper()
	for _, n := range names {
		_, err := h.Mkdir(h.w.t.Context(), n, nil, Cond{})
		h.want("mkdir "+n, nil, err)
	}
	return h
}

func (h hand) remove(name string) hand {
	h.w.t.Helper()
	_, err := h.Remove(h.w.t.Context(), name, Cond{})
	h.want("remove "+name, nil, err)
	return h
}

func (h hand) move(from, to string) hand {
	h.w.t.Helper()
	_, err := h.Move(h.w.t.Context(), from, to, CopyOptions{Overwrite: true})
	h.want("move "+from+" "+to, nil, err)
	return h
}

func (h hand) copy(from, to string) hand {
	h.w.t.Helper()
	_, err := h.Copy(h.w.t.Context(), h.View, from, to, CopyOptions{Overwrite: true})
	h.want("copy "+from+" "+to, nil, err)
	return h
}

func (h hand) want(what string, want, got error) {
	h.w.t.Helper()
	if !errors.Is(got, want) {
		h.w.t.Fatalf("%s: error %v, want %v", what, got, want)
	}
}

func (h hand) stat(name string) Entry {
	h.w.t.Helper()
	e, err := h.Stat(h.w.t.Context(), name)
	h.want("stat "+name, nil, err)
	return e
}

// read is a file's text, or "absent", or "dir".
func (h hand) read(name string) string {
	h.w.t.Helper()
	f, err := h.Open(h.w.t.Context(), name)
	if errors.Is(err, fs.ErrNotExist) {
		return "absent"
	}
	h.want("open "+name, nil, err)
	defer f.Close()
	if f.IsDir() {
		return "dir"
	}
	text, err := io.ReadAll(f.Content)
	h.want("read "+name, nil, err)
	return string(text)
}

// tree is all that shows: directories end in a slash, files have their text. It
// checks that Walk, List and Open agree.
func (h hand) tree() map[string]string {
	h.w.t.Helper()
	walked := map[string]string{}
	err := h.Walk(h.w.t.Context(), ".", func(rel string, e Entry) error {
		if e.IsDir() && rel != "." {
			walked[e.Name+"/"] = ""
		}
		if !e.IsDir() {
			walked[e.Name] = e.Version.Content.Ref.String()
		}
		return nil
	})
	h.want("walk", nil, err)
	listed := map[string]string{}
	h.listInto(".", listed)
	if diff := cmp.Diff(listed, walked); diff != "" {
		h.w.t.Fatalf("List and Walk disagree (-list +walk):\n%s", diff)
	}
	for n := range walked {
		if !strings.HasSuffix(n, "/") {
			walked[n] = h.read(n)
		}
	}
	return walked
}

func (h hand) listInto(dir string, into map[string]string) {
	h.w.t.Helper()
	l, err := h.List(h.w.t.Context(), dir, ListOptions{Entries: true})
	h.want("list "+dir, nil, err)
	if !slices.IsSortedFunc(l.Entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) }) {
		h.w.t.Fatalf("list %s is not in order", dir)
	}
	for _, e := range l.Entries {
		if path.Dir(e.Name) != dir {
			h.w.t.Fatalf("list %s has %s", dir, e.Name)
		}
		if e.IsDir() {
			into[e.Name+"/"] = ""
			h.listInto(e.Name, into)
			continue
		}
		into[e.Name] = e.Version.Content.Ref.String()
	}
}

// shows checks what the whole view shows: "name=text" for files, "name/" for
// directories.
func (h hand) shows(want ...string) hand {
	h.w.t.Helper()
	var got []string
	for n, text := range h.tree() {
		if !strings.HasSuffix(n, "/") {
			n += "=" + text
		}
		got = append(got, n)
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		h.w.t.Fatalf("view of %s (-want +got):\n%s", h.who.Sub+" "+h.who.Session, diff)
	}
	return h
}

// rows is what a layer holds of its own, for rules about rows.
func (w *world) rows(layer history.Layer) map[string]history.Kind {
	w.t.Helper()
	rows := map[string]history.Kind{}
	err := w.log.View(w.t.Context(), func(tx *history.Tx) error {
		all, err := tx.Below(layer, ".", Live, history.MaxEntries)
		for _, h := range all {
			rows[h.Name] = h.Kind
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return rows
}

// long is a test's size: n times VARVE_LONG, which is 0.1 in CI; by default, and with -short, a hundredth.
func long(t *testing.T, n int) int {
	t.Helper()
	part := 0.01
	if s := os.Getenv("VARVE_LONG"); s != "" && !testing.Short() {
		if _, err := fmt.Sscan(s, &part); err != nil {
			t.Fatalf("VARVE_LONG=%q: %v", s, err)
		}
	}
	return max(int(float64(n)*part), 1)
}
