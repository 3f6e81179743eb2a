package postgres_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/postgres"
	"github.com/callboard/callboard/test/services"
)

// change adds one change and answers its revision.
func change(t *testing.T, s *postgres.Store) int64 {
	t.Helper()
	var revision int64
	err := s.InTx(t.Context(), func(ctx context.Context, tx storage.Tx) error {
		if err := tx.LockCatalog(ctx); err != nil {
			return err
		}
		got, err := tx.AddChanges(ctx, []storage.Change{{Ref: "component:default/a"}})
		if err == nil {
			revision = got[0]
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

func heard(s *postgres.Store) <-chan int64 {
	c := make(chan int64, 100)
	s.OnCommit(func(commit storage.Commit) { c <- commit.Revision })
	return c
}

func next(t *testing.T, c <-chan int64) int64 {
	t.Helper()
	select {
	case revision := <-c:
		return revision
	case <-time.After(20 * time.Second):
		t.Fatal("nothing was heard")
		return 0
	}
}

func TestReplicasHearOfEachOther(t *testing.T) {
	t.Parallel()
	dsn := services.Postgres(t)
	a, b := open(t, dsn), open(t, dsn)
	heardA, heardB := heard(a), heard(b)
	for want := int64(1); want <= 4; want += 2 {
		// Each hears each commit once, its own too.
		change(t, a)
		if gotA, gotB := next(t, heardA), next(t, heardB); gotA != want || gotB != want {
			t.Errorf("a heard of %d and b of %d, want %d", gotA, gotB, want)
		}
		change(t, b)
		if gotA, gotB := next(t, heardA), next(t, heardB); gotA != want+1 || gotB != want+1 {
			t.Errorf("a heard of %d and b of %d, want %d", gotA, gotB, want+1)
		}
	}
	if len(heardA)+len(heardB) > 0 {
		t.Error("a commit was heard of twice")
	}
}

func TestALostListenerCatchesUp(t *testing.T) {
	t.Parallel()
	dsn := services.Postgres(t)
	a, b := open(t, dsn), open(t, dsn)
	heardB := heard(b)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	for range 3 {
		// Every connection is cut off, as when the server restarts. The writer must
		// not notice, and may commit before the listener is back.
		_, err := conn.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		if err != nil {
			t.Fatal(err)
		}
		want := change(t, a)
		if got := next(t, heardB); got != want {
			t.Errorf("heard of revision %d, want %d", got, want)
		}
	}
}

// Two transactions that lock two rows in opposite orders block each other.
// PostgreSQL fails one, and InTx runs it again.
func TestADeadlockIsRunAgain(t *testing.T) {
	t.Parallel()
	s := open(t, services.Postgres(t))
	for id := range int64(2) {
		put(t, s, storage.Repository{ID: id})
	}
	var both, done sync.WaitGroup
	both.Add(2)
	var mu sync.Mutex
	runs := 0
	for _, order := range [][2]int64{{0, 1}, {1, 0}} {
		first := true
		done.Go(func() {
			err := s.InTx(t.Context(), func(ctx context.Context, tx storage.Tx) error {
				mu.Lock()
				runs++
				mu.Unlock()
				for _, id := range order {
					r, err := tx.Repository(ctx, id)
					if err != nil {
						return err
					}
					if _, err := tx.PutRepository(ctx, r); err != nil && !errors.Is(err, storage.ErrStale) {
						return err
					}
					if first { // hold one row until the other has the other
						first = false
						both.Done()
						both.Wait()
					}
				}
				return nil
			})
			if err != nil {
				t.Errorf("transaction: %v", err)
			}
		})
	}
	done.Wait()
	if runs < 3 {
		t.Errorf("the functions ran %d times, want at least 3: there was no deadlock", runs)
	}
}

func put(t *testing.T, s *postgres.Store, r storage.Repository) {
	t.Helper()
	err := s.InTx(t.Context(), func(ctx context.Context, tx storage.Tx) error {
		_, err := tx.PutRepository(ctx, r)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefusesWhatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{"postgres://callboard@127.0.0.1:1/x?connect_timeout=1", "this is no DSN"} {
		if _, err := postgres.Open(t.Context(), dsn); err == nil {
			t.Errorf("%s was opened", dsn)
		}
	}
}
