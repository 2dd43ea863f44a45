package blob

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"hash/adler32"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func openStore(t testing.TB, opts Options) (*Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "blobs")
	s, err := Open(dir, opts)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return s, dir
}

// files lists what is below dir.
func files(t testing.TB, dir string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestReceive(t *testing.T) {
	be := binary.BigEndian
	sum := func(algorithm, text string) Digest {
		b := []byte(text)
		s256, s512, s1, m := sha256.Sum256(b), sha512.Sum512(b), sha1.Sum(b), md5.Sum(b)
		return Digest{algorithm, map[string][]byte{"sha-256": s256[:], "sha-512": s512[:], "sha": s1[:], "md5": m[:],
			"crc32": be.AppendUint32(nil, crc32.ChecksumIEEE(b)), "adler32": be.AppendUint32(nil, adler32.Checksum(b))}[algorithm]}
	}
	broken := errors.New("connection reset")
	long := strings.Repeat("0123456789abcdef", 10_000)
	tests := []struct {
		name string
		body io.Reader
		want Expect
		err  error
	}{
		{"empty", strings.NewReader(""), Expect{Size: 0}, nil},
		{"small", strings.NewReader("small"), Expect{Size: 5}, nil},
		{"small, size unknown", strings.NewReader("small"), Expect{Size: -1}, nil},
		{"as large as inline", strings.NewReader(long[:100]), Expect{Size: 100}, nil},
		{"larger than inline", strings.NewReader(long[:101]), Expect{Size: 101}, nil},
		{"large", strings.NewReader(long), Expect{Size: int64(len(long)), Max: int64(len(long))}, nil},
		{"large in single bytes", iotest.OneByteReader(strings.NewReader(long)), Expect{Size: -1}, nil},
		{"end with the data", iotest.DataErrReader(strings.NewReader(long)), Expect{Size: int64(len(long))}, nil},
		{"short", strings.NewReader("small"), Expect{Size: 6}, ErrShort},
		{"long", strings.NewReader("small"), Expect{Size: 4}, ErrShort},
		{"large and short", strings.NewReader(long), Expect{Size: int64(len(long)) + 1}, ErrShort},
		{"large and long", strings.NewReader(long), Expect{Size: int64(len(long)) - 1}, ErrShort},
		{"announced too large", strings.NewReader(""), Expect{Size: 10, Max: 9}, ErrTooLarge},
		{"too large", strings.NewReader(long), Expect{Size: -1, Max: int64(len(long)) - 1}, ErrTooLarge},
		{"cut off", io.MultiReader(strings.NewReader("sm"), iotest.ErrReader(io.ErrUnexpectedEOF)), Expect{Size: -1}, io.ErrUnexpectedEOF},
		{"large and broken", io.MultiReader(strings.NewReader(long), iotest.ErrReader(broken)), Expect{Size: -1}, broken},
		{"no progress", stuck{}, Expect{Size: -1}, io.ErrNoProgress},
		{"all digests", strings.NewReader(long), Expect{Size: -1, Digests: []Digest{sum("sha-256", long), sum("sha-512", long),
			sum("sha", long), sum("md5", long), sum("crc32", long), sum("adler32", long)}}, nil},
		{"wrong sha-256", strings.NewReader(long), Expect{Size: -1, Digests: []Digest{sum("sha-256", "x")}}, ErrDigest},
		{"wrong md5", strings.NewReader("x"), Expect{Size: 1, Digests: []Digest{sum("md5", "y")}}, ErrDigest},
		{"wrong crc32", strings.NewReader("x"), Expect{Size: 1, Digests: []Digest{sum("sha", "x"), sum("crc32", "y")}}, ErrDigest},
		{"digest cut off", strings.NewReader("x"), Expect{Size: 1, Digests: []Digest{{"md5", sum("md5", "x").Sum[:8]}}}, ErrDigest},
		{"unknown digest", strings.NewReader("x"), Expect{Size: 1, Digests: []Digest{{"md4", nil}}}, fs.ErrInvalid},
	}
	s, dir := openStore(t, Options{Inline: 100})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var read bytes.Buffer
			u, err := s.Receive(t.Context(), io.TeeReader(tt.body, &read), tt.want)
			if !errors.Is(err, tt.err) {
				t.Fatalf("Receive = %v, want %v", err, tt.err)
			}
			if err == nil {
				checkUpload(t, s, u, read.Bytes())
				s.Discard(u)
				s.Discard(u)
			}
			if left := files(t, dir); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// checkUpload keeps u and compares it with the bytes that were sent.
func checkUpload(t *testing.T, s *Store, u *Upload, sent []byte) {
	t.Helper()
	if want, err := Describe(bytes.NewReader(sent)); err != nil || u.Info != want {
		t.Errorf("Info = %+v, want %+v, %v", u.Info, want, err)
	}
	if u.Ref != Ref(sha256.Sum256(sent)) || u.CRC32 != crc32.ChecksumIEEE(sent) || u.SHA1 != sha1.Sum(sent) || u.MD5 != md5.Sum(sent) {
		t.Errorf("hashes = %+v", u.Info)
	}
	if err := s.Keep(u); err != nil {
		t.Fatalf("Keep: %v", err)
	}
	if (u.Data != nil) == (u.Locator != "") || (u.Data != nil) != (len(sent) <= 100) {
		t.Fatalf("%d bytes: Data is set: %v, Locator = %q", len(sent), u.Data != nil, u.Locator)
	}
	got := u.Data
	if u.Locator != "" {
		f, err := s.Open(u.Locator)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if info, err := f.Stat(); err != nil || info.Mode() != 0o440 {
			t.Errorf("mode = %v, %v", info.Mode(), err)
		}
		if got, err = io.ReadAll(f); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got, sent) {
		t.Errorf("stored %d bytes that are not the %d sent", len(got), len(sent))
	}
}

func TestReceiveStopsWithContext(t *testing.T) {
	s, dir := openStore(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	endless := readerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil })
	if _, err := s.Receive(ctx, endless, Expect{Size: -1}); !errors.Is(err, context.Canceled) {
		t.Errorf("Receive = %v, want context.Canceled", err)
	}
	if left := files(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// Equal contents never share a file, so that removing one cannot take away the
// other.
func TestLocatorsAreUnique(t *testing.T) {
	s, _ := openStore(t, Options{Inline: -1})
	var uploads []*Upload
	for range 2 {
		u, err := s.Receive(t.Context(), strings.NewReader("same"), Expect{Size: 4})
		if err == nil {
			err = s.Keep(u)
		}
		if err != nil {
			t.Fatal(err)
		}
		uploads = append(uploads, u)
	}
	if uploads[0].Locator == uploads[1].Locator {
		t.Errorf("both are at %s", uploads[0].Locator)
	}
	uploads[1].Commit()
	s.Discard(uploads[0])
	s.Discard(uploads[1]) // does nothing: it was committed
	if f, err := s.Open(uploads[1].Locator); err != nil {
		t.Error(err)
	} else {
		f.Close()
	}
}

func TestKeepSyncsFileThenDirectory(t *testing.T) {
	var synced []string
	s, dir := openStore(t, Options{Inline: -1, Sync: func(f *os.File) error {
		rel, err := filepath.Rel(filepath.Dir(f.Name()), f.Name())
		synced = append(synced, rel)
		return err
	}})
	if len(synced) != 2 {
		t.Errorf("Open synced %v, want its directory and the one above", synced)
	}
	u, err := s.Receive(t.Context(), strings.NewReader("x"), Expect{Size: 1})
	if err != nil {
		t.Fatal(err)
	}
	if got := files(t, filepath.Join(dir, "tmp")); len(got) != 1 {
		t.Errorf("temporary files = %v, want one", got)
	}
	synced = nil
	if err := s.Keep(u); err != nil {
		t.Fatal(err)
	}
	if len(synced) != 2 || synced[1] != u.Ref.String()[:2] {
		t.Errorf("Keep synced %v, want the file, then its directory", synced)
	}
}

func TestFailedSyncLeavesNothing(t *testing.T) {
	broken := errors.New("input/output error")
	fail := false
	s, dir := openStore(t, Options{Inline: -1, Sync: func(f *os.File) error {
		if fail {
			return broken
		}
		return nil
	}})
	u, err := s.Receive(t.Context(), strings.NewReader("x"), Expect{Size: 1})
	if err != nil {
		t.Fatal(err)
	}
	fail = true
	if err := s.Keep(u); !errors.Is(err, broken) {
		t.Errorf("Keep = %v", err)
	}
	s.Discard(u)
	if left := files(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestOpenRemovesWhatWasLeft(t *testing.T) {
	s, dir := openStore(t, Options{Inline: -1})
	if _, err := s.Receive(t.Context(), strings.NewReader("x"), Expect{Size: 1}); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Spooled(); err != nil || n != 1 {
		t.Errorf("Spooled = %d, %v, want 1", n, err)
	}
	if _, err := Open(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	if left := files(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestLocatorsStayInside(t *testing.T) {
	s, _ := openStore(t, Options{})
	hex := strings.Repeat("ab", 32)
	for _, l := range []Locator{"", "x", "../x", Locator(hex), Locator(hex + "."), Locator(hex + "./../../x"),
		Locator(hex + ".."), Locator("../" + hex[3:] + ".a")} {
		if _, err := s.Open(l); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("Open(%q) = %v, want fs.ErrInvalid", l, err)
		}
		if err := s.Remove(l); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("Remove(%q) = %v, want fs.ErrInvalid", l, err)
		}
	}
	if err := s.Remove(Locator(hex + ".a")); err != nil {
		t.Errorf("Remove of a missing file = %v", err)
	}
}

func TestWalk(t *testing.T) {
	s, _ := openStore(t, Options{Inline: -1})
	want := map[Locator]bool{}
	for _, text := range []string{"a", "b", "c"} {
		u, err := s.Receive(t.Context(), strings.NewReader(text), Expect{Size: 1})
		if err == nil {
			err = s.Keep(u)
		}
		if err != nil {
			t.Fatal(err)
		}
		want[u.Locator] = true
	}
	err := s.Walk(func(l Locator, _ time.Time) error {
		if !want[l] {
			t.Errorf("Walk visits %s", l)
		}
		delete(want, l)
		return nil
	})
	if err != nil || len(want) > 0 {
		t.Errorf("Walk = %v and missed %v", err, want)
	}
}

func TestParseRef(t *testing.T) {
	r := Ref(sha256.Sum256(nil))
	if got, err := ParseRef(r.String()); err != nil || got != r {
		t.Errorf("ParseRef(%s) = %s, %v", r, got, err)
	}
	for _, s := range []string{"", "ab", strings.Repeat("x", 64), r.String() + "00"} {
		if _, err := ParseRef(s); err == nil {
			t.Errorf("ParseRef(%q) succeeded", s)
		}
	}
}

func BenchmarkReceive(b *testing.B) {
	s, _ := openStore(b, Options{})
	data := make([]byte, 64<<20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		u, err := s.Receive(context.Background(), bytes.NewReader(data), Expect{Size: int64(len(data))})
		if err == nil {
			err = s.Keep(u)
		}
		if err != nil {
			b.Fatal(err)
		}
		s.Discard(u)
	}
}
