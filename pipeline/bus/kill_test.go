package bus_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
			transport := s.transport(t)
			rapid.Check(t, func(rt *rapid.T) {
				f := newFixture(t, setup{open: s.open, transport: func(*testing.T) bus.Transport { return transport }})
				defer f.close()
				checkEffects(rt, f)
			})
		})
	}
}

func checkEffects(rt *rapid.T, f *fixture) {
	f.cfg.Grace = time.Nanosecond
	f.cfg.QuietFor = time.Millisecond
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
	want := map[int64]int{}
	kinds := rapid.SampledFrom([]string{"plan error", "plan panic", "plan stale", "appl error", "appl panic", "appl stale"})
	for range rapid.IntRange(1, 4).Draw(rt, "rounds") {
		keys := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 4).Draw(rt, "keys")
		f.faulty(rt, &wrong, kinds, keys, want)
		f.clock.Advance(time.Duration(rapid.IntRange(0, 2).Draw(rt, "seconds")) * time.Second)
		if rapid.Bool().Draw(rt, "kill") {
			f.restart(work)
		}
	}
	f.until("all is done", func() bool {
		f.clock.Advance(time.Second)
		n, _, err := f.store.MessageBacklog(f.t.Context())
		return err == nil && n == len(f.effects())
	})
	if diff := cmp.Diff(want, f.effects()); diff != "" {
		rt.Errorf("effects (-want +got):\n%s", diff)
	}
	left, err := f.store.Deliveries(f.t.Context(), storage.DeliveryFilter{})
	if err != nil {
		rt.Fatal(err)
	}
	for _, d := range left {
		if d.State != storage.DeliveryApplied {
			rt.Errorf("delivery %s is %s: %s", d.GUID, d.State, d.Reason)
		}
	}
}

// faulty adds messages that will fail in the drawn ways.
func (f *fixture) faulty(rt *rapid.T, wrong *faults, kinds *rapid.Generator[string], keys []string, want map[int64]int) {
	plans := make([][]string, len(keys))
	for i := range keys {
		plans[i] = rapid.SliceOfN(kinds, 0, 2).Draw(rt, "faults")
	}
	tx(f.t, f.store, func(ctx context.Context, tx storage.Tx) error {
		for i, key := range keys {
			guid := fmt.Sprintf("%s-%d", key, len(want))
			if _, err := tx.AddDelivery(ctx, storage.Delivery{GUID: guid, State: storage.DeliveryReceived}); err != nil {
				return err
			}
			ids, err := tx.AddMessages(ctx, []storage.Message{{
				Topic: topic, Key: key, Payload: []byte("{}"), Cause: storage.Cause{Delivery: guid},
			}})
			if err != nil {
				return err
			}
			wrong.set(ids[0], plans[i])
			want[ids[0]] = 1
		}
		return nil
	})
}
