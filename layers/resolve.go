package layers

import (
	"cmp"
	"io/fs"
	"path"
	"slices"
	"strings"

	"varve/history"
)

// stratum is one layer of a view, at the moment the view sees it.
type stratum struct {
	layer history.Layer
	at    Seq
}

// word is what a layer says about a name.
type word struct {
	stratum int // index into bound.strata; 0 takes the writes
	head    *history.Head
}

// found is what a view has at a name. The zero found has nothing.
type found struct {
	win    *word         // what shows; nil: nothing does
	lower  *word         // what would show without the first stratum; nil: nothing
	merged []int         // the strata whose directories show together, when win is one
	latest *history.Head // of those, the one touched last
	tag    uint64        // of when each of those was touched: names their state
}

// place is a name together with what decides about it.
type place struct {
	found
	name string
	own  *history.Head // what the first layer says, shown or not
	up   []word        // the ancestors below the root, top first
	// missing are those of up that only lower layers have: a write here must
	// copy them up.
	missing []word
}

// hollow tells whether all the first layer has at p is an implied directory that
// does not show.
func (p place) hollow() bool {
	return p.own != nil && p.own.Kind == history.Dir && !slices.Contains(p.merged, 0)
}

// chain is name and its ancestors below the root, top first.
func chain(name string) []string {
	if name == "." {
		return nil
	}
	var names []string
	for i, c := range name {
		if c == '/' {
			names = append(names, name[:i])
		}
	}
	return append(names, name)
}

// heads reads the given names in all strata, one query for each moment seen.
func (b *bound) heads(names []string) (map[int]map[string]*history.Head, error) {
	all := make(map[int]map[string]*history.Head, len(b.strata))
	byMoment := map[Seq][]int{}
	for i, s := range b.strata {
		all[i] = make(map[string]*history.Head, len(names))
		byMoment[s.at] = append(byMoment[s.at], i)
	}
	for at, strata := range byMoment {
		keys := make([]history.Key, 0, len(names)*len(strata))
		for _, i := range strata {
			for _, n := range names {
				keys = append(keys, history.Key{Layer: b.strata[i].layer, Name: n})
			}
		}
		got, err := b.tx.Heads(keys, at)
		if err != nil {
			return nil, err
		}
		for _, i := range strata {
			for _, n := range names {
				if h, ok := got[history.Key{Layer: b.strata[i].layer, Name: n}]; ok {
					all[i][n] = &h
				}
			}
		}
	}
	return all, nil
}

// overlay is merge, and what would show without the first stratum.
func (b *bound) overlay(vis []int, at func(stratum int) (*history.Head, bool)) (found, error) {
	f, err := b.merge(vis, at)
	if err != nil {
		return f, err
	}
	f.lower = f.win
	if vis[0] == 0 {
		if _, ok := at(0); ok {
			var lower found
			lower, err = b.merge(vis[1:], at)
			f.lower = lower.win
		}
	}
	return f, err
}

// merge decides what shows of the words that the strata vis, in order, have for
// one name. It is the overlay rule; everything that resolves names uses it.
func (b *bound) merge(vis []int, at func(stratum int) (*history.Head, bool)) (found, error) {
	var f found
	var hollow []word // implied directories: they count if something lies below
	for _, i := range vis {
		h, ok := at(i)
		if !ok {
			continue
		}
		w := word{i, h}
		if h.Kind == history.Dir && h.Flags&history.Implied != 0 {
			hollow = append(hollow, w)
			f.show(w)
			if h.Flags&history.Opaque != 0 {
				break
			}
			continue
		}
		if h.Kind != history.Dir {
			if f.win != nil {
				return f, nil // a directory above: no merging with a file or past a whiteout
			}
			return b.settle(hollow, w)
		}
		if f.win == nil {
			f.win = &w
		}
		f.show(w)
		if h.Flags&history.Opaque != 0 {
			break
		}
	}
	if f.win != nil {
		return f, nil
	}
	return b.settle(hollow, word{})
}

// settle decides between implied directories that no lower directory supports
// and under, the file or whiteout below them (or nothing).
func (b *bound) settle(hollow []word, under word) (found, error) {
	var f found
	for _, w := range hollow {
		s := b.strata[w.stratum]
		real, err := b.tx.Real(s.layer, w.head.Name, s.at)
		if err != nil {
			return found{}, err
		}
		if !real {
			continue
		}
		if f.win == nil {
			f.win = &w
		}
		f.show(w)
	}
	if f.win == nil && under.head != nil && under.head.Kind == history.File {
		f.win = &under
	}
	return f, nil
}

// ref points at the version w is; the zero Ref if w is nil.
func (w *word) ref() Ref {
	if w == nil {
		return Ref{}
	}
	return Ref{Node: w.head.Node, Seq: w.head.Seq}
}

// show adds a directory to those shown together.
func (f *found) show(w word) {
	f.merged = append(f.merged, w.stratum)
	if f.latest == nil || w.head.Touched >= f.latest.Touched {
		f.latest = w.head
	}
	f.tag = mix(f.tag ^ mix(uint64(w.stratum)<<56^uint64(w.head.Touched)))
}

// mix is the finalizer of splitmix64: a bijection that spreads every bit.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// every is the strata of b, in order.
func (b *bound) every() []int {
	all := make([]int, len(b.strata))
	for i := range all {
		all[i] = i
	}
	return all
}

// locate walks to name. The error is fs.ErrNotExist when an ancestor does not
// show and ErrNotDir when one is a file; a name that does not show itself is
// no error.
func (b *bound) locate(name string) (place, error) {
	p := place{name: name}
	names := append([]string{"."}, chain(name)...)
	heads, err := b.heads(names)
	if err != nil {
		return p, err
	}
	vis := b.every()
	for k, n := range names {
		at := func(i int) (*history.Head, bool) { return b.word(heads, i, n) }
		f, err := b.overlay(vis, at)
		if err != nil {
			return p, err
		}
		if k < len(names)-1 {
			if err := p.descend(f, at); err != nil {
				return p, err
			}
			vis = f.merged
			continue
		}
		p.found = f
		if own, ok := heads[0][n]; ok {
			p.own = own
		}
	}
	return p, nil
}

// word is what stratum i says about a name; a root exists in every layer, even
// one that no write has made yet.
func (b *bound) word(heads map[int]map[string]*history.Head, i int, name string) (*history.Head, bool) {
	h, ok := heads[i][name]
	if !ok && name == "." {
		root := history.Version{Layer: b.strata[i].layer, Name: ".", Kind: history.Dir, Flags: history.Implied}
		return &history.Head{Version: root}, true
	}
	return h, ok
}

// descend steps through an ancestor.
func (p *place) descend(f found, at func(int) (*history.Head, bool)) error {
	if f.win == nil {
		return fs.ErrNotExist
	}
	if f.win.head.Kind != history.Dir {
		return ErrNotDir
	}
	if f.win.head.Name == "." {
		return nil
	}
	p.up = append(p.up, *f.win)
	if _, ok := at(0); !ok {
		p.missing = append(p.missing, *f.win)
	}
	return nil
}

// spelling is the last element of a version's name as its creator spelled it.
func spelling(v *history.Version) string {
	if v.Name == "." {
		return ""
	}
	return cmp.Or(v.Spelling, path.Base(v.Name))
}

// below tells whether name lies strictly below dir.
func below(name, dir string) bool {
	return name != dir && (dir == "." || strings.HasPrefix(name, dir+"/"))
}
