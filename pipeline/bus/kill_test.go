package bus_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/callboard/callboard/pipeline/bus"
	"github.com/callboard/callboard/storage"
)

// faults says how often which messages fail, and how.
type faults struct {
	mu   sync.Mutex
	left map[int64][]string
}

func (f *faults) set(id int64, kinds []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left[id] = kinds
}

// next takes one fault of any of the messages, if it is of this half.
func (f *faults) next(msgs []storage.Message, half string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range msgs {
		if kinds := f.left[m.ID]; len(kinds) > 0 && kinds[0][:4] == half {
			f.left[m.ID] = kinds[1:]
			return kinds[0][5:]
		}
	}
	return ""
}

// serial numbers deliveries.
var serial atomic.Int64

func fail(kind string) error {
	switch kind {
	case "error":
		return errTest
	case "stale":
		return fmt.Errorf("put repository: %w", storage.ErrStale)
	case "panic":
		panic(errTest)
	}
	return nil
}

// Whatever fails and whenever the bus is broken off, every message has its
// effect exactly once in the end, and every delivery is applied.
func TestEffectsHappenOnce(t *testing.T) {
	t.Parallel()
	for _, s := range setups {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			// One database, opened once, for all checks: a thousand connections to
			// PostgreSQL took longer than all the rest. What a new process finds in
			// the rows is the same; other tests close and open.
			now, transport := &clock{}, s.transport(t)
			store := s.open(t)(t, now)
			defer func() { _ = store.Close() }()
			lent := lend(store)
			again := func(*testing.T, *clock) storage.Store { return lent }
			shared := setup{
				open:      func(*testing.T) func(*testing.T, *clock) storage.Store { return again },
				transport: func(*testing.T) bus.Transport { return transport },
				clock:     now, // leases would be in the future of another
			}
			rapid.Check(t, func(rt *rapid.T) {
				f := newFixture(t, shared)
				defer f.close()
				checkEffects(rt, f)
				f.sweepUp()
			})
		})
	}
}

// lent is a store that outlives those who close it. Of its commits the last who
// asked hears.
type lent struct {
	storage.Store
	hears atomic.Pointer[func(storage.Commit)]
}

func lend(store storage.Store) *lent {
	l := &lent{Store: store}
	store.OnCommit(func(c storage.Commit) {
		if fn := l.hears.Load(); fn != nil {
			(*fn)(c)
		}
	})
	return l
}

func (l *lent) OnCommit(fn func(storage.Commit)) { l.hears.Store(&fn) }
func (l *lent) Close() error                     { return nil }

// sweepUp empties the database for the next check.
func (f *fixture) sweepUp() {
	rows, err := f.store.PendingMessages(f.t.Context(), effect, "", never)
	if err != nil {
		f.t.Fatal(err)
	}
	tx(f.t, f.store, func(ctx context.Context, tx storage.Tx) error {
		for _, r := range rows {
			if err := tx.FinishMessages(ctx, []int64{r.ID}, f.clock.Now()); err != nil {
				return err
			}
		}
		_, err := tx.Prune(ctx, never, never, 1<<20)
		return err
	})
}

func checkEffects(rt *rapid.T, f *fixture) {
	f.cfg.Grace = time.Nanosecond
	f.cfg.QuietFor = 50 * time.Millisecond
	f.cfg.Backoff = make([]time.Duration, 100)
	for i := range f.cfg.Backoff {
		f.cfg.Backoff[i] = time.Second
	}
	wrong := faults{left: map[int64][]string{}}
	work := step{
		plan: func(ctx context.Context, msgs []storage.Message) error {
			return errors.Join(ctx.Err(), fail(wrong.next(msgs, "plan")))
		},
		apply: func(ctx context.Context, tx storage.Tx, msgs []storage.Message) (bus.Outcome, error) {
			out, err := addEffects(ctx, tx, msgs)
			return out, errors.Join(err, fail(wrong.next(msgs, "appl")))
		},
	}
	f.start(work)
	want := map[int64]string{}
	kinds := rapid.SampledFrom([]string{"plan error", "plan panic", "plan stale", "appl error", "appl panic", "appl stale"})
	for range rapid.IntRange(1, 3).Draw(rt, "rounds") {
		keys := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 4).Draw(rt, "keys")
		f.faulty(rt, &wrong, kinds, keys, want)
		f.clock.Advance(time.Duration(rapid.IntRange(0, 2).Draw(rt, "seconds")) * time.Second)
		if rapid.IntRange(0, 2).Draw(rt, "kill") == 2 {
			f.restart(work)
		}
	}
	f.until("all is done", func() bool {
		f.clock.Advance(time.Second)
		n, _, err := f.store.MessageBacklog(f.t.Context())
		return err == nil && n == len(f.effects())
	})
	effects := f.effects()
	for id, guid := range want {
		if effects[id] != 1 {
			rt.Errorf("message %d had %d effects", id, effects[id])
		}
		if d := f.delivery(guid); d.State != storage.DeliveryApplied {
			rt.Errorf("delivery %s is %s: %s", d.GUID, d.State, d.Reason)
		}
	}
}

// faulty adds messages that will fail in the drawn ways.
func (f *fixture) faulty(rt *rapid.T, wrong *faults, kinds *rapid.Generator[string], keys []string, want map[int64]string) {
	plans := make([][]string, len(keys))
	for i := range keys {
		plans[i] = rapid.SliceOfN(kinds, 0, 2).Draw(rt, "faults")
	}
	tx(f.t, f.store, func(ctx context.Context, tx storage.Tx) error {
		for i, key := range keys {
			guid := fmt.Sprint("g-", serial.Add(1))
			if _, err := tx.AddDeliveries(ctx, []storage.Delivery{{GUID: guid, State: storage.DeliveryReceived}}); err != nil {
				return err
			}
			ids, err := tx.AddMessages(ctx, []storage.Message{{
				Topic: topic, Key: key, Payload: []byte("{}"), Cause: storage.Cause{Delivery: guid},
			}})
			if err != nil {
				return err
			}
			wrong.set(ids[0], plans[i])
			want[ids[0]] = guid
		}
		return nil
	})
}
