package sql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// maxStatements bounds what one connection keeps prepared. The program has
// fewer; a caller that composes texts must not fill the memory.
const maxStatements = 512

// Row scans the current row of a query.
type Row interface{ Scan(dest ...any) error }

// Conn is one connection with the statements prepared on it. It is used by one
// goroutine at a time.
type Conn struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

func newConn(db *sql.DB) (*Conn, error) {
	c, err := db.Conn(context.Background())
	if err != nil {
		return nil, classify(err)
	}
	return &Conn{conn: c, stmts: map[string]*sql.Stmt{}}, nil
}

// Exec runs a statement and tells how many rows it changed.
func (c *Conn) Exec(query string, args ...any) (int64, error) {
	s, err := c.prepare(query)
	if err != nil {
		return 0, err
	}
	r, err := s.Exec(args...)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", brief(query), classify(err))
	}
	return r.RowsAffected()
}

// Query calls scan for every row of a query. scan must not use c.
func (c *Conn) Query(query string, args []any, scan func(Row) error) error {
	s, err := c.prepare(query)
	if err != nil {
		return err
	}
	rows, err := s.Query(args...)
	if err != nil {
		return fmt.Errorf("%s: %w", brief(query), classify(err))
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%s: %w", brief(query), classify(err))
	}
	return nil
}

func (c *Conn) prepare(query string) (*sql.Stmt, error) {
	if s := c.stmts[query]; s != nil {
		return s, nil
	}
	s, err := c.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", brief(query), classify(err))
	}
	if len(c.stmts) >= maxStatements {
		for text, old := range c.stmts {
			old.Close()
			delete(c.stmts, text)
		}
	}
	c.stmts[query] = s
	return s, nil
}

// discard closes the connection and returns nil, to be put in its place.
func (c *Conn) discard() *Conn {
	for _, s := range c.stmts {
		s.Close()
	}
	// A connection that goes back to the pool with a transaction open would
	// poison its next user; the driver resets nothing.
	c.conn.Raw(func(any) error { return driver.ErrBadConn })
	c.conn.Close()
	return nil
}

// classify adds what callers act on to an error of the driver.
func classify(err error) error {
	var e *sqlite.Error
	if errors.As(err, &e) && noRoom(e.Code()) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// noRoom knows the codes by which SQLite says that a file could not grow. The
// I/O errors among them mean it only when they come from writing, which on the
// file systems we run on fails for no other reason short of a dying disk.
func noRoom(code int) bool {
	switch code {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE:
		return true
	}
	return false
}

// brief is the beginning of a statement, enough to find it by.
func brief(query string) string {
	const most = 60
	if len(query) <= most {
		return query
	}
	return query[:most] + "..."
}
