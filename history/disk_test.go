package history

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"varve/history/blob"
)

// smallDisk is a directory on a file system of so many bytes.
func smallDisk(t *testing.T, bytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		if os.Getenv("VARVE_REQUIRE_CLIENTS") == "1" {
			t.Fatalf("mounting a small disk: %v", err)
		}
		t.Skipf("mounting a small disk needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmounting: %v", err)
		}
	})
	return dir
}

func TestDiskFull(t *testing.T) {
	for _, inline := range []int64{0, -1} {
		t.Run(fmt.Sprintf("inline %d", inline), func(t *testing.T) {
			dir := smallDisk(t, 4<<20)
			ballast := filepath.Join(dir, "ballast")
			if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			l, err := Open(t.Context(), Options{Dir: filepath.Join(dir, "store"), Inline: inline})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			written := fillUp(t, l)
			view(t, l, func(tx *Tx) error {
				list, err := tx.Children(Shared, ".", Live)
				if len(list) != written {
					t.Errorf("%d files are there, %d were acknowledged", len(list), written)
				}
				return err
			})
			if l.Seq() != Seq(1+written) {
				t.Errorf("Seq = %d after %d changes", l.Seq(), 1+written)
			}

			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			put(t, l, Shared, "after", strings.Repeat("y", 10_000))
			wantClean(t, l)
		})
	}
}

// fillUp puts files, several callers at once, until the disk is full, and
// returns how many were acknowledged.
func fillUp(t *testing.T, l *Log) (written int) {
	t.Helper()
	for i := 0; ; i++ {
		var batch []*request
		var uploads []*blob.Upload
		for j := range 4 {
			text := fmt.Sprintf("%d-%d %s", i, j, strings.Repeat("x", 12_000))
			u, err := l.Receive(t.Context(), strings.NewReader(text), blob.Expect{Size: -1})
			if err == nil {
				err = l.Keep(u)
			}
			if errors.Is(err, ErrFull) {
				l.Discard(u)
				continue
			}
			if err != nil {
				t.Fatalf("storing content on a full disk: %v, want ErrFull", err)
			}
			uploads = append(uploads, u)
			batch = append(batch, plan(t, Change{Op: OpPut, Uploads: []*blob.Upload{u}, Versions: []Version{
				{Layer: Shared, Name: fmt.Sprintf("%d-%d", i, j), Kind: File, Content: u.Info}}}))
		}
		l.answer(batch)
		full := len(batch) < 4
		for j, r := range batch {
			switch {
			case r.err == nil:
				written++
			case errors.Is(r.err, ErrFull):
				l.Discard(uploads[j])
				full = true
			default:
				t.Fatalf("Commit on a full disk: %v, want ErrFull", r.err)
			}
		}
		if full {
			return written
		}
	}
}

// A store that was killed comes back with all that was acknowledged and
// nothing else.
func TestReopenAfterCrash(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Options{Dir: dir, Inline: -1})
	put(t, l, Shared, "a", "a")
	lost := upload(t, l, "kept, never committed")
	if _, err := l.Receive(t.Context(), strings.NewReader("on its way"), blob.Expect{Size: -1}); err != nil {
		t.Fatal(err)
	}
	// What lies on disk now is what a killed process leaves.
	crashed := t.TempDir()
	if err := os.CopyFS(crashed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	// It can be looked at before it is served again.
	reader, err := OpenForReading(t.Context(), Options{Dir: crashed})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := reader.Verify(t.Context(), nil); err != nil || len(r.Problems) > 0 || r.Seq != 2 || r.Spooled != 1 {
		t.Errorf("Verify of what a crash left = %+v, %v, want nothing wrong", r, err)
	}
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	again := openLog(t, Options{Dir: crashed, Now: func() time.Time { return now }})
	r, err := again.Verify(t.Context(), nil)
	if err != nil || len(r.Problems) > 0 || r.Seq != 2 || r.Orphans != 1 || r.Spooled != 0 {
		t.Errorf("Verify after a crash = %+v, %v, want an orphan and nothing else", r, err)
	}
	if n, err := again.Sweep(t.Context(), Grace); n != 0 || err != nil {
		t.Errorf("Sweep at once = %d, %v, want 0", n, err)
	}
	now = now.Add(Grace + time.Hour)
	if n, err := again.Sweep(t.Context(), Grace); n != 1 || err != nil {
		t.Errorf("Sweep later = %d, %v, want 1", n, err)
	}
	if _, err := os.Stat(filepath.Join(crashed, "blobs", lost.Ref.String()[:2], string(lost.Locator))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the orphan is still there: %v", err)
	}
	wantClean(t, again)
}

func TestContent(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Options{Dir: dir, Inline: 10})
	small, large := put(t, l, Shared, "small", "small").Versions[0], put(t, l, Shared, "large", "larger than ten").Versions[0]
	if got := content(t, l, small.Content.Ref); got != "small" {
		t.Errorf("content = %q", got)
	}
	r, err := l.Content(t.Context(), large.Content.Ref)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, ok := r.(*os.File); !ok {
		t.Errorf("content is a %T, want *os.File so that sendfile works", r)
	}
	if _, err := r.Seek(-3, io.SeekEnd); err != nil {
		t.Error(err)
	}
	if _, err := l.Content(t.Context(), blob.Ref{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Content of nothing = %v, want fs.ErrNotExist", err)
	}
	file := largeFile(t, dir)
	if err := os.Truncate(file, 3); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Content(t.Context(), large.Content.Ref); !errors.Is(err, ErrDamaged) {
		t.Errorf("Content of a file cut off = %v, want ErrDamaged", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Content(t.Context(), large.Content.Ref); !errors.Is(err, ErrDamaged) {
		t.Errorf("Content of a missing file = %v, want ErrDamaged", err)
	}
}

// Collecting takes what no version has, and what somebody stores anew stays.
func TestBin(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	l := openLog(t, Options{Dir: dir, Inline: 5, Now: func() time.Time { return now }})
	for name, text := range map[string]string{"a": "1234", "b": "larger than five", "c": "also larger"} {
		put(t, l, Shared, name, text)
	}
	collect := func(want int) {
		t.Helper()
		if n, err := l.Collect(t.Context()); n != want || err != nil {
			t.Fatalf("Collect = %d, %v, want %d", n, err, want)
		}
	}
	empty := func(want int) {
		t.Helper()
		if n, err := l.Empty(t.Context(), Grace); n != want || err != nil {
			t.Fatalf("Empty = %d, %v, want %d", n, err, want)
		}
	}
	collect(0)
	forget(t, l, "a")
	forget(t, l, "b")
	collect(2)
	collect(0)
	put(t, l, Shared, "again", "larger than five")
	empty(0)
	now = now.Add(Grace + time.Hour)
	empty(1)
	empty(0)
	view(t, l, func(tx *Tx) error {
		heads, err := tx.Heads([]Key{{Shared, "c"}, {Shared, "again"}}, Live)
		for _, h := range heads {
			if got := content(t, l, h.Content.Ref); int64(len(got)) != h.Content.Size {
				t.Errorf("content of %q has %d bytes", h.Name, len(got))
			}
		}
		return err
	})
	view(t, l, func(tx *Tx) error {
		got, err := tx.Stored()
		if want := int64(len("larger than five" + "also larger")); got != want {
			t.Errorf("Stored = %d, want %d", got, want)
		}
		return err
	})
	if n, err := l.Sweep(t.Context(), 0); n != 0 || err != nil {
		t.Errorf("Sweep = %d, %v, want 0", n, err)
	}
}

// forget takes away the versions of a name, as a purge does.
func forget(t *testing.T, l *Log, name string) {
	t.Helper()
	_, err := l.Commit(t.Context(), func(tx *Tx) (*Change, error) {
		tx.Do(`DELETE FROM version WHERE layer = 1 AND dir = '.' AND name = $1`, name)
		return nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
