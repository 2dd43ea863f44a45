package history

import (
	"sync"

	"varve/history/blob"
)

// cacheBytes is how much content from the database is kept in memory.
const cacheBytes = 32 << 20

// cache keeps small content that was read lately. Content never changes, so
// nothing here is ever out of date; what was collected is asked for by nobody.
//
// There are two generations. When the young one has taken half the room it
// becomes the old one, and what of that was not asked for again is forgotten.
type cache struct {
	mu         sync.Mutex
	young, old map[blob.Ref][]byte
	bytes      int64 // of young
}

// find returns content that must not be changed.
func (c *cache) find(ref blob.Ref) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if data, ok := c.young[ref]; ok {
		return data, true
	}
	data, ok := c.old[ref]
	if ok {
		c.put(ref, data)
	}
	return data, ok
}

func (c *cache) add(ref blob.Ref, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(ref, data)
}

// put is called with mu held.
func (c *cache) put(ref blob.Ref, data []byte) {
	// What the maps take for an entry counts too: empty content has to end.
	const perEntry = 100
	if c.young == nil || c.bytes > cacheBytes/2 {
		c.young, c.old, c.bytes = map[blob.Ref][]byte{}, c.young, 0
	}
	c.young[ref] = data
	c.bytes += int64(len(data)) + perEntry
}
