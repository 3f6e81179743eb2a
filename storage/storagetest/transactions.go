package storagetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/callboard/callboard/storage"
)

// commits records what OnCommit was told.
type commits struct {
	mu  sync.Mutex
	all []storage.Commit
}

func watch(s storage.Store) *commits {
	c := &commits{}
	s.OnCommit(func(commit storage.Commit) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.all = append(c.all, commit)
	})
	return c
}

func (c *commits) take() []storage.Commit {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.all
	c.all = nil
	return all
}

// exists says whether a delivery was committed.
func (f fixture) exists(guid string) bool {
	f.Helper()
	_, err := f.store.Delivery(f.Context(), guid)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		f.Fatal(err)
	}
	return err == nil
}

var transactions = []scenario{
	{"an error rolls back", func(f fixture) {
		boom := errors.New("boom")
		err := f.try(func(tx writes) {
			must(tx.AddDelivery(tx.ctx, delivery("g", 0)))
			tx.do(boom)
		})
		wantErr(f, err, boom)
		same(f, "committed", false, f.exists("g"))
	}},
	{"a panic rolls back and goes on", func(f fixture) {
		func() {
			defer func() { same(f, "panic", any("ouch"), recover()) }()
			_ = f.try(func(tx writes) {
				must(tx.AddDelivery(tx.ctx, delivery("g", 0)))
				panic("ouch")
			})
		}()
		same(f, "committed", false, f.exists("g"))
		f.write(func(tx writes) { must(tx.AddDelivery(tx.ctx, delivery("g", 0))) })
		same(f, "committed", true, f.exists("g"))
	}},
	{"nobody else sees what is not committed", func(f fixture) {
		f.write(func(tx writes) {
			must(tx.AddDelivery(tx.ctx, delivery("g", 0)))
			_, err := f.store.Delivery(tx.ctx, "g")
			wantErr(f, err, storage.ErrNotFound)
		})
	}},
	{"a transaction is of no use afterwards", func(f fixture) {
		var kept writes
		f.write(func(tx writes) { kept = tx })
		if _, err := kept.AddDelivery(f.Context(), delivery("g", 0)); err == nil {
			f.Error("a write after the end went through")
		}
		if _, err := kept.Revision(f.Context()); err == nil {
			f.Error("a read after the end went through")
		}
		same(f, "committed", false, f.exists("g"))
	}},
	{"a swallowed error does not commit half", func(f fixture) {
		err := f.try(func(tx writes) {
			must(tx.AddDelivery(tx.ctx, delivery("g", 0)))
			broken := message("k")
			broken.Payload = nil
			bad := change("a")
			bad.Fields[0].After = []byte("not JSON")
			tx.do(tx.LockCatalog(tx.ctx))
			if _, err := tx.AddChanges(tx.ctx, []storage.Change{bad}); err == nil {
				f.Error("a value that is not JSON was stored")
			}
		})
		if err == nil {
			f.Error("the transaction was committed")
		}
		same(f, "committed", false, f.exists("g"))
		f.write(func(tx writes) { must(tx.AddDelivery(tx.ctx, delivery("h", 0))) })
	}},
	{"a context that is over starts nothing", func(f fixture) {
		ctx, cancel := context.WithCancel(f.Context())
		cancel()
		err := f.store.InTx(ctx, func(context.Context, storage.Tx) error {
			f.Error("the function was called")
			return nil
		})
		wantErr(f, err, context.Canceled)
	}},
	{"a cancelled transaction leaves the writer whole", cancelled},
	{"who waits for a writer may give up", waiter},
	{"commits are told once, with what is due", told},
	{"writers at once lose nothing", concurrent},
	{"who fails, panics or gives up takes nobody along", mixed},
	{"with empty lists the database is asked nothing", empty},
}

func cancelled(f fixture) {
	for range 5 {
		ctx, cancel := context.WithCancel(f.Context())
		err := f.store.InTx(ctx, func(ctx context.Context, tx storage.Tx) error {
			if _, err := addDelivery(ctx, tx, delivery("g", 0)); err != nil {
				return err
			}
			cancel()
			_, err := tx.AddMessages(ctx, []storage.Message{message("k")})
			return err
		})
		wantErr(f, err, context.Canceled)
		// Also when nobody looks at the error.
		ctx, cancel = context.WithCancel(f.Context())
		err = f.store.InTx(ctx, func(ctx context.Context, tx storage.Tx) error {
			_, _ = addDelivery(ctx, tx, delivery("g", 0))
			cancel()
			return nil
		})
		wantErr(f, err, context.Canceled)
		same(f, "committed", false, f.exists("g"))
	}
	f.write(func(tx writes) { must(tx.AddDelivery(tx.ctx, delivery("g", 0))) })
	same(f, "committed", true, f.exists("g"))
}

// empty calls with a context that is over: whoever asks the database learns it.
func empty(f fixture) {
	over, cancel := context.WithCancel(f.Context())
	cancel()
	_, errEntities := f.store.Entities(over, nil)
	_, errClaims := f.store.Claims(over, nil)
	wantErr(f, errors.Join(errEntities, errClaims), nil)
	f.write(func(tx writes) {
		tx.do(tx.LockCatalog(tx.ctx))
		must(tx.AddDeliveries(over, nil))
		tx.do(tx.FinishDeliveries(over, nil))
		must(tx.AddMessages(over, nil))
		tx.do(tx.FinishMessages(over, nil, day0))
		tx.do(tx.RetryMessages(over, nil, day0, ""))
		tx.do(tx.ParkMessages(over, nil, day0, ""))
		tx.do(tx.PostponeMessages(over, nil, day0, ""))
		tx.do(tx.MarkSwept(over, nil, day0))
		tx.do(tx.PutFiles(over, nil))
		tx.do(tx.DeleteFiles(over, 1, nil))
		must(tx.Entities(over, nil))
		must(tx.Claims(over, nil))
		tx.do(tx.PutEntities(over, nil))
		tx.do(tx.BuryEntities(over, nil, day0, storage.Cause{}))
		tx.do(tx.PutClaims(over, nil))
		tx.do(tx.DeleteClaims(over, 1, nil))
		must(tx.AddChanges(over, nil))
	})
}

// waiter holds the catalog with one transaction and lets another run into its
// deadline behind it.
func waiter(f fixture) {
	var second error
	f.write(func(tx writes) {
		tx.do(tx.LockCatalog(tx.ctx))
		ctx, cancel := context.WithTimeout(f.Context(), 50*time.Millisecond)
		defer cancel()
		second = f.store.InTx(ctx, func(ctx context.Context, tx storage.Tx) error { return tx.LockCatalog(ctx) })
	})
	wantErr(f, second, context.DeadlineExceeded)
	f.addChanges(change("a"))
}

func told(f fixture) {
	seen := watch(f.store)
	f.write(func(tx writes) { must(tx.AddDelivery(tx.ctx, delivery("g", 0))) })
	same(f, "neither message nor change", 0, len(seen.take()))

	now, past, future, long := message("now"), message("past"), message("future"), message("long")
	past.RunAfter = at(-time.Hour)
	future.CreatedAt, future.RunAfter = time.Now(), time.Now().Add(time.Hour)
	long.CreatedAt = time.Now().Add(time.Hour) // of a clock that is ahead: still due now
	var added []int64
	f.write(func(tx writes) { added = must(tx.AddMessages(tx.ctx, []storage.Message{now, past, future, long})) })
	got := seen.take()
	if len(got) != 1 {
		f.Fatalf("told %d times, want once", len(got))
	}
	same(f, "due", []int64{added[0], added[1], added[3]}, ids(got[0].Messages))
	same(f, "revision", int64(0), got[0].Revision)
	m := got[0].Messages[0]
	if m.Payload != nil || m.Key != "now" || m.Cause != now.Cause || !m.RunAfter.Equal(day0) {
		f.Errorf("told of %+v", m)
	}

	f.addChanges(change("a"), change("b"))
	same(f, "changes", []storage.Commit{{Revision: 2}}, seen.take())
	_ = f.try(func(tx writes) {
		must(tx.AddMessages(tx.ctx, []storage.Message{now}))
		tx.do(errors.New("no"))
	})
	same(f, "after a rollback", 0, len(seen.take()))
}

func concurrent(f fixture) {
	const writers, rounds = 8, 10
	r := repository(1, "acme", "cart")
	f.put(r)
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range rounds {
				for {
					err := f.try(func(tx writes) {
						current := must(tx.Repository(tx.ctx, 1))
						must(tx.PutRepository(tx.ctx, current))
						must(tx.AddMessages(tx.ctx, []storage.Message{message("k")}))
					})
					if err == nil {
						break
					}
					if !errors.Is(err, storage.ErrStale) {
						f.Errorf("writer: %v", err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	same(f, "version", int64(writers*rounds+1), get[storage.Repository](f)(f.store.Repository(f.Context(), 1)).Version)
	same(f, "messages", writers*rounds, len(f.pending("k", 0)))
}

// mixed lets writers of every fate loose on one store. What was answered with
// nil must be there, and nothing else.
func mixed(f fixture) {
	const writers, rounds = 12, 15
	boom := errors.New("boom")
	var wg sync.WaitGroup
	var mu sync.Mutex
	fates := map[string]bool{} // by GUID: was it committed
	for w := range writers {
		wg.Go(func() {
			for i := range rounds {
				guid := fmt.Sprintf("g%d-%d", w, i)
				committed := fate(f, boom, guid, w%4)
				mu.Lock()
				fates[guid] = committed
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for guid, want := range fates {
		if got := f.exists(guid); got != want {
			f.Errorf("%s: InTx said committed=%t, the database says %t", guid, want, got)
		}
	}
}

// fate adds a delivery in a transaction that ends as kind says.
func fate(f fixture, boom error, guid string, kind int) (committed bool) {
	ctx := f.Context()
	if kind == 3 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
	}
	defer func() {
		if r := recover(); r != nil && r != any(boom) {
			panic(r)
		}
	}()
	err := f.store.InTx(ctx, func(ctx context.Context, tx storage.Tx) error {
		if _, err := addDelivery(ctx, tx, delivery(guid, 0)); err != nil {
			return err
		}
		switch kind {
		case 1:
			return boom
		case 2:
			panic(boom)
		}
		return nil
	})
	if kind == 0 && err != nil {
		f.Errorf("an innocent transaction failed: %v", err)
	}
	return err == nil
}

// odd has what PostgreSQL takes in no text: NUL, and bytes that are not UTF-8.
const odd, cleaned = "a\x00b\xff\xfec", "a\uFFFDb\uFFFDc"

var texts = []scenario{
	{"odd bytes are replaced, and found under their own name", func(f fixture) {
		d := delivery(odd, 0)
		d.Event, d.Repository, d.Pusher, d.Reason = odd, odd, odd, odd
		m := message(odd)
		m.Error = odd
		file := storage.File{RepositoryID: 1, Path: odd, Inputs: map[string]string{odd: odd}, Targets: []string{odd}}
		f.write(func(tx writes) {
			must(tx.AddDelivery(tx.ctx, d))
			if must(tx.AddDelivery(tx.ctx, d)) {
				f.Error("a known GUID was added again")
			}
			must(tx.AddMessages(tx.ctx, []storage.Message{m}))
			tx.do(tx.PutFiles(tx.ctx, []storage.File{file}))
			e := anEntity("component:default/" + odd)
			e.Relations = nil
			tx.do(tx.PutEntities(tx.ctx, []storage.Entity{e}))
			c := change(e.Ref)
			c.Cause.Pusher = odd
			tx.do(tx.LockCatalog(tx.ctx))
			must(tx.AddChanges(tx.ctx, []storage.Change{c}))
		})
		got := get[storage.Delivery](f)(f.store.Delivery(f.Context(), odd))
		same(f, "texts", []string{cleaned, cleaned, cleaned, cleaned, cleaned}, []string{got.GUID, got.Event, got.Repository, got.Pusher, got.Reason})
		same(f, "payload", d.Payload, got.Payload)
		same(f, "filtered", 1, len(get[[]storage.Delivery](f)(f.store.Deliveries(f.Context(), storage.DeliveryFilter{Event: odd}))))
		same(f, "message", 1, len(f.pending(odd, 0)))
		same(f, "path", cleaned, get[[]storage.File](f)(f.store.Files(f.Context(), 1))[0].Path)
		same(f, "entity", []string{"component:default/" + cleaned}, entityRefs(f.entities("component:default/"+odd)))
		f.write(func(tx writes) { tx.do(tx.DeleteFiles(tx.ctx, 1, []string{odd})) })
		same(f, "files", 0, len(get[[]storage.File](f)(f.store.Files(f.Context(), 1))))
	}},
	{"quotes, percent signs and long texts are only text", func(f fixture) {
		name := `'; DROP TABLE files; -- "x" $1 ?1 %s \ ` + strings.Repeat("é", 5000)
		f.write(func(tx writes) {
			d := delivery(name, 0)
			must(tx.AddDelivery(tx.ctx, d))
			same(f, "delivery", d, must(tx.Delivery(tx.ctx, name)))
		})
	}},
}

var shared = []struct {
	name string
	run  func(t *testing.T, open Opener)
}{
	{"what was committed is there after closing", func(t *testing.T, open Opener) {
		f := fixture{t, open(t)}
		f.write(func(tx writes) { must(tx.AddDelivery(tx.ctx, delivery("g", 0))) })
		f.addChanges(change("a"))
		if err := f.store.Close(); err != nil {
			t.Fatal(err)
		}
		if err := f.store.Ping(t.Context()); err == nil {
			t.Error("a closed store answers")
		}
		if err := f.try(func(writes) {}); err == nil {
			t.Error("a closed store writes")
		}
		f.store = open(t)
		wantErr(t, f.store.Ping(t.Context()), nil)
		same(t, "committed", true, f.exists("g"))
		same(t, "next revision", []int64{2}, f.addChanges(change("b")))
		got := f.add(message("k"))
		same(t, "message", got, ids(f.pending("k", 0)))
	}},
	{"stores opened at once agree on the schema", func(t *testing.T, open Opener) {
		t.Run("at once", func(t *testing.T) {
			for i := range 3 {
				t.Run(fmt.Sprint("store ", i), func(t *testing.T) {
					t.Parallel()
					fixture{t, open(t)}.addChanges(change("a"))
				})
			}
		})
		same(t, "revision", int64(3), get[int64](fixture{t, nil})(open(t).Revision(t.Context())))
	}},
	{"two stores keep one feed in order", func(t *testing.T, open Opener) {
		a, b := open(t), open(t)
		race(fixture{t, a}, a, b)
	}},
	{"what one commits the other reads", func(t *testing.T, open Opener) {
		a, b := fixture{t, open(t)}, fixture{t, open(t)}
		a.write(func(tx writes) { must(tx.AddDelivery(tx.ctx, delivery("g", 0))) })
		same(t, "committed", true, b.exists("g"))
	}},
}
