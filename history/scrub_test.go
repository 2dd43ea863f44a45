package history

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// scrubAll scrubs every part once.
func scrubAll(t *testing.T, l *Log) (blobs int64, problems []Problem) {
	t.Helper()
	const parts = 7
	for part := range parts {
		r, err := l.Scrub(t.Context(), part, parts)
		if err != nil {
			t.Fatal(err)
		}
		blobs, problems = blobs+r.Blobs, append(problems, r.Problems...)
	}
	return blobs, problems
}

func TestScrubSetsDamageAsideUntilItIsMended(t *testing.T) {
	dir := damaged(t)
	file := largeFile(t, dir)
	l := openLog(t, Options{Dir: dir})
	large := strings.Repeat("large", 10_000)
	u := upload(t, l, large)
	l.Discard(u)
	ref := u.Ref
	if blobs, problems := scrubAll(t, l); len(problems) > 0 || blobs != wantClean(t, l).Blobs {
		t.Fatalf("scrub of a whole store read %d blobs and found %v", blobs, problems)
	}
	if err := errors.Join(os.Chmod(file, 0o600), os.WriteFile(file, []byte(strings.Repeat("LARGE", 10_000)), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, problems := scrubAll(t, l); len(problems) != 1 || problems[0].Kind != BadBlob {
		t.Fatalf("scrub found %v, want one bad blob", problems)
	}
	if _, err := os.Stat(filepath.Join(dir, "blobs", "damaged", filepath.Base(file))); err != nil {
		t.Errorf("the damaged file was not kept: %v", err)
	}
	if _, err := l.Content(t.Context(), ref); !errors.Is(err, ErrDamaged) {
		t.Errorf("Content = %v, want ErrDamaged", err)
	}
	put(t, l, Shared, "again", large)
	if got := content(t, l, ref); got != large {
		t.Errorf("content after it was uploaded again has %d bytes, want %d", len(got), len(large))
	}
	wantClean(t, l)
}

// A file that could not be read once may be good: it stays.
func TestScrubLeavesWhatItCannotRead(t *testing.T) {
	dir := damaged(t)
	file := largeFile(t, dir)
	l := openLog(t, Options{Dir: dir})
	away := filepath.Join(t.TempDir(), "away")
	if err := errors.Join(os.Rename(file, away), os.Mkdir(file, 0o700)); err != nil { // opens, and does not read
		t.Fatal(err)
	}
	if _, problems := scrubAll(t, l); len(problems) != 1 || problems[0].Kind != BadBlob {
		t.Fatalf("scrub found %v, want one bad blob", problems)
	}
	if err := errors.Join(os.Remove(file), os.Rename(away, file)); err != nil {
		t.Fatalf("the file was moved: %v", err)
	}
	wantClean(t, l)
}

func TestScrubTakesBackWhatIsGood(t *testing.T) {
	dir := damaged(t)
	file := largeFile(t, dir)
	aside := filepath.Join(dir, "blobs", "damaged", filepath.Base(file))
	l := openLog(t, Options{Dir: dir})
	if err := os.Rename(file, aside); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(dir, "blobs", "damaged", "note")
	if err := os.WriteFile(bad, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, problems := scrubAll(t, l); len(problems) > 0 {
		t.Errorf("scrub found %v", problems)
	}
	wantClean(t, l)
	for _, damaged := range []string{strings.Repeat("LARGE", 10_000), "short"} {
		err := errors.Join(os.Rename(file, aside), os.Chmod(aside, 0o600), os.WriteFile(aside, []byte(damaged), 0o600))
		if err != nil {
			t.Fatal(err)
		}
		if _, problems := scrubAll(t, l); len(problems) != 1 || problems[0].Kind != MissingBlob {
			t.Errorf("scrub found %v, want a missing file", problems)
		}
		if err := os.Rename(aside, file); err != nil {
			t.Errorf("the damaged file did not stay aside: %v", err)
		}
	}
}

// Nobody has to have noticed the damage for an upload to mend it.
func TestUploadMendsDamage(t *testing.T) {
	dir := damaged(t)
	file := largeFile(t, dir)
	now := time.Now()
	l := openLog(t, Options{Dir: dir, Now: func() time.Time { return now }})
	if err := errors.Join(os.Chmod(file, 0o600), os.WriteFile(file, []byte(strings.Repeat("LARGE", 10_000)), 0o600)); err != nil {
		t.Fatal(err)
	}
	large := strings.Repeat("large", 10_000)
	ref := put(t, l, Shared, "again", large).Versions[0].Content.Ref
	if got := content(t, l, ref); got != large {
		t.Errorf("content after it was uploaded again begins %.10q, want %.10q", got, large)
	}
	wantClean(t, l)
	if _, err := os.Stat(file); err != nil {
		t.Errorf("the old file is gone at once: %v", err)
	}
	now = now.Add(Grace + time.Hour)
	if n, err := l.Empty(t.Context(), Grace); n != 1 || err != nil {
		t.Errorf("Empty = %d, %v, want 1", n, err)
	}
	wantClean(t, l)
}

func TestEqualUploadsKeepOneFile(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Options{Dir: dir})
	large := strings.Repeat("large", 10_000)
	put(t, l, Shared, "a", large)
	first := largeFile(t, dir)
	put(t, l, Shared, "b", large)
	put(t, l, Shared, "a", large)
	if got := largeFile(t, dir); got != first {
		t.Errorf("file %s became %s", first, got)
	}
	wantClean(t, l)
}
