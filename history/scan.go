package history

import (
	"fmt"

	"varve/history/sql"
)

// Heads are read from one packed column; its neighbours are what changes
// without the version changing.
const (
	childColumns = `name, touched, touched_at, packed`
	headColumns  = `layer, dir, ` + childColumns
)

// headRow scans one head after the other. It is made once a query, because a
// listing has many rows, and their types and tiers mostly the same text.
type headRow struct {
	layer, touched, touchedAt int64
	dir, base                 string
	packed                    []byte
	version                   Version
	dest                      [6]any
}

func newHeadRow(layer Layer, dir string) *headRow {
	h := &headRow{layer: int64(layer), dir: dir}
	h.dest = [...]any{&h.layer, &h.dir, &h.base, &h.touched, &h.touchedAt, &h.packed}
	return h
}

// scan reads headColumns.
func (h *headRow) scan(tx *Tx, r sql.Row) (Head, error) {
	if err := r.Scan(h.dest[:]...); err != nil {
		return Head{}, err
	}
	return h.head(tx)
}

// scanChild reads childColumns.
func (h *headRow) scanChild(tx *Tx, r sql.Row) (Head, error) {
	if err := r.Scan(h.dest[2:]...); err != nil {
		return Head{}, err
	}
	return h.head(tx)
}

func (h *headRow) head(tx *Tx) (Head, error) {
	v := &h.version
	v.Layer, v.Name = Layer(h.layer), join(h.dir, h.base)
	if err := unpack(h.packed, v); err != nil {
		return Head{}, fmt.Errorf("head of %q in layer %d: %w", v.Name, v.Layer, err)
	}
	if v.Kind != Dir {
		return Head{Version: *v}, nil
	}
	t := touch{Seq(h.touched), h.touchedAt}
	if tx.b != nil {
		if pending, ok := tx.b.touched[Key{v.Layer, v.Name}]; ok {
			t = pending
		}
	}
	return Head{Version: *v, Touched: t.seq, TouchedTime: fromNanos(t.time)}, nil
}

const versionColumns = `v.layer, v.dir, v.name, v.seq, v.time, v.spelling, v.node, v.kind, v.flags,
	v.type, v.mtime, v.born, v.tier, v.origin_node, v.origin_seq, v.base, v.from_node, v.from_seq,
	v.predecessor_node, v.predecessor_seq, v.charge, v.props, b.hash, b.size, b.sha1, b.md5, b.crc32`

// versionRow scans versionColumns, one version after the other.
type versionRow struct {
	version                Version
	dir, base              string
	time, mtime, born      int64
	props, hash, sha1, md5 []byte
	size, crc              *int64
	dest                   [27]any
}

func newVersionRow() *versionRow {
	r := &versionRow{}
	v := &r.version
	r.dest = [...]any{&v.Layer, &r.dir, &r.base, &v.Seq, &r.time, &v.Spelling, &v.Node, &v.Kind, &v.Flags,
		&v.Type, &r.mtime, &r.born, &v.Tier, &v.Origin.Node, &v.Origin.Seq, &v.Base, &v.From.Node, &v.From.Seq,
		&v.Predecessor.Node, &v.Predecessor.Seq, &v.Charge, &r.props, &r.hash, &r.size, &r.sha1, &r.md5, &r.crc}
	return r
}

func (r *versionRow) scan(from sql.Row) (v Version, err error) {
	if err := from.Scan(r.dest[:]...); err != nil {
		return v, err
	}
	v = r.version
	v.Name = join(r.dir, r.base)
	v.Time, v.Mtime, v.Born = fromNanos(r.time), fromNanos(r.mtime), fromNanos(r.born)
	if r.size != nil && r.crc != nil {
		v.Content.Size, v.Content.CRC32 = *r.size, uint32(*r.crc)
		copy(v.Content.Ref[:], r.hash)
		copy(v.Content.SHA1[:], r.sha1)
		copy(v.Content.MD5[:], r.md5)
	}
	if len(r.props) > 0 {
		if v.Props, err = unpackProps(r.props); err != nil {
			return v, fmt.Errorf("properties of %q in layer %d at %d: %w", v.Name, v.Layer, v.Seq, err)
		}
	}
	return v, nil
}
