package layers

import (
	"path"

	"varve/history"
)

// children lists what shows in the directory that f found at dir, by name.
func (b *bound) children(dir string, f found) ([]found, error) {
	rows := make([][]history.Head, len(b.strata))
	for _, i := range f.merged {
		s := b.strata[i]
		if s.layer == 0 {
			continue
		}
		var err error
		if rows[i], err = b.tx.Children(s.layer, dir, s.at); err != nil {
			return nil, err
		}
	}
	return b.zip(f.merged, rows)
}

// zip merges the sorted rows of several strata name by name.
func (b *bound) zip(vis []int, rows [][]history.Head) ([]found, error) {
	most := 0
	for _, i := range vis {
		most += len(rows[i])
	}
	all := make([]found, 0, most)
	for {
		next, any := "", false
		for _, i := range vis {
			if len(rows[i]) > 0 && (!any || rows[i][0].Name < next) {
				next, any = rows[i][0].Name, true
			}
		}
		if !any {
			return all, nil
		}
		f, err := b.overlay(vis, func(i int) (*history.Head, bool) {
			if len(rows[i]) == 0 || rows[i][0].Name != next {
				return nil, false
			}
			return &rows[i][0], true
		})
		if err != nil {
			return nil, err
		}
		for _, i := range vis {
			if len(rows[i]) > 0 && rows[i][0].Name == next {
				rows[i] = rows[i][1:]
			}
		}
		if f.win != nil {
			all = append(all, f)
		}
	}
}

// leaf is one entry of a tree: where it lies below the tree's root and what shows there.
type leaf struct {
	rel string // key path below the root; "." for the root
	found
}

// tree collects what shows at and below the place p, parents first, at most
// limit entries (history.ErrTooManyEntries).
func (b *bound) tree(p place, limit int) ([]leaf, error) {
	all := []leaf{{".", p.found}}
	for k := 0; k < len(all); k++ {
		l := all[k]
		if l.win.head.Kind != history.Dir {
			continue
		}
		kids, err := b.children(path.Join(p.name, l.rel), l.found)
		if err != nil {
			return nil, err
		}
		if len(all)+len(kids) > limit {
			return nil, ErrTooMany
		}
		for _, kid := range kids {
			all = append(all, leaf{path.Join(l.rel, path.Base(kid.win.head.Name)), kid})
		}
	}
	return all, nil
}
