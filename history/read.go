package history

import (
	"slices"
	"strings"

	"varve/history/sql"
)

var selectHeads = rowsOf(`SELECT `+headColumns+` FROM head WHERE (layer, dir, name) IN (VALUES `, 3, `)`)

const (
	fromVersions = `SELECT ` + versionColumns + ` FROM version v LEFT JOIN blob b ON b.id = v.blob `

	selectVersionAt = fromVersions + `
		WHERE v.layer = $1 AND v.dir = $2 AND v.name = $3 AND v.seq <= $4 ORDER BY v.seq DESC LIMIT 1`
	selectVersionOf = fromVersions + `
		WHERE v.node = $1 AND v.seq = $2 ORDER BY v.kind DESC LIMIT 1`
)

// As of each key's own at, the same for all.
const versionsAt = `) AS k
	CROSS JOIN version v ON v.layer = k.column1 AND v.dir = k.column2 AND v.name = k.column3 AND v.seq = (
		SELECT max(seq) FROM version
		WHERE layer = k.column1 AND dir = k.column2 AND name = k.column3 AND seq <= k.column4)
	LEFT JOIN blob b ON b.id = v.blob`

var (
	selectVersionsAt = rowsOf(`SELECT `+versionColumns+` FROM (VALUES `, 4, versionsAt+` WHERE v.kind <> 0`)
	selectLasts      = rowsOf(`SELECT `+versionColumns+` FROM (VALUES `, 4, versionsAt)
)

const selectChildren = `SELECT ` + childColumns + ` FROM head WHERE layer = $1 AND dir = $2 ORDER BY name`

// selectChildrenAt skips from name to name along the key and takes the newest
// version of each: what it costs does not grow with the versions of a name.
const selectChildrenAt = `WITH RECURSIVE names (name) AS (
		SELECT min(name) FROM version WHERE layer = $1 AND dir = $2
		UNION ALL
		SELECT (SELECT min(name) FROM version WHERE layer = $1 AND dir = $2 AND name > names.name)
		FROM names WHERE names.name IS NOT NULL
	)
	SELECT ` + versionColumns + ` FROM names
	CROSS JOIN version v ON v.layer = $1 AND v.dir = $2 AND v.name = names.name AND v.seq = (
		SELECT max(seq) FROM version WHERE layer = $1 AND dir = $2 AND name = names.name AND seq <= $3)
	LEFT JOIN blob b ON b.id = v.blob
	WHERE v.kind <> 0`

// Children lists what a layer has directly in dir as of at, whiteouts
// included, ordered by key.
func (tx *Tx) Children(layer Layer, dir string, at Seq) ([]Head, error) {
	if err := tx.settle(at); err != nil {
		return nil, err
	}
	if at == Live {
		return tx.children(layer, dir)
	}
	return tx.childrenAt(nil, layer, dir, at)
}

func (tx *Tx) children(layer Layer, dir string) (list []Head, err error) {
	row := newHeadRow(layer, dir)
	err = tx.query(selectChildren, []any{int64(layer), dir}, func(r sql.Row) error {
		h, err := row.scanChild(tx, r)
		if len(list) == cap(list) { // append would copy a long list five times over
			list = slices.Grow(list, max(len(list), 16))
		}
		list = append(list, h)
		return err
	})
	return list, err
}

// childrenAt appends what was in a directory, in order. SQLite finds it in
// order but would sort it again if it were asked to.
func (tx *Tx) childrenAt(list []Head, layer Layer, dir string, at Seq) ([]Head, error) {
	n, row := len(list), newVersionRow()
	err := tx.query(selectChildrenAt, []any{int64(layer), dir, int64(at)}, func(r sql.Row) error {
		v, err := row.scan(r)
		list = append(list, Head{Version: v})
		return err
	})
	byName := func(a, b Head) int { return strings.Compare(a.Name, b.Name) }
	if !slices.IsSortedFunc(list[n:], byName) {
		slices.SortFunc(list[n:], byName)
	}
	return list, err
}

func (tx *Tx) heads(query string, args ...any) (list []Head, err error) {
	row := newHeadRow(0, "")
	err = tx.query(query, args, func(r sql.Row) error {
		h, err := row.scan(tx, r)
		list = append(list, h)
		return err
	})
	return list, err
}

// What lies below a directory but not directly in it has directories between
// dir + "/" and dir + "0", the character after the slash; below the root these
// are all but the root's own and that of its children.
const (
	belowDir  = ` layer = $1 AND dir >= $2 || '/' AND dir < $2 || '0' `
	belowRoot = ` layer = $1 AND dir > '' AND dir <> $2 `

	selectBelowDir  = `SELECT ` + headColumns + ` FROM head WHERE ` + belowDir + ` ORDER BY dir, name LIMIT $3`
	selectBelowRoot = `SELECT ` + headColumns + ` FROM head WHERE ` + belowRoot + ` ORDER BY dir, name LIMIT $3`
	selectDirect    = `SELECT ` + headColumns + ` FROM head WHERE layer = $1 AND dir = $2 ORDER BY name LIMIT $3`
)

// Below lists what a layer has strictly below name as of at, whiteouts
// included, parents before their children. More than limit: ErrTooManyEntries.
func (tx *Tx) Below(layer Layer, name string, at Seq, limit int) ([]Head, error) {
	if err := tx.settle(at); err != nil {
		return nil, err
	}
	if at != Live {
		return tx.belowAt(layer, name, at, limit)
	}
	deeper := selectBelowDir
	if name == "." {
		deeper = selectBelowRoot
	}
	list, err := tx.heads(selectDirect, int64(layer), name, limit+1)
	if err == nil && len(list) <= limit {
		var rest []Head
		rest, err = tx.heads(deeper, int64(layer), name, limit-len(list)+1)
		list = append(list, rest...)
	}
	if err == nil && len(list) > limit {
		err = ErrTooManyEntries
	}
	if err != nil {
		return nil, err
	}
	return list, nil
}

// The directories that ever had anything, one after the other.
const (
	selectDirsBelowDir = `WITH RECURSIVE dirs (dir) AS (
			SELECT min(dir) FROM version WHERE ` + belowDir + `
			UNION ALL
			SELECT (SELECT min(dir) FROM version WHERE layer = $1 AND dir > dirs.dir AND dir < $2 || '0')
			FROM dirs WHERE dirs.dir IS NOT NULL
		) SELECT dir FROM dirs WHERE dir IS NOT NULL`
	selectDirsBelowRoot = `WITH RECURSIVE dirs (dir) AS (
			SELECT min(dir) FROM version WHERE layer = $1 AND dir > ''
			UNION ALL
			SELECT (SELECT min(dir) FROM version WHERE layer = $1 AND dir > dirs.dir)
			FROM dirs WHERE dirs.dir IS NOT NULL
		) SELECT dir FROM dirs WHERE dir IS NOT NULL AND dir <> $2`
)

// dirs lists name and all directories below it.
func (tx *Tx) dirs(layer Layer, name string) ([]string, error) {
	query := selectDirsBelowDir
	if name == "." {
		query = selectDirsBelowRoot
	}
	dirs := []string{name}
	err := tx.query(query, []any{int64(layer), name}, func(r sql.Row) error {
		var dir string
		err := r.Scan(&dir)
		dirs = append(dirs, dir)
		return err
	})
	return dirs, err
}

func (tx *Tx) belowAt(layer Layer, name string, at Seq, limit int) ([]Head, error) {
	dirs, err := tx.dirs(layer, name)
	if err != nil {
		return nil, err
	}
	var list []Head
	for _, dir := range dirs {
		if list, err = tx.childrenAt(list, layer, dir, at); err != nil {
			return nil, err
		}
		if len(list) > limit {
			return nil, ErrTooManyEntries
		}
	}
	return list, nil
}

const (
	selectRealIn        = `SELECT 1 FROM head WHERE layer = $1 AND dir = $2 AND real = 1 LIMIT 1`
	selectRealBelowDir  = `SELECT 1 FROM head WHERE ` + belowDir + ` AND real = 1 LIMIT 1`
	selectRealBelowRoot = `SELECT 1 FROM head WHERE ` + belowRoot + ` AND real = 1 LIMIT 1`
)

// Real tells whether a layer has a file or a directory that is not implied
// strictly below name as of at.
func (tx *Tx) Real(layer Layer, name string, at Seq) (bool, error) {
	if err := tx.settle(at); err != nil {
		return false, err
	}
	if at != Live {
		return tx.realAt(layer, name, at)
	}
	deeper := selectRealBelowDir
	if name == "." {
		deeper = selectRealBelowRoot
	}
	found := false
	for _, query := range []string{selectRealIn, deeper} {
		err := tx.query(query, []any{int64(layer), name}, func(sql.Row) error { found = true; return nil })
		if err != nil || found {
			return found, err
		}
	}
	return false, nil
}

func (tx *Tx) realAt(layer Layer, name string, at Seq) (bool, error) {
	dirs, err := tx.dirs(layer, name)
	if err != nil {
		return false, err
	}
	for _, dir := range dirs {
		list, err := tx.childrenAt(nil, layer, dir, at)
		if err != nil {
			return false, err
		}
		for i := range list {
			if isReal(&list[i].Version) {
				return true, nil
			}
		}
	}
	return false, nil
}
