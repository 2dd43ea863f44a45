package layers

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// modelView is the plain memory model of one view: what it shows, by copying
// what the rules say instead of resolving it. Shared is a map; a session keeps
// its own words and the overlay is computed by brute force.
type modelLayer struct {
	words map[string]modelWord // by name
}

type modelWord struct {
	kind    string // "file", "dir", "implied", "whiteout"
	opaque  bool
	content string
}

type model struct {
	shared   modelLayer
	sessions []modelLayer
}

func newModel(sessions int) *model {
	m := &model{shared: modelLayer{map[string]modelWord{}}}
	for range sessions {
		m.sessions = append(m.sessions, modelLayer{map[string]modelWord{}})
	}
	return m
}

// resolve is what the stack of layers shows at name.
func resolve(stack []modelLayer, name string) (modelWord, bool) {
	return resolveIn(visible(stack, path.Dir(name)), name)
}

// visible is the layers of stack whose directory dir shows.
func visible(stack []modelLayer, dir string) []modelLayer {
	if dir == "." {
		return stack
	}
	var out []modelLayer
	for _, l := range visible(stack, path.Dir(dir)) {
		w, ok := l.words[dir]
		if !ok {
			continue
		}
		if w.kind == "file" || w.kind == "whiteout" {
			break
		}
		out = append(out, l)
		if w.opaque {
			break
		}
	}
	if w, ok := resolveIn(visible(stack, path.Dir(dir)), dir); !ok || w.kind == "file" {
		return nil
	}
	return out
}

func resolveIn(vis []modelLayer, name string) (modelWord, bool) {
	for i, l := range vis {
		w, ok := l.words[name]
		switch {
		case !ok:
			continue
		case w.kind == "whiteout":
			return w, false
		case w.kind == "implied":
			if solidBelow(vis[i:], name) || l.real(name) {
				return modelWord{kind: "dir"}, true
			}
			if w.opaque {
				return w, false
			}
			continue
		}
		return w, true
	}
	return modelWord{}, false
}

// solidBelow tells whether the first word below the implied rows is a directory.
func solidBelow(vis []modelLayer, name string) bool {
	for _, l := range vis {
		switch w, ok := l.words[name]; {
		case !ok || w.kind == "implied":
		default:
			return w.kind == "dir"
		}
	}
	return false
}

func (l modelLayer) real(dir string) bool {
	for n, w := range l.words {
		if below(n, dir) && (w.kind == "file" || w.kind == "dir") {
			return true
		}
	}
	return false
}

// show is everything the stack shows.
func show(stack []modelLayer) map[string]string {
	names := map[string]bool{}
	for _, l := range stack {
		for n := range l.words {
			names[n] = true
		}
	}
	out := map[string]string{}
	for n := range names {
		switch w, ok := resolve(stack, n); {
		case !ok:
		case w.kind == "file":
			out[n] = w.content
		default:
			out[n+"/"] = ""
		}
	}
	return out
}

// act is one random operation, done to the model by the rules' own words.
type act struct {
	who            int // -1: a user of shared
	op, name, dest string
	text           string
}

func (m *model) stack(who int) []modelLayer {
	if who < 0 {
		return []modelLayer{m.shared}
	}
	return []modelLayer{m.sessions[who], m.shared}
}

// do applies a and tells which error is due.
func (m *model) do(a act) error {
	stack := m.stack(a.who)
	own, lower := stack[0], stack[1:]
	switch a.op {
	case "put", "mkdir":
		if err := parentError(stack, a.name); err != nil {
			return err
		}
		w, exists := resolve(stack, a.name)
		if a.op == "mkdir" && exists {
			return fs.ErrExist
		}
		if a.op == "put" && exists && w.kind != "file" {
			return ErrIsDir
		}
		opq := opaqueAt(stack, a.name)
		keepOpaque := own.words[a.name].opaque && own.words[a.name].kind == "implied"
		own.imply(lower, a.name)
		if a.op == "put" {
			own.drop(a.name)
			own.words[a.name] = modelWord{kind: "file", content: a.text}
		} else {
			own.words[a.name] = modelWord{kind: "dir", opaque: opq || keepOpaque}
		}
	case "remove":
		if _, ok := resolve(stack, a.name); !ok {
			return fs.ErrNotExist
		}
		own.remove(stack, a.name)
	case "copy", "move":
		return m.transfer(a, stack)
	}
	return nil
}

func (m *model) transfer(a act, stack []modelLayer) error {
	own := stack[0]
	src, ok := resolve(stack, a.name)
	if !ok {
		return fs.ErrNotExist
	}
	if a.name == a.dest || below(a.name, a.dest) || below(a.dest, a.name) {
		return ErrOverlap
	}
	if err := parentError(stack, a.dest); err != nil {
		return err
	}
	all := show(stack)
	opq := opaqueAt(stack, a.dest)
	lowerStack := stack[1:]
	if a.op == "move" {
		own.remove(stack, a.name)
	}
	own.imply(lowerStack, a.dest)
	own.drop(a.dest)
	own.words[a.dest] = modelWord{kind: src.kind, content: src.content, opaque: src.kind == "dir" && opq}
	for n, text := range all {
		isDir := strings.HasSuffix(n, "/")
		n = strings.TrimSuffix(n, "/")
		if !below(n, a.name) {
			continue
		}
		w := modelWord{kind: "file", content: text}
		if isDir {
			w = modelWord{kind: "dir"}
		}
		own.words[a.dest+strings.TrimPrefix(n, a.name)] = w
	}
	return nil
}

func parentError(stack []modelLayer, name string) error {
	if dir := path.Dir(name); dir != "." {
		if w, ok := resolve(stack, dir); !ok || w.kind == "file" {
			return ErrNoParent
		}
	}
	return nil
}

// lowerHas tells whether the layers below the first would show name.
func lowerHas(stack []modelLayer, name string) bool {
	vis := visible(stack, path.Dir(name))
	if len(vis) > 0 && sameWords(vis[0], stack[0]) {
		vis = vis[1:]
	}
	_, ok := resolveIn(vis, name)
	return ok
}

func sameWords(a, b modelLayer) bool { return fmt.Sprintf("%p", a.words) == fmt.Sprintf("%p", b.words) }

func opaqueAt(stack []modelLayer, name string) bool {
	return lowerHas(stack, name) || stack[0].words[name].kind == "whiteout"
}

// imply makes the ancestors of name that the layer lacks.
func (l modelLayer) imply(lower []modelLayer, name string) {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if _, ok := l.words[dir]; !ok {
			l.words[dir] = modelWord{kind: "implied"}
		}
	}
}

// drop forgets what the layer has at and below name.
func (l modelLayer) drop(name string) {
	maps.DeleteFunc(l.words, func(n string, _ modelWord) bool { return n == name || below(n, name) })
}

func (l modelLayer) remove(stack []modelLayer, name string) {
	hidden := lowerHas(stack, name)
	if hidden {
		l.imply(stack[1:], name)
	}
	l.drop(name)
	if hidden {
		l.words[name] = modelWord{kind: "whiteout"}
	}
}

// TestModel compares random operations of several sessions and a user with the
// memory model: the same errors, and after each the same views.
func TestModel(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("VARVE_SEED"); s != "" {
		fmt.Sscan(s, &seed)
	}
	n := long(t, 100_000)
	t.Logf("seed %d, %d operations", seed, n)
	rng := rand.New(rand.NewPCG(seed, 0))
	for left := n; left > 0; left -= 100 {
		runModel(t, rng, min(left, 100))
		if t.Failed() {
			return
		}
	}
}

func runModel(t *testing.T, rng *rand.Rand, n int) {
	w, m := newWorld(t), newModel(3)
	hands := map[int]hand{-1: w.User("ann"), 0: w.Session("zero"), 1: w.Session("one"), 2: w.Session("two")}
	var done []act
	past := map[Seq]map[int]map[string]string{} // what each saw at a seq
	for range n {
		a := randomAct(rng)
		done = append(done, a)
		want, got := m.do(a), hands[a.who].do(a)
		past[w.log.Seq()] = map[int]map[string]string{}
		if !errors.Is(got, want) {
			t.Fatalf("%v\n= %v, want %v", done, got, want)
		}
		for who, h := range hands {
			if diff := cmp.Diff(show(m.stack(who)), h.tree()); diff != "" {
				t.Fatalf("%v\nview of %d (-want +got):\n%s", done, who, diff)
			}
			past[w.log.Seq()][who] = show(m.stack(who))
		}
	}
	for seq, shown := range past {
		who := rng.IntN(4) - 1
		h := hand{hands[who].At(seq), w}
		if diff := cmp.Diff(shown[who], h.tree()); diff != "" {
			t.Fatalf("%v\nview of %d at %d (-want +got):\n%s", done, who, seq, diff)
		}
	}
}

func randomAct(rng *rand.Rand) act {
	a := act{who: rng.IntN(4) - 1, name: randomName(rng), dest: randomName(rng), text: fmt.Sprint(rng.IntN(1000))}
	a.op = []string{"put", "put", "put", "mkdir", "mkdir", "mkdir", "remove", "remove", "copy", "move", "move"}[rng.IntN(11)]
	return a
}

func randomName(rng *rand.Rand) string {
	parts := make([]string, 1+rng.IntN(3))
	for i := range parts {
		parts[i] = string(rune('a' + rng.IntN(3)))
	}
	return path.Join(parts...)
}

func (h hand) do(a act) error {
	ctx := h.w.t.Context()
	switch a.op {
	case "put":
		return h.tryPut(a.name, a.text, Cond{})
	case "mkdir":
		_, err := h.Mkdir(ctx, a.name, nil, Cond{})
		return err
	case "remove":
		_, err := h.Remove(ctx, a.name, Cond{})
		return err
	case "copy":
		_, err := h.Copy(ctx, h.View, a.name, a.dest, CopyOptions{Overwrite: true})
		return err
	}
	_, err := h.Move(ctx, a.name, a.dest, CopyOptions{Overwrite: true})
	return err
}
