package history

import (
	"context"
	"io"
	"time"

	"varve/history/blob"
	"varve/history/sql"
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
	// (it survives a crash of varve, but power loss may take the last second).
	Durability string
}

// Log is the open store. Its methods may be called concurrently.
type Log struct{ db *sql.DB }

// Open opens or creates the store in opts.Dir, takes its lock (ErrInUse),
// migrates it, and removes what a killed process left half done.
func Open(ctx context.Context, opts Options) (*Log, error) { panic("todo") }

// Close waits for running commits and releases the store.
func (l *Log) Close() error { panic("todo") }

// Seq is the last committed seq.
func (l *Log) Seq() Seq { panic("todo") }

// View runs read over one consistent snapshot. The Tx is invalid afterwards.
// read must not wait for the network.
func (l *Log) View(ctx context.Context, read func(*Tx) error) error { panic("todo") }

// Commit runs plan and appends the change it returns; a nil change appends
// nothing (statements queued with Tx.Do are still executed). It returns the
// change as written, after it is durable. Uploads of the change are kept
// (made durable) by the caller with Keep before Commit; Commit discards the
// files of those whose content was already stored, and the caller discards
// them when Commit fails.
func (l *Log) Commit(ctx context.Context, plan func(*Tx) (*Change, error)) (*Change, error) {
	panic("todo")
}

// Receive spools a body; see blob.Store.Receive.
func (l *Log) Receive(ctx context.Context, body io.Reader, want blob.Expect) (*blob.Upload, error) {
	panic("todo")
}

// Keep makes an upload durable, to be named in a change.
func (l *Log) Keep(u *blob.Upload) error { panic("todo") }

// Discard removes an upload that was not committed. It may be called always.
func (l *Log) Discard(u *blob.Upload) { panic("todo") }

// Content opens the bytes of a blob: an *os.File, or a *bytes.Reader for what
// lies in the database wrapped with a no-op Close. The caller closes it.
func (l *Log) Content(ctx context.Context, ref blob.Ref) (io.ReadSeekCloser, error) {
	panic("todo")
}

// Tx is one consistent read of the store: in View a snapshot, in a plan the
// state the change will be appended to. It is used by one goroutine.
type Tx struct{}

// Seq is the last change the Tx sees.
func (tx *Tx) Seq() Seq { panic("todo") }

// Now is the clock: in a plan the time the change will carry.
func (tx *Tx) Now() time.Time { panic("todo") }

// Heads finds the given keys as of at (Live: the present), one query for all.
// Absent keys, and keys whose newest version is a gap, are absent from the map.
// Touched is only set when at is Live.
func (tx *Tx) Heads(keys []Key, at Seq) (map[Key]Head, error) { panic("todo") }

// Children lists what a layer has directly in dir as of at, whiteouts
// included, ordered by key.
func (tx *Tx) Children(layer Layer, dir string, at Seq) ([]Head, error) { panic("todo") }

// Below lists what a layer has strictly below name as of at, whiteouts
// included, parents before their children. More than limit: ErrTooManyEntries.
func (tx *Tx) Below(layer Layer, name string, at Seq, limit int) ([]Head, error) { panic("todo") }

// Real tells whether a layer has a file or a directory that is not implied
// strictly below name as of at.
func (tx *Tx) Real(layer Layer, name string, at Seq) (bool, error) { panic("todo") }

// Last is the newest version of a name, gaps included; fs.ErrNotExist if the
// name never had one in this layer.
func (tx *Tx) Last(k Key) (Version, error) { panic("todo") }

// Version finds what a node was at exactly the seq of ref.
func (tx *Tx) Version(ref Ref) (Version, error) { panic("todo") }

// Session finds a session by id.
func (tx *Tx) Session(id string) (Session, error) { panic("todo") }

// Sessions lists an owner's sessions, newest first, starting after the id
// after ("" from the start). The zero Account lists everybody's.
func (tx *Tx) Sessions(owner Account, after string, limit int) ([]Session, error) { panic("todo") }

// NewLayer is the layer the next session created gets; for use in a plan.
func (tx *Tx) NewLayer() (Layer, error) { panic("todo") }

// Usage is how many bytes the versions of an account count.
func (tx *Tx) Usage(a Account) (int64, error) { panic("todo") }

// Stored is how many physical bytes the store's blobs take.
func (tx *Tx) Stored() (int64, error) { panic("todo") }

// Rows runs a read-only query of a table the calling package owns and calls
// scan for each row; scan must not query.
func (tx *Tx) Rows(query string, args []any, scan func(sql.Row) error) error { panic("todo") }

// Do queues a write to a table the calling package owns: it is executed in the
// same transaction if the plan returns no error, before the next plan runs.
func (tx *Tx) Do(query string, args ...any) { panic("todo") }
