package sql

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// applicationID marks a file as varve's: "varv".
const applicationID = 0x76617276

// migrate brings the database to the newest schema, after making sure that it
// is ours and not newer than we are.
func migrate(ctx context.Context, dsn string) error {
	return withSchema(ctx, dsn, func(db *sql.DB, p *goose.Provider, version int64, fresh bool) error {
		newest := newestOf(p)
		if version == newest {
			return nil
		}
		if fresh {
			if _, err := db.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID)); err != nil {
				return err
			}
		}
		if _, err := p.Up(ctx); err != nil {
			return fmt.Errorf("migrating the database: %w", err)
		}
		// Kept beside goose's own table because it can be read without it.
		_, err := db.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", newest))
		return err
	})
}

// check is migrate for a database that must not be written.
func check(ctx context.Context, dsn string) error {
	return withSchema(ctx, dsn, func(_ *sql.DB, p *goose.Provider, version int64, _ bool) error {
		if version < newestOf(p) {
			return ErrOld
		}
		return nil
	})
}

// withSchema opens a database that is ours and not newer than we are, and has work
// look at its schema version; fresh says that nothing was ever written to it.
func withSchema(ctx context.Context, dsn string, work func(db *sql.DB, p *goose.Provider, version int64, fresh bool) error) error {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	p, err := provider(db)
	if err != nil {
		return err
	}
	version, fresh, err := identify(ctx, db)
	if err != nil {
		return err
	}
	if newest := newestOf(p); version > newest {
		return fmt.Errorf("schema %d, this varve knows %d: %w", version, newest, ErrNewer)
	}
	return work(db, p, version, fresh)
}

// identify tells the schema version of a database of ours, and whether nothing
// was ever written to it.
func identify(ctx context.Context, db *sql.DB) (version int64, fresh bool, err error) {
	const query = `SELECT (SELECT application_id FROM pragma_application_id),
		(SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)`
	var id, tables int64
	if err := db.QueryRowContext(ctx, query).Scan(&id, &version, &tables); err != nil {
		return 0, false, classify(err)
	}
	if id == applicationID {
		return version, false, nil
	}
	if id != 0 || tables != 0 {
		return 0, false, fmt.Errorf("application_id %#x: %w", id, ErrForeign)
	}
	return version, true, nil
}

func provider(db *sql.DB) (*goose.Provider, error) {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectSQLite3, db, dir, goose.WithDisableGlobalRegistry(true))
}

func newestOf(p *goose.Provider) int64 {
	newest := int64(0)
	for _, s := range p.ListSources() {
		newest = max(newest, s.Version)
	}
	return newest
}
