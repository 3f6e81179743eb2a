package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/callboard/callboard/storage/migrate"
)

// Look says how a database stands, without migrating it, and whether this user
// may write and make tables.
func Look(ctx context.Context, dsn string) (migrate.Status, error) {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return migrate.Status{}, err
	}
	// The pool's parser, because a DSN may hold settings of the pool.
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return migrate.Status{}, err
	}
	db := stdlib.OpenDB(*config.ConnConfig)
	defer db.Close()
	s, err := migrate.Look(ctx, db, sub, "SELECT to_regclass('goose_db_version') IS NOT NULL", "SHOW server_version")
	if err != nil {
		return s, err
	}
	var readonly, create bool
	const may = `SELECT current_setting('transaction_read_only')::boolean,
	coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)`
	if err := db.QueryRowContext(ctx, may).Scan(&readonly, &create); err != nil {
		return s, fmt.Errorf("ask what this user may: %w", err)
	}
	switch {
	case readonly:
		return s, errors.New("the database takes no writes: it is a standby, or read-only")
	case !create:
		return s, errors.New("this user may not make tables in the schema")
	}
	return s, nil
}
