// Package view is the catalog in memory: every entity as ready-made JSON, the
// posting lists that filters and facets are answered from, the sorted orders,
// and the relations in both directions. It follows the ordered change feed of
// the store, so that no read waits for the database (design 3.4).
//
// It does not write, does not know SQL and does not know HTTP. Filters, facets,
// ordering and paging are written here once, in Go.
//
//	v := view.New(store, logger)
//	go v.Run(ctx)
//	<-v.Ready()
//	filter, err := view.ParseFilter([]string{"kind=component,spec.type=service"})
//	v.Read(func(s *view.Snapshot) { page, more = s.Select(filter).Page(nil, 0, 100) })
package view

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/callboard/callboard/storage"
)

// View is the read model of one process.
//
// Readers share a lock and the writer takes it for one batch at a time.
// Immutable snapshots would need persistent maps for a hundred thousand refs
// and some millions of search values, which cost more memory and slower reads
// than the wait they save: applying one change takes well under a millisecond.
// What a reader gets out of Read are immutable entities, so that answers are
// written to slow clients without the lock.
type View struct {
	store   storage.Reader
	logger  *slog.Logger
	wake    chan struct{}
	ready   chan struct{}
	running atomic.Bool
	// poll is how long the view sleeps when nobody wakes it.
	poll time.Duration

	mu   sync.RWMutex
	snap *Snapshot
	// moved is closed and replaced when the revision grows.
	moved chan struct{}
}

// Option changes what New does by default.
type Option func(*View)

// WithPolling sets how late the view may be when nobody wakes it.
func WithPolling(every time.Duration) Option { return func(v *View) { v.poll = every } }

// New makes an empty view. It answers reads, with nothing, until Run has loaded it.
func New(store storage.Reader, logger *slog.Logger, opts ...Option) *View {
	v := &View{
		store:  store,
		logger: logger,
		poll:   pollEvery,
		wake:   make(chan struct{}, 1),
		ready:  make(chan struct{}),
		snap:   newSnapshot(),
		moved:  make(chan struct{}),
	}
	for _, opt := range opts {
		opt(v)
	}
	return v
}

// Read calls fn with the catalog at one revision. fn must not block, must not
// do I/O and must not call Read; it takes out what it needs.
func (v *View) Read(fn func(s *Snapshot)) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	fn(v.snap)
}

// Ready is closed when the view has been loaded.
func (v *View) Ready() <-chan struct{} { return v.ready }

// Wake says that the feed has grown. It does not block.
func (v *View) Wake() {
	select {
	case v.wake <- struct{}{}:
	default: // it is awake already
	}
}

// Revision is the revision that reads see.
func (v *View) Revision() int64 {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.snap.revision
}

// WaitRevision returns when reads see at least the revision, or with the
// context's error.
func (v *View) WaitRevision(ctx context.Context, revision int64) error {
	for {
		v.mu.RLock()
		reached, moved := v.snap.revision >= revision, v.moved
		v.mu.RUnlock()
		if reached {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Batch is a step of the view: what readers see, they see as a whole.
type Batch struct {
	// Put are entities that are new or changed; Remove are refs. An entity in both is removed.
	Put    []storage.Entity
	Remove []string
	// Revision is where the catalog is afterwards.
	Revision int64
}

// Apply changes the view. Entities whose JSON is no entity are left as they
// were and reported; they cannot come from our own pipeline.
func (v *View) Apply(ctx context.Context, b Batch) {
	p, ready := preparer{}, make([]*incoming, 0, len(b.Put))
	for _, e := range b.Put {
		in, err := p.prepare(e)
		if err != nil {
			v.complain(ctx, err)
			continue
		}
		ready = append(ready, in)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, in := range ready {
		v.snap.put(in)
	}
	for _, ref := range b.Remove {
		v.snap.remove(ref)
	}
	v.settle(ctx, v.snap, b.Revision)
	close(v.moved)
	v.moved = make(chan struct{})
}

// settle ends a batch.
func (v *View) settle(ctx context.Context, s *Snapshot, revision int64) {
	for _, err := range s.flush() {
		v.complain(ctx, err)
	}
	s.revision = revision
}

func (v *View) complain(ctx context.Context, err error) {
	v.logger.ErrorContext(ctx, "entity cannot be served", slog.Any(logError, err))
}

// loadBatch is how many entities are handed over at once while loading.
const loadBatch = 128

// Load replaces the content of the view with what each yields. It is filled
// aside, so readers wait only for the exchange.
func (v *View) Load(ctx context.Context, each func(fn func(storage.Entity) error) (revision int64, err error)) error {
	fresh := newSnapshot()
	// The database is read while what it gave is put in order.
	batches, done := make(chan []*incoming, 8), make(chan struct{})
	go func() {
		defer close(done)
		for batch := range batches {
			for _, in := range batch {
				fresh.put(in)
			}
		}
	}()
	var (
		p     preparer
		batch []*incoming
	)
	revision, err := each(func(e storage.Entity) error {
		in, err := p.prepare(e)
		if err != nil {
			v.complain(ctx, err)
			return ctx.Err()
		}
		if batch = append(batch, in); len(batch) == loadBatch {
			batches <- batch
			batch = nil
		}
		return ctx.Err()
	})
	batches <- batch
	close(batches)
	<-done
	if err != nil {
		return err
	}
	v.settle(ctx, fresh, revision)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.snap = fresh
	close(v.moved)
	v.moved = make(chan struct{})
	return nil
}
