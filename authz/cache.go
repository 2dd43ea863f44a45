package authz

import (
	"crypto/sha256"
	"sync"
	"time"
)

// How long and how many verified tokens are remembered.
const (
	cacheTerm = 5 * time.Minute // then a key taken away elsewhere stops to count
	cacheSize = 4096
)

// digest is the SHA-256 of a token.
type digest [sha256.Size]byte

// entry is a verified token.
type entry struct {
	Principal
	until time.Time
}

// cache remembers verified tokens, so that a request costs neither a signature
// nor a read of the store. What did not verify is not remembered: anybody can
// make such tokens. It begins anew with each revocation, of which there are
// few; one process writes the store, so none is missed.
type cache struct {
	mu      sync.RWMutex // guards what follows: all entries were verified in this epoch
	epoch   uint64
	entries map[digest]entry
}

// began is the epoch a verification begins in. To be asked before reading what
// a revocation would change.
func (c *cache) began() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.epoch
}

func (c *cache) find(sum digest, now time.Time) (Principal, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e, ok := c.entries[sum]
	return e.Principal, ok && now.Before(e.until)
}

// keep remembers p until ends (zero: it has no end), unless something was
// revoked since epoch.
func (c *cache) keep(sum digest, epoch uint64, now, ends time.Time, p Principal) {
	until := now.Add(cacheTerm)
	if !ends.IsZero() && ends.Before(until) {
		until = ends
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if epoch != c.epoch {
		return
	}
	if len(c.entries) >= cacheSize {
		clear(c.entries)
	}
	c.entries[sum] = entry{p, until}
}

// renew begins an epoch.
func (c *cache) renew() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	clear(c.entries)
}
