package layers

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"
)

func (h hand) lock(name string, opts LockOptions) Lock {
	h.w.t.Helper()
	l, _, err := h.Lock(h.w.t.Context(), name, opts)
	h.want("lock "+name, nil, err)
	return l
}

func tokens(locks ...Lock) Cond {
	var c Cond
	for _, l := range locks {
		c.Tokens = append(c.Tokens, l.Token)
	}
	return c
}

func TestLockGuardsWrites(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.User("ann"), w.User("bob")
	ann.mkdir("d", "e").put("d/f", "1").put("g", "2")
	l := ann.lock("d/f", LockOptions{})
	if !strings.HasPrefix(l.Token, "opaquelocktoken:") || l.Timeout != time.Hour {
		t.Errorf("lock = %+v", l)
	}
	_, removed := ann.Remove(t.Context(), "d", Cond{})
	_, moved := ann.Move(t.Context(), "d", "n", CopyOptions{})
	_, over := ann.Copy(t.Context(), ann.View, "g", "d/f", CopyOptions{Overwrite: true})
	_, replaced := ann.Move(t.Context(), "e", "d", CopyOptions{Overwrite: true})
	for _, c := range []struct {
		what      string
		got, want error
	}{
		{"put without the token", ann.tryPut("d/f", "x", Cond{}), ErrLocked},
		{"put with somebody else's token", bob.tryPut("d/f", "x", tokens(l)), ErrLocked},
		{"put with the token", ann.tryPut("d/f", "x", tokens(l)), nil},
		{"removing a tree with a locked member", removed, ErrLocked},
		{"moving a tree with a locked member", moved, ErrLocked},
		{"copying over a locked file", over, ErrLocked},
		{"moving over a tree with a locked member", replaced, ErrLocked},
		{"put of an unlocked sibling", ann.tryPut("d/h", "x", Cond{}), nil},
	} {
		ann.want(c.what, c.want, c.got)
	}
	var locked *LockedError
	if !errors.As(removed, &locked) || locked.Names[0] != "d/f" {
		t.Errorf("error %v names no lock root", removed)
	}
}

func TestCollectionLocks(t *testing.T) {
	w := newWorld(t)
	ann := w.User("ann")
	ann.mkdir("d", "d/sub").put("d/f", "1")
	shallow := ann.lock("d", LockOptions{})
	ann.want("new member of a depth-0 locked collection", ErrLocked, ann.tryPut("d/new", "", Cond{}))
	ann.want("existing member of it", nil, ann.tryPut("d/f", "2", Cond{}))
	ann.want("new member with the token", nil, ann.tryPut("d/new", "", tokens(shallow)))
	ann.want("below its members", nil, ann.tryPut("d/sub/x", "", Cond{}))
	ann.want("unlock through a name out of scope", ErrLockToken, ann.Unlock(t.Context(), "d/f", shallow.Token))
	ann.want("unlock", nil, ann.Unlock(t.Context(), "d", shallow.Token))
	deep := ann.lock("d", LockOptions{Infinite: true})
	ann.want("member of a depth-infinity lock", ErrLocked, ann.tryPut("d/sub/x", "", Cond{}))
	_, _, err := ann.Lock(t.Context(), "d/sub", LockOptions{})
	ann.want("lock below it", ErrLocked, err)
	ann.want("unlock through a member", nil, ann.Unlock(t.Context(), "d/sub/x", deep.Token))
	inner := ann.lock("d/f", LockOptions{})
	_, _, err = ann.Lock(t.Context(), "d", LockOptions{Infinite: true})
	ann.want("depth-infinity lock over a locked member", ErrLocked, err)
	ann.want("unlock", nil, ann.Unlock(t.Context(), "d/f", inner.Token))
}

func TestSharedLocks(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.User("ann"), w.User("bob")
	ann.put("f", "1")
	a, b := ann.lock("f", LockOptions{Shared: true}), bob.lock("f", LockOptions{Shared: true})
	_, _, err := ann.Lock(t.Context(), "f", LockOptions{})
	ann.want("exclusive beside shared", ErrLocked, err)
	ann.want("write with the other's token", ErrLocked, ann.tryPut("f", "2", tokens(b)))
	ann.want("write with one's own", nil, ann.tryPut("f", "2", tokens(a)))
	bob.want("unlocking somebody else's", fs.ErrPermission, bob.Unlock(t.Context(), "f", a.Token))
}

func TestLocksGoWithWhatTheyLock(t *testing.T) {
	w := newWorld(t)
	ann := w.User("ann")
	ann.put("a", "1").put("b", "2")
	l := ann.lock("a", LockOptions{})
	_, err := ann.Move(t.Context(), "a", "c", CopyOptions{Cond: tokens(l)})
	ann.want("move of a locked source to an unlocked name", nil, err)
	ann.put("a", "again").put("c", "free")
	l = ann.lock("b", LockOptions{})
	_, err = ann.Remove(t.Context(), "b", tokens(l))
	ann.want("remove", nil, err)
	ann.put("b", "free again")
}

func TestLockOfNothingMakesAFile(t *testing.T) {
	w := newWorld(t)
	s := w.Session("one")
	l, created, err := s.Lock(t.Context(), "new", LockOptions{})
	if err != nil || !created {
		t.Fatalf("Lock = %+v, created %t, %v", l, created, err)
	}
	if e := s.stat("new"); e.Size() != 0 || e.ETag == "" {
		t.Errorf("entry = %+v", e)
	}
	s.want("fill it", nil, s.tryPut("new", "1", tokens(l)))
	_, _, err = s.Lock(t.Context(), "no/parent", LockOptions{})
	s.want("lock below nothing", ErrNoParent, err)
}

func TestLockOfALowerFileCopiesNothingUp(t *testing.T) {
	w := newWorld(t)
	ann, one, two := w.User("ann"), w.Session("one"), w.Session("two")
	ann.put("a", "1")
	l := one.lock("a", LockOptions{})
	two.lock("a", LockOptions{})
	ann.put("a", "2")
	if got := one.stat("a").Source; got != FromShared {
		t.Errorf("source = %s, want shared", got)
	}
	one.want("own write without the token", ErrLocked, one.tryPut("a", "x", Cond{}))
	one.want("own write", nil, one.tryPut("a", "x", tokens(l)))
	list, err := one.List(t.Context(), "a", ListOptions{Locks: true})
	if err != nil || len(list.Locks) != 1 || !list.Locks[0].Mine {
		t.Errorf("locks = %+v, %v", list.Locks, err)
	}
}

func TestRefresh(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.User("ann"), w.User("bob")
	ann.put("f", "1")
	l := ann.lock("f", LockOptions{Timeout: time.Minute})
	got, err := ann.Refresh(t.Context(), "f", 2*time.Minute, tokens(l))
	if err != nil || got.Token != l.Token || got.Timeout != 2*time.Minute || !got.Expires.After(l.Expires) {
		t.Errorf("Refresh = %+v, %v", got, err)
	}
	_, err = bob.Refresh(t.Context(), "f", 0, tokens(l))
	bob.want("refresh of somebody else's", ErrPrecondition, err)
	_, err = ann.Refresh(t.Context(), "f", 0, Cond{Tokens: []string{"opaquelocktoken:no"}})
	ann.want("refresh of no lock", ErrPrecondition, err)
}

func TestLimits(t *testing.T) {
	w := newLimitedWorld(t, Limits{Quota: 10, Locks: 1, Upload: 8})
	ann := w.User("ann")
	ann.put("a", "12345678")
	ann.want("over the quota", ErrQuota, ann.tryPut("b", "123", Cond{}))
	bob := w.User("bob")
	bob.want("over the upload limit", ErrTooLarge, bob.tryPut("b", "123456789", Cond{}))
	_, err := ann.Put(t.Context(), "b", PutOptions{Body: strings.NewReader("123"), Length: -1})
	ann.want("over the quota without a length", ErrQuota, err)
	_, err = ann.Copy(t.Context(), ann.View, "a", "b", CopyOptions{})
	ann.want("copy over the quota", ErrQuota, err)
	s := w.Session("one")
	s.copy("a", "b").move("b", "c")
	ann.lock("a", LockOptions{})
	ann.put("x", "")
	_, _, err = ann.Lock(t.Context(), "x", LockOptions{})
	ann.want("too many locks", ErrTooManyLocks, err)
	l, err := ann.List(t.Context(), ".", ListOptions{Quota: true})
	if err != nil || l.Used != 8 || l.Available != 2 {
		t.Errorf("quota = %d used, %d left, %v", l.Used, l.Available, err)
	}
}
