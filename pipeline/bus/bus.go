// Package bus carries out intended work. A message is a row of the store,
// written in the transaction that implies it; this package wakes somebody up
// for it, runs the step of its topic, and writes effects and end of the message
// in one transaction (design 3.3).
//
//	outbox relay ─▶ transport (GoChannel, Redis Streams) ─▶ router ─▶ scheduler ─▶ Plan ─▶ Apply
//	     ▲                                                                            │
//	     └──────────── sweeper: due, undone, unheard of ◀──────── rows ◀──────────────┘
//
// It is no queue: whatever the transport loses, doubles or reorders, the rows
// are read again. It knows no GitHub, no catalog and no payload; a step does.
// Watermill and Redis are imported here and nowhere else.
package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/callboard/callboard/storage"
)

// Config of a Bus. Zero fields mean the defaults named with them.
type Config struct {
	// Workers is how many keys are worked on at once: 16.
	Workers int
	// RunTimeout ends one Plan and Apply: 60 s.
	RunTimeout time.Duration
	// Grace is how long running steps may go on when Run is to end: 10 s.
	Grace time.Duration
	// Backoff is how long to wait after the first, second, … failure. A message
	// that fails once more than it is long is parked: 1s 5s 30s 2m 10m 30m.
	Backoff []time.Duration
	// SweepInterval is how often to look for forgotten messages: 1 s.
	SweepInterval time.Duration
	// QuietFor is how long a message is left to the wake-up it already had: 10 s.
	QuietFor time.Duration
	// Retention is how long finished messages and deliveries are kept: 30 days.
	Retention time.Duration
	// Undo is how long tombstones are kept at least: what is gone can be brought back.
	Undo time.Duration
	// Holder names this process in leases: a random UUID.
	Holder string
	// Now is the clock: time.Now.
	Now func() time.Time
	// Observe is called after each finished run, from the worker; it must be quick.
	Observe func(Observed)
}

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	if c.Workers <= 0 {
		c.Workers = 16
	}
	def(&c.RunTimeout, time.Minute)
	def(&c.Grace, 10*time.Second)
	def(&c.SweepInterval, time.Second)
	def(&c.QuietFor, 10*time.Second)
	def(&c.Retention, 30*24*time.Hour)
	if c.Backoff == nil {
		c.Backoff = []time.Duration{
			time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute,
		}
	}
	if c.Holder == "" {
		c.Holder = uuid.NewString()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Observed tells of one finished run.
type Observed struct {
	Topic string
	Key   string
	// Result is a delivery state (or "continued") for a run that ended well, else "retry",
	// "postponed" or "parked".
	Result  string
	Outcome Outcome
	// Messages is how many were done together; Deliveries are the webhook
	// deliveries that caused them, each once.
	Messages   int
	Deliveries []string
	// Elapsed is the time since the oldest of the messages was added, which is
	// when its delivery was received.
	Elapsed time.Duration
	Err     error
}

// Bus runs steps. Make it with New, give it steps with Register, then Run it.
type Bus struct {
	store     storage.Store
	transport Transport
	cfg       Config
	log       *slog.Logger
	metrics   *metrics
	steps     map[string]runner
	sched     *scheduler
	outbox    chan job
	started   atomic.Bool

	// link is nil while there is no connection; wake-ups then stay in the process.
	// The lock keeps it from being closed while somebody publishes.
	linkLock sync.RWMutex
	link     *link
	// downUntil (Unix nanoseconds) keeps a dead transport from being asked for every wake-up.
	downUntil atomic.Int64
}

// outboxSize bounds the wake-ups between commit and publishing. Overflow is
// dropped: the sweeper finds those rows.
const outboxSize = 8192

// errShutdown is the cause of contexts that end because Run ends.
var errShutdown = errors.New("shutting down")

// New makes a Bus that listens to the store's commits from now on. Metrics are
// registered with reg unless it is nil.
func New(store storage.Store, transport Transport, cfg Config, logger *slog.Logger, reg prometheus.Registerer) *Bus {
	b := &Bus{
		store:     store,
		transport: transport,
		cfg:       cfg.withDefaults(),
		log:       logger,
		metrics:   newMetrics(store, cfg.Now, reg),
		steps:     map[string]runner{},
		sched:     newScheduler(),
		outbox:    make(chan job, outboxSize),
	}
	b.sched.share = max(b.cfg.Workers/4, 1)
	store.OnCommit(b.committed)
	return b
}

// runner is a step without its type parameter.
type runner struct {
	timeout time.Duration
	plan    func(ctx context.Context, msgs []storage.Message) (applyFunc, error)
}

type applyFunc func(ctx context.Context, tx storage.Tx) (Outcome, error)

// Register adds the step of a topic. It is wiring, so it panics when the topic
// has one already; it must be called before Run.
func Register[P any](b *Bus, step Step[P]) {
	topic := step.Topic()
	if _, ok := b.steps[topic]; ok {
		panic("bus: two steps for topic " + topic)
	}
	b.metrics.initTopic(topic)
	timeout := b.cfg.RunTimeout
	if slow, ok := step.(Slow); ok {
		timeout = max(timeout, slow.Timeout())
	}
	b.steps[topic] = runner{timeout: timeout, plan: func(ctx context.Context, msgs []storage.Message) (applyFunc, error) {
		plan, err := step.Plan(ctx, msgs)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, tx storage.Tx) (Outcome, error) { return step.Apply(ctx, tx, plan) }, nil
	}}
}

// RegisterBackground adds a step like Register, whose work comes after that of
// other topics and takes at most a quarter of the workers.
func RegisterBackground[P any](b *Bus, step Step[P]) {
	Register(b, step)
	b.sched.background[step.Topic()] = true
}

// Run works until ctx ends. It then takes nothing new, lets running steps
// finish within the grace period and cancels those that do not. What is left
// undone is a row, and so the next process's work.
func (b *Bus) Run(ctx context.Context) error {
	if !b.started.CompareAndSwap(false, true) {
		return errors.New("bus: Run was called twice")
	}
	// Steps outlive ctx: an orderly end must not break them off in the middle.
	base, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(errShutdown)

	var workers, loops sync.WaitGroup
	for range b.cfg.Workers {
		workers.Go(func() { b.sched.work(func(j job) { b.round(base, j) }) })
	}
	for _, loop := range []func(context.Context){b.relay, b.intake, b.sweep, b.prune} {
		loops.Go(func() { loop(ctx) })
	}
	<-ctx.Done()
	loops.Wait()
	b.sched.close()

	stopped := make(chan struct{})
	go func() {
		workers.Wait()
		close(stopped)
	}()
	if waitFor(stopped, b.cfg.Grace) {
		return nil
	}
	cancel(errShutdown)
	if waitFor(stopped, recordTimeout) {
		return nil
	}
	return fmt.Errorf("bus: %d steps do not stop", len(b.sched.active()))
}

// waitFor says whether ch was closed within d.
func waitFor(ch <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ch:
		return true
	case <-timer.C:
		return false
	}
}
