package history

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"time"
)

// The chain. For every change, in the order of seq,
//
//	chain = SHA-256(previous chain, seq, time, op, issuer, sub and session of
//	        the actor, issuer and sub of the owner, agent, detail, session row,
//	        digest)
//	digest = SHA-256(for each version: layer, name, packed version; then for
//	        each renewal: layer, name; both ordered by layer, directory and
//	        last element of the name)
//
// where integers are varints and strings and byte strings are preceded by
// their length, so that no two changes read alike. The chain before the first
// change is 32 zero bytes. A version that is purged later keeps its part in
// the digest, which the change row keeps.

// appendKey is how digests name versions and renewals.
func appendKey(b []byte, k Key) []byte {
	return appendString(binary.AppendVarint(b, int64(k.Layer)), k.Name)
}

// digest is over entries and renewals, both in order.
func digest(entries []entry, renews []Key) [32]byte {
	h := sha256.New()
	var b []byte
	for i := range entries {
		e := &entries[i]
		b = appendKey(b[:0], e.key())
		b = binary.AppendUvarint(b, uint64(len(e.packed)))
		h.Write(b)
		h.Write(e.packed)
	}
	for _, k := range renews {
		h.Write(appendKey(b[:0], k))
	}
	return [32]byte(h.Sum(nil))
}

// chain is the link after prev.
func chain(prev [32]byte, c *Change, session []byte, digest [32]byte) [32]byte {
	b := append([]byte(nil), prev[:]...)
	b = binary.AppendVarint(b, int64(c.Seq))
	b = binary.AppendVarint(b, nanos(c.Time))
	for _, s := range [...]string{string(c.Op), c.Actor.Issuer, c.Actor.Sub, c.Actor.Session,
		c.Owner.Issuer, c.Owner.Sub, c.Agent, c.Detail, string(session)} {
		b = appendString(b, s)
	}
	return sha256.Sum256(append(b, digest[:]...))
}

// entry is a version as it is stored: its name in two columns, and packed.
type entry struct {
	*Version
	dir, base string
	packed    []byte
}

func newEntry(v *Version) entry {
	dir, base := split(v.Name)
	return entry{v, dir, base, pack(nil, v)}
}

func (e *entry) key() Key { return Key{e.Layer, e.Name} }

// inOrder returns entries in the order of the version table's key.
func inOrder(entries []entry) []entry {
	compare := func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.Layer, b.Layer), strings.Compare(a.dir, b.dir), strings.Compare(a.base, b.base))
	}
	if slices.IsSortedFunc(entries, compare) {
		return entries
	}
	return slices.SortedFunc(slices.Values(entries), compare)
}

func renewsInOrder(renews []Key) []Key {
	return slices.SortedFunc(slices.Values(renews), func(a, b Key) int {
		adir, abase := split(a.Name)
		bdir, bbase := split(b.Name)
		return cmp.Or(cmp.Compare(a.Layer, b.Layer), strings.Compare(adir, bdir), strings.Compare(abase, bbase))
	})
}

// packSession encodes a session row; a change keeps it, because the row itself
// only says what the last one wrote.
func packSession(s *Session) []byte {
	if s == nil {
		return nil
	}
	b := []byte{packFormat}
	for _, t := range [...]string{s.ID, s.Owner.Issuer, s.Owner.Sub, s.Name} {
		b = appendString(b, t)
	}
	for _, n := range [...]int64{int64(s.Layer), int64(s.Born), nanos(s.Created), sealedNanos(s.Sealed), int64(s.Freeze)} {
		b = binary.AppendVarint(b, n)
	}
	return b
}

func unpackSession(b []byte) (Session, error) {
	d := decoder{b: b}
	if d.byte() != packFormat {
		return Session{}, errPacked
	}
	s := Session{ID: d.string(), Owner: Account{d.string(), d.string()}, Name: d.string()}
	s.Layer, s.Born, s.Created = Layer(d.varint()), Seq(d.varint()), d.time()
	s.Sealed, s.Freeze = fromSealed(d.varint()), Seq(d.varint())
	return s, d.end()
}

// An active session is stored as sealed at 0.
func sealedNanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return min(max(nanos(t), 1), math.MaxInt64)
}

func fromSealed(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return fromNanos(n)
}
