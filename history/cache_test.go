package history

import (
	"encoding/binary"
	"testing"

	"varve/history/blob"
)

func TestCache(t *testing.T) {
	var c cache
	ref := func(i int) (r blob.Ref) {
		binary.BigEndian.PutUint64(r[:], uint64(i)+1)
		return r
	}
	const size, n = 16 << 10, 10_000
	for i := range n {
		c.add(ref(i), make([]byte, size))
		if _, ok := c.find(ref(0)); !ok {
			t.Fatalf("what is read all the time was forgotten after %d others", i)
		}
	}
	if kept := (len(c.young) + len(c.old)) * size; kept > cacheBytes+size {
		t.Errorf("%d bytes are kept, want at most %d", kept, cacheBytes)
	}
	if _, ok := c.find(ref(1)); ok {
		t.Error("what was not asked for again is still there")
	}
	for i := range 1_000_000 {
		c.add(ref(n+i), nil)
	}
	if kept := len(c.young) + len(c.old); kept > cacheBytes/100 {
		t.Errorf("%d empty contents are kept", kept)
	}
}
