package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
)

// branches is how many collections a tree's files lie in.
const branches = 10

// pause is what lies between two small PUTs during an operation on a tree: they
// are to show how long one waits, not to load the server.
const pause = 10 * time.Millisecond

// tree is COPY, MOVE and DELETE of a tree.
func tree(files int) workload {
	w := workload{prepare: plant(files)}
	for _, method := range []string{"COPY", "MOVE", "DELETE"} {
		w.rows = append(w.rows, row{treeText(method, files), "ms", true})
	}
	w.measure = func(ctx context.Context, s *server, round int) ([]float64, error) {
		var took []float64
		for _, o := range s.operations(files, round) {
			began := time.Now()
			if err := s.one(ctx, o.request); err != nil {
				return nil, err
			}
			took = append(took, milliseconds(time.Since(began)))
			if err := o.check(ctx); err != nil {
				return nil, err
			}
		}
		return took, nil
	}
	return w
}

// treeMeanwhile is tree while another client PUTs small files: the longest of
// these counts too.
func treeMeanwhile(files int) workload {
	w := workload{prepare: plant(files), slow: true}
	for _, method := range []string{"COPY", "MOVE", "DELETE"} {
		w.rows = append(w.rows, row{treeText(method, files), "ms", true}, row{"longest PUT 4 KiB during that " + method, "ms", true})
	}
	w.measure = func(ctx context.Context, s *server, round int) ([]float64, error) {
		dir := fmt.Sprintf("meanwhile-%d/", round)
		if err := s.one(ctx, mkcol(dir)); err != nil {
			return nil, err
		}
		var figures []float64
		for _, o := range s.operations(files, round) {
			took, longest, err := s.meanwhile(ctx, o.request, dir+o.request.method)
			if err != nil {
				return nil, err
			}
			figures = append(figures, milliseconds(took), milliseconds(longest))
			if err := o.check(ctx); err != nil {
				return nil, err
			}
		}
		return figures, nil
	}
	return w
}

func treeText(method string, files int) string {
	return fmt.Sprintf("%s of a tree of %s", method, humanize.Comma(int64(files)))
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// plant makes the tree that is copied.
func plant(files int) func(context.Context, *server) error {
	root := fmt.Sprintf("tree-%d/", files)
	return func(ctx context.Context, s *server) error {
		return s.once(root, func() error {
			if err := s.one(ctx, mkcol(root)); err != nil {
				return err
			}
			for n := range branches {
				if err := s.fill(ctx, fmt.Sprintf("%sbranch-%d/", root, n), files/branches, smallSize); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// operation is a request on a tree, and what is to be true after it.
type operation struct {
	request
	check func(ctx context.Context) error
}

// operations are a COPY of the tree, a MOVE of the copy and its DELETE.
func (s *server) operations(files, round int) []operation {
	from := fmt.Sprintf("tree-%d/", files)
	copied := fmt.Sprintf("copied-%d-%d/", files, round)
	moved := fmt.Sprintf("moved-%d-%d/", files, round)
	there := func(root string) func(context.Context) error {
		return func(ctx context.Context) error {
			return s.holds(ctx, fmt.Sprintf("%sbranch-%d/", root, branches-1), files/branches)
		}
	}
	return []operation{
		{s.transfer("COPY", from, copied), there(copied)},
		{s.transfer("MOVE", copied, moved), there(moved)},
		{remove(moved), func(ctx context.Context) error {
			gone := propfind(moved, "0")
			gone.status = []int{404}
			return s.one(ctx, gone)
		}},
	}
}

// transfer is a COPY or MOVE.
func (s *server) transfer(method, from, to string) request {
	return request{method: method, path: from, status: []int{201, 204},
		header: fmt.Sprintf("Destination: http://%s%s%s\r\nDepth: infinity\r\n", s.address, s.base, to)}
}

// meanwhile sends r while another client PUTs one small file after the other;
// it returns how long r took, and the longest PUT.
func (s *server) meanwhile(ctx context.Context, r request, prefix string) (took, longest time.Duration, err error) {
	ended := make(chan struct{})
	_, _, err = s.drive(ctx, load{clients: 2, count: 1}, func(ctx context.Context, c *client, who, _ int) error {
		if who == 0 {
			defer close(ended)
			began := time.Now()
			err := c.do(ctx, r)
			took = time.Since(began)
			return err
		}
		next := time.NewTicker(pause)
		defer next.Stop()
		b := newBody(smallSize)
		for n := 0; ; n++ {
			began := time.Now()
			if err := c.do(ctx, put(fmt.Sprintf("%s-%d.txt", prefix, n), b.stamped(s))); err != nil {
				return err
			}
			longest = max(longest, time.Since(began))
			select {
			case <-ended:
				return nil
			case <-next.C:
			}
		}
	})
	return took, longest, err
}
