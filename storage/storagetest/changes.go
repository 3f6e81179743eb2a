package storagetest

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/callboard/callboard/storage"
)

func change(ref string) storage.Change {
	return storage.Change{
		Ref: ref, UID: "u", What: storage.ChangeUpdated, BeforeHash: "b", AfterHash: "a",
		Fields: []storage.FieldChange{
			{Path: "/metadata/title", Before: json.RawMessage(`"<old>"`), After: json.RawMessage(`{"n":1.50}`)},
			{Path: "/spec/x", After: json.RawMessage(`null`)},
		},
		Cause: storage.Cause{Reason: storage.ReasonPush, Delivery: "g", Commit: "c", Repository: "a/b", Pusher: "p", Actor: "x"},
		At:    at(time.Second),
	}
}

// addChanges appends and answers the revisions.
func (f fixture) addChanges(cs ...storage.Change) (revisions []int64) {
	f.Helper()
	f.write(func(tx writes) {
		tx.do(tx.LockCatalog(tx.ctx))
		revisions = must(tx.AddChanges(tx.ctx, cs))
	})
	return revisions
}

func (f fixture) feed(after int64, limit int) []storage.Change {
	f.Helper()
	return get[[]storage.Change](f)(f.store.Changes(f.Context(), after, limit))
}

var changes = []scenario{
	{"changes are kept as they came, in order", func(f fixture) {
		same(f, "revision of an empty catalog", int64(0), get[int64](f)(f.store.Revision(f.Context())))
		plain := storage.Change{Ref: "component:default/b", What: storage.ChangeDeleted}
		want := []storage.Change{change("component:default/a"), plain, change("component:default/a")}
		same(f, "revisions", []int64{1, 2}, f.addChanges(want[:2]...))
		same(f, "more revisions", []int64{3}, f.addChanges(want[2]))
		for i := range want {
			want[i].Revision = int64(i + 1)
		}
		same(f, "feed", want, f.feed(0, 10))
		same(f, "after 1", want[1:2], f.feed(1, 1))
		same(f, "after the end", 0, len(f.feed(3, 10)))
		same(f, "history", []storage.Change{want[2], want[0]},
			get[[]storage.Change](f)(f.store.History(f.Context(), "component:default/a", 10)))
		same(f, "short history", want[2:], get[[]storage.Change](f)(f.store.History(f.Context(), "component:default/a", 1)))
		same(f, "revision", int64(3), get[int64](f)(f.store.Revision(f.Context())))
	}},
	{"no changes take no revision", func(f fixture) {
		same(f, "revisions", 0, len(f.addChanges()))
		same(f, "revision", int64(0), get[int64](f)(f.store.Revision(f.Context())))
	}},
	{"changes need the lock", func(f fixture) {
		err := f.try(func(tx writes) { must(tx.AddChanges(tx.ctx, []storage.Change{change("a")})) })
		if err == nil {
			f.Error("changes were added without LockCatalog")
		}
	}},
	{"a transaction sees its own", func(f fixture) {
		f.write(func(tx writes) {
			tx.do(tx.LockCatalog(tx.ctx))
			tx.do(tx.LockCatalog(tx.ctx))
			must(tx.AddChanges(tx.ctx, []storage.Change{change("a")}))
			same(f, "second", []int64{2}, must(tx.AddChanges(tx.ctx, []storage.Change{change("a")})))
			same(f, "revision", int64(2), must(tx.Revision(tx.ctx)))
			same(f, "feed", 2, len(must(tx.Changes(tx.ctx, 0, 10))))
		})
	}},
	{"a rollback leaves no gap", func(f fixture) {
		f.addChanges(change("a"))
		_ = f.try(func(tx writes) {
			tx.do(tx.LockCatalog(tx.ctx))
			must(tx.AddChanges(tx.ctx, []storage.Change{change("b")}))
			tx.do(fmt.Errorf("no"))
		})
		same(f, "next", []int64{2}, f.addChanges(change("c")))
	}},
	{"readers see the feed without gaps while writers race", func(f fixture) { race(f, f.store, f.store) }},
}

// race lets writers add changes through both stores while a reader follows the
// feed, which must grow at its end only.
func race(f fixture, a, b storage.Store) {
	const writers, rounds, batch = 4, 15, 3
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			w := fixture{f.T, []storage.Store{a, b}[w%2]}
			for range rounds {
				err := w.try(func(tx writes) {
					tx.do(tx.LockCatalog(tx.ctx))
					before := must(tx.Revision(tx.ctx))
					got := must(tx.AddChanges(tx.ctx, []storage.Change{change("x"), change("y"), change("z")}))
					if got[0] != before+1 {
						f.Errorf("revision %d after %d was read under the lock", got[0], before)
					}
				})
				if err != nil {
					f.Errorf("writer: %v", err)
				}
			}
		})
	}
	var last int64
	for last < writers*rounds*batch && !f.Failed() {
		for _, c := range f.feed(last, 7) {
			if last++; c.Revision != last {
				f.Errorf("revision %d came where %d was next", c.Revision, last)
			}
		}
	}
	wg.Wait()
}
