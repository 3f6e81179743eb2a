package bus

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/storage"
)

const (
	leaseSweep = "sweep"
	// sweepBatch is how many messages are looked at together, and how many unread
	// wake-ups are too many for bringing more.
	sweepBatch = 500
	// sweepLeaseFor is how long the sweeper's lease is taken; it is renewed when
	// half is over, so holding it costs a write every 5 s and not every second.
	sweepLeaseFor = 10 * time.Second
)

// sweep publishes messages again whose time has come or whose wake-up was lost.
// It begins with everything that is due: nobody else may be there to do what
// the last process left.
func (b *Bus) sweep(ctx context.Context) {
	lease := lease{name: leaseSweep, holder: b.cfg.Holder, length: sweepLeaseFor, store: b.store, now: b.cfg.Now}
	b.sweepOnce(ctx, b.cfg.Now())
	tick := time.NewTicker(b.cfg.SweepInterval)
	defer tick.Stop()
	quietAt := b.cfg.Now()
	for {
		select {
		case <-ctx.Done():
			if b.transport.shared() {
				lease.release(ctx)
			}
			return
		case <-tick.C:
		}
		// Nobody but us hears a transport of our own, so there is nobody to share the sweeping with.
		if !b.transport.shared() {
			b.sweepOnce(ctx, b.cfg.Now().Add(-b.cfg.QuietFor))
			continue
		}
		if now := b.cfg.Now(); now.Sub(quietAt) >= b.cfg.QuietFor/3 {
			quietAt = now
			b.keepQuiet(ctx)
		}
		held, err := lease.hold(ctx)
		switch {
		case err != nil:
			b.sweepFailed(ctx, err)
		case held:
			b.sweepOnce(ctx, b.cfg.Now().Add(-b.cfg.QuietFor))
		}
	}
}

// sweepOnce publishes all due messages that nobody has heard of since quietSince.
// Only what was published is marked, so a transport that is back gets the rest at once.
func (b *Bus) sweepOnce(ctx context.Context, quietSince time.Time) {
	for ctx.Err() == nil {
		now := b.cfg.Now()
		msgs, err := b.store.SweepMessages(ctx, now, quietSince, sweepBatch)
		if err != nil {
			b.sweepFailed(ctx, fmt.Errorf("look for forgotten messages: %w", err))
			return
		}
		if len(msgs) == 0 || b.crowded(ctx) { // in this order: usually there is nothing, and then Redis is not asked
			return
		}
		heard := map[job]bool{}
		var marked []int64
		for _, m := range msgs {
			j := job{m.Topic, m.Key}
			ok, asked := heard[j]
			if !asked {
				ok = b.publish(ctx, j)
				heard[j] = ok
			}
			if ok {
				marked = append(marked, m.ID)
			}
		}
		if len(marked) == 0 {
			return
		}
		if err := b.markSwept(ctx, marked, now); err != nil {
			b.sweepFailed(ctx, err)
			return
		}
		b.metrics.swept.Add(float64(len(marked)))
		if len(msgs) < sweepBatch {
			return
		}
	}
}

// crowded says that the transport has enough to read. The messages that wait
// are then most likely the same, and more wake-ups for them would only put new
// ones further back.
func (b *Bus) crowded(ctx context.Context) bool {
	b.linkLock.RLock()
	defer b.linkLock.RUnlock()
	if b.link == nil || b.link.unread == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	n, err := b.link.unread(ctx)
	return err == nil && n > sweepBatch
}

// keepQuiet tells the sweeper, wherever it is, that we are at work on the
// messages of long runs, so that no other replica begins them as well.
func (b *Bus) keepQuiet(ctx context.Context) {
	held := b.sched.held(b.cfg.QuietFor / 3)
	if len(held) == 0 {
		return
	}
	if err := b.markSwept(ctx, held, b.cfg.Now()); err != nil {
		b.sweepFailed(ctx, err)
	}
}

func (b *Bus) markSwept(ctx context.Context, ids []int64, at time.Time) error {
	err := b.store.InTx(ctx, func(ctx context.Context, tx storage.Tx) error { return tx.MarkSwept(ctx, ids, at) })
	if err != nil {
		return fmt.Errorf("mark messages: %w", err)
	}
	return nil
}

func (b *Bus) sweepFailed(ctx context.Context, err error) {
	if ctx.Err() == nil {
		b.log.WarnContext(ctx, "sweep", slog.String(event.LogError, err.Error()))
	}
}
