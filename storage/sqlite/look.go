package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"

	"github.com/callboard/callboard/storage/migrate"
)

// Look says how the file at path stands, without migrating it, and whether it can
// be written. The file must exist.
func Look(ctx context.Context, path string) (_ migrate.Status, err error) {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return migrate.Status{}, err
	}
	db, err := sql.Open("sqlite", dsn(path, "synchronous(FULL)", "immediate"))
	if err != nil {
		return migrate.Status{}, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	s, err := migrate.Look(ctx, db, sub,
		"SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'goose_db_version')", "SELECT sqlite_version()")
	if err != nil {
		return s, err
	}
	// An immediate transaction has the write lock, and needs a file that can be written.
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return s, fmt.Errorf("write to the database: %w", err)
	}
	return s, tx.Rollback()
}
