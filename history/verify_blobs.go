package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"varve/history/blob"
	"varve/history/sql"
)

// stored is a blob row.
type stored struct {
	id      int64
	info    blob.Info
	locator *string
	data    []byte
}

const (
	verifyBlobs = `SELECT id, hash, size, sha1, md5, crc32, locator, data FROM blob
		WHERE id > $1 AND id % $2 = $3 ORDER BY id LIMIT $4`
	selectAside = `SELECT 1 FROM blob WHERE hash = $1 AND locator = $2`
	pageBlobs   = 256
)

// Scrub reads one part of parts of all content again and sets files aside that
// are damaged: their content is an ErrDamaged from then on, not wrong bytes, until
// somebody uploads it again. Part by part, day by day, everything is read. Files
// that were set aside and turn out to be good are taken back.
func (l *Log) Scrub(ctx context.Context, part, parts int) (Report, error) {
	v := &verifier{ctx: ctx, progress: func(int64, int64) {}}
	v.damaged = func(b *stored) error {
		if b.locator == nil {
			return nil
		}
		return l.blobs.SetAside(blob.Locator(*b.locator))
	}
	err := l.takeBack(ctx)
	if err == nil {
		err = v.blobs(l, part%parts, parts)
	}
	return v.Report, err
}

// takeBack returns the files set aside that are what a row still names: memory
// or a controller that was broken for a while made others of them.
func (l *Log) takeBack(ctx context.Context) error {
	aside, err := l.blobs.Aside()
	if err != nil {
		return err
	}
	for _, at := range aside {
		ref, err := at.Ref()
		if err != nil {
			continue
		}
		named := false
		err = l.View(ctx, func(tx *Tx) error {
			return tx.query(selectAside, []any{ref[:], string(at)}, func(sql.Row) error { named = true; return nil })
		})
		if err == nil && named {
			err = l.blobs.TakeBack(at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// blobs reads all content whose id leaves part when divided by
// parts. Rows come in pages, so that no snapshot is held while files are read;
// what is collected meanwhile lies in the bin long enough.
func (v *verifier) blobs(l *Log, part, parts int) error {
	last := int64(0)
	for {
		var page []stored
		err := l.View(v.ctx, func(tx *Tx) (err error) {
			page, err = storedAfter(tx, last, part, parts)
			return err
		})
		if err != nil || len(page) == 0 {
			return err
		}
		for i := range page {
			b := &page[i]
			last = b.id
			v.Blobs++
			v.Bytes += b.info.Size
			if err := v.blob(l, b); err != nil {
				return err
			}
			if err := v.advance(b.info.Size); err != nil {
				return err
			}
		}
	}
}

func storedAfter(tx *Tx, id int64, part, parts int) (page []stored, err error) {
	err = tx.query(verifyBlobs, []any{id, parts, part, pageBlobs}, func(r sql.Row) error {
		var b stored
		var hash, sha1, md5 []byte
		err := r.Scan(&b.id, &hash, &b.info.Size, &sha1, &md5, &b.info.CRC32, &b.locator, &b.data)
		copy(b.info.Ref[:], hash)
		copy(b.info.SHA1[:], sha1)
		copy(b.info.MD5[:], md5)
		page = append(page, b)
		return err
	})
	return page, err
}

func (v *verifier) blob(l *Log, b *stored) error {
	var content io.Reader = bytes.NewReader(b.data)
	if b.locator != nil {
		f, err := l.blobs.Open(blob.Locator(*b.locator))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
			name, err := v.named(l, b)
			v.report(MissingBlob, "file %s is missing; %s", *b.locator, name)
			return err
		}
		if err != nil {
			return err
		}
		defer f.Close()
		content = f
	}
	got, readErr := blob.Describe(content)
	if readErr == nil && got == b.info {
		return nil
	}
	name, err := v.named(l, b)
	if err != nil {
		return err
	}
	if readErr != nil {
		v.report(BadBlob, "blob %s cannot be read: %v; %s", b.info.Ref, readErr, name)
		return nil // perhaps it can tomorrow
	}
	v.report(BadBlob, "blob %s of %d bytes is now %s of %d bytes; %s", b.info.Ref, b.info.Size, got.Ref, got.Size, name)
	if got.Ref == b.info.Ref {
		return nil // it is the row that is wrong
	}
	return v.damaged(b)
}

const (
	verifyNamed = `SELECT layer, dir, name FROM version WHERE blob = $1 ORDER BY layer, dir, name LIMIT 1`
	verifyOwner = `SELECT id FROM session WHERE layer = $1`
)

// named says where the content of a blob belongs: the first name that has or had it.
func (v *verifier) named(l *Log, b *stored) (where string, err error) {
	err = l.View(v.ctx, func(tx *Tx) error {
		var k Key
		where = "no name has it"
		err := tx.query(verifyNamed, []any{b.id}, func(r sql.Row) error {
			var dir, base string
			err := r.Scan(&k.Layer, &dir, &base)
			k.Name = join(dir, base)
			where = fmt.Sprintf("%q in shared has or had it", k.Name)
			return err
		})
		if err != nil {
			return err
		}
		return tx.query(verifyOwner, []any{int64(k.Layer)}, func(r sql.Row) error {
			var id string
			err := r.Scan(&id)
			where = fmt.Sprintf("%q in session %s has or had it", k.Name, id)
			return err
		})
	})
	return where, err
}

// files counts the files that nothing names. Its directories were all made with
// the store, so that one is missing is a problem of the store, not of reading it.
func (v *verifier) files(l *Log) (err error) {
	if v.Spooled, err = l.blobs.Spooled(); err == nil {
		err = v.orphans(l)
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok && errors.Is(err, fs.ErrNotExist) {
		v.report(MissingBlob, "directory %s is missing", path.Path)
		return nil
	}
	return err
}

func (v *verifier) orphans(l *Log) error {
	return l.blobs.Walk(func(at blob.Locator, _ time.Time) error {
		known, err := l.known(v.ctx, at)
		if err == nil && !known {
			v.Orphans++
		}
		return err
	})
}
