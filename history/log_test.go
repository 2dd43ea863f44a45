package history

import (
	"context"
	"io"
	"strings"
	"testing"

	"varve/history/blob"
)

func openLog(t testing.TB, opts Options) *Log {
	t.Helper()
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	l, err := Open(t.Context(), opts)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return l
}

// upload receives and keeps content.
func upload(t testing.TB, l *Log, content string) *blob.Upload {
	t.Helper()
	u, err := l.Receive(t.Context(), strings.NewReader(content), blob.Expect{Size: int64(len(content))})
	if err != nil {
		t.Fatalf("Receive(%.20q): %v", content, err)
	}
	if err := l.Keep(u); err != nil {
		t.Fatalf("Keep(%.20q): %v", content, err)
	}
	return u
}

func put(t testing.TB, l *Log, layer Layer, name, content string) *Change {
	t.Helper()
	u := upload(t, l, content)
	return commit(t, l, Change{Op: OpPut, Uploads: []*blob.Upload{u}, Versions: []Version{
		{Layer: layer, Name: name, Kind: File, Content: u.Info, Charge: u.Size}}})
}

func mkdir(t testing.TB, l *Log, layer Layer, name string) *Change {
	t.Helper()
	return commit(t, l, Change{Op: OpMkdir, Versions: []Version{{Layer: layer, Name: name, Kind: Dir}}})
}

func commit(t testing.TB, l *Log, c Change) *Change {
	t.Helper()
	done, err := l.Commit(t.Context(), func(*Tx) (*Change, error) { return &c, nil })
	if err != nil {
		t.Fatalf("Commit(%s): %v", c.Op, err)
	}
	return done
}

func view(t testing.TB, l *Log, read func(*Tx) error) {
	t.Helper()
	if err := l.View(t.Context(), read); err != nil {
		t.Fatalf("View: %v", err)
	}
}

func content(t testing.TB, l *Log, ref blob.Ref) string {
	t.Helper()
	r, err := l.Content(t.Context(), ref)
	if err != nil {
		t.Fatalf("Content(%s): %v", ref, err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("reading %s: %v", ref, err)
	}
	return string(b)
}

func TestStory(t *testing.T) {
	dir := t.TempDir()
	l, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	mkdir(t, l, Shared, "docs")
	put(t, l, Shared, "docs/a.txt", "hello")
	put(t, l, Shared, "docs/b.txt", strings.Repeat("large", 10_000))
	put(t, l, Shared, "docs/empty", "")
	third := put(t, l, Shared, "docs/a.txt", "hello again")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	l = openLog(t, Options{Dir: dir})
	if l.Seq() != third.Seq {
		t.Errorf("Seq after reopening = %d, want %d", l.Seq(), third.Seq)
	}
	view(t, l, func(tx *Tx) error {
		list, err := tx.Children(Shared, "docs", Live)
		if err != nil {
			return err
		}
		var names []string
		for _, h := range list {
			names = append(names, h.Name)
		}
		if got := strings.Join(names, " "); got != "docs/a.txt docs/b.txt docs/empty" {
			t.Errorf("Children(docs) = %s", got)
		}
		if got := content(t, l, list[0].Content.Ref); got != "hello again" {
			t.Errorf("content of docs/a.txt = %q", got)
		}
		if got := content(t, l, list[1].Content.Ref); len(got) != 50_000 {
			t.Errorf("content of docs/b.txt has %d bytes", len(got))
		}
		old, err := tx.Children(Shared, "docs", third.Seq-1)
		if err != nil {
			return err
		}
		if got := content(t, l, old[0].Content.Ref); got != "hello" {
			t.Errorf("content of docs/a.txt before = %q", got)
		}
		return nil
	})
}

func TestOneProcess(t *testing.T) {
	dir := t.TempDir()
	openLog(t, Options{Dir: dir})
	if _, err := Open(context.Background(), Options{Dir: dir}); err == nil {
		t.Error("Open of a store in use succeeded")
	} else {
		t.Log(err)
	}
	r, err := OpenForReading(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.Seq() != 1 {
		t.Errorf("Seq of the reader = %d", r.Seq())
	}
}
