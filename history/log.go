package history

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"varve/history/blob"
	"varve/history/sql"
)

// What Log and Tx take and give of the packages below, for callers that know
// only this one.
type (
	Upload = blob.Upload
	Expect = blob.Expect
	Digest = blob.Digest
	Row    = sql.Row
)

// Options of a Log. Only Dir is needed.
type Options struct {
	// Dir is the store's directory; it is made with mode 0700 if missing.
	Dir string
	// Now is the wall clock; nil means time.Now.
	Now func() time.Time
	// Inline is the size in bytes up to which content lies in the database.
	// Default 16 KiB; negative: never.
	Inline int64
	// Durability is "full" (default: a commit survives power loss) or "normal"
	// (it survives a crash of varve, but power loss may take the last ones;
	// files are synced all the same).
	Durability string

	// Set by tests; see sql.Options.Fault and blob.Options.Sync.
	fault func(*sql.Conn, string) error
	sync  func(*os.File) error
}

// Log is the open store. Its methods may be called concurrently.
type Log struct {
	dir   string
	db    *sql.DB
	blobs *blob.Store
	cache cache
	now   func() time.Time
	lock  *os.File // nil when opened for reading
	seq   atomic.Int64

	mu      sync.Mutex
	queue   []*request // commits waiting for a leader
	leading bool       // somebody is at work on a batch
	closed  bool
	inDoubt error          // ErrInDoubt once a commit failed that way
	running sync.WaitGroup // commits; Add only under mu while not closed

	// The following belong to the leader.
	last   position
	actors map[Actor]int64
}

// position is where the log ends.
type position struct {
	seq   Seq
	time  int64 // nanoseconds
	chain [32]byte
}

// Open opens or creates the store in opts.Dir, takes its lock (ErrInUse),
// migrates it, and removes what a killed process left half done.
func Open(ctx context.Context, opts Options) (*Log, error) {
	l, err := newLog(opts)
	if err != nil {
		return nil, err
	}
	if err := l.open(ctx, opts); err != nil {
		return nil, errors.Join(noRoom(err), l.Close())
	}
	return l, nil
}

// OpenForReading opens an existing store beside the process that writes it: no
// lock is taken, nothing is migrated or removed, and Commit, Receive and Keep
// are refused.
func OpenForReading(ctx context.Context, opts Options) (*Log, error) {
	l, err := newLog(opts)
	if err != nil {
		return nil, err
	}
	l.blobs = blob.OpenForReading(filepath.Join(opts.Dir, "blobs"), blob.Options{})
	if l.db, err = sql.Open(ctx, filepath.Join(opts.Dir, "varve.db"), sql.Options{ReadOnly: true}); err != nil {
		return nil, err
	}
	if err := l.load(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func newLog(opts Options) (*Log, error) {
	switch opts.Durability {
	case "", "full", "normal":
	default:
		return nil, fmt.Errorf("durability %q: want full or normal", opts.Durability)
	}
	l := &Log{dir: opts.Dir, now: opts.Now, actors: map[Actor]int64{}}
	if l.now == nil {
		l.now = time.Now
	}
	return l, nil
}

func (l *Log) open(ctx context.Context, opts Options) error {
	if err := blob.MakeDir(opts.Dir, opts.sync); err != nil {
		return err
	}
	lock, err := takeLock(filepath.Join(opts.Dir, "lock"))
	if err != nil {
		return err
	}
	l.lock = lock
	if l.blobs, err = blob.Open(filepath.Join(opts.Dir, "blobs"), blob.Options{Inline: opts.Inline, Sync: opts.sync}); err != nil {
		return err
	}
	l.db, err = sql.Open(ctx, filepath.Join(opts.Dir, "varve.db"), sql.Options{Relaxed: opts.Durability == "normal", Fault: opts.fault})
	if err != nil {
		return err
	}
	if err := blob.SyncDir(opts.Dir, opts.sync); err != nil {
		return err
	}
	if err := l.load(ctx); err != nil {
		return err
	}
	if l.last.seq == 0 {
		return l.begin(ctx)
	}
	return nil
}

// begin writes the first change: the root of the shared layer.
func (l *Log) begin(ctx context.Context) error {
	_, err := l.Commit(ctx, func(*Tx) (*Change, error) {
		return &Change{Op: OpInit, Versions: []Version{{Layer: Shared, Name: ".", Kind: Dir}}}, nil
	})
	return err
}

const selectLast = `SELECT seq, time, chain FROM change ORDER BY seq DESC LIMIT 1`

func (l *Log) load(ctx context.Context) error {
	return l.db.Read(ctx, func(c *sql.Conn) error {
		return c.Query(selectLast, nil, func(r sql.Row) error {
			var chain []byte
			if err := r.Scan(&l.last.seq, &l.last.time, &chain); err != nil {
				return err
			}
			copy(l.last.chain[:], chain)
			l.seq.Store(int64(l.last.seq))
			return nil
		})
	})
}

// takeLock holds the file at path until it is closed or the process ends.
func takeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = fmt.Errorf("%w; stop the varve that serves it, or let it do the work", ErrInUse)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return f, nil
}

// Close waits for running commits and releases the store.
func (l *Log) Close() error {
	l.mu.Lock()
	was := l.closed
	l.closed = true
	l.mu.Unlock()
	if was {
		return nil
	}
	l.running.Wait()
	var errs []error
	if l.db != nil {
		l.db.Close()
	}
	if l.lock != nil {
		errs = append(errs, l.lock.Close())
	}
	return errors.Join(errs...)
}

// Seq is the last committed seq.
func (l *Log) Seq() Seq { return Seq(l.seq.Load()) }

// View runs read over one consistent snapshot. The Tx is invalid afterwards.
// read must not wait for the network.
func (l *Log) View(ctx context.Context, read func(*Tx) error) error {
	return l.db.Read(ctx, func(c *sql.Conn) error {
		tx := &Tx{c: c, now: fromNanos(nanos(l.now()))}
		defer tx.end()
		return read(tx)
	})
}

// noRoom gives the errors of a full disk their name.
func noRoom(err error) error {
	if errors.Is(err, sql.ErrFull) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}
