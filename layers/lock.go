package layers

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"varve/authz"
	"varve/history"
)

// Lock is a write lock (RFC 4918, section 6). Locks belong to a principal, not
// to its token; they are no changes and take no seq.
type Lock struct {
	Token    string // opaquelocktoken URI
	Name     string // its root
	Infinite bool   // depth
	Shared   bool
	OwnerXML string // inner XML of the owner element, namespaces declared
	Timeout  time.Duration
	Expires  time.Time
	Mine     bool // held by the caller's principal
}

// Covers tells whether the lock applies to name.
func (l Lock) Covers(name string) bool {
	return l.Name == name || l.Infinite && below(name, l.Name)
}

// LockOptions of a Lock.
type LockOptions struct {
	Infinite bool
	Shared   bool
	OwnerXML string
	Timeout  time.Duration // zero: Limits.LockTimeout, which also caps it
	Cond     Cond
}

// LockedError says which locks stand in the way. It is an ErrLocked.
type LockedError struct {
	Names []string // the lock roots
}

func (e *LockedError) Error() string { return "locked by " + strings.Join(e.Names, ", ") }

// Is makes errors.Is(err, ErrLocked) hold.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

const selectLocks = `SELECT token, name, depth_infinity, shared, owner_xml, issuer, sub, session, timeout, expires
FROM lock WHERE layer = $1 AND expires > $2 AND `

// locks reads the locks of the layer that takes the writes: those on name and
// its ancestors, and, if tree, those below it.
func (b *bound) locks(name string, tree bool) ([]Lock, error) {
	args := []any{int64(b.strata[0].layer), b.tx.Now().UnixNano(), "."}
	for _, n := range chain(name) {
		args = append(args, n)
	}
	// One text serves many depths: statements stay prepared.
	for len(args)&(len(args)-1) != 0 {
		args = append(args, ".")
	}
	where := "name IN ($3"
	for i := 3; i < len(args); i++ {
		where += fmt.Sprintf(", $%d", i+1)
	}
	where += ")"
	if tree && name != "." {
		args = append(args, name+"/", name+"0") // "0" follows "/"
		where = fmt.Sprintf("(%s OR name >= $%d AND name < $%d)", where, len(args)-1, len(args))
	}
	if tree && name == "." {
		args, where = args[:2], "true"
	}
	var locks []Lock
	err := b.tx.Rows(selectLocks+where+" ORDER BY name, token", args, func(r history.Row) error {
		l, err := b.scanLock(r)
		locks = append(locks, l)
		return err
	})
	return locks, err
}

func (b *bound) scanLock(r history.Row) (Lock, error) {
	var l Lock
	var holder history.Actor
	var seconds, expires int64
	err := r.Scan(&l.Token, &l.Name, &l.Infinite, &l.Shared, &l.OwnerXML,
		&holder.Issuer, &holder.Sub, &holder.Session, &seconds, &expires)
	l.Timeout = time.Duration(seconds) * time.Second
	l.Expires = time.Unix(0, expires).UTC()
	l.Mine = holder == b.who.Actor()
	return l, err
}

// Lock locks a name. On a name that does not exist it makes an empty file
// (created); what only lower layers have is not copied up.
func (v *View) Lock(ctx context.Context, name string, opts LockOptions) (l Lock, created bool, err error) {
	empty, err := v.store.log.Receive(ctx, strings.NewReader(""), noExpectation)
	if err != nil {
		return Lock{}, false, pathError("lock", name, err)
	}
	if err := v.store.log.Keep(empty); err != nil {
		return Lock{}, false, pathError("lock", name, err)
	}
	_, err = v.write(ctx, "lock", name, history.OpLock, func(d *draft) error {
		p, err := d.b.admitLock(key(name), opts)
		if err != nil {
			return err
		}
		if created = p.win == nil; created {
			if err := d.put(p, spelled(name), content{upload: empty}); err != nil {
				return err
			}
		}
		d.open()
		l = d.lock(p.name, opts)
		return nil
	})
	if err != nil {
		v.store.log.Discard(empty)
	}
	return l, created, err
}

// lock queues the row of a new lock, and the removal of expired ones.
func (d *draft) lock(name string, opts LockOptions) Lock {
	now := d.b.tx.Now()
	timeout := capTimeout(opts.Timeout, d.b.store.limits.LockTimeout)
	l := Lock{
		Token: "opaquelocktoken:" + uuid.NewString(), Name: name, Infinite: opts.Infinite, Shared: opts.Shared,
		OwnerXML: opts.OwnerXML, Timeout: timeout, Expires: now.Add(timeout), Mine: true,
	}
	layer, holder := int64(d.layer), d.b.who.Actor()
	d.b.tx.Do(`DELETE FROM lock WHERE layer = $1 AND expires <= $2`, layer, now.UnixNano())
	d.b.tx.Do(`INSERT INTO lock (token, layer, name, depth_infinity, shared, owner_xml, issuer, sub, session, created, expires, timeout)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		l.Token, layer, name, l.Infinite, l.Shared, l.OwnerXML, holder.Issuer, holder.Sub, holder.Session,
		now.UnixNano(), l.Expires.UnixNano(), int64(timeout/time.Second))
	return l
}

// capTimeout is the timeout granted for one asked for.
func capTimeout(asked, limit time.Duration) time.Duration {
	if asked <= 0 || asked > limit {
		return limit
	}
	return asked.Truncate(time.Second)
}

// unlockTree queues the removal of every lock at and below name.
func (d *draft) unlockTree(name string) {
	if name == "." {
		d.b.tx.Do(`DELETE FROM lock WHERE layer = $1`, int64(d.layer))
		return
	}
	d.b.tx.Do(`DELETE FROM lock WHERE layer = $1 AND (name = $2 OR name >= $3 AND name < $4)`,
		int64(d.layer), name, name+"/", name+"0")
}

// Refresh renews the caller's lock that cond submits and that covers name:
// ErrPrecondition if there is none.
func (v *View) Refresh(ctx context.Context, name string, timeout time.Duration, cond Cond) (Lock, error) {
	var got Lock
	_, err := v.write(ctx, "refresh", name, history.OpLock, func(d *draft) error {
		if err := d.b.may(authz.Change, key(name)); err != nil {
			return err
		}
		if err := d.b.holds(key(name), cond); err != nil {
			return err
		}
		l, err := d.b.held(key(name), func(l Lock) bool { return slices.Contains(cond.Tokens, l.Token) && l.Mine })
		if err != nil {
			return err
		}
		if l == nil {
			return ErrPrecondition
		}
		l.Timeout = capTimeout(timeout, v.store.limits.LockTimeout)
		l.Expires = d.b.tx.Now().Add(l.Timeout)
		d.b.tx.Do(`UPDATE lock SET expires = $1, timeout = $2 WHERE token = $3`,
			l.Expires.UnixNano(), int64(l.Timeout/time.Second), l.Token)
		got = *l
		return nil
	})
	return got, err
}

// Unlock drops a lock of the caller's that covers name: ErrLockToken if the
// token is of no such lock, fs.ErrPermission if it is somebody else's.
func (v *View) Unlock(ctx context.Context, name, token string) error {
	_, err := v.write(ctx, "unlock", name, history.OpLock, func(d *draft) error {
		if err := d.b.may(authz.Change, key(name)); err != nil {
			return err
		}
		l, err := d.b.held(key(name), func(l Lock) bool { return l.Token == token })
		switch {
		case err != nil:
			return err
		case l == nil:
			return ErrLockToken
		case !l.Mine:
			return fs.ErrPermission
		}
		d.b.tx.Do(`DELETE FROM lock WHERE token = $1`, token)
		return nil
	})
	return err
}

// held finds the first lock that covers name and that want takes.
func (b *bound) held(name string, want func(Lock) bool) (*Lock, error) {
	locks, err := b.locks(name, false)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(locks, func(l Lock) bool { return l.Covers(name) && want(l) })
	if i < 0 {
		return nil, nil
	}
	return &locks[i], nil
}
