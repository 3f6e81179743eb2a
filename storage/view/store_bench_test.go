package view_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/postgres"
	"github.com/callboard/callboard/storage/sqlite"
	"github.com/callboard/callboard/storage/view"
	"github.com/callboard/callboard/test/services"
)

// BenchmarkLoadFrom loads the view from a database.
func BenchmarkLoadFrom(b *testing.B) {
	backends := []struct {
		name string
		open func(b *testing.B) (storage.Store, error)
	}{
		{"sqlite", func(b *testing.B) (storage.Store, error) {
			return sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "view.db"))
		}},
		{"postgres", func(b *testing.B) (storage.Store, error) { return postgres.Open(b.Context(), services.Postgres(b)) }},
	}
	for _, backend := range backends {
		for _, n := range sizes {
			b.Run(fmt.Sprintf("%s/%d", backend.name, n), func(b *testing.B) {
				store, err := backend.open(b)
				if err != nil {
					b.Fatal(err)
				}
				defer func() { _ = store.Close() }() // nothing hangs on it
				fill(b, store, org(n))
				b.Run("read", func(b *testing.B) {
					for b.Loop() {
						if _, err := store.EachEntity(b.Context(), func(storage.Entity) error { return nil }); err != nil {
							b.Fatal(err)
						}
					}
				})
				b.Run("load", func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						v := view.New(store, quiet())
						err := v.Load(b.Context(), func(fn func(storage.Entity) error) (int64, error) {
							return store.EachEntity(b.Context(), fn)
						})
						if err != nil || v.Len() != n {
							b.Fatalf("%d entities, %v", v.Len(), err)
						}
					}
				})
			})
		}
	}
}

func fill(b *testing.B, store storage.Store, rows []storage.Entity) {
	b.Helper()
	now := time.Now()
	for chunk := range slices.Chunk(rows, 2000) {
		for i := range chunk {
			e := &chunk[i]
			e.RepositoryID, e.Path, e.Descriptor = 1, "catalog-info.yaml", e.JSON
			e.Commit, e.FirstSeen, e.LastChanged, e.Since = "c0ffee", now, now, now
		}
		err := store.InTx(b.Context(), func(ctx context.Context, tx storage.Tx) error { return tx.PutEntities(ctx, chunk) })
		if err != nil {
			b.Fatal(err)
		}
	}
}
