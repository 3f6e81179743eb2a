package migrate_test

import (
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/callboard/callboard/storage/migrate"
)

func names(t *testing.T, backend string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join("..", backend, "migrations", "*.sql"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no migrations of %s: %v", backend, err)
	}
	for i, path := range found {
		found[i] = filepath.Base(path)
	}
	return found
}

func TestBackendsHaveTheSameMigrations(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(names(t, "sqlite"), names(t, "postgres")); diff != "" {
		t.Errorf("migrations (-sqlite +postgres):\n%s", diff)
	}
}

func TestMigrationsOnlyGoForward(t *testing.T) {
	t.Parallel()
	for _, backend := range []string{"sqlite", "postgres"} {
		for _, name := range names(t, backend) {
			b, err := os.ReadFile(filepath.Join("..", backend, "migrations", name))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(b), "+goose Down") {
				t.Errorf("%s/%s has a way back", backend, name)
			}
		}
	}
}

// SQLite writes a column that was added on the line of the one before it.
var (
	table  = regexp.MustCompile(`(?s)CREATE TABLE (\w+) \((.*?)\)(?: STRICT[^\n]*)?;\n`)
	column = regexp.MustCompile(`(?m)(?:^\t|, )([a-z]\w*) [A-Z]`)
)

// columns reads the tables of a schema.sql, with their columns in order.
func columns(t *testing.T, backend string) map[string][]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", backend, "schema.sql"))
	if err != nil {
		t.Fatal(err)
	}
	tables := map[string][]string{}
	for _, m := range table.FindAllStringSubmatch(string(b), -1) {
		for _, c := range column.FindAllStringSubmatch(m[2], -1) {
			tables[m[1]] = append(tables[m[1]], c[1])
		}
	}
	if len(tables) < 5 {
		t.Fatalf("only %d tables were found in the schema of %s", len(tables), backend)
	}
	return tables
}

// One row can be copied from one backend to the other.
func TestBackendsHaveTheSameColumns(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(columns(t, "sqlite"), columns(t, "postgres")); diff != "" {
		t.Errorf("columns (-sqlite +postgres):\n%s", diff)
	}
}

func TestMigrationsApplyOnceAndInOrder(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "x.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	fsys := fstest.MapFS{"0001_a.sql": {Data: []byte("-- +goose Up\nCREATE TABLE a (b);")}}
	up := func() error { return migrate.SQLite(t.Context(), db, fsys, slog.New(slog.DiscardHandler)) }
	for range 2 {
		if err := up(); err != nil {
			t.Fatal(err)
		}
	}
	fsys["0002_b.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nALTER TABLE a ADD COLUMN c;")}
	if err := up(); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`INSERT INTO a (b, c) VALUES (1, 2)`); err != nil {
		t.Error(err)
	}
	fsys["0003_c.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nthis is not SQL;")}
	if err := up(); err == nil || !strings.Contains(err.Error(), "version:3") {
		t.Errorf("a broken migration gives %v", err)
	}
}
