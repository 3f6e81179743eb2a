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
	leasePrune    = "prune"
	pruneInterval = time.Hour
	// pruneSlice is how many rows go in one transaction: SQLite has one writer,
	// and a delivery must not wait for the cleaning.
	pruneSlice = 1000
)

// prune deletes what is over and older than the retention. The lease is never
// given back: it is what makes it once an hour for all processes together.
func (b *Bus) prune(ctx context.Context) {
	lease := lease{name: leasePrune, holder: b.cfg.Holder, length: pruneInterval, store: b.store, now: b.cfg.Now}
	tick := time.NewTicker(pruneInterval)
	defer tick.Stop()
	for {
		if err := b.pruneOnce(ctx, &lease); err != nil && ctx.Err() == nil {
			b.log.WarnContext(ctx, "prune", slog.String(event.LogError, err.Error()))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (b *Bus) pruneOnce(ctx context.Context, l *lease) error {
	held, err := l.hold(ctx)
	if err != nil || !held {
		return err
	}
	now := b.cfg.Now()
	before, buried := now.Add(-b.cfg.Retention), now.Add(-max(b.cfg.Retention, b.cfg.Undo))
	var rows int64
	for n := int64(pruneSlice); n == pruneSlice; rows += n {
		err = b.store.InTx(ctx, func(ctx context.Context, tx storage.Tx) error {
			n, err = tx.Prune(ctx, before, buried, pruneSlice)
			return err
		})
		if err != nil {
			return fmt.Errorf("delete what is older than %s: %w", before.Format(time.RFC3339), err)
		}
	}
	if rows > 0 {
		b.log.InfoContext(ctx, "pruned", slog.Int64("rows", rows))
	}
	return nil
}
