package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
)

// workload is something that is done to every server, and what is measured.
type workload struct {
	rows []row
	slow bool // left out of a quick run

	// lacks says what the machine lacks for it, if not nil.
	lacks func(ctx context.Context) error

	// prepare is called once for each server, before the first round.
	prepare func(ctx context.Context, s *server) error
	// measure returns a figure for each row. A workload without it is measured
	// on the machine, not on servers: it has a bound only.
	measure func(ctx context.Context, s *server, round int) ([]float64, error)

	// At most one of these is set. bare says that the bare handler is measured too,
	// once it has learnt requests.
	bound    *bound
	bare     bool
	requests []request
}

// row is one line of the report.
type row struct {
	name string
	unit string
	less bool // is better
}

const (
	smallSize  = 4 << 10
	smallFiles = 1000     // there are to be read and overwritten
	smallDir   = "small/" // they lie in
	blockSize  = 1 << 20  // of large files, which
	blocks     = 256      // are so many of them
	largeFile  = "large"  // the one to be read
	largeSize  = blocks * blockSize
	lockedFile = smallDir + "file-00000.txt"
)

// workloads are all there are, in the order of the report.
func workloads(cfg Config) []workload {
	all := []workload{
		machine("disk: append 8 KiB and sync", "/s", func(ctx context.Context, dir string) (float64, error) {
			return syncs(ctx, dir, cfg.Time)
		}),
		machine("SHA-256", "MB/s", func(ctx context.Context, _ string) (float64, error) { return hashing(ctx, cfg.Time) }),
		machine("256 MiB hashed, written, synced once", "MB/s", pipeline),
	}
	for _, entries := range []int{100, 1000, 10_000} {
		for _, clients := range []int{1, 4} {
			all = append(all, listing(cfg, entries, clients))
		}
	}
	return append(all,
		reading(cfg, "PROPFIND Depth 0", 16, func(path string) request { return propfind(path, "0") }),
		reading(cfg, "HEAD 4 KiB", 16, func(path string) request {
			return request{method: "HEAD", path: path, status: []int{200}, length: smallSize}
		}),
		reading(cfg, "GET 4 KiB", 16, func(path string) request {
			return request{method: "GET", path: path, status: []int{200}, length: smallSize}
		}),
		creating(cfg, 16),
		overwriting(cfg, 16),
		oneByOne(cfg),
		upload(1), upload(2),
		download(cfg, 1), download(cfg, 2),
		locking(cfg),
		tree(1000), treeMeanwhile(10_000),
		rcloneCopy(5000),
	)
}

// clientsText is "1 client" or "16 clients".
func clientsText(n int) string {
	if n == 1 {
		return "1 client"
	}
	return fmt.Sprintf("%d clients", n)
}

// perSecond is the row of a rate.
func perSecond(name string, clients int) []row {
	return []row{{name: name + ", " + clientsText(clients), unit: "/s"}}
}

// small makes the small files.
func small(ctx context.Context, s *server) error {
	return s.once(smallDir, func() error { return s.fill(ctx, smallDir, smallFiles, smallSize) })
}

// cycle sends the same requests over and over, each client others.
func cycle(cfg Config, clients int, requests []request) func(context.Context, *server, int) ([]float64, error) {
	return func(ctx context.Context, s *server, _ int) ([]float64, error) {
		return s.rate(ctx, load{clients: clients, time: cfg.Time}, func(ctx context.Context, c *client, who, n int) error {
			return c.do(ctx, requests[(who+n*clients)%len(requests)])
		})
	}
}

// listing is PROPFIND Depth 1 of a collection.
func listing(cfg Config, entries, clients int) workload {
	dir := fmt.Sprintf("list-%d/", entries)
	requests := []request{propfind(dir, "1")}
	return workload{
		slow: entries > 1000 && clients > 1,
		rows: perSecond("PROPFIND Depth 1 of "+humanize.Comma(int64(entries)), clients),
		prepare: func(ctx context.Context, s *server) error {
			return s.once(dir, func() error { return s.fill(ctx, dir, entries, 16) })
		},
		measure:  cycle(cfg, clients, requests),
		bare:     true,
		requests: requests,
	}
}

// reading is a request for each of the small files.
func reading(cfg Config, name string, clients int, make func(path string) request) workload {
	var requests []request
	for n := range smallFiles {
		requests = append(requests, make(smallDir+fileName(n)))
	}
	return workload{
		rows: perSecond(name, clients), prepare: small, measure: cycle(cfg, clients, requests), bare: true, requests: requests,
	}
}

// creating is PUT of small files that were not there, into one new collection.
func creating(cfg Config, clients int) workload {
	return workload{
		rows: perSecond("PUT 4 KiB new", clients),
		bare: true,
		measure: func(ctx context.Context, s *server, round int) ([]float64, error) {
			dir := fmt.Sprintf("new-%d-%d/", clients, round)
			if err := s.one(ctx, mkcol(dir)); err != nil {
				return nil, err
			}
			bodies := newBodies(clients)
			return s.rate(ctx, load{clients: clients, time: cfg.Time}, func(ctx context.Context, c *client, who, n int) error {
				return c.do(ctx, put(fmt.Sprintf("%s%d-%d.txt", dir, who, n), bodies[who].stamped(s)))
			})
		},
	}
}

// newBodies are small bodies, one for each client.
func newBodies(clients int) []body {
	all := make([]body, clients)
	for i := range all {
		all[i] = newBody(smallSize)
	}
	return all
}

// oneByOne is creating by one client, who waits for the disk each time.
func oneByOne(cfg Config) workload {
	w := creating(cfg, 1)
	w.bare = false
	w.bound = &bound{"disk", func(ctx context.Context, dir string) (float64, error) { return syncs(ctx, dir, cfg.Time) }}
	return w
}

// overwriting is PUT over the small files; no two clients write the same.
func overwriting(cfg Config, clients int) workload {
	return workload{
		rows:    perSecond("PUT 4 KiB over another", clients),
		bare:    true,
		prepare: small,
		measure: func(ctx context.Context, s *server, _ int) ([]float64, error) {
			bodies := newBodies(clients)
			return s.rate(ctx, load{clients: clients, time: cfg.Time}, func(ctx context.Context, c *client, who, n int) error {
				return c.do(ctx, put(smallDir+fileName(who+clients*(n%(smallFiles/clients))), bodies[who].stamped(s)))
			})
		},
	}
}

// upload is PUT of a large file by each client, once: what varve keeps of it is
// there for good.
func upload(clients int) workload {
	return workload{
		rows:  []row{{name: "PUT 256 MiB, " + clientsText(clients), unit: "MB/s"}},
		slow:  clients > 1,
		bound: &bound{"disk and hash", pipeline},
		measure: func(ctx context.Context, s *server, round int) ([]float64, error) {
			names := make([]string, clients)
			for who := range names {
				names[who] = fmt.Sprintf("up-%d-%d-%d", clients, round, who)
			}
			block := newBody(blockSize)
			done, took, err := s.drive(ctx, load{clients: clients, count: 1}, func(ctx context.Context, c *client, who, _ int) error {
				return c.send(ctx, put(names[who], append(body(nil), block...).stamped(s)), blocks)
			})
			if err != nil {
				return nil, err
			}
			for _, name := range names {
				if err := s.one(ctx, remove(name)); err != nil {
					return nil, err
				}
			}
			return megabytes(done, took), nil
		},
	}
}

// download is GET of a large file.
func download(cfg Config, clients int) workload {
	return workload{
		rows: []row{{name: "GET 256 MiB, " + clientsText(clients), unit: "MB/s"}},
		slow: clients > 1,
		prepare: func(ctx context.Context, s *server) error {
			return s.once(largeFile, func() error {
				_, _, err := s.drive(ctx, load{clients: 1, count: 1}, func(ctx context.Context, c *client, _, _ int) error {
					return c.send(ctx, put(largeFile, newBody(blockSize).stamped(s)), blocks)
				})
				return err
			})
		},
		measure: func(ctx context.Context, s *server, _ int) ([]float64, error) {
			get := request{method: "GET", path: largeFile, status: []int{200}, length: largeSize}
			done, took, err := s.drive(ctx, load{clients: clients, time: cfg.Time}, func(ctx context.Context, c *client, _, _ int) error {
				return c.do(ctx, get)
			})
			if err != nil {
				return nil, err
			}
			return megabytes(done, took), nil
		},
	}
}

// megabytes is the rate of so many large files.
func megabytes(files int, took time.Duration) []float64 {
	return []float64{float64(files) * largeSize / 1e6 / took.Seconds()}
}

// locking is LOCK and UNLOCK of one file, by one client; both count as one.
func locking(cfg Config) workload {
	const info = `<?xml version="1.0" encoding="utf-8"?><lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype><owner>bench</owner></lockinfo>`
	lock := request{method: "LOCK", path: lockedFile, body: []byte(info), status: []int{200},
		header: "Content-Type: application/xml\r\nDepth: 0\r\nTimeout: Second-600\r\n"}
	return workload{
		rows:    perSecond("LOCK and UNLOCK", 1),
		prepare: small,
		measure: func(ctx context.Context, s *server, _ int) ([]float64, error) {
			return s.rate(ctx, load{clients: 1, time: cfg.Time}, func(ctx context.Context, c *client, _, _ int) error {
				if err := c.do(ctx, lock); err != nil {
					return err
				}
				return c.do(ctx, request{method: "UNLOCK", path: lockedFile, status: []int{204},
					header: fmt.Sprintf("Lock-Token: %s\r\n", c.lock)})
			})
		},
	}
}
