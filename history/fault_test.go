package history

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"varve/history/blob"
	"varve/history/sql"
)

var errDisk = errors.New("disk I/O error")

// fault makes the next statement that begins with its text fail.
type fault struct {
	text   string
	happen func(*sql.Conn) error
}

// on is Options.fault. What happens may run statements itself.
func (f *fault) on(c *sql.Conn, query string) error {
	if f.text == "" || !strings.HasPrefix(query, f.text) {
		return nil
	}
	f.text = ""
	return f.happen(c)
}

// rollBack is what SQLite does by itself when it cannot read.
func rollBack(c *sql.Conn) error {
	_, err := c.Exec("ROLLBACK")
	return errors.Join(errDisk, err)
}

// commitAnyway is what a crash makes of a log whose last sync failed.
func commitAnyway(c *sql.Conn) error {
	_, err := c.Exec("COMMIT")
	return errors.Join(errDisk, err)
}

// A plan that cannot read must not have the others of its batch half written,
// even if it hides the error.
func TestReadErrorInBatch(t *testing.T) {
	for _, hide := range []bool{false, true} {
		f := &fault{}
		dir := t.TempDir()
		l := openLog(t, Options{Dir: dir, Inline: -1, fault: f.on})
		put(t, l, Shared, "a", "old")
		u := upload(t, l, "new")
		broken := func(tx *Tx) (*Change, error) {
			f.text = "WITH RECURSIVE"
			_, err := tx.dirs(Shared, ".")
			f.text = ""
			if hide {
				err = nil
			}
			return nil, err
		}
		f.happen = rollBack
		batch := []*request{
			plan(t, Change{Op: OpPut, Uploads: []*blob.Upload{u}, Versions: []Version{
				{Layer: Shared, Name: "a", Kind: File, Content: u.Info}}}),
			{ctx: t.Context(), plan: broken},
			plan(t, Change{Op: OpMkdir, Versions: []Version{dirVersion(Shared, "d")}}),
		}
		l.answer(batch)
		if batch[0].err != nil || !errors.Is(batch[1].err, errDisk) || batch[2].err != nil {
			t.Errorf("hidden %v: %v, %v, %v, want only the second to fail", hide, batch[0].err, batch[1].err, batch[2].err)
		}
		put(t, l, Shared, "b", "next")
		if got := content(t, l, u.Ref); got != "new" {
			t.Errorf("content = %q", got)
		}
		wantClean(t, l)
	}
}

// Of a commit that may come back nothing is deleted, and nothing follows it.
func TestCommitInDoubt(t *testing.T) {
	f := &fault{happen: commitAnyway}
	dir := t.TempDir()
	l := openLog(t, Options{Dir: dir, Inline: -1, fault: f.on})
	first := put(t, l, Shared, "a", "one")
	doubtful, late := upload(t, l, "two"), upload(t, l, "three")
	own := errors.New("own")
	file := func(name string, u *blob.Upload) *request {
		return plan(t, Change{Op: OpPut, Uploads: []*blob.Upload{u}, Versions: []Version{
			{Layer: Shared, Name: name, Kind: File, Content: u.Info}}})
	}
	batch := []*request{file("a", doubtful), plan(t, Change{Op: OpMkdir, Versions: []Version{dirVersion(Shared, "d")}}), plan(t, Change{})}
	batch[2].plan = func(*Tx) (*Change, error) { return nil, own }
	f.text = "COMMIT"
	l.answer(batch)
	for i, want := range []error{ErrInDoubt, ErrInDoubt, own} {
		if !errors.Is(batch[i].err, want) || batch[i].change != nil {
			t.Errorf("request %d: %v, want %v", i, batch[i].err, want)
		}
	}
	l.Discard(doubtful)

	_, err := l.Commit(t.Context(), file("b", late).plan)
	if !errors.Is(err, ErrInDoubt) {
		t.Errorf("Commit after one in doubt = %v, want ErrInDoubt", err)
	}
	if err := l.Writable(); !errors.Is(err, ErrInDoubt) {
		t.Errorf("Writable after one in doubt = %v, want ErrInDoubt", err)
	}
	l.Discard(late)
	if _, err := l.Sweep(t.Context(), 0); !errors.Is(err, ErrInDoubt) {
		t.Errorf("Sweep after a commit in doubt = %v, want ErrInDoubt", err)
	}
	if got := content(t, l, first.Versions[0].Content.Ref); got != "one" {
		t.Errorf("content = %q", got)
	}
	if l.Seq() != first.Seq {
		t.Errorf("Seq = %d, want %d", l.Seq(), first.Seq)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	l = openLog(t, Options{Dir: dir, Inline: -1})
	if got := content(t, l, doubtful.Ref); got != "two" {
		t.Errorf("content of the change that came back = %q", got)
	}
	put(t, l, Shared, "b", "four")
	wantClean(t, l)
}

// A full disk refuses a commit before there is any doubt.
func TestCommitWithoutDoubt(t *testing.T) {
	dir := smallDisk(t, 2<<20)
	f := &fault{}
	l := openLog(t, Options{Dir: filepath.Join(dir, "store"), fault: f.on})
	ballast := filepath.Join(dir, "ballast")
	f.text, f.happen = "COMMIT", func(*sql.Conn) error {
		err := os.WriteFile(ballast, make([]byte, 4<<20), 0o600) // as much as there is room for
		if err == nil {
			err = errors.New("the disk is larger than it should be")
			return err
		}
		return nil
	}
	many := Change{Op: OpMkdir}
	for i := range 500 {
		many.Versions = append(many.Versions, dirVersion(Shared, fmt.Sprint(i)))
	}
	if _, err := l.Commit(t.Context(), func(*Tx) (*Change, error) { return &many, nil }); !errors.Is(err, ErrFull) || errors.Is(err, ErrInDoubt) {
		t.Errorf("Commit on a full disk = %v, want ErrFull", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	commit(t, l, many)
	wantClean(t, l)
}

// Whoever brings down a batch, the log goes on.
func TestPanicWhileWriting(t *testing.T) {
	f := &fault{text: "INSERT INTO version", happen: func(*sql.Conn) error { panic("oops") }}
	text := f.text
	f.text = ""
	l := openLog(t, Options{fault: f.on})
	f.text = text
	_, err := l.Commit(t.Context(), plan(t, Change{Op: OpMkdir, Versions: []Version{dirVersion(Shared, "d")}}).plan)
	if err == nil || !strings.Contains(err.Error(), "oops") {
		t.Errorf("Commit = %v, want the panic", err)
	}
	f.text = text
	batch := []*request{
		plan(t, Change{Op: OpMkdir, Versions: []Version{dirVersion(Shared, "d")}}),
		plan(t, Change{Op: OpMkdir, Versions: []Version{dirVersion(Shared, "e")}}),
	}
	l.answer(batch)
	if batch[0].err != nil || batch[1].err != nil {
		t.Errorf("batch whose first try panicked: %v, %v", batch[0].err, batch[1].err)
	}
	mkdir(t, l, Shared, "f")
	wantClean(t, l)
}

// The way down to a new store is durable, too.
func TestOpenSyncsDirectories(t *testing.T) {
	top := t.TempDir()
	synced := map[string]bool{}
	sync := func(f *os.File) error {
		synced[f.Name()] = true
		return f.Sync()
	}
	dir := filepath.Join(top, "a", "store")
	openLog(t, Options{Dir: dir, sync: sync})
	for _, want := range []string{top, filepath.Join(top, "a"), dir, filepath.Join(dir, "blobs")} {
		if !synced[want] {
			t.Errorf("%s was not synced", want)
		}
	}
}

// A file that could not be synced is refused, and the log goes on.
func TestContentThatCannotBeSynced(t *testing.T) {
	fail := false
	l := openLog(t, Options{Inline: -1, sync: func(*os.File) error {
		if fail {
			return errDisk
		}
		return nil
	}})
	u, err := l.Receive(t.Context(), strings.NewReader("x"), blob.Expect{Size: 1})
	if err != nil {
		t.Fatal(err)
	}
	fail = true
	if err := l.Keep(u); !errors.Is(err, errDisk) {
		t.Errorf("Keep = %v, want the disk's error", err)
	}
	l.Discard(u)
	fail = false
	put(t, l, Shared, "a", "x")
	wantClean(t, l)
}
