package main

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"testing"
)

const mib = 1 << 20

// TestMemoryDoesNotGrowWithFiles sends large files up and down: the heap stays
// below 64 MiB, and the process holds hardly more in all than for a small one.
func TestMemoryDoesNotGrowWithFiles(t *testing.T) {
	full(t)
	t.Setenv("GODEBUG", "gctrace=1") // of the server: the heap at each collection
	s := startServer(t)
	token := s.token("ann")
	small, large := int64(mib), int64(long(t, 128, 1024))*mib
	passThrough(t, s, token, small)
	before := s.peak()
	passThrough(t, s, token, large)
	heap, collections := heapPeak(t, s.log())
	t.Logf("%d MiB up and down: heap at most %d MiB in %d collections; in RAM at most %d MiB, %d MiB after %d MiB",
		large/mib, heap, collections, s.peak()/mib, before/mib, small/mib)
	if heap >= 64 || collections == 0 {
		t.Errorf("heap of %d MiB in %d collections, want less than 64 MiB", heap, collections)
	}
	if grown := s.peak() - before; grown > 16*mib {
		t.Errorf("%d MiB more in RAM than for a small file, want at most 16", grown/mib)
	}
}

// passThrough uploads size bytes with their length and in chunks, and reads each back.
func passThrough(t *testing.T, s *server, token string, size int64) {
	t.Helper()
	for i, path := range []string{"/dav/with-length.bin", "/dav/in-chunks.bin", "/api/shared/files/in-chunks.bin"} {
		sent := newGenerated(uint64(size)+uint64(i), size)
		r := s.newRequest(http.MethodPut, path, token, sent)
		if i == 0 {
			r.ContentLength = size
		}
		answer, err := s.client.Do(r)
		if err != nil {
			t.Fatalf("PUT %s of %d bytes: %v", path, size, err)
		}
		answer.Body.Close()
		if answer.StatusCode/100 != 2 {
			t.Fatalf("PUT %s of %d bytes = %s", path, size, answer.Status)
		}
		if answer, err = s.client.Do(s.newRequest(http.MethodGet, path, token, nil)); err != nil {
			t.Fatal(err)
		}
		got := sha256.New()
		n, err := io.Copy(got, answer.Body)
		answer.Body.Close()
		if err != nil || n != size || string(got.Sum(nil)) != string(sent.sum.Sum(nil)) {
			t.Fatalf("GET %s = %s with %d bytes, %v; want the %d bytes that were sent", path, answer.Status, n, err, size)
		}
	}
}

// generated is content that is made while it is read, and hashed.
type generated struct {
	io.Reader
	sum hash.Hash
}

func newGenerated(seed uint64, size int64) *generated {
	var key [32]byte
	copy(key[:], strconv.FormatUint(seed, 10))
	sum := sha256.New()
	return &generated{io.TeeReader(io.LimitReader(rand.NewChaCha8(key), size), sum), sum}
}

// gcTrace is the heap when a collection starts, when it ends, and what of it lives, in MiB.
var gcTrace = regexp.MustCompile(`(?m)^gc \d+ @.* (\d+)->(\d+)->(\d+) MB, `)

// heapPeak is what the heap never exceeded, in MiB: the next collection comes
// before it is twice what lives, and a collection reports what it came to.
func heapPeak(t *testing.T, log string) (most, collections int) {
	t.Helper()
	for _, m := range gcTrace.FindAllStringSubmatch(log, -1) {
		var begins, ends, lives int
		if _, err := fmt.Sscan(m[1]+" "+m[2]+" "+m[3], &begins, &ends, &lives); err != nil {
			t.Fatal(err)
		}
		collections++
		most = max(most, begins, ends, 2*lives)
	}
	return most, collections
}
