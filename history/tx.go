package history

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"varve/history/sql"
)

// Tx is one consistent read of the store: in View a snapshot, in a plan the
// state the change will be appended to. It is used by one goroutine.
//
// In a plan some of that state is not in the database yet but pending in the
// batch: single names are looked up there first, anything that reads a range
// has it written before.
type Tx struct {
	c     *sql.Conn // nil once the Tx is invalid
	now   time.Time
	b     *batch // in a plan
	seq   Seq    // in a View, once asked for
	err   error  // of a question that could not answer with it
	queue []write
}

// write is what Tx.Do queues.
type write struct {
	query string
	args  []any
}

var (
	errEnded    = errors.New("transaction is over")
	errReadOnly = errors.New("store is open for reading only")
	errInView   = errors.New("a view cannot write")
)

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

func (tx *Tx) end() { tx.c = nil }

// query is Conn.Query. After an error of reading SQLite may have rolled back what
// others in the batch wrote, and would take what follows outside of any
// transaction: nothing of such a batch may be committed.
func (tx *Tx) query(query string, args []any, scan func(sql.Row) error) error {
	switch {
	case tx.c == nil:
		return errEnded
	case tx.err != nil:
		return tx.err
	case tx.b == nil:
		return tx.c.Query(query, args, scan)
	case tx.b.err != nil:
		return tx.b.err
	}
	var own error
	err := tx.c.Query(query, args, func(r sql.Row) error {
		own = scan(r)
		return own
	})
	if err != nil && own == nil {
		tx.b.err = err
	}
	return err
}

// settle writes what is pending if a range as of at would have to show it.
func (tx *Tx) settle(at Seq) error {
	if tx.b == nil || len(tx.b.changes) == 0 || at < tx.b.changes[0].Seq {
		return nil
	}
	return tx.b.flush()
}

const selectSeq = `SELECT coalesce(max(seq), 0) FROM change`

// Seq is the last change the Tx sees.
func (tx *Tx) Seq() Seq {
	if tx.b != nil {
		return tx.b.end.seq
	}
	if tx.seq == 0 {
		tx.err = tx.query(selectSeq, nil, func(r sql.Row) error { return r.Scan(&tx.seq) })
	}
	return tx.seq
}

// Now is the clock: in a plan the time the change will carry.
func (tx *Tx) Now() time.Time { return tx.now }

// Heads finds the given keys as of at (Live: the present), one query for all.
// Absent keys, and keys whose newest version is a gap, are absent from the map.
// Touched is only set when at is Live.
func (tx *Tx) Heads(keys []Key, at Seq) (map[Key]Head, error) {
	found := make(map[Key]Head, len(keys))
	if at != Live {
		return found, tx.headsAt(keys, at, found)
	}
	args := make([]any, 0, 3*len(keys))
	for _, k := range keys {
		if e := tx.pending(k); e != nil {
			if e.Kind != Gap {
				found[k] = tx.b.headOf(e)
			}
			continue
		}
		args = keyArgs(args, k)
	}
	row := newHeadRow(0, "")
	err := selectHeads.ask(args, func(text string, args []any) error {
		return tx.query(text, args, func(r sql.Row) error {
			h, err := row.scan(tx, r)
			found[Key{h.Layer, h.Name}] = h
			return err
		})
	})
	return found, err
}

func (tx *Tx) pending(k Key) *entry {
	if tx.b == nil {
		return nil
	}
	return tx.b.names[k]
}

func (tx *Tx) headsAt(keys []Key, at Seq, found map[Key]Head) error {
	if err := tx.settle(at); err != nil {
		return err
	}
	return tx.versions(selectVersionsAt, keys, at, func(v Version) {
		found[Key{v.Layer, v.Name}] = Head{Version: v}
	})
}

// versions calls take for what text finds of keys as of at, at times twice.
func (tx *Tx) versions(text *statement, keys []Key, at Seq, take func(Version)) error {
	args := make([]any, 0, 4*len(keys))
	for _, k := range keys {
		args = append(keyArgs(args, k), int64(at))
	}
	row := newVersionRow()
	return text.ask(args, func(text string, args []any) error {
		return tx.query(text, args, func(r sql.Row) error {
			v, err := row.scan(r)
			take(v)
			return err
		})
	})
}

// Last is the newest version of a name, gaps included; fs.ErrNotExist if the
// name never had one in this layer.
func (tx *Tx) Last(k Key) (Version, error) {
	if e := tx.pending(k); e != nil {
		return *e.Version, nil
	}
	dir, base := split(k.Name)
	return tx.version(selectVersionAt, int64(k.Layer), dir, base, int64(Live))
}

// Lasts is Last for many names, with few queries: names that never had a
// version are absent from the map.
func (tx *Tx) Lasts(keys []Key) (map[Key]Version, error) {
	found := make(map[Key]Version, len(keys))
	written := make([]Key, 0, len(keys))
	for _, k := range keys {
		if e := tx.pending(k); e != nil {
			found[k] = *e.Version
			continue
		}
		written = append(written, k)
	}
	return found, tx.versions(selectLasts, written, Live, func(v Version) { found[Key{v.Layer, v.Name}] = v })
}

// Version finds what a node was at exactly the seq of ref. Where one change
// took it from one name to another, that is the latter.
func (tx *Tx) Version(ref Ref) (Version, error) {
	if err := tx.settle(ref.Seq); err != nil {
		return Version{}, err
	}
	return tx.version(selectVersionOf, int64(ref.Node), int64(ref.Seq))
}

func (tx *Tx) version(query string, args ...any) (v Version, err error) {
	found := false
	err = tx.query(query, args, func(r sql.Row) error {
		found = true
		v, err = newVersionRow().scan(r)
		return err
	})
	if err == nil && !found {
		err = fmt.Errorf("version: %w", fs.ErrNotExist)
	}
	return v, err
}

const selectUsage = `SELECT bytes FROM usage WHERE issuer = $1 AND sub = $2 AND layer = 0`

// Usage is how many bytes the versions of an account count.
func (tx *Tx) Usage(a Account) (bytes int64, err error) {
	err = tx.query(selectUsage, []any{a.Issuer, a.Sub}, func(r sql.Row) error { return r.Scan(&bytes) })
	if tx.b != nil {
		bytes += tx.b.usage[usageKey{a, 0}]
	}
	return bytes, err
}

const selectStored = `SELECT value FROM stat WHERE name = 'stored'`

// Stored is how many physical bytes the store's blobs take. In a plan it may
// be too high by contents that others are just storing and the store has.
func (tx *Tx) Stored() (bytes int64, err error) {
	err = tx.query(selectStored, nil, func(r sql.Row) error { return r.Scan(&bytes) })
	if tx.b != nil {
		for _, u := range tx.b.uploads {
			bytes += u.Size
		}
	}
	return bytes, err
}

// Rows runs a read-only query of a table the calling package owns and calls
// scan for each row; scan must not query. It sees what Do queued in earlier
// plans, but not what this plan queued.
func (tx *Tx) Rows(query string, args []any, scan func(sql.Row) error) error {
	return tx.query(query, args, scan)
}

// Do queues a write to a table the calling package owns: it is executed in the
// same transaction if the plan returns no error, before the next plan runs.
func (tx *Tx) Do(query string, args ...any) {
	if tx.b == nil {
		tx.err = errInView
	}
	tx.queue = append(tx.queue, write{query, args})
}
