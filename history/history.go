// Package history is varve's log: every change, every version, every blob.
//
// # Model
//
// Everything that was ever true of a name in a layer is one row, a Version.
// A Change is one atomic request; it writes at most one version per name and
// layer and has a Seq that only grows over the whole store. The state of a
// name in a layer at seq s is its newest version with seq <= s. The head of a
// name is its newest version unless that is a gap; heads are kept apart,
// packed, so that the present costs nothing of the past.
//
// # Writing
//
// There is one way to write: Log.Commit. Its plan reads through a Tx that sees
// everything committed before it, and returns the change to append; the log
// appends. A plan that returns an error has written nothing. Concurrent
// commits share one transaction and one fsync (group commit); Commit returns
// after that fsync. Plans may be run more than once (when a shared transaction
// fails, each is tried alone), so they must be free of effects beyond the Tx.
//
// # Content
//
// Equal contents share one blob, and the first stays. When a file is uploaded
// that the store has already, the two are compared, before the transaction: if
// the old one was damaged, lost or set aside, the new one takes its place, and
// the old one lies in the bin for Grace.
//
// # Invariants
//
//   - seq order is commit order; commit times never go back.
//   - in every layer, every ancestor of a version that is not a gap is a
//     directory in that same layer (the root, named ".", included).
//   - a directory's head carries Touched, the seq of the last change at or
//     below it in its layer, set in the same commit.
//   - a version is never changed once written; a blob row lives while a version
//     refers to it.
//   - Change.Chain is SHA-256 over the previous chain and the change, so
//     that a log cannot be rewritten unnoticed.
package history

import (
	"errors"
	"math"
	"time"

	"varve/history/blob"
	"varve/history/sql"
)

// Seq numbers changes over the whole store, from 1.
type Seq int64

// Live stands for the present where a moment is asked for.
const Live Seq = math.MaxInt64

// Layer identifies a tree of its own.
type Layer int64

// Shared is the layer of the users' files.
const Shared Layer = 1

// Node identifies a file or directory over rename, move, trash and restore.
type Node int64

// NewNode in a Version given to Commit asks for a fresh node.
const NewNode Node = 0

// Kind says what a version states about its name.
type Kind uint8

// The kinds of a version.
const (
	Gap      Kind = iota // this layer has nothing here any more; lower layers show
	Whiteout             // nothing here, and what lower layers have is hidden
	File
	Dir
)

// Flags of a version.
type Flags uint16

const (
	// Opaque marks a directory that hides what lower layers have below it.
	Opaque Flags = 1 << iota
	// Implied marks a directory copied up only to carry what lies below it.
	Implied
	// Placeholder marks an empty file made by a LOCK or an empty PUT, to be
	// filled by the same principal; reading history hides it then.
	Placeholder
	// Hold keeps a version from retention and erasure.
	Hold
	// Archived marks a version for long-term archival.
	Archived
)

// Ref points at a version: what a node was at a seq.
type Ref struct {
	Node Node
	Seq  Seq
}

// Prop is a dead property (RFC 4918, section 4.2): a name and the XML of its
// value, with every namespace it uses declared inside.
type Prop struct {
	Space, Local string
	Lang         string // xml:lang in scope, if any
	Value        string // inner XML, well formed
}

// Version is one recorded state of a name in a layer.
type Version struct {
	Layer    Layer
	Name     string // key: cleaned slash path, NFC; root is "."
	Spelling string // last element as spelled at creation; empty if equal to the key's
	Seq      Seq
	Time     time.Time // commit time of its change
	Node     Node      // for a gap or whiteout: the node that was there, if any
	Kind     Kind
	Flags    Flags

	Content blob.Info // files only
	Type    string    // media type given by the client; empty: by name
	Mtime   time.Time // the client's clock if it stated one, else Time
	Born    time.Time // creation of the node
	Props   []Prop
	Tier    string // own tag, empty if none

	Origin      Ref // the lower version this one was copied up from or made over
	Base        Seq // the seq of the lower state it was made over
	From        Ref // the version its content was moved or copied from
	Predecessor Ref // what another node had at this name before

	Charge int64 // bytes it counts for quota, to the change's Owner in its Layer
}

// Head is the newest version of a name in a layer that is not a gap.
type Head struct {
	Version
	Touched     Seq       // directories: the last change at or below
	TouchedTime time.Time // its commit time
}

// Key names a head.
type Key struct {
	Layer Layer
	Name  string
}

// Account is who bytes are counted to: a user, as (issuer, sub).
type Account struct {
	Issuer string // empty for varve's own
	Sub    string
}

// Actor is who made a change; Session is set when an agent's session acted.
type Actor struct {
	Account
	Session string
}

// Op is what a change did.
type Op string

// The operations.
const (
	OpInit    Op = "init"
	OpPut     Op = "put"
	OpMkdir   Op = "mkdir"
	OpDelete  Op = "delete"
	OpMove    Op = "move"
	OpCopy    Op = "copy"
	OpProps   Op = "props"
	OpDiscard Op = "discard"
	OpLock    Op = "lock" // an empty file made by LOCK
	OpRenew   Op = "renew"
	OpSession Op = "session" // created, renamed, sealed; see Change.Session
	OpToken   Op = "token"   // minted, revoked; see Change.Detail
)

// Change is one atomic request. A plan fills the upper part.
type Change struct {
	Actor    Actor
	Owner    Account // whom Version.Charge counts to
	Op       Op
	Agent    string // User-Agent, for grouping deletions into bursts
	Detail   string // JSON object, or empty
	Versions []Version
	Uploads  []*blob.Upload // contents its versions refer to that the store may not have yet
	Renews   []Key          // heads whose term starts anew without a version
	Session  *Session       // a session row to insert or replace

	// Set by Commit.
	Seq   Seq
	Time  time.Time
	Chain [32]byte
}

// Session is an agent's working context and the layer it owns.
type Session struct {
	ID      string
	Layer   Layer
	Owner   Account
	Name    string    // what people call it; may be empty
	Born    Seq       // the change that created it; set by Commit
	Created time.Time // set by Commit
	Sealed  time.Time // zero while active
	Freeze  Seq       // the moment it sees shared at; Live by default
}

// Errors. Beyond them, Log and Tx return fs.ErrNotExist for what is not there.
var (
	// ErrFull: the disk or database has no room; nothing was written.
	ErrFull = errors.New("no space left in the store")
	// ErrTooManyEntries: a change would write more than MaxEntries versions.
	ErrTooManyEntries = errors.New("too many entries for one change")
	// ErrDamaged: stored bytes do not match their digest or their row.
	ErrDamaged = errors.New("stored data is damaged")
	// ErrShort, ErrDigest, ErrTooLarge: a body is not what was announced; see
	// blob.Store.Receive.
	ErrShort    = blob.ErrShort
	ErrDigest   = blob.ErrDigest
	ErrTooLarge = blob.ErrTooLarge
	// ErrInDoubt: a commit failed so that a crash may bring it back, or did so
	// earlier. Nothing more is written until the store is opened again, which
	// decides it; reading goes on.
	ErrInDoubt = sql.ErrInDoubt
	// ErrInUse: another process holds the store's lock.
	ErrInUse = errors.New("store is in use by another process")
)

// MaxEntries is how many versions one change may write.
const MaxEntries = 100_000
