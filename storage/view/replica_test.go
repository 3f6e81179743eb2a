package view_test

import (
	"testing"
	"time"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/postgres"
	"github.com/callboard/callboard/storage/view"
	"github.com/callboard/callboard/test/services"
)

// A commit reaches the view of its own process and that of another replica by
// notification: polling would take an hour.
func TestNotifiedReplicas(t *testing.T) {
	t.Parallel()
	dsn := services.Postgres(t)
	var (
		stores []*postgres.Store
		views  []*view.View
	)
	for range 2 {
		store, err := postgres.Open(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
		v := view.New(store, quiet(), view.WithPolling(time.Hour))
		store.OnCommit(func(storage.Commit) { v.Wake() })
		start(t, v)
		stores, views = append(stores, store), append(views, v)
	}
	for i := range 6 {
		begun := time.Now()
		revision := write(t, stores[i%2], []storage.Entity{component("a", "1", "")})
		committed := time.Now()
		wait(t, views[i%2], revision)
		own := time.Since(committed)
		wait(t, views[1-i%2], revision)
		t.Logf("commit %v, same replica %v, other replica %v", committed.Sub(begun), own, time.Since(committed))
	}
}

// On SQLite there is one process, and it hears of its own commits.
func TestNotifiedOnSQLite(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	v := view.New(store, quiet(), view.WithPolling(time.Hour))
	store.OnCommit(func(storage.Commit) { v.Wake() })
	start(t, v)
	for range 3 {
		revision := write(t, store, []storage.Entity{component("a", "1", "")})
		committed := time.Now()
		wait(t, v, revision)
		t.Logf("visible after %v", time.Since(committed))
	}
}
