package inbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/inbox"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

func open(t testing.TB) storage.Store {
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "callboard.db"))
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

// run starts an inbox and ends it with the test.
func run(t testing.TB, store storage.Store) *inbox.Inbox {
	in := inbox.New(store, inbox.Config{}, quiet)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- in.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return in
}

func push(guid string, repository int) inbox.Received {
	return inbox.Received{GUID: guid, Event: "push", Payload: fmt.Appendf(nil,
		`{"ref":"refs/heads/main","after":"abc","repository":{"id":%d,"full_name":"acme/cart","default_branch":"main"},"pusher":{"name":"ann"}}`,
		repository)}
}

func accept(t *testing.T, in *inbox.Inbox, r inbox.Received) inbox.Receipt {
	t.Helper()
	receipt, err := in.Accept(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return receipt
}

func pending(t *testing.T, store storage.Store, key string) []storage.Message {
	t.Helper()
	msgs, err := store.PendingMessages(t.Context(), event.TopicRefresh, key, time.Now().AddDate(1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return msgs
}

func delivery(t *testing.T, store storage.Store, guid string) storage.Delivery {
	t.Helper()
	d, err := store.Delivery(t.Context(), guid)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func write(t *testing.T, store storage.Store, fn func(ctx context.Context, tx storage.Tx) error) {
	t.Helper()
	if err := store.InTx(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func TestAccept(t *testing.T) {
	t.Parallel()
	store := open(t)
	in := run(t, store)
	want := inbox.Receipt{State: storage.DeliveryReceived, Repository: "acme/cart"}
	if diff := cmp.Diff(want, accept(t, in, push("g-1", 7))); diff != "" {
		t.Errorf("receipt (-want +got):\n%s", diff)
	}
	if d := delivery(t, store, "g-1"); d.State != storage.DeliveryReceived || d.Commit != "abc" || len(d.Payload) == 0 {
		t.Errorf("delivery %+v", d)
	}
	if msgs := pending(t, store, "github.com/7"); len(msgs) != 1 || msgs[0].Cause.Delivery != "g-1" {
		t.Errorf("messages %v", msgs)
	}

	want.Duplicate = true
	if diff := cmp.Diff(want, accept(t, in, push("g-1", 7))); diff != "" {
		t.Errorf("receipt of a duplicate (-want +got):\n%s", diff)
	}
	if msgs := pending(t, store, "github.com/7"); len(msgs) != 1 {
		t.Errorf("a duplicate added work: %v", msgs)
	}

	got := accept(t, in, inbox.Received{GUID: "g-2", Event: "star", Payload: []byte("{}")})
	if got.State != storage.DeliveryIgnored || delivery(t, store, "g-2").Reason != got.Reason || got.Reason == "" {
		t.Errorf("ignored: %+v", got)
	}
	if _, err := in.Accept(t.Context(), inbox.Received{GUID: "g-3", Event: "push", Payload: []byte("[]")}); !errors.Is(err, inbox.ErrPayload) {
		t.Errorf("no object: %v", err)
	}
}

func TestHost(t *testing.T) {
	t.Parallel()
	store := open(t)
	in := run(t, store)
	r := push("g-1", 7)
	r.Host = "ghe.acme.test"
	accept(t, in, r)
	if len(pending(t, store, "ghe.acme.test/7")) != 1 {
		t.Error("the delivery's own host was not used")
	}
}

// Two at once of the same GUID are one.
func TestAcceptConcurrently(t *testing.T) {
	t.Parallel()
	store := open(t)
	in := run(t, store)
	var wg sync.WaitGroup
	var first atomic.Int32
	for i := range 400 {
		wg.Go(func() {
			receipt, err := in.Accept(t.Context(), push(fmt.Sprint(i%100), i%100+1))
			if err != nil {
				t.Error(err)
			}
			if !receipt.Duplicate {
				first.Add(1)
			}
			if delivery(t, store, fmt.Sprint(i%100)).State != storage.DeliveryReceived {
				t.Error("answered before it was stored")
			}
		})
	}
	wg.Wait()
	if first.Load() != 100 {
		t.Errorf("%d of 100 deliveries were new", first.Load())
	}
	if n, _, err := store.MessageBacklog(t.Context()); n != 100 || err != nil {
		t.Errorf("%d messages, %v", n, err)
	}
}

// A redelivery of one that did not come through begins anew.
func TestRedelivery(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		state storage.DeliveryState
		spoil func(ctx context.Context, tx storage.Tx, ids []int64) error
	}{
		{"failed", storage.DeliveryFailed, func(ctx context.Context, tx storage.Tx, ids []int64) error {
			return tx.RetryMessages(ctx, ids, time.Now().Add(time.Hour), "boom")
		}},
		{"parked", storage.DeliveryParked, func(ctx context.Context, tx storage.Tx, ids []int64) error {
			return tx.ParkMessages(ctx, ids, time.Now(), "boom")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			store := open(t)
			in := run(t, store)
			accept(t, in, push("g-1", 7))
			old := pending(t, store, "github.com/7")[0].ID
			write(t, store, func(ctx context.Context, tx storage.Tx) error {
				if err := tx.FinishDeliveries(ctx, []storage.DeliveryOutcome{{GUID: "g-1", State: tt.state, Attempts: 3}}); err != nil {
					return err
				}
				return tt.spoil(ctx, tx, []int64{old})
			})
			if r := accept(t, in, push("g-1", 7)); !r.Duplicate || !r.Again || r.State != storage.DeliveryReceived {
				t.Errorf("receipt %+v", r)
			}
			msgs := pending(t, store, "github.com/7")
			if len(msgs) != 1 || msgs[0].ID == old || msgs[0].Attempts != 0 || msgs[0].RunAfter.After(time.Now()) {
				t.Errorf("messages %+v", msgs)
			}
			if parked, err := store.ParkedMessages(t.Context(), 10); len(parked) != 0 || err != nil {
				t.Errorf("still parked: %v, %v", parked, err)
			}
			if d := delivery(t, store, "g-1"); d.State != storage.DeliveryReceived || d.Attempts != 0 {
				t.Errorf("delivery %+v", d)
			}
		})
	}
}

func TestReplay(t *testing.T) {
	t.Parallel()
	store := open(t)
	in := run(t, store)
	accept(t, in, push("g-1", 7))
	write(t, store, func(ctx context.Context, tx storage.Tx) error {
		if _, err := tx.PutRepository(ctx, storage.Repository{ID: 7, Host: "ghe.acme.test", Owner: "acme", Name: "cart"}); err != nil {
			return err
		}
		if err := tx.FinishMessages(ctx, []int64{pending(t, store, "github.com/7")[0].ID}, time.Now()); err != nil {
			return err
		}
		return tx.FinishDeliveries(ctx, []storage.DeliveryOutcome{{GUID: "g-1", State: storage.DeliveryApplied, DoneAt: time.Now()}})
	})
	if err := in.Replay(t.Context(), "g-1", "carol"); err != nil {
		t.Fatal(err)
	}
	msgs := pending(t, store, "ghe.acme.test/7") // the host that the repository was found on
	if len(msgs) != 1 {
		t.Fatalf("messages %v", msgs)
	}
	want := storage.Cause{Reason: storage.ReasonReplay, Delivery: "g-1", Repository: "acme/cart", Commit: "abc", Pusher: "ann", Actor: "carol"}
	if diff := cmp.Diff(want, msgs[0].Cause); diff != "" {
		t.Errorf("cause (-want +got):\n%s", diff)
	}
	var refresh event.Refresh
	if err := json.Unmarshal(msgs[0].Payload, &refresh); err != nil || !refresh.Force {
		t.Errorf("refresh %+v, %v", refresh, err)
	}
	if d := delivery(t, store, "g-1"); d.State != storage.DeliveryReceived || !d.DoneAt.IsZero() {
		t.Errorf("delivery %+v", d)
	}

	if err := in.Replay(t.Context(), "nope", "carol"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
	accept(t, in, inbox.Received{GUID: "g-2", Event: "ping", Payload: []byte("{}")})
	if err := in.Replay(t.Context(), "g-2", "carol"); !errors.Is(err, inbox.ErrNothingToDo) || !strings.Contains(err.Error(), "ping") {
		t.Errorf("ignored: %v", err)
	}
}

// Whoever replays again and again neither makes more work nor puts it off.
func TestReplayFlood(t *testing.T) {
	t.Parallel()
	store := open(t)
	in := run(t, store)
	accept(t, in, push("g-1", 7))
	var waiting []int64
	for range 5 {
		for _, actor := range []string{"ann", "bob"} {
			if err := in.Replay(t.Context(), "g-1", actor); err != nil {
				t.Fatal(err)
			}
			undone, err := store.UndoneMessages(t.Context(), event.TopicRefresh, "github.com/7")
			if err != nil || len(undone) != 1 {
				t.Fatalf("%+v, %v", undone, err)
			}
			waiting = append(waiting, undone[0].ID)
		}
	}
	if len(slices.Compact(waiting)) != 2 { // the one at once, and the one after
		t.Errorf("messages %v", waiting)
	}
}

// faulty is a store that cannot keep one delivery, or none.
type faulty struct {
	storage.Store
	bad  string
	down atomic.Bool
	txs  atomic.Int32
	hold chan struct{}
}

var errDisk = errors.New("disk is full")

func (f *faulty) Ping(ctx context.Context) error {
	if f.down.Load() {
		return errDisk
	}
	return f.Store.Ping(ctx)
}

func (f *faulty) InTx(ctx context.Context, fn func(context.Context, storage.Tx) error) error {
	f.txs.Add(1)
	if f.hold != nil {
		<-f.hold
	}
	if f.down.Load() {
		return errDisk
	}
	return f.Store.InTx(ctx, func(ctx context.Context, tx storage.Tx) error {
		return fn(ctx, faultyTx{tx, f.bad})
	})
}

type faultyTx struct {
	storage.Tx
	bad string
}

func (f faultyTx) AddDeliveries(ctx context.Context, all []storage.Delivery) ([]bool, error) {
	for _, d := range all {
		if d.GUID == f.bad {
			return nil, errDisk
		}
	}
	return f.Tx.AddDeliveries(ctx, all)
}

// acceptAll hands in n deliveries while the first transaction is held, so that
// the others go together, and returns their errors.
func acceptAll(t *testing.T, store *faulty, n int) []error {
	in := run(t, store)
	errs := make([]error, n)
	var wg sync.WaitGroup
	var waiting atomic.Int32
	for i := range n {
		wg.Go(func() {
			waiting.Add(1)
			_, errs[i] = in.Accept(t.Context(), push(fmt.Sprint("g-", i), i+1))
		})
	}
	for waiting.Load() < int32(n) {
		runtime.Gosched()
	}
	close(store.hold)
	wg.Wait()
	return errs
}

func TestOneBadDeliveryIsRefusedAlone(t *testing.T) {
	t.Parallel()
	store := &faulty{Store: open(t), bad: "g-5", hold: make(chan struct{})}
	for i, err := range acceptAll(t, store, 50) {
		if bad := i == 5; bad != errors.Is(err, errDisk) {
			t.Errorf("delivery %d: %v", i, err)
		}
	}
	if n, _, err := store.MessageBacklog(t.Context()); n != 49 || err != nil {
		t.Errorf("%d kept, %v", n, err)
	}
}

func TestStoreDown(t *testing.T) {
	t.Parallel()
	store := &faulty{Store: open(t), hold: make(chan struct{})}
	store.down.Store(true)
	for i, err := range acceptAll(t, store, 50) {
		if !errors.Is(err, errDisk) {
			t.Errorf("delivery %d: %v", i, err)
		}
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	in := inbox.New(open(t), inbox.Config{}, quiet)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- in.Run(ctx) }()
	accept(t, in, push("g-1", 7))
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if _, err := in.Accept(t.Context(), push("g-2", 7)); !errors.Is(err, inbox.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
	if err := in.Run(t.Context()); err == nil {
		t.Error("a second Run is no error")
	}
}

func TestAcceptGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	in := inbox.New(open(t), inbox.Config{}, quiet) // nobody runs it
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := in.Accept(ctx, push("g-1", 7)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// BenchmarkAccept is the durable rate of the ingress: 64 senders, 8 kB each.
func BenchmarkAccept(b *testing.B) {
	in := run(b, open(b))
	padding := strings.Repeat("x", 8<<10)
	var n atomic.Int64
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			r := push(fmt.Sprint("g-", i), int(i%500)+1)
			r.Payload = append(r.Payload[:len(r.Payload)-1], `,"x":"`+padding+`"}`...)
			if _, err := in.Accept(context.Background(), r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
}
