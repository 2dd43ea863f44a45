package history

import (
	"bytes"

	"varve/history/sql"
)

// How much of the log is looked at at once.
const (
	pageChanges  = 1000
	pageVersions = 50_000
)

// logged is a change as it is stored.
type logged struct {
	Change
	session  []byte
	count    int64
	digest   []byte
	versions []Version
	renews   []Key
}

// changes recomputes the chain and all digests, and adds up what the changes
// say of usage, sessions and renewals.
func (v *verifier) changes() error {
	end := position{}
	for {
		page, err := v.changesAfter(end.seq)
		if err != nil || len(page) == 0 {
			return err
		}
		if err := v.fill(page); err != nil {
			return err
		}
		for i := range page {
			v.change(&end, &page[i])
		}
	}
}

const verifyChanges = `SELECT c.seq, c.time, a.issuer, a.sub, a.session, o.issuer, o.sub,
		c.op, c.agent, c.detail, c.session, c.versions, c.digest, c.chain
	FROM change c JOIN actor a ON a.id = c.actor JOIN actor o ON o.id = c.owner
	WHERE c.seq > $1 ORDER BY c.seq LIMIT $2`

// changesAfter reads some changes, fewer if they are large.
func (v *verifier) changesAfter(seq Seq) (page []logged, err error) {
	err = v.tx.query(verifyChanges, []any{int64(seq), pageChanges}, func(r sql.Row) error {
		var c logged
		var time int64
		var chain []byte
		err := r.Scan(&c.Seq, &time, &c.Actor.Issuer, &c.Actor.Sub, &c.Actor.Session, &c.Owner.Issuer, &c.Owner.Sub,
			&c.Op, &c.Agent, &c.Detail, &c.session, &c.count, &c.digest, &chain)
		c.Time = fromNanos(time)
		copy(c.Chain[:], chain)
		page = append(page, c)
		return err
	})
	versions := int64(0)
	for i := range page {
		if versions += page[i].count; versions > pageVersions {
			return page[:i+1], err
		}
	}
	return page, err
}

const (
	verifyVersions = fromVersions + `WHERE v.seq >= $1 AND v.seq <= $2 ORDER BY v.seq, v.layer, v.dir, v.name`
	verifyRenewals = `SELECT layer, dir, name, seq FROM renewal
		WHERE seq >= $1 AND seq <= $2 ORDER BY seq, layer, dir, name`
)

// fill gives the changes of a page their versions and renewals.
func (v *verifier) fill(page []logged) error {
	span := []any{int64(page[0].Seq), int64(page[len(page)-1].Seq)}
	i, row := 0, newVersionRow()
	err := v.tx.query(verifyVersions, span, func(r sql.Row) error {
		ver, err := row.scan(r)
		for page[i].Seq < ver.Seq && i < len(page)-1 {
			i++
		}
		page[i].versions = append(page[i].versions, ver)
		return err
	})
	if err != nil {
		return err
	}
	i = 0
	return v.tx.query(verifyRenewals, span, func(r sql.Row) error {
		var k Key
		var dir, base string
		var seq Seq
		err := r.Scan(&k.Layer, &dir, &base, &seq)
		k.Name = join(dir, base)
		for page[i].Seq < seq && i < len(page)-1 {
			i++
		}
		page[i].renews = append(page[i].renews, k)
		return err
	})
}

// change holds one change against what was before it, end, and moves that on.
func (v *verifier) change(end *position, c *logged) {
	if nanos(c.Time) < end.time {
		v.report(BadChain, "change %d is earlier than the one before it", c.Seq)
	}
	entries := make([]entry, len(c.versions))
	for i := range c.versions {
		entries[i] = newEntry(&c.versions[i])
	}
	if sum := digest(entries, c.renews); !bytes.Equal(sum[:], c.digest) {
		v.report(BadVersion, "the %d versions of change %d are not the %d it wrote", len(entries), c.Seq, c.count)
	}
	if chain(end.chain, &c.Change, c.session, [32]byte(c.digest)) != c.Chain {
		v.report(BadChain, "change %d is not what was appended to the one before it", c.Seq)
	}
	*end = position{c.Seq, nanos(c.Time), c.Chain}
	v.Changes++
	v.Versions += int64(len(entries))

	for i := range entries {
		if e := &entries[i]; e.Charge != 0 {
			v.usage[usageKey{c.Owner, e.Layer}] += e.Charge
			v.usage[usageKey{c.Owner, 0}] += e.Charge
		}
	}
	for _, k := range c.renews {
		v.renewed[parent(k)] = c.Seq
	}
	if c.session != nil {
		s, err := unpackSession(c.session)
		if err != nil {
			v.report(BadSession, "change %d: %v", c.Seq, err)
			return
		}
		v.sessions[s.ID] = s
	}
}
