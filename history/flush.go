package history

import (
	"fmt"
	"io/fs"

	"varve/history/blob"
	"varve/history/sql"
)

// flush writes what is pending. The order is that of the foreign keys.
func (b *batch) flush() error {
	if b.err != nil || len(b.changes) == 0 {
		return b.err
	}
	steps := []func() error{
		b.checkParents, b.writeChanges, b.writeVersions, b.writeHeads, b.writeTouched,
		b.writeSessions, b.writeUsage, b.writeRenewals, b.checkEmptied,
	}
	for _, step := range steps {
		if b.err = step(); b.err != nil {
			return b.err
		}
	}
	b.reset()
	return nil
}

func (b *batch) exec(text string, args []any) error {
	_, err := b.c.Exec(text, args...)
	return err
}

func keyArgs(args []any, k Key) []any {
	dir, base := split(k.Name)
	return append(args, int64(k.Layer), dir, base)
}

var selectParents = rowsOf(`SELECT layer, dir, name FROM head WHERE kind = 3 AND (layer, dir, name) IN (VALUES `, 3, `)`)

// checkParents runs before heads are written: what it looks for was there
// before any pending change.
func (b *batch) checkParents() error {
	var args []any
	for k := range b.parents {
		args = keyArgs(args, k)
	}
	err := selectParents.ask(args, func(text string, args []any) error {
		return b.c.Query(text, args, func(r sql.Row) error {
			var layer Layer
			var dir, base string
			err := r.Scan(&layer, &dir, &base)
			delete(b.parents, Key{layer, join(dir, base)})
			return err
		})
	})
	if err != nil {
		return err
	}
	for k := range b.parents {
		return errParent(k)
	}
	return nil
}

var selectOccupied = rowsOf(`SELECT layer, dir FROM head WHERE (layer, dir) IN (VALUES `, 2, `) LIMIT 1`)

// checkEmptied runs after heads were written: what is no directory may not
// have anything below it.
func (b *batch) checkEmptied() error {
	var args []any
	for k := range b.emptied {
		if b.names[k].Kind != Dir {
			args = append(args, int64(k.Layer), k.Name)
		}
	}
	return selectOccupied.ask(args, func(text string, args []any) error {
		return b.c.Query(text, args, func(r sql.Row) error {
			var k Key
			if err := r.Scan(&k.Layer, &k.Name); err != nil {
				return err
			}
			return fmt.Errorf("something is left below %q in layer %d: %w", k.Name, k.Layer, fs.ErrInvalid)
		})
	})
}

const (
	selectActor = `SELECT id FROM actor WHERE issuer = $1 AND sub = $2 AND session = $3`
	insertActor = `INSERT INTO actor (issuer, sub, session) VALUES ($1, $2, $3) RETURNING id`
)

// actor interns who made or owns a change.
func (b *batch) actor(a Actor) (id int64, err error) {
	if id, ok := b.l.actors[a]; ok {
		return id, nil
	}
	if id, ok := b.actors[a]; ok {
		return id, nil
	}
	for _, query := range []string{selectActor, insertActor} {
		err := b.c.Query(query, []any{a.Issuer, a.Sub, a.Session}, func(r sql.Row) error { return r.Scan(&id) })
		if err != nil {
			return 0, err
		}
		if id != 0 {
			break
		}
	}
	b.actors[a] = id
	return id, nil
}

var insertChanges = rowsOf(`INSERT INTO change
	(seq, time, actor, owner, op, agent, detail, session, versions, digest, chain) VALUES `, 11, ``)

func (b *batch) writeChanges() error {
	args := make([]any, 0, insertChanges.columns*len(b.changes))
	for i := range b.changes {
		c := &b.changes[i]
		actor, err := b.actor(c.Actor)
		if err != nil {
			return err
		}
		owner, err := b.actor(Actor{Account: c.Owner})
		if err != nil {
			return err
		}
		args = append(args, int64(c.Seq), nanos(c.Time), actor, owner, string(c.Op), c.Agent, c.Detail,
			c.session, len(c.entries), c.digest[:], c.Chain[:])
	}
	return insertChanges.write(args, b.exec)
}

var insertVersions = rowsOf(`INSERT INTO version
	(layer, dir, name, seq, time, spelling, node, kind, flags, blob, type, mtime, born, tier,
	origin_node, origin_seq, base, from_node, from_seq, predecessor_node, predecessor_seq, charge, props) VALUES `, 23, ``)

func (b *batch) writeVersions() error {
	blobs, err := b.writeBlobs()
	if err != nil {
		return err
	}
	for i := range b.changes {
		entries := b.changes[i].entries
		args := make([]any, 0, insertVersions.columns*len(entries))
		for j := range entries {
			args = versionArgs(args, &entries[j], blobs)
		}
		if err := insertVersions.write(args, b.exec); err != nil {
			return err
		}
	}
	return nil
}

func versionArgs(args []any, e *entry, blobs map[blob.Ref]int64) []any {
	var content, props any
	if e.Kind == File {
		content = blobs[e.Content.Ref]
	}
	if len(e.Props) > 0 {
		props = packProps(nil, e.Props)
	}
	return append(args, int64(e.Layer), e.dir, e.base, int64(e.Seq), nanos(e.Time), e.Spelling, int64(e.Node),
		int64(e.Kind), int64(e.Flags), content, e.Type, nanos(e.Mtime), nanos(e.Born), e.Tier,
		int64(e.Origin.Node), int64(e.Origin.Seq), int64(e.Base), int64(e.From.Node), int64(e.From.Seq),
		int64(e.Predecessor.Node), int64(e.Predecessor.Seq), e.Charge, props)
}

var (
	insertHeads = rowsOf(`INSERT INTO head (layer, dir, name, kind, real, seq, touched, touched_at, packed) VALUES `, 9,
		` ON CONFLICT (layer, dir, name) DO UPDATE SET kind = excluded.kind, real = excluded.real, seq = excluded.seq,
		touched = excluded.touched, touched_at = excluded.touched_at, packed = excluded.packed`)
	deleteHeads = rowsOf(`DELETE FROM head WHERE (layer, dir, name) IN (VALUES `, 3, `)`)
)

func (b *batch) writeHeads() error {
	heads := make([]any, 0, insertHeads.columns*len(b.names))
	var gaps []any
	for i := range b.changes {
		entries := b.changes[i].entries
		for j := range entries {
			e := &entries[j]
			k := e.key()
			if b.names[k] != e {
				continue
			}
			if e.Kind == Gap {
				gaps = append(gaps, int64(e.Layer), e.dir, e.base)
				continue
			}
			var t touch
			if e.Kind == Dir {
				t = b.touched[k]
			}
			heads = append(heads, int64(e.Layer), e.dir, e.base, int64(e.Kind), isReal(e.Version), int64(e.Seq),
				int64(t.seq), t.time, e.packed)
		}
	}
	if err := deleteHeads.ask(gaps, b.exec); err != nil {
		return err
	}
	return insertHeads.write(heads, b.exec)
}

var updateTouched = rowsOf(`UPDATE head SET touched = t.column4, touched_at = t.column5 FROM (VALUES `, 5,
	`) AS t WHERE head.layer = t.column1 AND head.dir = t.column2 AND head.name = t.column3 AND head.kind = 3`)

func (b *batch) writeTouched() error {
	var args []any
	for k, t := range b.touched {
		if b.names[k] == nil {
			args = append(keyArgs(args, k), int64(t.seq), t.time)
		}
	}
	return updateTouched.write(args, b.exec)
}

const upsertSession = `INSERT INTO session (` + sessionColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
	ON CONFLICT (id) DO UPDATE SET name = excluded.name, sealed = excluded.sealed, freeze = excluded.freeze`

func (b *batch) writeSessions() error {
	for _, s := range b.sessions {
		_, err := b.c.Exec(upsertSession, s.ID, int64(s.Layer), s.Owner.Issuer, s.Owner.Sub, s.Name,
			int64(s.Born), nanos(s.Created), sealedNanos(s.Sealed), int64(s.Freeze))
		if err != nil {
			return err
		}
	}
	return nil
}

var upsertUsage = rowsOf(`INSERT INTO usage (issuer, sub, layer, bytes) VALUES `, 4,
	` ON CONFLICT (issuer, sub, layer) DO UPDATE SET bytes = usage.bytes + excluded.bytes`)

func (b *batch) writeUsage() error {
	var args []any
	for k, bytes := range b.usage {
		args = append(args, k.Issuer, k.Sub, int64(k.layer), bytes)
	}
	return upsertUsage.write(args, b.exec)
}

var insertRenewals = rowsOf(`INSERT INTO renewal (layer, dir, name, seq) VALUES `, 4, ``)

func (b *batch) writeRenewals() error {
	var args []any
	for i := range b.changes {
		for _, k := range b.changes[i].renews {
			args = append(keyArgs(args, k), int64(b.changes[i].Seq))
		}
	}
	return insertRenewals.write(args, b.exec)
}
