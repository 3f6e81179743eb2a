package bus_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/callboard/callboard/pipeline/bus"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// Wake-ups are hints: doubling them does nothing twice.
func TestDuplicateWakeUps(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, f *fixture) {
		// Everything is always forgotten, so each sweep wakes again.
		f.cfg.QuietFor = time.Nanosecond
		f.cfg.SweepInterval = time.Millisecond
		begun, release := make(chan struct{}), make(chan struct{})
		var plans counter
		f.start(step{plan: func(_ context.Context, msgs []storage.Message) error {
			if plans.add(msgs[0].Key, 1) == 1 && msgs[0].Key == "cart" {
				close(begun)
				<-release
			}
			return nil
		}})
		ids := f.add("cart")
		<-begun
		swept := func() bool { return !f.pending("cart")[0].SweptAt.IsZero() }
		f.until("the sweeper wakes the running key", swept)
		close(release)
		f.next()
		f.add("other")
		f.nextOf("other", "applied")
		if n := plans.add("cart", 0); n != 1 {
			t.Errorf("%d plans for one message", n)
		}
		if diff := cmp.Diff(1, f.effects()[ids[0]]); diff != "" {
			t.Errorf("effects (-want +got):\n%s", diff)
		}
	})
}

// What lies in the database when a process starts is done at once, not after
// the time that wake-ups are trusted.
func TestStartSweeps(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, f *fixture) {
		f.cfg.QuietFor = time.Hour
		f.cfg.SweepInterval = time.Hour
		f.add("a", "b")
		if err := f.store.Close(); err != nil { // its commits were nobody's
			t.Fatal(err)
		}
		f.store = f.open(t, f.clock)
		f.start(step{})
		f.next()
		f.next()
		f.settled()
	})
}

func TestShutdownLetsStepsFinish(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, f *fixture) {
		begun, release := make(chan struct{}), make(chan struct{})
		f.start(step{plan: func(ctx context.Context, _ []storage.Message) error {
			close(begun)
			<-release
			return ctx.Err()
		}})
		f.add("cart")
		<-begun
		f.cancel()
		close(release)
		if o := f.next(); o.Result != "applied" {
			t.Errorf("run: %+v", o)
		}
		f.stop()
		if d := f.delivery("d-cart-0"); d.State != storage.DeliveryApplied {
			t.Errorf("delivery is %s", d.State)
		}
	})
}

// A crash between plan and apply, or a step that takes longer than the grace:
// the rows are as they were, and the next process does the work.
func TestShutdownCancelsSlowSteps(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, f *fixture) {
		f.cfg.Grace = time.Millisecond
		begun := make(chan struct{})
		f.start(step{plan: func(ctx context.Context, _ []storage.Message) error {
			close(begun)
			<-ctx.Done()
			return ctx.Err()
		}})
		ids := f.add("cart")
		<-begun
		f.restart(step{})
		if o := f.next(); o.Result != "applied" {
			t.Errorf("run of the next process: %+v", o)
		}
		if d := f.delivery("d-cart-0"); d.Attempts != 1 {
			t.Errorf("being stopped counted as an attempt: %+v", d)
		}
		if diff := cmp.Diff(map[int64]int{ids[0]: 1}, f.effects()); diff != "" {
			t.Errorf("effects (-want +got):\n%s", diff)
		}
	})
}

func TestPrune(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setups[0])
	f.start(step{})
	f.add("cart")
	f.next()
	ignored := make([]storage.Delivery, 2500) // more than go in one transaction
	for i := range ignored {
		ignored[i] = storage.Delivery{GUID: fmt.Sprint("ignored-", i), State: storage.DeliveryIgnored, ReceivedAt: f.clock.Now()}
	}
	f.cfg.Undo = 40 * 24 * time.Hour // what can be brought back is kept longer
	tx(t, f.store, func(ctx context.Context, tx storage.Tx) error {
		gone := storage.Entity{Claim: storage.Claim{Declaration: entity.Declaration{Ref: "component:default/gone", JSON: []byte(`{}`)}}}
		if err := tx.PutEntities(ctx, []storage.Entity{gone}); err != nil {
			return err
		}
		if err := tx.BuryEntities(ctx, []string{gone.Ref}, f.clock.Now(), storage.Cause{}); err != nil {
			return err
		}
		_, err := tx.AddDeliveries(ctx, ignored)
		return err
	})
	tombstones := func() int {
		left, err := f.store.Tombstones(t.Context(), storage.TombstoneFilter{})
		if err != nil {
			t.Fatal(err)
		}
		return len(left)
	}
	f.clock.Advance(31 * 24 * time.Hour)
	f.restart(step{})
	f.until("the old deliveries are gone", func() bool {
		left, err := f.store.Deliveries(t.Context(), storage.DeliveryFilter{})
		return err == nil && len(left) == 0
	})
	if tombstones() != 1 {
		t.Error("a tombstone is gone that could be brought back")
	}
	f.clock.Advance(10 * 24 * time.Hour)
	f.restart(step{})
	f.until("the tombstone is gone", func() bool { return tombstones() == 0 })
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setups[0])
	reg := prometheus.NewRegistry()
	b := bus.New(f.store, f.transport, f.cfg, f.logger(), reg)
	bus.Register(b, step{plan: func(_ context.Context, msgs []storage.Message) error {
		if msgs[0].Key == "bad" {
			return errTest
		}
		return nil
	}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	f.add("good", "bad")
	f.next()
	f.next()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			key := family.GetName()
			for _, l := range m.GetLabel() {
				if l.GetName() == "result" {
					key += " " + l.GetValue()
				}
			}
			got[key] += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	for key, want := range map[string]float64{
		"callboard_bus_messages_total applied": 1,
		"callboard_bus_messages_total retry":   1,
		"callboard_bus_messages_total parked":  0,
		"callboard_bus_backlog_messages":       2, // the bad one, and the effect row of the good one
	} {
		if v, ok := got[key]; !ok || v != want {
			t.Errorf("%s is %v (%v), want %v", key, v, ok, want)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestRegisterTwicePanics(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setups[0])
	b := bus.New(f.store, f.transport, f.cfg, f.logger(), nil)
	bus.Register(b, step{})
	defer func() {
		if recover() == nil {
			t.Error("two steps of one topic were accepted")
		}
	}()
	bus.Register(b, step{})
}
