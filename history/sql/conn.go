package sql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// maxStatements bounds what one connection keeps prepared. The program has
// fewer; a caller that composes texts must not fill the memory.
const maxStatements = 512

// Conn is one connection with the statements prepared on it. It is used by one
// goroutine at a time.
type Conn struct {
	conn  driver.Conn
	stmts map[string]*stmt
	fault func(*Conn, string) error
}

// stmt is a prepared statement and what running it again can reuse.
type stmt struct {
	driver.Stmt
	args []driver.NamedValue
	busy bool // args and the statement's cursor are in use
}

func (db *DB) open(dsn string) (*Conn, error) {
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	c, err := connector.Connect(context.Background())
	if err != nil {
		return nil, classify(err)
	}
	return &Conn{conn: c, stmts: map[string]*stmt{}, fault: db.fault}, nil
}

// Exec runs a statement and tells how many rows it changed.
func (c *Conn) Exec(query string, args ...any) (int64, error) {
	s, err := c.prepare(query)
	if err != nil {
		return 0, err
	}
	values, err := s.bind(args)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", brief(query), err)
	}
	defer s.release()
	r, err := s.Stmt.(driver.StmtExecContext).ExecContext(context.Background(), values)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", brief(query), classify(err))
	}
	return r.RowsAffected()
}

// Query calls scan for every row of a query. scan must not run the same query.
func (c *Conn) Query(query string, args []any, scan func(Row) error) error {
	s, err := c.prepare(query)
	if err != nil {
		return err
	}
	values, err := s.bind(args)
	if err != nil {
		return fmt.Errorf("%s: %w", brief(query), err)
	}
	defer s.release()
	rows, err := s.Stmt.(driver.StmtQueryContext).QueryContext(context.Background(), values)
	if err != nil {
		return fmt.Errorf("%s: %w", brief(query), classify(err))
	}
	defer rows.Close()
	row := &row{values: make([]driver.Value, len(rows.Columns()))}
	for {
		err := rows.Next(row.values)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", brief(query), classify(err))
		}
		if err := scan(row); err != nil {
			return err
		}
	}
}

func (c *Conn) prepare(query string) (*stmt, error) {
	if c.fault != nil {
		if err := c.fault(c, query); err != nil {
			return nil, fmt.Errorf("%s: %w", brief(query), err)
		}
	}
	if s := c.stmts[query]; s != nil {
		return s, nil
	}
	p, err := c.conn.Prepare(positional(query))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", brief(query), classify(err))
	}
	if len(c.stmts) >= maxStatements {
		for text, old := range c.stmts {
			if !old.busy {
				old.Close()
				delete(c.stmts, text)
			}
		}
	}
	s := &stmt{Stmt: p}
	c.stmts[query] = s
	return s, nil
}

var errBusy = errors.New("the same query is still being read")

// bind makes the driver's arguments of args. The statement is taken until
// release.
func (s *stmt) bind(args []any) ([]driver.NamedValue, error) {
	if s.busy {
		return nil, errBusy
	}
	s.args = s.args[:0]
	for i, a := range args {
		v, err := value(a)
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
		s.args = append(s.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	s.busy = true
	return s.args, nil
}

func (s *stmt) release() {
	clear(s.args)
	s.busy = false
}

// close closes the connection and returns nil, to be put in its place. What it
// had open is rolled back.
func (c *Conn) close() *Conn {
	for _, s := range c.stmts {
		s.Close()
	}
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
// I/O errors among them come from writing, which on the file systems we run on
// fails for no other reason short of a dying disk.
func noRoom(code int) bool {
	switch code {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE:
		return true
	}
	return false
}

// undone tells of an error of COMMIT that it left nothing behind: a frame of the
// log could not be written, and the last frame is the one that counts. Later
// errors, of syncing above all, come after that frame; a crash may find it.
func undone(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code() == sqlite3.SQLITE_FULL || e.Code() == sqlite3.SQLITE_IOERR_WRITE)
}

// brief is the beginning of a statement, enough to find it by.
func brief(query string) string {
	const most = 60
	if len(query) <= most {
		return query
	}
	return query[:most] + "..."
}
