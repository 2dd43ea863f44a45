package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/dustin/go-humanize"

	"varve/history"
)

type verifyCmd struct {
	dataFlag
}

// Help is shown by varve verify --help.
func (verifyCmd) Help() string {
	return `Reads everything in the store again: the database's own checks, the chain over all changes, every
version and head, every digest. Prints what it read and what is wrong; the exit status is 1 if
anything is. It changes nothing and may run beside the server.`
}

// Run verifies and reports.
func (v verifyCmd) Run(ctx context.Context, c *console) (err error) {
	log, err := history.OpenForReading(ctx, history.Options{Dir: v.Data})
	if errors.Is(err, fs.ErrNotExist) {
		return noStore(v.Data)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	began := time.Now()
	report, err := log.Verify(ctx, progress(c.err))
	if isTerminal(c.err) {
		fmt.Fprint(c.err, "\r     \r")
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "read %d changes, %d versions, %d heads, %d blobs, %s of content in %v\n",
		report.Changes, report.Versions, report.Heads, report.Blobs, humanize.IBytes(uint64(report.Bytes)), time.Since(began).Round(time.Millisecond))
	if n := report.Orphans + report.Spooled; n > 0 {
		fmt.Fprintf(c.out, "%d files belong to nothing: uploads on their way or cut off; serve removes them in time\n", n)
	}
	for _, p := range report.Problems {
		fmt.Fprintf(c.out, "%s: %s\n", p.Kind, p.Text)
	}
	switch n := len(report.Problems) + report.Omitted; n {
	case 0:
		_, err = fmt.Fprintf(c.out, "no problems up to change %d\n", report.Seq)
		return err
	case 1:
		return errors.New("the store has a problem")
	default:
		return fmt.Errorf("the store has %d problems", n)
	}
}

// progress shows on a terminal how far verifying has come, ten times a second at
// most; elsewhere nothing.
func progress(w io.Writer) func(done, total int64) {
	if !isTerminal(w) {
		return nil
	}
	var shown time.Time
	return func(done, total int64) {
		if time.Since(shown) >= 100*time.Millisecond {
			shown = time.Now()
			fmt.Fprintf(w, "\r%3d %%", 100*done/max(total, 1))
		}
	}
}
