package history

import (
	"fmt"
	"io/fs"

	"varve/history/blob"
	"varve/history/sql"
)

var (
	selectBlobs = rowsOf(`SELECT hash, id, locator FROM blob WHERE hash IN (VALUES `, 1, `)`)
	// Should somebody else have stored the same meanwhile, theirs stands.
	insertBlobs = rowsOf(`INSERT INTO blob (hash, size, sha1, md5, crc32, encoding, locator, data) VALUES `, 8,
		` ON CONFLICT (hash) DO UPDATE SET hash = excluded.hash RETURNING hash, id, locator`)
)

const replaceBlob = `UPDATE blob SET locator = $1, data = $2 WHERE id = $3`

const addStored = `UPDATE stat SET value = value + $1 WHERE name = 'stored'`

// writeBlobs finds the rows of all contents that pending versions have, and
// adds those that are missing from the uploads.
func (b *batch) writeBlobs() (map[blob.Ref]int64, error) {
	ids, files, err := b.blobs()
	if err != nil {
		return nil, err
	}
	var fresh []any
	for ref, u := range b.uploads {
		locator, data := placed(u)
		switch {
		case ids[ref] == 0:
			fresh = append(fresh, ref[:], u.Size, u.SHA1[:], u.MD5[:], int64(u.CRC32), 0, locator, data)
		case u.Mends == "" || u.Mends != files[ref]:
			b.surplus = append(b.surplus, u)
		default:
			if err := b.replaceFile(ids[ref], files[ref], u); err != nil {
				return nil, err
			}
		}
	}
	if err := b.insertBlobs(ids, fresh); err != nil {
		return nil, err
	}
	for ref, id := range ids {
		if id == 0 {
			return nil, fmt.Errorf("content %s is not in the store: %w", ref, fs.ErrInvalid)
		}
	}
	return ids, nil
}

// replaceFile has the row of a blob name the new file, and puts the old one into
// the bin: for whoever just reads it or copies it to a backup, if it is there.
func (b *batch) replaceFile(id int64, old blob.Locator, u *blob.Upload) error {
	locator, data := placed(u)
	if err := b.exec(replaceBlob, []any{locator, data, id}); err != nil {
		return err
	}
	b.stored = append(b.stored, u)
	return b.exec(insertBin, []any{string(old), b.end.time})
}

// placed is where a row keeps the content of u.
func placed(u *blob.Upload) (locator, data any) {
	if u.Data == nil {
		return string(u.Locator), nil
	}
	return nil, u.Data
}

// blobs finds the rows there are, and the files of those that have one; rows
// that are missing get 0.
func (b *batch) blobs() (map[blob.Ref]int64, map[blob.Ref]blob.Locator, error) {
	ids, files := map[blob.Ref]int64{}, map[blob.Ref]blob.Locator{}
	for i := range b.changes {
		for j := range b.changes[i].entries {
			if e := &b.changes[i].entries[j]; e.Kind == File {
				ids[e.Content.Ref] = 0
			}
		}
	}
	for ref := range b.uploads {
		ids[ref] = 0
	}
	args := make([]any, 0, len(ids))
	for ref := range ids {
		args = append(args, ref[:])
	}
	return ids, files, selectBlobs.ask(args, func(text string, args []any) error {
		return b.c.Query(text, args, func(r sql.Row) error {
			var hash []byte
			var id int64
			var locator *string
			err := r.Scan(&hash, &id, &locator)
			ids[blob.Ref(hash)] = id
			if locator != nil {
				files[blob.Ref(hash)] = blob.Locator(*locator)
			}
			return err
		})
	})
}

func (b *batch) insertBlobs(ids map[blob.Ref]int64, fresh []any) error {
	bytes := int64(0)
	err := insertBlobs.write(fresh, func(text string, args []any) error {
		return b.c.Query(text, args, func(r sql.Row) error {
			var hash []byte
			var id int64
			var locator *string
			if err := r.Scan(&hash, &id, &locator); err != nil {
				return err
			}
			ref := blob.Ref(hash)
			ids[ref] = id
			if u := b.uploads[ref]; locator == nil || blob.Locator(*locator) == u.Locator {
				b.stored = append(b.stored, u)
				bytes += u.Size
			} else {
				b.surplus = append(b.surplus, u)
			}
			return nil
		})
	})
	if err == nil && bytes > 0 {
		_, err = b.c.Exec(addStored, bytes)
	}
	return err
}
