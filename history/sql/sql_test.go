package sql

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func openDB(t *testing.T, path string) *DB {
	t.Helper()
	db, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(db.Close)
	return db
}

// raw runs statements on a file by the bare driver.
func raw(t *testing.T, path string, queries ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", fileURI(path))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range queries {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

func one[T any](t *testing.T, c *Conn, query string) (v T) {
	t.Helper()
	if err := c.Query(query, nil, func(r Row) error { return r.Scan(&v) }); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestMigrations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b%?#.db") // what a URI would trip over
	db := openDB(t, path)
	err := db.Read(t.Context(), func(c *Conn) error {
		if got := one[int](t, c, `PRAGMA application_id`); got != applicationID {
			t.Errorf("application_id = %#x", got)
		}
		if got := one[int](t, c, `PRAGMA user_version`); got != 1 {
			t.Errorf("user_version = %d", got)
		}
		if got := one[int](t, c, `SELECT count(*) FROM pragma_table_list
			WHERE strict = 0 AND schema = 'main' AND name NOT LIKE 'sqlite%' AND name <> 'goose_db_version'`); got != 0 {
			t.Errorf("%d tables are not STRICT", got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	openDB(t, path) // a second time, nothing to do
}

func TestPragmas(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "x.db"))
	want := map[string]int{"synchronous": 2, "foreign_keys": 1, "trusted_schema": 0, "busy_timeout": 10000, "mmap_size": 0}
	check := func(c *Conn) error {
		for name, value := range want {
			if got := one[int](t, c, "PRAGMA "+name); got != value {
				t.Errorf("%s = %d, want %d", name, got, value)
			}
		}
		if got := one[string](t, c, `PRAGMA journal_mode`); got != "wal" {
			t.Errorf("journal_mode = %s", got)
		}
		return nil
	}
	if err := db.Write(check); err != nil {
		t.Fatal(err)
	}
	delete(want, "synchronous")
	delete(want, "foreign_keys")
	if err := db.Read(t.Context(), check); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	tests := []struct {
		name    string
		queries []string
		want    error
	}{
		{"foreign by id", []string{`PRAGMA application_id = 7`}, ErrForeign},
		{"foreign by tables", []string{`CREATE TABLE t (a)`}, ErrForeign},
		{"newer", []string{`PRAGMA application_id = 0x76617276`, `PRAGMA user_version = 99`}, ErrNewer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.db")
			raw(t, path, tt.queries...)
			for _, readOnly := range []bool{true, false} {
				if _, err := Open(t.Context(), path, Options{ReadOnly: readOnly}); !errors.Is(err, tt.want) {
					t.Errorf("Open(ReadOnly: %v) = %v, want %v", readOnly, err, tt.want)
				}
			}
		})
	}
	path := filepath.Join(t.TempDir(), "x.db")
	if _, err := Open(t.Context(), path, Options{ReadOnly: true}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open of a missing file for reading = %v", err)
	}
	raw(t, path, `PRAGMA application_id = 0x76617276`)
	if _, err := Open(t.Context(), path, Options{ReadOnly: true}); !errors.Is(err, ErrOld) {
		t.Errorf("Open of an old file for reading = %v", err)
	}
	if err := os.WriteFile(path, []byte(strings.Repeat("no database", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path, Options{}); err == nil {
		t.Error("Open of a file that is no database succeeded")
	}
}

func TestWriteRollsBack(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "x.db"))
	insert := func(c *Conn, name string) error {
		_, err := c.Exec(`INSERT INTO stat (name, value) VALUES ($1, 1)`, name)
		return err
	}
	failed := errors.New("failed")
	err := db.Write(func(c *Conn) error {
		if err := insert(c, "a"); err != nil {
			return err
		}
		return failed
	})
	if !errors.Is(err, failed) {
		t.Errorf("Write = %v", err)
	}
	func() {
		defer func() { recover() }()
		db.Write(func(c *Conn) error { insert(c, "b"); panic("oops") })
	}()
	// One that ended the transaction itself leaves the next one whole.
	db.Write(func(c *Conn) error { insert(c, "c"); c.Exec("ROLLBACK"); return failed })
	if err := db.Write(func(c *Conn) error { return insert(c, "d") }); err != nil {
		t.Errorf("Write = %v", err)
	}
	err = db.Read(t.Context(), func(c *Conn) error {
		if got := one[string](t, c, `SELECT group_concat(name) FROM stat WHERE length(name) = 1`); got != "d" {
			t.Errorf("rows = %s, want d", got)
		}
		if _, err := c.Exec(`INSERT INTO stat (name, value) VALUES ('e', 1)`); err == nil {
			t.Error("a reader could write")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestReadsAreSnapshots(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "x.db"))
	const count = `SELECT count(*) FROM stat`
	err := db.Read(t.Context(), func(c *Conn) error {
		before := one[int](t, c, count)
		err := db.Write(func(c *Conn) error {
			_, err := c.Exec(`INSERT INTO stat (name, value) VALUES ('x', 1)`)
			return err
		})
		if after := one[int](t, c, count); after != before {
			t.Errorf("rows = %d, then %d", before, after)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestStatementsAreBounded(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "x.db"))
	err := db.Read(t.Context(), func(c *Conn) error {
		for i := range 2 * maxStatements {
			one[int](t, c, "SELECT 1"+strings.Repeat(" ", i))
		}
		if len(c.stmts) > maxStatements {
			t.Errorf("%d statements are kept", len(c.stmts))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestPositional(t *testing.T) {
	for query, want := range map[string]string{
		`SELECT 1`:                                    `SELECT 1`,
		`SELECT $1, $2`:                               `SELECT ?, ?`,
		`SELECT $1, $2, $1`:                           `SELECT $1, $2, $1`,
		`SELECT $2, $1`:                               `SELECT $2, $1`,
		`SELECT '$1', $1 || '$2''$3', "$4",$2`:        `SELECT '$1', ? || '$2''$3', "$4",?`,
		`SELECT $1 WHERE x = $`:                       `SELECT $1 WHERE x = $`,
		`VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)`: `VALUES (?,?,?,?,?,?,?,?,?,?,?)`,
	} {
		if got := positional(query); got != want {
			t.Errorf("positional(%s) = %s, want %s", query, got, want)
		}
	}
}

func TestScan(t *testing.T) {
	type named int64
	var (
		n       named
		small   uint8
		text    string
		flag    bool
		data    []byte
		none    *string
		pointer *int64
		raw     [2]byte
		either  any
	)
	db := openDB(t, filepath.Join(t.TempDir(), "x.db"))
	scan := func(query string, dest ...any) error {
		return db.Read(t.Context(), func(c *Conn) error {
			return c.Query(query, nil, func(r Row) error { return r.Scan(dest...) })
		})
	}
	if err := scan(`SELECT -7, 255, 'text', 1, x'0102', NULL, 8, 'any', 'skipped'`,
		&n, &small, &text, &flag, &data, &none, &pointer, &either, nil); err != nil {
		t.Fatal(err)
	}
	if n != -7 || small != 255 || text != "text" || !flag || string(data) != "\x01\x02" || none != nil || *pointer != 8 || either != "any" {
		t.Errorf("Scan gave %v %v %q %v %x %v %v", n, small, text, flag, data, none, *pointer)
	}
	for query, dest := range map[string]any{`SELECT 256`: &small, `SELECT -1`: &small, `SELECT 'a'`: &n, `SELECT 1`: &text,
		`SELECT NULL`: &text, `SELECT x'01'`: &text, `SELECT 'a'   `: &data, `SELECT x'0102'`: &raw} {
		if err := scan(query, dest); err == nil {
			t.Errorf("%s could be scanned into %T", query, dest)
		}
	}
	if err := scan(`SELECT 1, 2`, &n); err == nil {
		t.Error("two columns could be scanned into one variable")
	}
}

// A query may be read while another is, but not within itself.
func TestNestedQueries(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "x.db"))
	err := db.Read(t.Context(), func(c *Conn) error {
		return c.Query(`SELECT 1`, nil, func(Row) error {
			if err := c.Query(`SELECT 2`, nil, func(Row) error { return nil }); err != nil {
				t.Errorf("another query within a query: %v", err)
			}
			if err := c.Query(`SELECT 1`, nil, func(Row) error { return nil }); !errors.Is(err, errBusy) {
				t.Errorf("the same query within a query: %v, want errBusy", err)
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}
