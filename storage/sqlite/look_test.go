package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/callboard/callboard/storage/sqlite"
)

// Look says how a file stands and leaves it as it is.
func TestLook(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "callboard.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE other (id INTEGER)"); err != nil {
		t.Fatal(err)
	}
	if s, err := sqlite.Look(t.Context(), path); err != nil || s.Current != 0 || s.Latest < 6 || !strings.HasPrefix(s.Server, "3.") {
		t.Errorf("empty: %+v, %v", s, err)
	}
	var tables int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil || tables != 1 {
		t.Errorf("%d tables after the look, %v", tables, err)
	}
	open(t, path) // a running Callboard does not stand in the way
	if s, err := sqlite.Look(t.Context(), path); err != nil || s.Current != s.Latest {
		t.Errorf("migrated: %+v, %v", s, err)
	}
	if _, err := db.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)"); err != nil {
		t.Fatal(err)
	}
	if s, err := sqlite.Look(t.Context(), path); err != nil || s.Current != 9999 {
		t.Errorf("of a newer version: %+v, %v", s, err)
	}
}
