package handlers_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// A page of what explains a catalog of 10,000 repositories, each with a broken
// file and an entity that nobody in the catalog owns.
func BenchmarkExplain(b *testing.B) {
	const n = 10_000
	f := setup(b)
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		for i := range int64(n) {
			repo := storage.Repository{ID: i + 1, Host: "github.com", Owner: "acme", Name: fmt.Sprint("r", i), State: storage.RepositoryActive, AppliedSHA: "a", HeadSHA: "a"}
			if _, err := tx.PutRepository(ctx, repo); err != nil {
				return err
			}
			diagnostic := entity.Diagnostic{Ref: fmt.Sprintf("component:default/broken-%d", i), Rule: "name-format", Severity: entity.SeverityError, Message: "bad"}
			file := storage.File{RepositoryID: i + 1, Path: "catalog-info.yaml", Status: storage.FileBroken, Diagnostics: []entity.Diagnostic{diagnostic}}
			if err := tx.PutFiles(ctx, []storage.File{file}); err != nil {
				return err
			}
		}
		return nil
	})
	rows := make([]storage.Entity, n)
	for i := range rows {
		name := fmt.Sprint("c", i)
		rows[i] = component(name, fmt.Sprint("u-", i), "", fmt.Sprintf("component:default/%s ownedBy group:default/team-%d", name, i%100))
		rows[i].RepositoryID, rows[i].Path = int64(i+1), "catalog-info.yaml"
	}
	f.put(rows...)
	f.run()
	for _, path := range []string{
		"/diagnostics", "/diagnostics?rule=name-format", "/diagnostics?owner=team-7", "/diagnostics?rule=owner-unknown",
		"/freshness", "/freshness?behind=true", "/freshness?error=true", "/conflicts", "/changes", "/changes?ref=component:default/c9999",
		"/entities/component/default/c1",
	} {
		b.Run(path, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if w := f.get("/api/callboard" + path); w.Code != http.StatusOK {
					b.Fatalf("%d %s", w.Code, w.Body)
				}
			}
		})
	}
}
