package history

import (
	"context"
	"time"

	"varve/history/blob"
	"varve/history/sql"
)

// Grace is how long a file stays after its row is gone: longer than any
// download, backup, or restore of yesterday's database onto the same files.
const Grace = 48 * time.Hour

const (
	// A page of rows by id, so that a store full of blobs is not one query.
	selectUnused = `SELECT id, size, locator FROM blob WHERE id > $1 AND id <= $2
		AND NOT EXISTS (SELECT 1 FROM version WHERE version.blob = blob.id)`
	selectLastBlob = `SELECT coalesce(max(id), 0) FROM blob`
	deleteBlob     = `DELETE FROM blob WHERE id = $1`
	insertBin      = `INSERT INTO bin (locator, at) VALUES ($1, $2)`
	pageUnused     = 1000
)

// Collect deletes the rows of content that no version has any more, and puts
// the files into the bin. It returns how many rows those were. Others commit
// in between.
func (l *Log) Collect(ctx context.Context) (int, error) {
	last := int64(0)
	err := l.View(ctx, func(tx *Tx) error {
		return tx.query(selectLastBlob, nil, func(r sql.Row) error { return r.Scan(&last) })
	})
	collected := 0
	for from := int64(0); err == nil && from < last; from += pageUnused {
		var n int
		_, err = l.Commit(ctx, func(tx *Tx) (_ *Change, err error) {
			n, err = collect(tx, from)
			return nil, err
		})
		collected += n
	}
	return collected, err
}

// collect queues the deletion of what is unused among a page of blobs. A
// change that is pending brings its own content, should it have the same.
func collect(tx *Tx, from int64) (n int, err error) {
	if err := tx.settle(Live); err != nil {
		return 0, err
	}
	bytes := int64(0)
	err = tx.query(selectUnused, []any{from, from + pageUnused}, func(r sql.Row) error {
		var id, size int64
		var locator *string
		if err := r.Scan(&id, &size, &locator); err != nil {
			return err
		}
		n++
		bytes += size
		tx.Do(deleteBlob, id)
		if locator != nil {
			tx.Do(insertBin, *locator, nanos(tx.now))
		}
		return nil
	})
	if n > 0 {
		tx.Do(addStored, -bytes)
	}
	return n, err
}

const (
	selectBin = `SELECT locator FROM bin WHERE at < $1 ORDER BY at LIMIT $2`
	deleteBin = `DELETE FROM bin WHERE locator = $1`
)

// Empty unlinks the files that have lain in the bin for longer than olderThan,
// and returns how many.
func (l *Log) Empty(ctx context.Context, olderThan time.Duration) (int, error) {
	emptied := 0
	for {
		var page []blob.Locator
		err := l.View(ctx, func(tx *Tx) error {
			return tx.query(selectBin, []any{nanos(tx.now.Add(-olderThan)), pageUnused}, func(r sql.Row) error {
				var at blob.Locator
				err := r.Scan(&at)
				page = append(page, at)
				return err
			})
		})
		if err != nil || len(page) == 0 {
			return emptied, err
		}
		for _, at := range page {
			if err := l.blobs.Remove(at); err != nil {
				return emptied, err
			}
		}
		_, err = l.Commit(ctx, func(tx *Tx) (*Change, error) {
			for _, at := range page {
				tx.Do(deleteBin, string(at))
			}
			return nil, nil
		})
		if err != nil {
			return emptied, err
		}
		emptied += len(page)
	}
}

// Sweep unlinks files older than olderThan that neither a blob nor the bin
// names: a crash between Keep and Commit leaves such. It returns how many. As long
// as a commit is ErrInDoubt, the files it names are not known and all stay.
func (l *Log) Sweep(ctx context.Context, olderThan time.Duration) (int, error) {
	l.mu.Lock()
	err := l.inDoubt
	l.mu.Unlock()
	if err != nil {
		return 0, err
	}
	swept, before := 0, l.now().Add(-olderThan)
	err = l.blobs.Walk(func(at blob.Locator, written time.Time) error {
		if !written.Before(before) {
			return ctx.Err()
		}
		known, err := l.known(ctx, at)
		if err != nil || known {
			return err
		}
		swept++
		return l.blobs.Remove(at)
	})
	return swept, err
}

const selectKnown = `SELECT 1 FROM blob WHERE hash = $1 AND locator = $2
	UNION ALL SELECT 1 FROM bin WHERE locator = $2`

// known tells whether a row names the file at a locator.
func (l *Log) known(ctx context.Context, at blob.Locator) (known bool, err error) {
	ref, err := at.Ref()
	if err != nil {
		// Not a name of ours; nobody else has a business here, but it is not
		// for us to say what it is good for.
		return true, nil
	}
	err = l.View(ctx, func(tx *Tx) error {
		return tx.query(selectKnown, []any{ref[:], string(at)}, func(sql.Row) error { known = true; return nil })
	})
	return known, err
}
