package history

import (
	"context"
	"fmt"

	"varve/history/sql"
)

// Report is what Verify found.
type Report struct {
	Seq      Seq   // the last change looked at
	Changes  int64 // rows
	Versions int64
	Heads    int64
	Blobs    int64
	Bytes    int64 // of content that was read and hashed

	Orphans int // files that no row names: left by a crash, harmless, swept later
	Spooled int // temporary files: of uploads on their way, or left by a crash

	Problems []Problem // what is wrong, at most MaxProblems
	Omitted  int       // further problems
}

// Problem is one thing that is wrong.
type Problem struct {
	Kind ProblemKind
	Text string
}

// ProblemKind groups problems by what is wrong.
type ProblemKind string

// The kinds of problems.
const (
	BadDatabase ProblemKind = "database" // SQLite's own checks
	BadChain    ProblemKind = "chain"    // a change was altered, or its time goes back
	BadVersion  ProblemKind = "version"  // a version was altered, added or removed
	BadHead     ProblemKind = "head"     // a head is not the newest version
	BadTouched  ProblemKind = "touched"  // a directory misses a change below it
	BadAncestor ProblemKind = "ancestor" // a head does not lie in a directory
	BadSession  ProblemKind = "session"  // a session is not what the last change made it
	BadSum      ProblemKind = "sum"      // usage or stored bytes are counted wrong
	BadBlob     ProblemKind = "blob"     // content does not have its size or hash
	MissingBlob ProblemKind = "missing"  // the file of a blob is not there
)

// MaxProblems is how many problems a Report lists.
const MaxProblems = 1000

// verifier gathers what the passes over the store find.
type verifier struct {
	Report
	ctx         context.Context
	tx          *Tx
	done, total int64
	progress    func(done, total int64)
	damaged     func(*stored) error // what to do with content that is not what it was

	// What the changes add up to, to be held against the tables that keep it.
	usage    map[usageKey]int64
	sessions map[string]Session
	renewed  map[Key]Seq // the newest renewal directly below a directory
}

// Verify reads the whole store through and reports what is wrong in it. The
// error is only for what kept it from reading. Rows are read in one snapshot,
// so that a Log opened for reading may verify beside the process that writes.
// progress, if not nil, is called now and then, done growing up to total.
func (l *Log) Verify(ctx context.Context, progress func(done, total int64)) (Report, error) {
	if progress == nil {
		progress = func(int64, int64) {}
	}
	v := &verifier{ctx: ctx, progress: progress, damaged: func(*stored) error { return nil },
		usage: map[usageKey]int64{}, sessions: map[string]Session{}, renewed: map[Key]Seq{}}
	err := l.View(ctx, func(tx *Tx) error {
		v.tx = tx
		v.Seq = tx.Seq()
		for _, pass := range []func() error{
			v.measure, v.database, v.changes, v.heads, v.sums, v.sessionRows,
		} {
			if err := pass(); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = v.blobs(l, 0, 1)
	}
	if err == nil {
		err = v.files(l)
	}
	return v.Report, err
}

func (v *verifier) report(kind ProblemKind, format string, args ...any) {
	if len(v.Problems) == MaxProblems {
		v.Omitted++
		return
	}
	v.Problems = append(v.Problems, Problem{kind, fmt.Sprintf(format, args...)})
}

// advance tells the progress, and that ctx is done.
func (v *verifier) advance(n int64) error {
	v.done += n
	v.progress(v.done, v.total)
	return v.ctx.Err()
}

// Progress counts bytes of content, and a row as so many.
const bytesPerRow = 1000

const verifyTotal = `SELECT (SELECT count(*) FROM version), (SELECT coalesce(sum(size), 0) FROM blob)`

func (v *verifier) measure() error {
	return v.tx.query(verifyTotal, nil, func(r sql.Row) error {
		var versions, bytes int64
		err := r.Scan(&versions, &bytes)
		v.total = 2*versions*bytesPerRow + bytes
		return err
	})
}

const (
	verifyIntegrity   = `SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'`
	verifyForeignKeys = `SELECT "table", parent FROM pragma_foreign_key_check`
)

func (v *verifier) database() error {
	err := v.tx.query(verifyIntegrity, nil, func(r sql.Row) error {
		var text string
		err := r.Scan(&text)
		v.report(BadDatabase, "%s", text)
		return err
	})
	if err != nil {
		return err
	}
	return v.tx.query(verifyForeignKeys, nil, func(r sql.Row) error {
		var table, parent string
		err := r.Scan(&table, &parent)
		v.report(BadDatabase, "a row of %s refers to a row of %s that is missing", table, parent)
		return err
	})
}

const (
	verifyUsage  = `SELECT issuer, sub, layer, bytes FROM usage`
	verifyStored = `SELECT (SELECT value FROM stat WHERE name = 'stored'), (SELECT coalesce(sum(size), 0) FROM blob)`
)

// sums holds the usage that changes add up to against what is kept.
func (v *verifier) sums() error {
	err := v.tx.query(verifyUsage, nil, func(r sql.Row) error {
		var k usageKey
		var bytes int64
		if err := r.Scan(&k.Issuer, &k.Sub, &k.layer, &bytes); err != nil {
			return err
		}
		if bytes != v.usage[k] {
			v.report(BadSum, "%q has %d bytes in layer %d (0: in all), counted as %d", k.Sub, v.usage[k], k.layer, bytes)
		}
		delete(v.usage, k)
		return nil
	})
	if err != nil {
		return err
	}
	for k, bytes := range v.usage {
		if bytes != 0 {
			v.report(BadSum, "%q has %d bytes in layer %d (0: in all), not counted", k.Sub, bytes, k.layer)
		}
	}
	return v.tx.query(verifyStored, nil, func(r sql.Row) error {
		var kept, sum int64
		err := r.Scan(&kept, &sum)
		if kept != sum {
			v.report(BadSum, "blobs take %d bytes, counted as %d", sum, kept)
		}
		return err
	})
}

const verifySessions = `SELECT ` + sessionColumns + ` FROM session`

// sessionRows holds each session against what the last change of it wrote.
func (v *verifier) sessionRows() error {
	err := v.tx.query(verifySessions, nil, func(r sql.Row) error {
		s, err := scanSession(r)
		if err != nil {
			return err
		}
		if want, ok := v.sessions[s.ID]; !ok || want != s {
			v.report(BadSession, "session of layer %d is not what the log says", s.Layer)
		}
		delete(v.sessions, s.ID)
		return nil
	})
	for _, s := range v.sessions {
		v.report(BadSession, "session of layer %d is missing", s.Layer)
	}
	return err
}
