package postgres_test

import (
	"context"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/callboard/callboard/test/services"
)

var update = flag.Bool("update", false, "rewrite schema.sql")

// pg_dump's words change with its version, so the catalog is asked.
const describeTables = `SELECT string_agg('CREATE TABLE ' || c.relname || E' (\n' || c.columns || E'\n);', E'\n' ORDER BY c.relname)
	FROM (
		SELECT t.relname, string_agg(E'\t' || a.attname || ' ' || upper(format_type(a.atttypid, a.atttypmod)) ||
			CASE WHEN l.collname = 'C' THEN ' COLLATE "C"' ELSE '' END ||
			CASE WHEN a.attidentity <> '' THEN ' GENERATED ALWAYS AS IDENTITY' ELSE '' END ||
			coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '') ||
			CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END, E',\n' ORDER BY a.attnum) AS columns
		FROM pg_class t
		JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
		LEFT JOIN pg_collation l ON l.oid = a.attcollation
		LEFT JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum
		WHERE t.relkind = 'r' AND t.relnamespace = 'public'::regnamespace AND t.relname NOT LIKE 'goose%'
		GROUP BY t.relname
	) c`

const describeIndexes = `SELECT string_agg(replace(indexdef, ' public.', ' ') || ';', E'\n' ORDER BY tablename, indexname)
	FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT LIKE 'goose%'`

// schema.sql is what all migrations together make. It is for people to read.
func TestSchemaIsFresh(t *testing.T) {
	t.Parallel()
	dsn := services.Postgres(t)
	open(t, dsn)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	parts := []string{"-- Made by go test ./storage/postgres -run TestSchemaIsFresh -update\n"}
	for _, query := range []string{describeTables, describeIndexes} {
		var part string
		if err := conn.QueryRow(t.Context(), query).Scan(&part); err != nil {
			t.Fatal(err)
		}
		parts = append(parts, part+"\n")
	}
	got := strings.Join(parts, "\n")
	if *update {
		if err := os.WriteFile("schema.sql", []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("schema.sql is stale, run this test with -update (-want +got):\n%s", diff)
	}
}
