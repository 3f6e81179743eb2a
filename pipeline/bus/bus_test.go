package bus_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/callboard/callboard/pipeline/bus"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/storage"
)

func TestRun(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, f *fixture) {
		f.start(step{})
		ids := f.add("cart")
		got := f.next()
		want := bus.Observed{
			Topic: topic, Key: "cart", Result: "applied", Outcome: applied, Messages: 1, Deliveries: []string{"d-cart-0"},
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(bus.Observed{}, "Elapsed")); diff != "" {
			t.Errorf("observed (-want +got):\n%s", diff)
		}
		if got.Elapsed <= 0 || got.Elapsed > deadline {
			t.Errorf("elapsed %s", got.Elapsed)
		}
		d := f.delivery("d-cart-0")
		if d.State != storage.DeliveryApplied || d.Summary != "1 created" || d.Revision != 7 || d.Attempts != 1 || d.DoneAt.IsZero() {
			t.Errorf("delivery %+v", d)
		}
		if diff := cmp.Diff(map[int64]int{ids[0]: 1}, f.effects()); diff != "" {
			t.Errorf("effects (-want +got):\n%s", diff)
		}
		if left := f.pending("cart"); len(left) > 0 {
			t.Errorf("left undone: %v", left)
		}
	})
}

func TestRunTwice(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setups[0])
	f.start(step{})
	f.add("cart")
	f.next()
	if err := f.bus.Run(t.Context()); err == nil {
		t.Error("a second Run is no error")
	}
}

func TestCoalesce(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, f *fixture) {
		begun, release := make(chan struct{}, 10), make(chan struct{})
		var runs atomic.Int32
		f.start(step{plan: func(context.Context, []storage.Message) error {
			if runs.Add(1) == 1 {
				begun <- struct{}{}
				<-release
			}
			return nil
		}})
		f.add("cart")
		<-begun
		// What comes in during a run is one more run, and does not wait for a sweep.
		for i := range 10 {
			tx(t, f.store, func(ctx context.Context, tx storage.Tx) error {
				_, err := tx.AddMessages(ctx, []storage.Message{{Topic: topic, Key: "cart", Payload: []byte("{}"),
					Cause: storage.Cause{Delivery: fmt.Sprint(i)}}})
				return err
			})
		}
		close(release)
		if o := f.next(); o.Messages != 1 {
			t.Errorf("first run had %d messages", o.Messages)
		}
		var total int
		for total < 10 {
			total += f.next().Messages
		}
		// With Redis the wake-ups may still be on their way when the second run begins.
		if n := runs.Load(); n > 4 {
			t.Errorf("%d runs for 11 messages", n)
		}
	})
}

func TestTogether(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, f *fixture) {
		f.start(step{})
		f.add(slices.Repeat([]string{"cart"}, 10)...)
		if o := f.next(); o.Messages != 10 || len(o.Deliveries) != 10 {
			t.Errorf("%d messages and %d deliveries in the run, want 10", o.Messages, len(o.Deliveries))
		}
		for i := range 10 {
			if d := f.delivery(fmt.Sprintf("d-cart-%d", i)); d.State != storage.DeliveryApplied {
				t.Errorf("delivery %s is %s", d.GUID, d.State)
			}
		}
	})
}

func TestKeysDoNotOverlap(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, f *fixture) {
		var running counter
		f.start(step{plan: func(_ context.Context, msgs []storage.Message) error {
			key := msgs[0].Key
			if running.add(key, 1) > 1 {
				t.Errorf("%s runs twice at once", key)
			}
			for range 1000 { // give others the chance to get in between
				running.add(key, 0)
			}
			running.add(key, -1)
			return nil
		}})
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := range 40 {
					tx(t, f.store, func(ctx context.Context, tx storage.Tx) error {
						_, err := tx.AddMessages(ctx, []storage.Message{{
							Topic: topic, Key: fmt.Sprint((w + i) % 5), Payload: []byte("{}"),
						}})
						return err
					})
				}
			})
		}
		wg.Wait()
		for total := 0; total < 160; {
			total += f.next().Messages
		}
	})
}

// As many keys as there are workers run side by side, and slow ones do not keep
// the next from its turn.
func TestKeysRunSideBySide(t *testing.T) {
	t.Parallel()
	onEach(t, func(_ *testing.T, f *fixture) {
		f.cfg.Workers = 8
		var begun sync.WaitGroup
		begun.Add(7)
		release := make(chan struct{})
		f.start(step{plan: func(_ context.Context, msgs []storage.Message) error {
			if msgs[0].Key != "quick" {
				begun.Done()
				<-release
			}
			return nil
		}})
		f.add("1", "2", "3", "4", "5", "6", "7")
		begun.Wait()
		for range 20 { // more than consumers, so that some wake-ups lie behind the slow ones
			f.add("quick")
			f.nextOf("quick", "applied")
		}
		close(release)
		for range 7 {
			f.next()
		}
	})
}

func TestRetry(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, f *fixture) {
		var runs atomic.Int32
		f.start(step{apply: func(ctx context.Context, tx storage.Tx, msgs []storage.Message) (bus.Outcome, error) {
			out, err := addEffects(ctx, tx, msgs)
			if runs.Add(1) <= 2 {
				err = errTest
			}
			return out, err
		}})
		ids := f.add("cart")
		if o := f.next(); o.Result != "retry" || !errors.Is(o.Err, errTest) {
			t.Errorf("first run: %+v", o)
		}
		d := f.delivery("d-cart-0")
		if d.State != storage.DeliveryFailed || d.Attempts != 1 || d.Reason != errTest.Error() || !d.DoneAt.IsZero() {
			t.Errorf("delivery after a failure: %+v", d)
		}
		if m := f.pending("cart")[0]; m.Attempts != 1 || m.Error != errTest.Error() {
			t.Errorf("message after a failure: %+v", m)
		}
		f.clock.Advance(time.Second)
		if o := f.next(); o.Result != "retry" {
			t.Errorf("second run: %+v", o)
		}
		f.clock.Advance(5 * time.Second)
		if o := f.next(); o.Result != "applied" {
			t.Errorf("third run: %+v", o)
		}
		if d := f.delivery("d-cart-0"); d.State != storage.DeliveryApplied || d.Attempts != 3 || d.Reason != "" {
			t.Errorf("delivery in the end: %+v", d)
		}
		if diff := cmp.Diff(map[int64]int{ids[0]: 1}, f.effects()); diff != "" {
			t.Errorf("effects (-want +got):\n%s", diff)
		}
	})
}

// A message that waits for another try is done with the next one of its key,
// if that goes well.
func TestRetryWithNewMessage(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, f *fixture) {
		var runs atomic.Int32
		f.start(step{plan: func(context.Context, []storage.Message) error {
			if runs.Add(1) == 1 {
				return errTest
			}
			return nil
		}})
		f.add("cart")
		f.nextOf("cart", "retry")
		f.add("other", "cart")
		if o := f.nextOf("cart", "applied"); o.Messages != 2 {
			t.Errorf("the new message was done with %d", o.Messages)
		}
		if d := f.delivery("d-cart-0"); d.State != storage.DeliveryApplied || d.Attempts != 2 {
			t.Errorf("delivery %+v", d)
		}
	})
}

func TestPark(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, f *fixture) {
		f.cfg.Backoff = []time.Duration{time.Second, time.Minute}
		f.start(step{plan: func(context.Context, []storage.Message) error { return errTest }})
		f.add("cart")
		for _, d := range f.cfg.Backoff {
			if o := f.next(); o.Result != "retry" {
				t.Errorf("run: %+v", o)
			}
			f.clock.Advance(d)
		}
		if o := f.next(); o.Result != "parked" {
			t.Errorf("last run: %+v", o)
		}
		if d := f.delivery("d-cart-0"); d.State != storage.DeliveryParked || d.Attempts != 3 || d.DoneAt.IsZero() {
			t.Errorf("delivery: %+v", d)
		}
		parked, err := f.store.ParkedMessages(t.Context(), 10)
		if err != nil || len(parked) != 1 || parked[0].Error != errTest.Error() {
			t.Errorf("parked: %v, %v", parked, err)
		}
		// A parked message is nobody's work, but its key is free.
		f.clock.Advance(time.Hour)
		f.add("other")
		f.nextOf("other", "retry")
	})
}

func TestPoison(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		plan   func(context.Context) error
		result string
	}{
		{"panic", func(context.Context) error { panic("nil map") }, "retry"},
		{"permanent", func(context.Context) error { return fault.Permanent(fault.ReasonInvalid, errTest) }, "parked"},
		{"slow", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, "retry"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, f *fixture) {
				if tt.name == "slow" {
					f.cfg.RunTimeout = 3 * time.Second
				}
				f.start(step{plan: func(ctx context.Context, msgs []storage.Message) error {
					if msgs[0].Key == "bad" {
						return tt.plan(ctx)
					}
					return nil
				}})
				keys := []string{"bad"}
				for i := range 50 {
					keys = append(keys, fmt.Sprint(i))
				}
				f.add(keys...)
				results := map[string]int{}
				for range keys {
					results[f.next().Result]++
				}
				if diff := cmp.Diff(map[string]int{tt.result: 1, "applied": 50}, results); diff != "" {
					t.Errorf("results (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A step that says so has longer than others.
func TestSlowStep(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, f *fixture) {
		f.cfg.RunTimeout = time.Nanosecond
		f.start(step{timeout: time.Hour, plan: func(ctx context.Context, _ []storage.Message) error { return ctx.Err() }})
		f.add("cart")
		if got := f.next(); got.Result != "applied" {
			t.Errorf("the run was %s: %v", got.Result, got.Err)
		}
	})
}

// One senseless message among those of a key is parked alone.
func TestPermanentAmongOthers(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, f *fixture) {
		f.start(step{plan: func(_ context.Context, msgs []storage.Message) error {
			for _, m := range msgs {
				if m.Cause.Delivery == "d-cart-1" {
					return fault.Permanent(fault.ReasonInvalid, errTest)
				}
			}
			return nil
		}})
		f.add("cart", "cart", "cart")
		results := map[string]int{}
		for range 3 {
			results[f.next().Result]++
		}
		if diff := cmp.Diff(map[string]int{"applied": 2, "parked": 1}, results); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
		if d := f.delivery("d-cart-1"); d.State != storage.DeliveryParked {
			t.Errorf("delivery %+v", d)
		}
	})
}

func TestPostpone(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, f *fixture) {
		var runs atomic.Int32
		f.cfg.Backoff = []time.Duration{time.Second}
		f.start(step{plan: func(context.Context, []storage.Message) error {
			if runs.Add(1) <= 3 {
				return fault.RetryAfter(10*time.Minute, fault.ReasonRateLimited, errTest)
			}
			return nil
		}})
		f.add("cart")
		for range 3 { // more often than the budget allows failures
			if o := f.next(); o.Result != "postponed" {
				t.Fatalf("run: %+v", o)
			}
			if m := f.pending("cart")[0]; m.Attempts != 0 || m.RunAfter.Before(f.clock.Now().Add(9*time.Minute)) {
				t.Errorf("message: %+v", m)
			}
			if d := f.delivery("d-cart-0"); d.State != storage.DeliveryReceived || d.Attempts != 0 || d.Reason == "" {
				t.Errorf("delivery: %+v", d)
			}
			f.clock.Advance(10 * time.Minute)
		}
		if o := f.next(); o.Result != "applied" {
			t.Errorf("last run: %+v", o)
		}
	})
}

// A conflict plans anew at once and is no failure.
func TestStale(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, f *fixture) {
		var plans, applies atomic.Int32
		f.start(step{
			plan: func(context.Context, []storage.Message) error { plans.Add(1); return nil },
			apply: func(ctx context.Context, tx storage.Tx, msgs []storage.Message) (bus.Outcome, error) {
				if applies.Add(1) <= 2 {
					return bus.Outcome{}, fmt.Errorf("put repository: %w", storage.ErrStale)
				}
				return addEffects(ctx, tx, msgs)
			},
		})
		f.add("cart")
		if o := f.next(); o.Result != "applied" {
			t.Errorf("run: %+v", o)
		}
		if plans.Load() != 3 || f.delivery("d-cart-0").Attempts != 1 {
			t.Errorf("%d plans, %d attempts", plans.Load(), f.delivery("d-cart-0").Attempts)
		}
	})
}

// Somebody else did the message between our plan and our apply.
func TestDoneElsewhere(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, f *fixture) {
		var ids []int64
		added, planned := make(chan struct{}), make(chan struct{})
		f.start(step{plan: func(_ context.Context, msgs []storage.Message) error {
			if msgs[0].Key == "cart" {
				<-added
				tx(t, f.store, func(ctx context.Context, tx storage.Tx) error { return tx.FinishMessages(ctx, ids, f.clock.Now()) })
				close(planned)
			}
			return nil
		}})
		ids = f.add("cart")
		close(added)
		<-planned
		f.add("other")
		f.nextOf("other", "applied")
		f.settled()
		if n := f.effects()[ids[0]]; n != 0 {
			t.Errorf("%d effects of a message that another process did", n)
		}
	})
}

// An outcome without state leaves the delivery to a message that was added.
func TestContinued(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setups[0])
	const second = "test.second.v1"
	f.start(
		step{apply: func(ctx context.Context, tx storage.Tx, msgs []storage.Message) (bus.Outcome, error) {
			_, err := tx.AddMessages(ctx, []storage.Message{{Topic: second, Payload: []byte("{}"), Cause: msgs[0].Cause}})
			return bus.Outcome{}, err
		}},
		step{topic: second, plan: func(context.Context, []storage.Message) error {
			if d := f.delivery("d-cart-0"); d.State != storage.DeliveryReceived {
				t.Errorf("delivery is %s between the steps", d.State)
			}
			return nil
		}},
	)
	f.add("cart")
	f.nextOf("cart", "continued")
	f.nextOf("", "applied")
	if d := f.delivery("d-cart-0"); d.State != storage.DeliveryApplied {
		t.Errorf("delivery is %s", d.State)
	}
}

// The refreshes of an installation name its delivery and do not decide it.
func TestInstallationIsSettledByItsOwnMessage(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setups[0])
	f.start(step{topic: event.TopicInstallation}, step{plan: func(context.Context, []storage.Message) error { return errTest }})
	cause := storage.Cause{Reason: storage.ReasonInstallation, Delivery: "d-1"}
	tx(t, f.store, func(ctx context.Context, tx storage.Tx) error {
		if _, err := tx.AddDeliveries(ctx, []storage.Delivery{{GUID: "d-1", State: storage.DeliveryReceived}}); err != nil {
			return err
		}
		_, err := tx.AddMessages(ctx, []storage.Message{
			{Topic: event.TopicInstallation, Key: "a", Payload: []byte("{}"), Cause: cause},
			{Topic: topic, Key: "b", Payload: []byte("{}"), Cause: cause},
		})
		return err
	})
	for range 2 {
		f.next()
	}
	if d := f.delivery("d-1"); d.State != storage.DeliveryApplied {
		t.Errorf("delivery is %s: %s", d.State, d.Reason)
	}
}
