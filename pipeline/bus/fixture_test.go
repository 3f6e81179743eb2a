package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/callboard/callboard/pipeline/bus"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/postgres"
	"github.com/callboard/callboard/storage/sqlite"
	"github.com/callboard/callboard/test/services"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The servers of package services live as long as the test process.
		goleak.IgnoreAnyFunction("os/exec.(*Cmd).Wait"))
}

const (
	topic  = "test.work.v1"
	effect = "test.effect.v1" // nobody's topic: its rows count what steps did
	// deadline is for things that happen at once or never.
	deadline = 20 * time.Second
)

// never is when effects are due, so that no sweep is concerned with them.
var never = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// setup is a store and a transport to run the same tests on.
type setup struct {
	name string
	// open makes a function that opens the same database again and again.
	open      func(t *testing.T) func(t *testing.T, clock *clock) storage.Store
	transport func(t *testing.T) bus.Transport
	clock     *clock // nil for one of the fixture's own
}

var setups = []setup{
	{name: "sqlite, memory", open: sqliteFile, transport: func(*testing.T) bus.Transport { return bus.Memory() }},
	{name: "postgres, redis", open: postgresDatabase, transport: redisTransport},
}

func sqliteFile(t *testing.T) func(*testing.T, *clock) storage.Store {
	path := filepath.Join(t.TempDir(), "callboard.db")
	return func(t *testing.T, c *clock) storage.Store {
		store, err := sqlite.Open(t.Context(), path, sqlite.WithClock(c.Now))
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
}

func postgresDatabase(t *testing.T) func(*testing.T, *clock) storage.Store {
	dsn := services.Postgres(t)
	return func(t *testing.T, c *clock) storage.Store {
		store, err := postgres.Open(t.Context(), dsn, postgres.WithClock(c.Now))
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
}

func redisTransport(t *testing.T) bus.Transport { return redisAt(t, services.Redis(t)) }

func redisAt(t *testing.T, url string) bus.Transport {
	transport, err := bus.Redis(bus.RedisConfig{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	return transport
}

// onEach runs a test on every setup.
func onEach(t *testing.T, fn func(t *testing.T, f *fixture)) {
	t.Helper()
	for _, s := range setups {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			fn(t, newFixture(t, s))
		})
	}
}

// clock is real time plus what the test added.
type clock struct{ ahead atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) Advance(d time.Duration) { c.ahead.Add(int64(d)) }

// fixture is a bus under test.
type fixture struct {
	t         *testing.T
	clock     *clock
	open      func(*testing.T, *clock) storage.Store
	store     storage.Store
	transport bus.Transport
	cfg       bus.Config
	bus       *bus.Bus
	observed  chan bus.Observed
	cancel    context.CancelFunc
	ended     chan error
}

func newFixture(t *testing.T, s setup) *fixture {
	if s.clock == nil {
		s.clock = &clock{}
	}
	f := &fixture{t: t, clock: s.clock, open: s.open(t), transport: s.transport(t), observed: make(chan bus.Observed, 10_000)}
	f.cfg = bus.Config{
		Now: f.clock.Now,
		// Enough for all that the tests do at once. Each is a consumer, which with
		// Redis is two connections to be made and ended.
		Workers:       4,
		SweepInterval: 5 * time.Millisecond,
		Observe:       func(o bus.Observed) { f.observed <- o },
	}
	f.store = f.open(t, f.clock)
	t.Cleanup(f.close)
	return f
}

// close ends everything; it may be called before the test's end.
func (f *fixture) close() {
	if f.store == nil {
		return
	}
	if f.cancel != nil {
		f.stop()
	}
	if err := f.store.Close(); err != nil {
		f.t.Error(err)
	}
	f.store = nil
}

// start runs a bus with steps; only the first time on the fixture's first store.
func (f *fixture) start(steps ...step) {
	f.t.Helper()
	f.bus = bus.New(f.store, f.transport, f.cfg, f.logger(), nil)
	for _, s := range steps {
		bus.Register(f.bus, s)
	}
	ctx, cancel := context.WithCancel(f.t.Context())
	f.cancel, f.ended = cancel, make(chan error, 1)
	go func() { f.ended <- f.bus.Run(ctx) }()
}

func (f *fixture) logger() *slog.Logger {
	return slog.New(slog.DiscardHandler)
}

// stop ends the bus in good order.
func (f *fixture) stop() {
	f.t.Helper()
	f.cancel()
	f.cancel = nil
	select {
	case err := <-f.ended:
		if err != nil {
			f.t.Errorf("Run: %v", err)
		}
	case <-time.After(deadline):
		f.t.Fatal("Run does not end")
	}
}

// restart is a new process on the same database.
func (f *fixture) restart(steps ...step) {
	f.t.Helper()
	f.stop()
	if err := f.store.Close(); err != nil {
		f.t.Fatal(err)
	}
	f.store = f.open(f.t, f.clock)
	f.start(steps...)
}

// add stores one message per key, each caused by the delivery "d-<key>-<n>", in
// one transaction.
func (f *fixture) add(keys ...string) []int64 {
	f.t.Helper()
	var ids []int64
	tx(f.t, f.store, func(ctx context.Context, tx storage.Tx) (err error) {
		var msgs []storage.Message
		for i, key := range keys {
			guid := fmt.Sprintf("d-%s-%d", key, i)
			if _, err := tx.AddDeliveries(ctx, []storage.Delivery{{
				GUID: guid, Event: "push", ReceivedAt: f.clock.Now(), State: storage.DeliveryReceived, Payload: []byte("{}"),
			}}); err != nil {
				return err
			}
			msgs = append(msgs, storage.Message{
				Topic: topic, Key: key, Payload: json.RawMessage("{}"),
				Cause: storage.Cause{Reason: storage.ReasonPush, Delivery: guid},
			})
		}
		ids, err = tx.AddMessages(ctx, msgs)
		return err
	})
	return ids
}

func tx(t *testing.T, store storage.Store, fn func(ctx context.Context, tx storage.Tx) error) {
	t.Helper()
	if err := store.InTx(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// next is the next finished run.
func (f *fixture) next() bus.Observed {
	f.t.Helper()
	select {
	case o := <-f.observed:
		return o
	case <-time.After(deadline):
		f.t.Fatal("no run ended")
		panic("unreachable")
	}
}

// nextOf is the next finished run with a result, whatever happens before it.
func (f *fixture) nextOf(key, result string) bus.Observed {
	f.t.Helper()
	for {
		if o := f.next(); o.Key == key && o.Result == result {
			return o
		}
	}
}

// settled waits until nothing is left to do.
func (f *fixture) settled() {
	f.t.Helper()
	f.until("no backlog", func() bool {
		n, _, err := f.store.MessageBacklog(f.t.Context())
		if err != nil {
			f.t.Fatal(err)
		}
		return n == len(f.effects())
	})
}

// until waits for a condition that nothing announces.
func (f *fixture) until(what string, ok func() bool) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), deadline)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			f.t.Fatalf("waited in vain: %s", what)
		}
	}
}

func (f *fixture) delivery(guid string) storage.Delivery {
	f.t.Helper()
	d, err := f.store.Delivery(f.t.Context(), guid)
	if err != nil {
		f.t.Fatal(err)
	}
	return d
}

// pending are the undone messages of a key, due or not.
func (f *fixture) pending(key string) []storage.Message {
	f.t.Helper()
	msgs, err := f.store.PendingMessages(f.t.Context(), topic, key, f.clock.Now().AddDate(1, 0, 0))
	if err != nil {
		f.t.Fatal(err)
	}
	return msgs
}

// effects counts what addEffects wrote, by message id.
func (f *fixture) effects() map[int64]int {
	f.t.Helper()
	rows, err := f.store.PendingMessages(f.t.Context(), effect, "", never)
	if err != nil {
		f.t.Fatal(err)
	}
	count := map[int64]int{}
	for _, r := range rows {
		var id int64
		if err := json.Unmarshal(r.Payload, &id); err != nil {
			f.t.Fatal(err)
		}
		count[id]++
	}
	return count
}

// step is a bus.Step made of functions; nil ones do the obvious.
type step struct {
	topic   string
	plan    func(ctx context.Context, msgs []storage.Message) error
	apply   func(ctx context.Context, tx storage.Tx, msgs []storage.Message) (bus.Outcome, error)
	timeout time.Duration
}

// Timeout implements bus.Slow.
func (s step) Timeout() time.Duration { return s.timeout }

func (s step) Topic() string {
	if s.topic == "" {
		return topic
	}
	return s.topic
}

func (s step) Plan(ctx context.Context, msgs []storage.Message) ([]storage.Message, error) {
	if s.plan == nil {
		return msgs, nil
	}
	return msgs, s.plan(ctx, msgs)
}

func (s step) Apply(ctx context.Context, tx storage.Tx, msgs []storage.Message) (bus.Outcome, error) {
	if s.apply == nil {
		return addEffects(ctx, tx, msgs)
	}
	return s.apply(ctx, tx, msgs)
}

var applied = bus.Outcome{State: storage.DeliveryApplied, Repository: "acme/cart", Commit: "abc", Summary: "1 created", Revision: 7}

// addEffects leaves one row per message.
func addEffects(ctx context.Context, tx storage.Tx, msgs []storage.Message) (bus.Outcome, error) {
	var rows []storage.Message
	for _, m := range msgs {
		rows = append(rows, storage.Message{Topic: effect, RunAfter: never, Payload: json.RawMessage(fmt.Sprint(m.ID))})
	}
	_, err := tx.AddMessages(ctx, rows)
	return applied, err
}

var errTest = errors.New("github is on fire")

// counter counts per key under a lock.
type counter struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *counter) add(key string, n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[key] += n
	return c.n[key]
}
