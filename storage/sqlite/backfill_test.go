package sqlite

import (
	"context"
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// Migration 0004 makes of stored files the rows that PutFiles writes.
func TestDiagnosticsAreBackfilled(t *testing.T) {
	t.Parallel()
	migration, err := os.ReadFile("migrations/0004_explain.sql")
	if err != nil {
		t.Fatal(err)
	}
	backfill := regexp.MustCompile(`(?s)INSERT INTO diagnostics.*?;`).FindString(string(migration))
	s := openTest(t)
	files := []storage.File{{RepositoryID: 1, Path: "a", Diagnostics: []entity.Diagnostic{
		{Path: "a", Ref: "component:default/x", Rule: "r", Severity: entity.SeverityError, Message: "\"<&>\x00é"},
		{Path: "a", Rule: "s", Severity: entity.SeverityInfo},
	}}, {RepositoryID: 2, Path: "fine"}}
	rows := func(r storage.Reader) []storage.FileDiagnostic {
		all, err := r.Diagnostics(t.Context(), storage.DiagnosticFilter{})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	err = s.InTx(t.Context(), func(ctx context.Context, inside storage.Tx) error {
		if err := inside.PutFiles(ctx, files); err != nil {
			return err
		}
		want := rows(inside)
		for _, query := range []string{"DELETE FROM diagnostics", backfill} {
			if _, err := inside.(*tx).exec(ctx, query); err != nil {
				return err
			}
		}
		if diff := cmp.Diff(want, rows(inside)); diff != "" || len(want) != 2 {
			t.Errorf("-written +backfilled:\n%s", diff)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
