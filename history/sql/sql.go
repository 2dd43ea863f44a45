// Package sql opens varve's database: driver, pragmas, pools, migrations.
package sql

// DB is the open database: one writing connection, a pool of reading ones and
// one for maintenance.
type DB struct{}

// Row scans the current row of a query.
type Row interface{ Scan(dest ...any) error }
