package history

import (
	"bytes"
	"iter"
	"strings"

	"varve/history/sql"
)

// row is a stored head.
type row struct {
	key        Key
	kind       Kind
	real       bool
	seq        Seq
	touched    Seq
	touchedAt  int64
	changeTime *int64 // of the change touched names; nil if there is none
	packed     []byte
}

const (
	verifyHeads = `SELECT h.layer, h.dir, h.name, h.kind, h.real, h.seq, h.touched, h.touched_at, h.packed, c.time
		FROM head h LEFT JOIN change c ON c.seq = h.touched ORDER BY h.layer, h.dir, h.name`
	verifyNewest = fromVersions + `ORDER BY v.layer, v.dir, v.name, v.seq`
)

// tree is what is learnt of the directories while going through all names.
type tree struct {
	dirs    map[Key]row  // heads that are directories
	parents map[Key]bool // what other heads lie in
	touched map[Key]Seq  // the newest version directly in a directory, or of itself
}

// heads goes through heads and versions side by side, in the order of names.
func (v *verifier) heads() error {
	t := tree{map[Key]row{}, map[Key]bool{}, v.renewed}
	var failed error
	next, stop := iter.Pull(v.rows(&failed))
	defer stop()
	h, more := next()
	names := int64(0)
	for newest := range v.newest(&t, &failed) {
		k := Key{newest.Layer, newest.Name}
		for more && before(h.key, k) {
			v.report(BadHead, "head of %q in layer %d has no version", h.key.Name, h.key.Layer)
			h, more = next()
		}
		found := more && h.key == k
		v.compare(&t, &newest, h, found)
		if found {
			h, more = next()
		}
		if names++; names%pageChanges == 0 && v.ctx.Err() != nil {
			return v.ctx.Err()
		}
	}
	for ; more; h, more = next() {
		v.report(BadHead, "head of %q in layer %d has no version", h.key.Name, h.key.Layer)
	}
	if failed != nil {
		return failed
	}
	v.directories(&t)
	return nil
}

// before is the order of the head table's key.
func before(a, b Key) bool {
	if a.Layer != b.Layer {
		return a.Layer < b.Layer
	}
	adir, abase := split(a.Name)
	bdir, bbase := split(b.Name)
	return adir < bdir || adir == bdir && abase < bbase
}

// stopped ends a query early.
type stopped struct{ error }

func (v *verifier) rows(failed *error) iter.Seq[row] {
	return func(yield func(row) bool) {
		err := v.tx.query(verifyHeads, nil, func(r sql.Row) error {
			var h row
			var dir, base string
			err := r.Scan(&h.key.Layer, &dir, &base, &h.kind, &h.real, &h.seq, &h.touched, &h.touchedAt, &h.packed, &h.changeTime)
			if err != nil {
				return err
			}
			h.key.Name = join(dir, base)
			if v.Heads++; !yield(h) {
				return stopped{}
			}
			return nil
		})
		if _, ok := err.(stopped); err != nil && !ok {
			*failed = err
		}
	}
}

// newest yields the newest version of each name, and shows all to t.
func (v *verifier) newest(t *tree, failed *error) iter.Seq[Version] {
	return func(yield func(Version) bool) {
		var last Version
		row := newVersionRow()
		err := v.tx.query(verifyNewest, nil, func(r sql.Row) error {
			ver, err := row.scan(r)
			if err != nil {
				return err
			}
			t.see(&ver)
			if last.Seq != 0 && (last.Layer != ver.Layer || last.Name != ver.Name) && !yield(last) {
				return stopped{}
			}
			last = ver
			return v.advance(bytesPerRow)
		})
		if _, ok := err.(stopped); ok {
			return
		}
		if err != nil {
			*failed = err
			return
		}
		if last.Seq != 0 {
			yield(last)
		}
	}
}

func (t *tree) see(v *Version) {
	k := Key{v.Layer, v.Name}
	if v.Kind == Dir {
		t.touched[k] = max(t.touched[k], v.Seq)
	}
	if v.Name != "." {
		p := parent(k)
		t.touched[p] = max(t.touched[p], v.Seq)
	}
}

// compare holds the head of a name, if found, against its newest version.
func (v *verifier) compare(t *tree, newest *Version, h row, found bool) {
	if newest.Kind == Gap {
		if found {
			v.report(BadHead, "%q in layer %d has a head and should have none", newest.Name, newest.Layer)
		}
		return
	}
	switch {
	case !found:
		v.report(BadHead, "%q in layer %d has no head", newest.Name, newest.Layer)
		return
	case !bytes.Equal(h.packed, pack(nil, newest)),
		h.seq != newest.Seq, h.kind != newest.Kind, h.real != isReal(newest):
		v.report(BadHead, "head of %q in layer %d is not its newest version", newest.Name, newest.Layer)
	}
	if newest.Kind == Dir {
		h.packed = nil
		t.dirs[h.key] = h
	}
	if newest.Name != "." {
		t.parents[parent(h.key)] = true
	}
}

// directories holds what was learnt of directories against their heads.
func (v *verifier) directories(t *tree) {
	for p := range t.parents {
		if _, ok := t.dirs[p]; !ok {
			v.report(BadAncestor, "%q in layer %d has something below it and is no directory", p.Name, p.Layer)
		}
	}
	// What was touched hands on to what is above, the deepest first.
	deepest := map[int][]Key{}
	depth := 0
	for k := range t.touched {
		n := strings.Count(k.Name, "/")
		deepest[n] = append(deepest[n], k)
		depth = max(depth, n)
	}
	for n := depth; n >= 0; n-- {
		for _, k := range deepest[n] {
			if k.Name == "." {
				continue
			}
			p := parent(k)
			if _, ok := t.touched[p]; !ok {
				deepest[max(n-1, 0)] = append(deepest[max(n-1, 0)], p)
			}
			t.touched[p] = max(t.touched[p], t.touched[k])
		}
	}
	for k, h := range t.dirs {
		if h.touched != t.touched[k] {
			v.report(BadTouched, "%q in layer %d was touched by change %d, its head says %d", k.Name, k.Layer, t.touched[k], h.touched)
		} else if h.changeTime == nil || h.touchedAt != *h.changeTime {
			v.report(BadTouched, "%q in layer %d has not the time of change %d", k.Name, k.Layer, h.touched)
		}
	}
}
