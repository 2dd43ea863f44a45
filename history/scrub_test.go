package history

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
