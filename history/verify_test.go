package history

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// damaged makes a small store with something of everything and closes it.
func damaged(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	l, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	commit(t, l, Change{Op: OpSession, Session: &Session{ID: "sess-1", Name: "one"}})
	mkdir(t, l, 2, "d")
	put(t, l, 2, "d/small", "small")
	put(t, l, 2, "d/large", strings.Repeat("large", 10_000))
	put(t, l, 2, "d/small", "small, again")
	commit(t, l, Change{Op: OpRenew, Renews: []Key{{2, "d/large"}}})
	wantClean(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// largeFile is the one blob of damaged that is a file.
func largeFile(t *testing.T, dir string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "blobs", "??", "*.*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("files = %v, %v, want one", found, err)
	}
	return found[0]
}

func TestVerifyFindsDamagedFiles(t *testing.T) {
	rewrite := func(text string) func(string) error {
		return func(file string) error {
			return errors.Join(os.Chmod(file, 0o600), os.WriteFile(file, []byte(text), 0o600))
		}
	}
	tests := []struct {
		name   string
		damage func(file string) error
		want   ProblemKind
	}{
		{"cut off", rewrite("large"), BadBlob},
		{"altered", rewrite(strings.Repeat("LARGE", 10_000)), BadBlob},
		{"missing", os.Remove, MissingBlob},
	}
	dir := damaged(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.damage(largeFile(t, dir)); err != nil {
				t.Fatal(err)
			}
			text := wantProblem(t, dir, tt.want)
			if want := `"d/large" in session sess-1`; !strings.Contains(text, want) {
				t.Errorf("problem = %q, want %s in it", text, want)
			}
		})
	}
}

func TestVerifyFindsMissingDirectories(t *testing.T) {
	for _, gone := range []string{"blobs", "blobs/tmp", "blobs/00"} {
		dir := damaged(t)
		if err := os.RemoveAll(filepath.Join(dir, gone)); err != nil {
			t.Fatal(err)
		}
		l, err := OpenForReading(t.Context(), Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		r, err := l.Verify(t.Context(), nil)
		if err := errors.Join(err, l.Close()); err != nil {
			t.Fatalf("Verify without %s: %v", gone, err)
		}
		if !slices.ContainsFunc(r.Problems, func(p Problem) bool {
			return p.Kind == MissingBlob && strings.HasPrefix(p.Text, "directory ") && strings.Contains(p.Text, gone)
		}) {
			t.Errorf("Verify without %s found %v", gone, r.Problems)
		}
	}
}

func TestVerifyFindsDamagedRows(t *testing.T) {
	run := func(queries ...string) []string { return queries }
	tests := []struct {
		name    string
		queries []string
		want    ProblemKind
	}{
		{"locator altered", run(`UPDATE blob SET locator = '../../x' WHERE locator IS NOT NULL`), MissingBlob},
		{"inline content altered", run(`UPDATE blob SET data = x'00' WHERE size = 5`), BadBlob},
		{"sha1 altered", run(`UPDATE blob SET sha1 = zeroblob(20) WHERE size = 5`), BadBlob},
		{"version altered", run(`UPDATE version SET mtime = mtime + 1 WHERE seq = 4`), BadVersion},
		{"version moved", run(`UPDATE version SET name = 'other' WHERE seq = 4`), BadVersion},
		{"version removed", run(`DELETE FROM version WHERE seq = 4`), BadVersion},
		{"version added", run(`INSERT INTO version SELECT layer, dir, 'x', seq, time, spelling, node, kind, flags, blob,
			type, mtime, born, tier, origin_node, origin_seq, base, from_node, from_seq, predecessor_node, predecessor_seq,
			charge, props FROM version WHERE seq = 4`), BadVersion},
		{"renewal added", run(`INSERT INTO renewal SELECT layer, dir, name, seq FROM version WHERE seq = 4`), BadVersion},
		{"change altered", run(`UPDATE change SET op = 'move' WHERE seq = 4`), BadChain},
		{"actor altered", run(`UPDATE actor SET sub = 'eve'`), BadChain},
		{"chain broken", run(`UPDATE change SET chain = zeroblob(32) WHERE seq = 4`), BadChain},
		{"change removed", run(`DELETE FROM version WHERE seq = 5`, `DELETE FROM change WHERE seq = 5`), BadChain},
		{"clock went back", run(`UPDATE change SET time = 1 WHERE seq = 4`), BadChain},
		{"head altered", run(`UPDATE head SET packed = (SELECT packed FROM head WHERE name = 'large') WHERE name = 'small'`), BadHead},
		{"head's seq altered", run(`UPDATE head SET seq = 1 WHERE name = 'small'`), BadHead},
		{"head removed", run(`DELETE FROM head WHERE name = 'small'`), BadHead},
		{"head added", run(`INSERT INTO head SELECT layer, dir, 'zzz', kind, real, seq, touched, touched_at, packed
			FROM head WHERE name = 'small'`), BadHead},
		{"directory's head removed", run(`DELETE FROM head WHERE name = 'd'`), BadAncestor},
		{"touched behind", run(`UPDATE head SET touched = touched - 1 WHERE name = 'd'`), BadTouched},
		{"touched ahead", run(`UPDATE head SET touched = touched + 1 WHERE name = '.' AND layer = 2`), BadTouched},
		{"touched at another time", run(`UPDATE head SET touched_at = 5 WHERE name = 'd'`), BadTouched},
		{"session altered", run(`UPDATE session SET sub = 'eve'`), BadSession},
		{"session removed", run(`DELETE FROM session`), BadSession},
		{"session added", run(`INSERT INTO session SELECT 'sess-2', 3, issuer, sub, name, born, created, sealed, freeze FROM session`), BadSession},
		{"usage altered", run(`UPDATE usage SET bytes = bytes + 1`), BadSum},
		{"usage removed", run(`DELETE FROM usage`), BadSum},
		{"stored altered", run(`UPDATE stat SET value = value + 1`), BadSum},
		{"reference broken", run(`DELETE FROM change WHERE seq = 4`), BadDatabase},
		{"index broken", run(`CREATE INDEX bad ON change (seq) WHERE seq < 3; PRAGMA writable_schema = 1;
			UPDATE sqlite_schema SET sql = 'CREATE INDEX bad ON change (seq)' WHERE name = 'bad'`), BadDatabase},
	}
	whole := damaged(t)
	db, err := os.ReadFile(filepath.Join(whole, "varve.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Symlink(filepath.Join(whole, "blobs"), filepath.Join(dir, "blobs")); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "varve.db"), db, 0o600); err != nil {
				t.Fatal(err)
			}
			tamper(t, dir, tt.queries...)
			wantProblem(t, dir, tt.want)
		})
	}
}

// wantProblem verifies a store that has a problem of that kind and returns its text.
func wantProblem(t *testing.T, dir string, want ProblemKind) string {
	t.Helper()
	l, err := OpenForReading(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r, err := l.Verify(t.Context(), nil)
	if err != nil {
		t.Fatalf("Verify: %v", err)
	}
	at := slices.IndexFunc(r.Problems, func(p Problem) bool { return p.Kind == want })
	if at < 0 {
		t.Fatalf("Verify found %v, want one of kind %s", r.Problems, want)
	}
	return r.Problems[at].Text
}

func TestVerifyCounts(t *testing.T) {
	dir := damaged(t)
	orphan := filepath.Join(dir, "blobs", "00", strings.Repeat("00", 32)+".0123456789abcdef")
	for _, file := range []string{orphan, filepath.Join(dir, "blobs", "tmp", "left")} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, err := OpenForReading(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var done, total int64
	r, err := l.Verify(t.Context(), func(d, n int64) {
		if d < done || d > n {
			t.Errorf("progress went from %d to %d of %d", done, d, n)
		}
		done, total = d, n
	})
	if err != nil || len(r.Problems) > 0 {
		t.Fatalf("Verify: %v, %v", r.Problems, err)
	}
	if done == 0 || done > total {
		t.Errorf("progress ended at %d of %d", done, total)
	}
	want := Report{Seq: 7, Changes: 7, Versions: 6, Heads: 5, Blobs: 3, Bytes: 50_017, Orphans: 1, Spooled: 1}
	if got := fmt.Sprintf("%+v", r); got != fmt.Sprintf("%+v", want) {
		t.Errorf("Verify = %+v, want %+v", r, want)
	}
}

// tamper runs statements on the database of a closed store, past all checks.
func tamper(t *testing.T, dir string, queries ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "varve.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, query := range queries {
		if _, err := db.Exec(query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
}
