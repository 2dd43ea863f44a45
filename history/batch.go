package history

import (
	"fmt"
	"io/fs"
	"slices"

	"varve/history/blob"
	"varve/history/sql"
)

// batch is a transaction that several changes are appended to. What they write
// is pending until flush writes it, with few statements for all.
type batch struct {
	l   *Log
	c   *sql.Conn
	err error // the transaction cannot be committed any more

	end    position        // of the log, with the changes of the batch
	actors map[Actor]int64 // interned by this transaction

	stored, surplus []*blob.Upload // with and without a row of their own

	// Pending.
	changes  []record
	names    map[Key]*entry // the newest version of each name
	touched  map[Key]touch  // directories
	sessions map[string]Session
	usage    map[usageKey]int64
	uploads  map[blob.Ref]*blob.Upload
	parents  map[Key]bool // have to be directories in the database already
	emptied  map[Key]bool // are no directories any more and must have nothing below
}

// record is a pending change.
type record struct {
	*Change
	entries []entry // in order
	renews  []Key   // in order
	session []byte
	digest  [32]byte
}

type touch struct {
	seq  Seq
	time int64
}

type usageKey struct {
	Account
	layer Layer // 0: all together
}

func newBatch(l *Log, c *sql.Conn) *batch {
	b := &batch{l: l, c: c, end: l.last, actors: map[Actor]int64{}}
	b.reset()
	return b
}

// reset forgets what was pending.
func (b *batch) reset() {
	b.changes = nil
	b.names = map[Key]*entry{}
	b.touched = map[Key]touch{}
	b.sessions = map[string]Session{}
	b.usage = map[usageKey]int64{}
	b.uploads = map[blob.Ref]*blob.Upload{}
	b.parents = map[Key]bool{}
	b.emptied = map[Key]bool{}
}

// headOf is a pending version as a head.
func (b *batch) headOf(e *entry) Head {
	h := Head{Version: *e.Version}
	if e.Kind == Dir {
		t := b.touched[e.key()]
		h.Touched, h.TouchedTime = t.seq, fromNanos(t.time)
	}
	return h
}

// append takes a plan's change into the batch. An error leaves the batch as it
// was, unless b.err is set.
func (b *batch) append(tx *Tx, planned *Change) (*Change, error) {
	c := *planned
	c.Versions = slices.Clone(planned.Versions)
	c.Seq, c.Time = b.end.seq+1, tx.now
	if err := b.settleSession(tx, &c); err != nil {
		return nil, err
	}
	if len(c.Versions) > MaxEntries {
		return nil, ErrTooManyEntries
	}
	for i := range c.Versions {
		if err := complete(&c.Versions[i], &c, i); err != nil {
			return nil, err
		}
	}
	for _, u := range c.Uploads {
		if u.Data == nil && u.Locator == "" {
			return nil, fmt.Errorf("upload of %s was not kept: %w", u.Ref, fs.ErrInvalid)
		}
	}
	own, err := byName(c.Versions)
	if err != nil {
		return nil, err
	}
	parents, err := b.ancestors(own)
	if err != nil {
		return nil, err
	}
	// A directory made where one went in this very batch: what was below has
	// to be gone before it comes to look right again.
	for k, v := range own {
		if v.Kind == Dir && b.emptied[k] {
			if err := b.flush(); err != nil {
				return nil, err
			}
			break
		}
	}
	b.take(&c, own, parents)
	return &c, nil
}

// settleSession completes the session row of a change, and gives a new session
// its root: implied, because it states nothing of its own and must not hide what
// shared's root states.
func (b *batch) settleSession(tx *Tx, c *Change) error {
	if c.Session == nil {
		return nil
	}
	s, isNew, err := tx.session(c.Session, c.Seq)
	if err != nil {
		return err
	}
	c.Session = &s
	root := func(v Version) bool { return v.Layer == s.Layer && v.Name == "." }
	if isNew && !slices.ContainsFunc(c.Versions, root) {
		c.Versions = append(c.Versions, Version{Layer: s.Layer, Name: ".", Kind: Dir, Flags: Implied})
	}
	return nil
}

// nodeBits is how many nodes one change can make: more than MaxEntries.
const nodeBits = 17

// complete sets what the log decides of the ith version of a change.
func complete(v *Version, c *Change, i int) error {
	if err := validKey(v.Name); err != nil {
		return err
	}
	if v.Name == "." && v.Kind != Dir {
		return fmt.Errorf("the root of layer %d is a directory: %w", v.Layer, fs.ErrInvalid)
	}
	if v.Kind > Dir || v.Layer < Shared || (v.Kind == File) == v.Content.Ref.IsZero() {
		return fmt.Errorf("version of %q: %w", v.Name, fs.ErrInvalid)
	}
	v.Seq, v.Time = c.Seq, c.Time
	if v.Node == NewNode && v.Kind >= File {
		v.Node = Node(int64(c.Seq)<<nodeBits | int64(i))
	}
	if v.Mtime.IsZero() {
		v.Mtime = c.Time
	}
	if v.Born.IsZero() {
		v.Born = c.Time
	}
	v.Mtime, v.Born = fromNanos(nanos(v.Mtime)), fromNanos(nanos(v.Born))
	return nil
}

// byName indexes versions, of which there may be one a name.
func byName(versions []Version) (map[Key]*Version, error) {
	own := make(map[Key]*Version, len(versions))
	for i := range versions {
		v := &versions[i]
		k := Key{v.Layer, v.Name}
		if own[k] != nil {
			return nil, fmt.Errorf("two versions of %q in layer %d in one change: %w", v.Name, v.Layer, fs.ErrInvalid)
		}
		own[k] = v
	}
	return own, nil
}

// ancestors makes sure that what a change writes lies in directories, and
// returns those of them that only the database knows. That the parent is one
// is enough: it was allowed to be one only within its own.
func (b *batch) ancestors(own map[Key]*Version) ([]Key, error) {
	var unknown []Key
	for k, v := range own {
		if v.Kind == Gap || k.Name == "." {
			continue
		}
		p := parent(k)
		kind := Dir
		if o := own[p]; o != nil {
			kind = o.Kind
		} else if e := b.names[p]; e != nil {
			kind = e.Kind
		} else {
			unknown = append(unknown, p)
		}
		if kind != Dir {
			return nil, errParent(p)
		}
	}
	return unknown, nil
}

func errParent(k Key) error {
	return fmt.Errorf("%q in layer %d is no directory: %w", k.Name, k.Layer, fs.ErrInvalid)
}

// parent is the directory a key other than the root lies in.
func parent(k Key) Key {
	dir, _ := split(k.Name)
	return Key{k.Layer, dir}
}

// take makes a completed change pending.
func (b *batch) take(c *Change, own map[Key]*Version, parents []Key) {
	r := record{Change: c, renews: renewsInOrder(c.Renews), session: packSession(c.Session)}
	entries := make([]entry, len(c.Versions))
	for i := range c.Versions {
		entries[i] = newEntry(&c.Versions[i])
	}
	r.entries = inOrder(entries)
	r.digest = digest(r.entries, r.renews)
	c.Chain = chain(b.end.chain, c, r.session, r.digest)
	b.end = position{c.Seq, nanos(c.Time), c.Chain}
	b.changes = append(b.changes, r)

	for _, p := range parents {
		b.parents[p] = true
	}
	at := touch{b.end.seq, b.end.time}
	for i := range r.entries {
		e := &r.entries[i]
		b.takeEntry(e, at)
		if e.Charge != 0 {
			b.usage[usageKey{c.Owner, e.Layer}] += e.Charge
			b.usage[usageKey{c.Owner, 0}] += e.Charge
		}
	}
	for _, k := range r.renews {
		b.touchAbove(k, at)
	}
	for _, u := range c.Uploads {
		if b.uploads[u.Ref] != nil {
			b.surplus = append(b.surplus, u)
			continue
		}
		b.uploads[u.Ref] = u
	}
	if c.Session != nil {
		b.sessions[c.Session.ID] = *c.Session
	}
}

func (b *batch) takeEntry(e *entry, at touch) {
	k := e.key()
	b.names[k] = e
	if e.Kind == Dir {
		b.touched[k] = at
	} else {
		b.emptied[k] = true
	}
	b.touchAbove(k, at)
}

// touchAbove sets the touched of all directories above a key. One that has it
// has passed it on already.
func (b *batch) touchAbove(k Key, at touch) {
	for k.Name != "." {
		if k = parent(k); b.touched[k] == at {
			return
		}
		b.touched[k] = at
	}
}
