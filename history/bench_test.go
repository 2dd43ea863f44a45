package history

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"varve/history/blob"
)

// putOne is what a PUT of 4 KiB asks of the log.
func putOne(l *Log, name, body string) error {
	ctx := context.Background()
	u, err := l.Receive(ctx, strings.NewReader(body), blob.Expect{Size: int64(len(body))})
	if err != nil {
		return err
	}
	if err := l.Keep(u); err != nil {
		return err
	}
	_, err = l.Commit(ctx, func(tx *Tx) (*Change, error) {
		k := Key{Shared, name}
		heads, err := tx.Heads([]Key{{Shared, "."}, {Shared, "d"}, k}, Live)
		if err != nil {
			return nil, err
		}
		if _, err := tx.Usage(Account{Sub: "ann"}); err != nil {
			return nil, err
		}
		return &Change{Op: OpPut, Actor: Actor{Account: Account{Sub: "ann"}}, Owner: Account{Sub: "ann"}, Agent: "bench",
			Uploads: []*blob.Upload{u}, Versions: []Version{
				{Layer: Shared, Name: name, Kind: File, Node: heads[k].Node, Content: u.Info, Charge: u.Size}}}, nil
	})
	return err
}

func body(n int64) string {
	s := fmt.Sprintf("%020d", n)
	return s + strings.Repeat("x", 4096-len(s))
}

// reportCPU adds the processor time of an operation, which says more than the
// clock where others use the machine too.
func reportCPU(b *testing.B) {
	before := cpuTime(b)
	b.Cleanup(func() { b.ReportMetric(float64(cpuTime(b)-before)/1000/float64(b.N), "cpu-µs/op") })
}

func cpuTime(b *testing.B) int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func BenchmarkPut(b *testing.B) {
	for _, callers := range []int{1, 16} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			l := openLog(b, Options{})
			mkdir(b, l, Shared, "d")
			reportCPU(b)
			var n atomic.Int64
			run := func() error {
				i := n.Add(1)
				return putOne(l, fmt.Sprintf("d/%08d", i), body(i))
			}
			if callers == 1 {
				for b.Loop() {
					if err := run(); err != nil {
						b.Fatal(err)
					}
				}
				return
			}
			b.SetParallelism(callers / 2)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := run(); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// fill puts n files into a directory in one change.
func fillDir(t testing.TB, l *Log, layer Layer, dir string, n int) {
	t.Helper()
	u := upload(t, l, "content")
	c := Change{Op: OpCopy, Uploads: []*blob.Upload{u}}
	c.Versions = append(c.Versions, Version{Layer: layer, Name: dir, Kind: Dir})
	for i := range n {
		c.Versions = append(c.Versions, Version{Layer: layer, Name: fmt.Sprintf("%s/file-%06d.txt", dir, i), Kind: File,
			Content: u.Info, Charge: u.Size, Type: "text/plain"})
	}
	commit(t, l, c)
}

func BenchmarkHeads(b *testing.B) {
	l := openLog(b, Options{})
	fillDir(b, l, Shared, "d", 10_000)
	for _, n := range []int{1, 4, 8} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var keys []Key
			for i := range n {
				keys = append(keys, Key{Shared, fmt.Sprintf("d/file-%06d.txt", i*100)})
			}
			reportCPU(b)
			for b.Loop() {
				err := l.View(context.Background(), func(tx *Tx) error {
					_, err := tx.Heads(keys, Live)
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkChildren(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		l := openLog(b, Options{})
		fillDir(b, l, Shared, "d", n)
		for _, at := range []Seq{Live, l.Seq()} {
			b.Run(fmt.Sprintf("%d/live=%v", n, at == Live), func(b *testing.B) {
				reportCPU(b)
				for b.Loop() {
					err := l.View(context.Background(), func(tx *Tx) error {
						list, err := tx.Children(Shared, "d", at)
						if len(list) != n {
							b.Fatalf("%d children", len(list))
						}
						return err
					})
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkTree(b *testing.B) {
	l := openLog(b, Options{})
	reportCPU(b)
	i := 0
	for b.Loop() {
		fillDir(b, l, Shared, fmt.Sprintf("d%d", i), 10_000)
		i++
	}
}

func BenchmarkSession(b *testing.B) {
	l := openLog(b, Options{})
	reportCPU(b)
	i := 0
	for b.Loop() {
		commit(b, l, Change{Op: OpSession, Session: &Session{ID: fmt.Sprintf("session-%d", i)}})
		i++
	}
}
