package migrate

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// Status says which migrations a database has.
type Status struct {
	// Server is the database's own version.
	Server string
	// Current is the newest migration that was applied, 0 for none; Latest the
	// newest that this program knows.
	Current, Latest int64
}

// Look reads the status and changes nothing, other than goose, whose look makes
// its table. exists and server are the dialect's way to ask for a table named
// goose_db_version and for the version.
func Look(ctx context.Context, db *sql.DB, fsys fs.FS, exists, server string) (Status, error) {
	var s Status
	names, err := fs.Glob(fsys, "*.sql")
	if err != nil {
		return s, fmt.Errorf("read the migrations: %w", err)
	}
	for _, name := range names {
		number, _, _ := strings.Cut(path.Base(name), "_")
		v, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return s, fmt.Errorf("migration %s has no number: %w", name, err)
		}
		s.Latest = max(s.Latest, v)
	}
	if err := db.QueryRowContext(ctx, server).Scan(&s.Server); err != nil {
		return s, fmt.Errorf("ask the database for its version: %w", err)
	}
	var migrated bool
	if err := db.QueryRowContext(ctx, exists).Scan(&migrated); err != nil || !migrated {
		return s, err
	}
	const newest = "SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied"
	if err := db.QueryRowContext(ctx, newest).Scan(&s.Current); err != nil {
		return s, fmt.Errorf("read which migrations were applied: %w", err)
	}
	return s, nil
}
