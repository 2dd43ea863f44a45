package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestKilled kills the server at random moments while clients write, two of
// them in shared and two in sessions over it. What was acknowledged is there
// afterwards, and of what was not, all or nothing.
func TestKilled(t *testing.T) {
	full(t)
	rng := rand.New(rand.NewPCG(seed(t), 0))
	s := startServer(t)
	hands := newHands(s, rng)
	rounds, acknowledged, undecided := long(t, 2, 200), 0, 0
	for round := range rounds {
		load := 30*time.Millisecond + time.Duration(rng.Int64N(int64(270*time.Millisecond)))
		killUnderLoad(t, s, hands, load)
		s.restart()
		if left := s.spooled(); left != nil {
			t.Errorf("round %d: temporary files %q are left", round, left)
		}
		for _, h := range hands {
			acknowledged += h.done
			if h.next != nil {
				undecided++
			}
			if err := h.settle(); err != nil {
				t.Errorf("round %d, killed after %v: %v", round, load, err)
			}
		}
		if round%10 == 9 || round == rounds-1 {
			s.verify()
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d rounds, %d requests acknowledged, %d cut off", rounds, acknowledged, undecided)
	user := hands[0]
	for _, h := range hands {
		if h.session && !t.Failed() {
			below := &hand{s: s, root: h.root, token: user.token}
			if got, err := below.read(); err != nil || !cmp.Equal(got, seeded()) {
				t.Errorf("shared below the session at %s: %v (-want +got):\n%s", h.root, err, cmp.Diff(seeded(), got))
			}
		}
	}
}

// seeded is what every hand finds at first.
func seeded() tree {
	found := tree{"d0": collection}
	for i := range 4 {
		found[fmt.Sprintf("d0/f%d", i)] = digest(seedContent(i))
	}
	return found
}

func seedContent(i int) []byte { return random(uint64(i), 10+9_000*i) }

// newHands are the clients, over files that a user has put there.
func newHands(s *server, rng *rand.Rand) []*hand {
	user := s.token("ann")
	var hands []*hand
	for i := range 4 {
		h := &hand{s: s, root: fmt.Sprintf("/dav/hand%d/", i), token: user, tree: seeded(),
			rng: rand.New(rand.NewPCG(rng.Uint64(), uint64(i)))}
		if i >= 2 {
			h.session, h.token = true, s.sessionToken("ben", fmt.Sprintf("session-%d", i))
		}
		s.must("MKCOL", h.root, user, "")
		s.must("MKCOL", h.root+"d0/", user, "")
		for n := range 4 {
			s.must("PUT", fmt.Sprintf("%sd0/f%d", h.root, n), user, string(seedContent(n)))
		}
		hands = append(hands, h)
	}
	return hands
}

// killUnderLoad has all hands write for a while, and kills the server meanwhile.
func killUnderLoad(t *testing.T, s *server, hands []*hand, load time.Duration) {
	t.Helper()
	var working sync.WaitGroup
	var killed atomic.Bool
	for _, h := range hands {
		working.Go(func() {
			if err := h.work(); !killed.Load() {
				t.Errorf("%s, before the server was killed: %v", h.root, err)
			}
		})
	}
	<-time.After(load)
	killed.Store(true)
	s.kill()
	working.Wait()
	http.DefaultClient.CloseIdleConnections()
}
