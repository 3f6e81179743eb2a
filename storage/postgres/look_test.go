package postgres_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/callboard/callboard/storage/postgres"
	"github.com/callboard/callboard/test/services"
)

// Look says how a database stands and leaves it as it is.
func TestLook(t *testing.T) {
	t.Parallel()
	dsn := services.Postgres(t)
	if s, err := postgres.Look(t.Context(), dsn); err != nil || s.Current != 0 || s.Latest < 6 || s.Server == "" {
		t.Errorf("empty: %+v, %v", s, err)
	}
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var tables int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()").Scan(&tables); err != nil || tables != 0 {
		t.Errorf("%d tables after the look, %v", tables, err)
	}
	open(t, dsn)
	if s, err := postgres.Look(t.Context(), dsn); err != nil || s.Current != s.Latest {
		t.Errorf("migrated: %+v, %v", s, err)
	}
	// As on a standby, which answers and takes no writes.
	var name string
	if err := conn.QueryRow(t.Context(), "SELECT quote_ident(current_database())").Scan(&name); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "ALTER DATABASE "+name+" SET default_transaction_read_only = on"); err != nil {
		t.Fatal(err)
	}
	defer func() { // another test gets the database
		if _, err := conn.Exec(t.Context(), "ALTER DATABASE "+name+" RESET default_transaction_read_only"); err != nil {
			t.Error(err)
		}
	}()
	if s, err := postgres.Look(t.Context(), dsn); err == nil || !strings.Contains(err.Error(), "takes no writes") || s.Server == "" {
		t.Errorf("read-only: %+v, %v", s, err)
	}
}
