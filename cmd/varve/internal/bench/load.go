package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"time"

	"golang.org/x/sync/errgroup"
)

// patience is how long a measurement may take beyond the time it is given,
// before the server is said to hang.
const patience = 2 * time.Minute

// load is how a server is driven.
type load struct {
	clients int
	time    time.Duration // each begins requests for so long, and makes one at least
	count   int           // if set, each makes so many instead
}

// drive has clients do op over and over and returns how many were done in how
// long. who counts the clients, n what each of them has done. The first error
// ends all.
func (s *server) drive(ctx context.Context, l load, op func(ctx context.Context, c *client, who, n int) error) (done int, took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.time+patience)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	clients := make([]*client, l.clients)
	for i := range clients {
		if clients[i], err = s.dial(ctx); err != nil {
			return 0, 0, err
		}
		defer clients[i].Close()
	}
	counts := make([]int, l.clients)
	began := time.Now()
	for who, c := range clients {
		g.Go(func() error {
			n := 0
			for n == 0 || n < l.count || l.count == 0 && time.Since(began) < l.time {
				if err := op(ctx, c, who, n); err != nil {
					return err
				}
				n++
			}
			counts[who] = n
			return nil
		})
	}
	err = g.Wait()
	took = time.Since(began)
	for _, n := range counts {
		done += n
	}
	return done, took, err
}

// rate is drive's result as a number a second.
func (s *server) rate(ctx context.Context, l load, op func(ctx context.Context, c *client, who, n int) error) ([]float64, error) {
	done, took, err := s.drive(ctx, l, op)
	if err != nil {
		return nil, err
	}
	return []float64{float64(done) / took.Seconds()}, nil
}

// one sends requests, one after the other.
func (s *server) one(ctx context.Context, requests ...request) error {
	_, _, err := s.drive(ctx, load{clients: 1, count: 1}, func(ctx context.Context, c *client, _, _ int) error {
		for _, r := range requests {
			if err := c.do(ctx, r); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// body is a body of its own: its beginning is changed each time it is sent, or a
// server that knows content by its digest would store nothing.
type body []byte

func newBody(size int) body {
	b := make(body, size)
	for i := range b { // neither zeros nor text
		b[i] = byte(i*i>>3) ^ byte(i*131)
	}
	return b
}

// stamped is b as it has not been sent to s.
func (b body) stamped(s *server) []byte {
	binary.BigEndian.PutUint64(b, s.stamp.Add(1))
	return b
}

// put is a PUT of a file. A server that answers new and old alike is not wrong
// enough to be left out.
func put(path string, b []byte) request {
	return request{method: "PUT", path: path, body: b, status: []int{200, 201, 204}}
}

// mkcol makes a collection; its path ends in a slash, as nginx wants it.
func mkcol(path string) request { return request{method: "MKCOL", path: path, status: []int{201}} }

// remove deletes.
func remove(path string) request {
	return request{method: "DELETE", path: path, status: []int{200, 204}}
}

// fileName is the nth name in a collection.
func fileName(n int) string { return fmt.Sprintf("file-%05d.txt", n) }

// fill makes a collection of n files, and checks that it lists them.
func (s *server) fill(ctx context.Context, dir string, n, size int) error {
	if err := s.one(ctx, mkcol(dir)); err != nil {
		return err
	}
	const clients = 16
	bodies := make([]body, clients)
	for i := range bodies {
		bodies[i] = newBody(size)
	}
	_, _, err := s.drive(ctx, load{clients: clients, count: (n + clients - 1) / clients}, func(ctx context.Context, c *client, who, i int) error {
		if i = who + i*clients; i >= n {
			return nil
		}
		return c.do(ctx, put(dir+fileName(i), bodies[who].stamped(s)))
	})
	if err != nil {
		return err
	}
	return s.holds(ctx, dir, n)
}

// props is what a client asks for that keeps a listing.
const props = `<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/><getlastmodified/><getetag/></prop></propfind>`

// propfind describes an entry and, with depth 1, what is in it.
func propfind(path, depth string) request {
	return request{method: "PROPFIND", path: path, body: []byte(props), status: []int{207},
		header: "Content-Type: application/xml\r\nDepth: " + depth + "\r\n"}
}

var responseEnd = regexp.MustCompile(`</(\w+:)?response>`)

// holds checks that a collection lists so many entries.
func (s *server) holds(ctx context.Context, dir string, entries int) error {
	text, err := s.text(ctx, propfind(dir, "1"))
	if err != nil {
		return err
	}
	if got := len(responseEnd.FindAllIndex(text, -1)); got != entries+1 {
		return fmt.Errorf("PROPFIND %s: %d responses, want %d", dir, got, entries+1)
	}
	return nil
}

// text is the body of the answer to a request.
func (s *server) text(ctx context.Context, r request) ([]byte, error) {
	var kept bytes.Buffer
	_, _, err := s.drive(ctx, load{clients: 1, count: 1}, func(ctx context.Context, c *client, _, _ int) error {
		c.keep = &kept
		return c.do(ctx, r)
	})
	if err != nil {
		return nil, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(&kept), nil)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	return io.ReadAll(answer.Body)
}
