// Package sql opens varve's database: driver, pragmas, pools, migrations.
//
// There is one writing connection, a pool of reading ones (each View is a
// snapshot on one of them).
// Reading beyond a few connections a core only slows the writer down, so the
// pool is small. Every connection keeps the statements it has prepared.
//
// Connections are the driver's own, through database/sql/driver; database/sql
// itself serves only migrations. Its second pool, its locks and its scanning by
// reflection were a quarter of the time a listing takes, and a plan that holds
// the one writing connection has no use for them.
//
// The driver, its settings and its error codes stay in this package. What others
// send through a Conn has $1 parameters and SQL that PostgreSQL understands too,
// or nearly: it joins in the order it is told, names the columns of VALUES as
// SQLite does, and Verify runs SQLite's own checks.
package sql

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"sync"

	"modernc.org/sqlite"
)

// Errors of Open and of every statement.
var (
	// ErrForeign: the file is a database of another program.
	ErrForeign = errors.New("not a varve database")
	// ErrNewer: the database was written by a newer varve.
	ErrNewer = errors.New("the store was written by a newer version of varve; update varve")
	// ErrOld: the database needs a migration and is opened for reading only.
	ErrOld = errors.New("the store was written by an older version of varve and has to be opened by serve once")
	// ErrFull: the disk has no room; the transaction has to be rolled back.
	ErrFull = errors.New("no space left for the database")
	// ErrInDoubt: a COMMIT failed so that the transaction is gone for now, but
	// may be back after a crash.
	ErrInDoubt = errors.New("a transaction could not be committed and may come back after a crash")
	// ErrClosed: Close was called.
	ErrClosed = errors.New("database is closed")
)

// Options of Open. The zero value works.
type Options struct {
	// Relaxed leaves out the sync of each commit: power loss may take the last
	// commits, a crash of the process takes none.
	Relaxed bool
	// ReadOnly opens reading connections only and never migrates. Another
	// process may have the database open for writing.
	ReadOnly bool
	// Fault is asked before each statement; its error is that of the
	// statement, which is not run. Nil but in tests of what fails.
	Fault func(c *Conn, query string) error
}

// DB is the open database. Its methods may be called concurrently.
type DB struct {
	readDSN  string
	writeDSN string     // empty when open for reading only
	readers  chan *Conn // nil stands for one not opened yet
	fault    func(*Conn, string) error
	closed   chan struct{}
	closing  sync.Once

	writing sync.Mutex
	writer  *Conn // guarded by writing; nil until needed
}

// Open opens or creates the database at path and migrates it.
func Open(ctx context.Context, path string, opts Options) (*DB, error) {
	// POSIX locks would be dropped whenever any descriptor of the file is
	// closed in this process.
	if _, err := sqlite.OFDLocking(true); err != nil {
		return nil, err
	}
	sqlite.StrictPragmas(true)
	if opts.ReadOnly {
		if _, err := os.Stat(path); err != nil {
			return nil, err
		}
	}
	db := &DB{readDSN: readDSN(path), fault: opts.Fault, closed: make(chan struct{})}
	readers := max(4, runtime.NumCPU())
	db.readers = make(chan *Conn, readers)
	for range readers {
		db.readers <- nil
	}
	if opts.ReadOnly {
		if err := check(ctx, db.readDSN); err != nil {
			return nil, err
		}
		return db, nil
	}
	// SQLite would make the file with mode 0644; nobody else has to read it.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	db.writeDSN = writeDSN(path, opts.Relaxed)
	if err := migrate(ctx, db.writeDSN); err != nil {
		return nil, err
	}
	return db, nil
}

// The file: prefix is what makes SQLite look at its own parameters (mode).
func fileURI(path string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath()
}

func writeDSN(path string, relaxed bool) string {
	synchronous := "FULL"
	if relaxed {
		synchronous = "NORMAL"
	}
	return fileURI(path) + "?_busy_timeout=10000&_txlock=immediate&_defensive=1&_dqs=0" +
		"&_pragma=journal_mode(WAL)&_pragma=synchronous(" + synchronous + ")" +
		"&_pragma=foreign_keys(1)&_pragma=cache_size(-32000)&_pragma=wal_autocheckpoint(4000)" +
		"&_pragma=journal_size_limit(67108864)&_pragma=trusted_schema(0)&_pragma=temp_store(MEMORY)"
}

func readDSN(path string) string {
	return fileURI(path) + "?mode=ro&_query_only=1&_busy_timeout=10000&_defensive=1&_dqs=0" +
		"&_pragma=cache_size(-16000)&_pragma=trusted_schema(0)&_pragma=temp_store(MEMORY)"
}

// Read runs read in one snapshot. It waits for a free connection until ctx is
// done; after that ctx is not looked at.
func (db *DB) Read(ctx context.Context, read func(*Conn) error) error {
	var c *Conn
	select {
	case c = <-db.readers:
	case <-ctx.Done():
		return ctx.Err()
	case <-db.closed:
		return ErrClosed
	}
	defer func() { db.readers <- c }()
	if c == nil {
		conn, err := db.open(db.readDSN)
		if err != nil {
			return err
		}
		c = conn
	}
	if _, err := c.Exec("BEGIN"); err != nil {
		c = c.close()
		return err
	}
	defer func() {
		// Nothing was written, and rolling back cannot be refused for a reason
		// worth more than a fresh connection.
		if _, err := c.Exec("ROLLBACK"); err != nil {
			c = c.close()
		}
	}()
	return read(c)
}

// Write runs write in one transaction and commits it, durably unless
// Options.Relaxed. Writers take turns. An error rolls everything back, for good
// unless it is ErrInDoubt.
func (db *DB) Write(write func(*Conn) error) (err error) {
	db.writing.Lock()
	defer db.writing.Unlock()
	if db.writer == nil {
		if db.writeDSN == "" {
			return errors.New("database is open for reading only")
		}
		if db.writer, err = db.open(db.writeDSN); err != nil {
			return err
		}
	}
	c := db.writer
	if _, err := c.Exec("BEGIN IMMEDIATE"); err != nil {
		db.writer = c.close()
		return err
	}
	committed := false
	defer func() {
		if committed {
			return
		}
		// SQLite rolls back by itself after some errors, a full disk among
		// them; a connection in doubt is replaced.
		c.Exec("ROLLBACK")
		if _, rerr := c.Exec("BEGIN"); rerr != nil {
			db.writer = c.close()
		} else if _, rerr := c.Exec("ROLLBACK"); rerr != nil {
			db.writer = c.close()
		}
	}()
	if err := write(c); err != nil {
		return err
	}
	if _, err := c.Exec("COMMIT"); err != nil {
		if !undone(err) {
			err = fmt.Errorf("%w: %w", ErrInDoubt, err)
		}
		return err
	}
	committed = true
	return nil
}

// Close waits for running reads, closes all connections and writes the WAL
// back. Nothing may be writing. A second Close does nothing.
func (db *DB) Close() { db.closing.Do(db.close) }

func (db *DB) close() {
	close(db.closed)
	for range cap(db.readers) {
		if c := <-db.readers; c != nil {
			c.close()
		}
	}
	// The last connection to go writes the WAL back, which readers cannot.
	if db.writer != nil {
		db.writer.close()
	}
}
