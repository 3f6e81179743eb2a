package view_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/sqlite"
	"github.com/callboard/callboard/storage/view"
)

func TestMain(m *testing.M) {
	// The database server of this process ends with it.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/callboard/callboard/test/services.launch.func2"))
}

func openStore(t *testing.T) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "view.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// write stores entities, removes refs, and returns the revision after.
func write(t *testing.T, store storage.Store, put []storage.Entity, bury ...string) (revision int64) {
	t.Helper()
	now := time.Now()
	err := store.InTx(t.Context(), func(ctx context.Context, tx storage.Tx) error {
		if err := tx.LockCatalog(ctx); err != nil {
			return err
		}
		var changes []storage.Change
		for _, e := range put {
			changes = append(changes, storage.Change{Ref: e.Ref, UID: e.UID, What: storage.ChangeUpdated, At: now})
		}
		for _, ref := range bury {
			changes = append(changes, storage.Change{Ref: ref, What: storage.ChangeDeleted, At: now})
		}
		revisions, err := tx.AddChanges(ctx, changes)
		if err != nil {
			return err
		}
		for i := range put {
			put[i].Revision, put[i].RepositoryID, put[i].Path = revisions[i], 1, "catalog-info.yaml"
			put[i].Descriptor, put[i].FirstSeen, put[i].LastChanged, put[i].Since = put[i].JSON, now, now, now
		}
		revision = revisions[len(revisions)-1]
		if len(put) > 0 {
			if err := tx.PutEntities(ctx, put); err != nil {
				return err
			}
		}
		return tx.BuryEntities(ctx, bury, now, storage.Cause{Reason: storage.ReasonPush})
	})
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

// start runs the view until the test ends and waits until it is loaded.
func start(t *testing.T, v *view.View) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- v.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	select {
	case <-v.Ready():
	case <-t.Context().Done():
	}
}

func wait(t *testing.T, v *view.View, revision int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := v.WaitRevision(ctx, revision); err != nil {
		t.Fatalf("the view does not reach revision %d: %v", revision, err)
	}
}

func TestFollow(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	v := view.New(store, quiet())
	store.OnCommit(func(storage.Commit) { v.Wake() })
	first := write(t, store, []storage.Entity{component("a", "1", "", "component:default/a dependsOn component:default/b")})
	start(t, v)
	if v.Revision() != first || v.Len() != 1 {
		t.Fatalf("loaded %d entities at %d", v.Len(), v.Revision())
	}
	wait(t, v, write(t, store, []storage.Entity{component("b", "2", ""), component("c", "3", "")}))
	if got := fmt.Sprint(refs(t, v, "metadata.name")); got != "[component:default/a component:default/b component:default/c]" {
		t.Errorf("after a write: %s", got)
	}
	wait(t, v, write(t, store, []storage.Entity{component("a", "1", `"title":"A"`)}, "component:default/b"))
	if got := fmt.Sprint(refs(t, v, "metadata.title=a"), refs(t, v)); got != "[component:default/a] [component:default/a component:default/c]" {
		t.Errorf("after an update and a delete: %s", got)
	}
	if err := v.Run(t.Context()); !errors.Is(err, view.ErrRunning) {
		t.Errorf("a second Run answers %v", err)
	}
}

func TestFollowByPolling(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	v := view.New(store, quiet())
	start(t, v)
	wait(t, v, write(t, store, []storage.Entity{component("a", "1", "")}))
}

// flaky fails its first reads.
type flaky struct {
	storage.Reader
	loads, feeds atomic.Int32
}

var errDown = errors.New("down")

func (f *flaky) EachEntity(ctx context.Context, fn func(storage.Entity) error) (int64, error) {
	if f.loads.Add(1) == 1 {
		return 0, errDown
	}
	return f.Reader.EachEntity(ctx, fn)
}

func (f *flaky) Changes(ctx context.Context, after int64, limit int) ([]storage.Change, error) {
	if f.feeds.Add(1) == 1 {
		return nil, errDown
	}
	return f.Reader.Changes(ctx, after, limit)
}

func TestFollowSurvivesTheDatabase(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	write(t, store, []storage.Entity{component("a", "1", "")})
	f := &flaky{Reader: store}
	v := view.New(f, quiet())
	v.Wake()
	start(t, v)
	wait(t, v, write(t, store, []storage.Entity{component("b", "2", "")}))
	if f.loads.Load() < 2 || f.feeds.Load() < 2 {
		t.Error("the failures did not happen")
	}
}

// TestReadersSeeWholeBatches: the writer moves an edge back and forth between
// two entities, in one batch each time; every reader sees it exactly once.
func TestReadersSeeWholeBatches(t *testing.T) {
	t.Parallel()
	with := func(name, uid string) storage.Entity {
		return component(name, uid, `"flag":true`, "component:default/"+name+" dependsOn component:default/z")
	}
	v := loaded(t, 0, with("a", "1"), component("b", "2", ""))
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			filter := view.All{view.Exists{Key: "metadata.flag"}, view.Exists{Key: "relations.dependson"}}
			for {
				select {
				case <-stop:
					return
				default:
				}
				var page []*view.Entity
				v.Read(func(s *view.Snapshot) {
					page, _ = s.Select(filter).Page([]view.Order{{Field: "metadata.name"}}, 0, 0)
					if len(page) != 1 {
						t.Errorf("%d entities at revision %d", len(page), s.Revision())
					}
				})
				// It is written without the lock, as it was.
				for _, e := range page {
					if got := e.JSON(); !strings.Contains(string(got), `{"type":"dependsOn","targetRef":"component:default/z"}`) {
						t.Errorf("written without its relation: %s", got)
					}
				}
			}
		})
	}
	for i := range 300 {
		if i%2 == 0 {
			apply(v, int64(i), []storage.Entity{component("a", "1", ""), with("b", "2")})
		} else {
			apply(v, int64(i), []storage.Entity{with("a", "1"), component("b", "2", "")})
		}
	}
	close(stop)
	readers.Wait()
}

// What one transaction changed is shown as a whole, however much it is.
func TestTransactionsAreNotTorn(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	v := view.New(store, quiet())
	start(t, v)
	many := func(name string, n int) (all []storage.Entity) {
		for i := range n {
			all = append(all, component(fmt.Sprintf("%s-%d", name, i), fmt.Sprintf("%s-%d", name, i), ""))
		}
		return all
	}
	write(t, store, many("small", 600))
	write(t, store, many("across", 900)) // beyond what is read at once
	write(t, store, many("large", 2500)) // more than is read at once
	last := write(t, store, many("end", 1))
	wholes := []int{600, 1500, 4000, 4001}
	for i, revision := range []int64{1, 601, 1501, last} {
		wait(t, v, revision)
		if n := v.Len(); !slices.Contains(wholes[i:], n) {
			t.Errorf("from revision %d on there are %d entities, want one of %v", revision, n, wholes[i:])
		}
	}
}
