package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"varve/history/blob"
	"varve/history/sql"
)

// Receive spools a body; see blob.Store.Receive. A full disk is ErrFull.
func (l *Log) Receive(ctx context.Context, body io.Reader, want blob.Expect) (*blob.Upload, error) {
	if l.lock == nil {
		return nil, errReadOnly
	}
	u, err := l.blobs.Receive(ctx, body, want)
	return u, noRoom(err)
}

// Keep makes an upload durable, to be named in a change. If the store has a file
// of this content already, the two are compared: one that was damaged, lost or set
// aside is mended by the change that names u.
func (l *Log) Keep(u *blob.Upload) error {
	if err := l.blobs.Keep(u); err != nil {
		return noRoom(err)
	}
	if u.Locator == "" {
		return nil
	}
	var old *string
	err := l.db.Read(context.Background(), func(c *sql.Conn) error {
		return c.Query(selectLocator, []any{u.Ref[:]}, func(r sql.Row) error { return r.Scan(&old) })
	})
	if err == nil && old != nil && l.blobs.Differs(u, blob.Locator(*old)) {
		u.Mends = blob.Locator(*old)
	}
	return err
}

// Discard removes an upload that was not committed. It may be called always.
func (l *Log) Discard(u *blob.Upload) { l.blobs.Discard(u) }

const selectLocator = `SELECT locator FROM blob WHERE hash = $1`

const selectContent = `SELECT locator, size, data FROM blob WHERE hash = $1`

// Content opens the bytes of a blob: an *os.File, or a *bytes.Reader for what
// lies in the database wrapped with a no-op Close. The caller closes it.
// fs.ErrNotExist: no version has this content. ErrDamaged: it should be there.
func (l *Log) Content(ctx context.Context, ref blob.Ref) (io.ReadSeekCloser, error) {
	if data, ok := l.cache.find(ref); ok {
		return inline{bytes.NewReader(data)}, nil
	}
	var locator *string
	var size int64
	var data []byte
	found := false
	err := l.db.Read(ctx, func(c *sql.Conn) error {
		return c.Query(selectContent, []any{ref[:]}, func(r sql.Row) error {
			found = true
			return r.Scan(&locator, &size, &data)
		})
	})
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, fmt.Errorf("blob %s: %w", ref, fs.ErrNotExist)
	case locator != nil:
		return l.file(blob.Locator(*locator), size)
	case int64(len(data)) != size:
		return nil, fmt.Errorf("blob %s has %d of %d bytes: %w", ref, len(data), size, ErrDamaged)
	}
	l.cache.add(ref, data)
	return inline{bytes.NewReader(data)}, nil
}

func (l *Log) file(at blob.Locator, size int64) (io.ReadSeekCloser, error) {
	f, err := l.blobs.Open(at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("blob file %s is missing: %w", at, ErrDamaged)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() != size {
		err = fmt.Errorf("blob file %s has %d of %d bytes: %w", at, info.Size(), size, ErrDamaged)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// inline is content from the database.
type inline struct{ *bytes.Reader }

func (inline) Close() error { return nil }
