package layers

import (
	"fmt"
	"strings"
	"testing"

	"varve/history"
)

// filled is a store with n files in the shared directory d, and an empty session.
func filled(b *testing.B, n int) (ann, s *View) {
	b.Helper()
	log, err := history.Open(b.Context(), history.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { log.Close() })
	store := New(Config{Log: log})
	ann, s = store.View(user("ann"), Scope{}), store.View(agent("ann", "session-one"), Scope{})
	if _, err := ann.Mkdir(b.Context(), "d", nil, Cond{}); err != nil {
		b.Fatal(err)
	}
	const group = 500
	for i := 0; i < n; i += group {
		var staged []*Staged
		for j := i; j < min(i+group, n); j++ {
			text := fmt.Sprint("content ", j)
			one, err := ann.Receive(b.Context(), fmt.Sprintf("d/file-%06d.txt", j),
				PutOptions{Body: strings.NewReader(text), Length: int64(len(text))})
			if err != nil {
				b.Fatal(err)
			}
			staged = append(staged, one)
		}
		if _, err := ann.PutAll(b.Context(), staged); err != nil {
			b.Fatal(err)
		}
	}
	return ann, s
}

func BenchmarkList10000(b *testing.B) {
	ann, s := filled(b, 10_000)
	for name, v := range map[string]*View{"shared": ann, "session": s} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				l, err := v.List(b.Context(), "d", ListOptions{Entries: true, Locks: true})
				if err != nil || len(l.Entries) != 10_000 {
					b.Fatal(len(l.Entries), err)
				}
			}
		})
	}
}

func BenchmarkStat(b *testing.B) {
	ann, s := filled(b, 1_000)
	for name, v := range map[string]*View{"shared": ann, "session": s} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := v.Stat(b.Context(), "d/file-000500.txt"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPut(b *testing.B) {
	ann, _ := filled(b, 0)
	text := strings.Repeat("x", 4096)
	b.Run("one", func(b *testing.B) { putLoop(b, ann, text) })
	b.Run("parallel", func(b *testing.B) {
		b.SetParallelism(8)
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				body := strings.NewReader(fmt.Sprintf("%p %d %s", pb, i, text))
				if _, err := ann.Put(b.Context(), fmt.Sprintf("d/%p-%d", pb, i), PutOptions{Body: body, Length: -1}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

func putLoop(b *testing.B, v *View, text string) {
	for i := 0; b.Loop(); i++ {
		body := strings.NewReader(fmt.Sprint(i) + text)
		if _, err := v.Put(b.Context(), fmt.Sprintf("d/one-%d", i), PutOptions{Body: body, Length: -1}); err != nil {
			b.Fatal(err)
		}
	}
}
