package bus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"

	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/storage"
)

const (
	// staleTries bounds how often a run is planned anew at once because somebody
	// else was quicker; staleDelay is the first wait between.
	staleTries = 5
	staleDelay = 2 * time.Millisecond
	// clockSkew is how far the clock that wrote run_after may be ahead of ours.
	// Without it a wake-up could come too early by a hair and be wasted.
	clockSkew = 250 * time.Millisecond
	// recordTimeout is for writing down how a run ended, whatever ended it.
	recordTimeout = 5 * time.Second
)

// round does what is due under a job. It never panics and answers nobody: what
// came of it is in the rows.
func (b *Bus) round(base context.Context, j job) {
	msgs, out, err := b.try(base, j, 0)
	if len(msgs) > 1 && senseless(err) {
		// One senseless message must not take its neighbours along. The parked ones
		// among them had their turn.
		for _, m := range msgs {
			if !m.ParkedAt.IsZero() {
				continue
			}
			msgs, out, err := b.try(base, j, m.ID)
			b.conclude(base, j, msgs, out, err)
		}
		return
	}
	b.conclude(base, j, msgs, out, err)
}

// senseless says that a message itself seems to be at fault.
func senseless(err error) bool {
	if fate, ok := fault.Of(err); ok && fate.Permanent {
		return true
	}
	var p *panicError
	return errors.As(err, &p)
}

// try loads the pending messages of a job (or only one of them), plans and
// applies; when somebody else changed what was planned on, from the beginning.
func (b *Bus) try(base context.Context, j job, only int64) (msgs []storage.Message, out Outcome, err error) {
	ctx, cancel := context.WithTimeout(base, b.steps[j.topic].timeout)
	defer cancel()
	started := time.Now()
	for n := 0; ; n++ {
		msgs, err = b.pending(ctx, j, only)
		if err != nil || len(msgs) == 0 {
			return nil, out, err
		}
		b.sched.hold(j, ids(msgs))
		out, err = b.once(ctx, j, msgs)
		if n == staleTries || !errors.Is(err, storage.ErrStale) {
			b.metrics.run(j.topic, time.Since(started))
			return msgs, out, err
		}
		pause(ctx, staleDelay<<(2*n))
	}
}

// pending are the messages to do, oldest first; none when none is due. Those
// that failed before, wait for another try or are parked, come along with one
// that is due: if it goes well now, they are done as well.
func (b *Bus) pending(ctx context.Context, j job, only int64) ([]storage.Message, error) {
	now := b.cfg.Now()
	all, err := b.store.UndoneMessages(ctx, j.topic, j.key)
	if err != nil {
		return nil, fmt.Errorf("read messages of %s %s: %w", j.topic, j.key, err)
	}
	if only != 0 {
		return slices.DeleteFunc(all, func(m storage.Message) bool { return m.ID != only }), nil
	}
	if !slices.ContainsFunc(all, func(m storage.Message) bool { return isDue(m, now) }) {
		return nil, nil
	}
	return slices.DeleteFunc(all, func(m storage.Message) bool { return !isDue(m, now) && m.Error == "" }), nil
}

func isDue(m storage.Message, now time.Time) bool {
	return m.ParkedAt.IsZero() && !m.RunAfter.After(now.Add(clockSkew))
}

// once plans outside and applies inside a transaction. A panic in either is an error.
func (b *Bus) once(ctx context.Context, j job, msgs []storage.Message) (out Outcome, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{value: p, stack: string(debug.Stack())}
		}
	}()
	apply, err := b.steps[j.topic].plan(ctx, msgs)
	if err != nil {
		return Outcome{}, err
	}
	err = b.store.InTx(ctx, func(ctx context.Context, tx storage.Tx) error {
		// First, because it is what makes effects happen once: nobody else gets past
		// here with one of these messages until we are committed or rolled back.
		now := b.cfg.Now()
		if err := tx.FinishMessages(ctx, ids(msgs), now); err != nil {
			return fmt.Errorf("take messages: %w", err)
		}
		var err error
		if out, err = apply(ctx, tx); err != nil {
			return err
		}
		if err := tx.FinishDeliveries(ctx, outcomes(msgs, out, now)); err != nil {
			return fmt.Errorf("finish deliveries: %w", err)
		}
		return nil
	})
	return out, err
}

// panicError is a panic of a step. The stack is for the log, not for the row.
type panicError struct {
	value any
	stack string
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// Unwrap keeps the chain when an error was thrown.
func (e *panicError) Unwrap() error {
	err, _ := e.value.(error)
	return err
}

// pause waits about d, or until ctx ends. The spread keeps two processes from
// meeting again.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d/2 + rand.N(d))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func ids(msgs []storage.Message) []int64 {
	out := make([]int64, len(msgs))
	for i, m := range msgs {
		out[i] = m.ID
	}
	return out
}
