package inbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/storage"
)

const (
	// A batch ends at so many deliveries or bytes, whichever comes first. It
	// bounds one transaction, not the rate.
	maxBatch      = 512
	maxBatchBytes = 32 << 20
	// commitTimeout is shorter than the 10 s after which GitHub gives a delivery up.
	commitTimeout = 8 * time.Second
	// parkedLimit is how many parked messages are looked through for those of a delivery.
	parkedLimit = 1000
)

// entry is a delivery that waits for its commit. Run writes receipt before it
// answers on done.
type entry struct {
	routed  routed
	receipt Receipt
	done    chan error
}

// committers is how many transactions are under way: one is written while the
// disk is at the other. More would only make the batches smaller.
const committers = 2

// Run commits what Accept hands over until ctx ends. Whatever waits while
// transactions are being made durable goes into the next together, so that the
// disk is asked once for all of them; a lone delivery waits for nobody.
func (in *Inbox) Run(ctx context.Context) error {
	if !in.started.CompareAndSwap(false, true) {
		return errors.New("inbox: Run was called twice")
	}
	defer close(in.closed)
	var all sync.WaitGroup
	for range committers {
		all.Go(func() { in.commitUntil(ctx) })
	}
	all.Wait()
	return nil
}

func (in *Inbox) commitUntil(ctx context.Context) {
	// Deliveries that wait when the end comes are committed all the same: GitHub
	// does not bring them again.
	work := context.WithoutCancel(ctx)
	for {
		select {
		case <-ctx.Done():
			for batch := in.gather(nil); len(batch) > 0; batch = in.gather(nil) {
				in.commit(work, batch)
			}
			return
		case first := <-in.queue:
			in.commit(work, in.gather(first))
		}
	}
}

// gather takes what waits at this moment.
func (in *Inbox) gather(first *entry) []*entry {
	var batch []*entry
	size := 0
	if first != nil {
		batch, size = append(batch, first), len(first.routed.delivery.Payload)
	}
	for len(batch) < maxBatch && size < maxBatchBytes {
		select {
		case e := <-in.queue:
			batch = append(batch, e)
			size += len(e.routed.delivery.Payload)
		default:
			return batch
		}
	}
	return batch
}

// commit writes a batch and answers everyone in it. When the transaction fails,
// one delivery may be to blame: each is tried alone, so that the others are kept.
func (in *Inbox) commit(ctx context.Context, batch []*entry) {
	err := in.write(ctx, batch)
	if err != nil && len(batch) > 1 && in.store.Ping(ctx) == nil {
		in.log.WarnContext(ctx, "deliveries not stored together; trying each alone",
			slog.Int("deliveries", len(batch)), slog.String(event.LogError, err.Error()))
		for _, e := range batch {
			e.done <- in.write(ctx, []*entry{e})
		}
		return
	}
	for _, e := range batch {
		e.done <- err
	}
}

func (in *Inbox) write(ctx context.Context, batch []*entry) error {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	err := in.store.InTx(ctx, func(ctx context.Context, tx storage.Tx) error {
		deliveries := make([]storage.Delivery, len(batch))
		for i, e := range batch {
			deliveries[i] = e.routed.delivery
		}
		added, err := tx.AddDeliveries(ctx, deliveries)
		if err != nil {
			return err
		}
		var msgs []storage.Message
		for i, e := range batch {
			msg, err := accept(ctx, tx, e, added[i])
			if err != nil {
				return err
			}
			if msg != nil {
				msgs = append(msgs, *msg)
			}
		}
		_, err = tx.AddMessages(ctx, msgs)
		return err
	})
	if err != nil {
		return fmt.Errorf("store deliveries: %w", err)
	}
	return nil
}

// accept writes the receipt of one delivery and returns the message to add for it.
func accept(ctx context.Context, tx storage.Tx, e *entry, added bool) (*storage.Message, error) {
	d := e.routed.delivery
	e.receipt = Receipt{State: d.State, Reason: d.Reason, Repository: d.Repository}
	if added {
		return e.routed.message, nil
	}
	known, err := tx.Delivery(ctx, d.GUID)
	if err != nil {
		return nil, err
	}
	e.receipt.Duplicate, e.receipt.State, e.receipt.Reason = true, known.State, known.Reason
	if e.routed.message == nil || known.State != storage.DeliveryFailed && known.State != storage.DeliveryParked {
		return nil, nil
	}
	// Somebody asked GitHub for a redelivery because this one did not come
	// through; it begins anew instead of waiting for its time.
	if err := reopen(ctx, tx, d.GUID, *e.routed.message); err != nil {
		return nil, err
	}
	e.receipt.Again, e.receipt.State, e.receipt.Reason = true, storage.DeliveryReceived, ""
	return e.routed.message, nil
}

// reopen sets a delivery back to received and closes the messages it still has,
// waiting or parked: msg, which the caller adds, takes their place.
func reopen(ctx context.Context, tx storage.Tx, guid string, msg storage.Message) error {
	farOff := msg.CreatedAt.AddDate(10, 0, 0)
	waiting, err := tx.PendingMessages(ctx, msg.Topic, msg.Key, farOff)
	if err != nil {
		return err
	}
	parked, err := tx.ParkedMessages(ctx, parkedLimit)
	if err != nil {
		return err
	}
	var old []int64
	for _, m := range append(waiting, parked...) {
		if m.Cause.Delivery == guid {
			old = append(old, m.ID)
		}
	}
	// Stale is as good: a worker has just done one of them.
	if err := tx.FinishMessages(ctx, old, msg.CreatedAt); err != nil && !errors.Is(err, storage.ErrStale) {
		return err
	}
	return tx.FinishDeliveries(ctx, []storage.DeliveryOutcome{{GUID: guid, State: storage.DeliveryReceived}})
}
