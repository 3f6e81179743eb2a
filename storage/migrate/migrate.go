// Package migrate brings a database to the schema this program needs.
//
// Migrations are numbered SQL files, the same numbers and names for both
// backends, forward only: old code must run on the new schema for one release.
// The package owns how they are applied. Which ones there are is the backend's.
package migrate

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// attempts bounds how often a start that another one overtook begins anew.
const attempts = 5

// SQLite applies the migrations in fsys. There is no lock to hold meanwhile, so
// of two processes that start at once on a new file one may find a table made
// between its look and its turn. It looks again: then the work is done.
func SQLite(ctx context.Context, db *sql.DB, fsys fs.FS, log *slog.Logger) (err error) {
	for range attempts {
		if err = up(ctx, goose.DialectSQLite3, db, fsys, log); err == nil || ctx.Err() != nil {
			break
		}
	}
	return err
}

// Postgres applies the migrations in fsys under a session lock: without it one
// of several replicas that start together fails.
func Postgres(ctx context.Context, db *sql.DB, fsys fs.FS, log *slog.Logger) error {
	// Tried every second for five minutes: a replica that waits for another's
	// long migration is better than one that gives up.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return fmt.Errorf("make the migration lock: %w", err)
	}
	return up(ctx, goose.DialectPostgres, db, fsys, log, goose.WithSessionLocker(locker))
}

func up(ctx context.Context, dialect goose.Dialect, db *sql.DB, fsys fs.FS, log *slog.Logger, opts ...goose.ProviderOption) error {
	opts = append(opts, goose.WithDisableGlobalRegistry(true))
	p, err := goose.NewProvider(dialect, db, fsys, opts...)
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	done, err := p.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	for _, m := range done {
		log.InfoContext(ctx, "database migrated", "migration", m.Source.Path, "duration_ms", m.Duration.Milliseconds())
	}
	return nil
}
