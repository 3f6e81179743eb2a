package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"time"
)

// group is the transactions that one COMMIT makes durable. A commit waits for
// the disk, a transaction hardly does anything else: so who finds others waiting
// leaves the commit to them. All of a group are committed, or none is.
type group struct {
	begun   time.Time
	members int
	over    chan struct{} // closed when the group ended
	err     error         // then says how
}

// A group ends when nobody waits, and at these limits at the latest, which
// bound what its first member waits for the last.
const (
	maxMembers = 64
	maxAge     = 5 * time.Millisecond
)

// run runs fn alone, between BEGIN and COMMIT, and returns when it is committed
// or rolled back. If fn fails or panics only its own work is undone.
func (w *writer) run(ctx context.Context, fn func() error) error {
	if err := w.take(ctx); err != nil {
		return err
	}
	// From here on no statement is interrupted: SQLite would roll back everything
	// under us. A tx looks at its context between statements instead.
	steady := context.WithoutCancel(ctx)
	g, err := func() (*group, error) {
		defer w.give(steady) // also on panic
		return w.join(ctx, steady, fn)
	}()
	if err != nil {
		return err
	}
	<-g.over
	return g.err
}

// take waits for the turn.
func (w *writer) take(ctx context.Context) error {
	w.waiting.Add(1)
	select {
	case <-w.turn:
		w.waiting.Add(-1)
		if ctx.Err() == nil {
			return nil
		}
		w.give(context.WithoutCancel(ctx))
		return ctx.Err()
	case <-w.closed:
		w.waiting.Add(-1)
		return sql.ErrConnDone
	case <-ctx.Done():
		w.waiting.Add(-1)
		// Somebody may have left his commit to us.
		w.settle(context.WithoutCancel(ctx))
		return fmt.Errorf("wait for the writer: %w", ctx.Err())
	}
}

// give ends a turn, and the group with it unless a next one may carry it on.
func (w *writer) give(ctx context.Context) {
	if g := w.open; g != nil && (w.waiting.Load() == 0 || g.members >= maxMembers || time.Since(g.begun) > maxAge) {
		_ = w.flush(ctx) // members learn of it from the group
	}
	w.turn <- struct{}{}
	w.settle(ctx)
}

// settle commits a group that nobody is left to carry on. Giving up and giving
// the turn both end with it, so whichever comes last sees the other.
func (w *writer) settle(ctx context.Context) {
	if w.waiting.Load() > 0 {
		return
	}
	select {
	case <-w.turn:
		_ = w.flush(ctx) // members learn of it from the group
		w.turn <- struct{}{}
	default: // who has the turn will settle
	}
}

// flush commits the open group, or rolls it back if nobody joined it.
func (w *writer) flush(ctx context.Context) error {
	g := w.open
	if g == nil {
		return nil
	}
	if g.members == 0 {
		return w.abort(ctx, nil)
	}
	if _, err := w.exec(ctx, "COMMIT"); err != nil {
		return w.abort(ctx, fmt.Errorf("commit: %w", err))
	}
	w.end(nil)
	return nil
}

// abort fails all members.
func (w *writer) abort(ctx context.Context, err error) error {
	// Its error is of no use: a transaction that is gone is what we want.
	_, _ = w.exec(ctx, "ROLLBACK")
	w.end(err)
	return err
}

func (w *writer) end(err error) {
	w.open.err = err
	close(w.open.over)
	w.open = nil
}

// join runs fn in the open group, or begins one.
func (w *writer) join(ctx, steady context.Context, fn func() error) (*group, error) {
	if w.open == nil {
		if _, err := w.exec(steady, "BEGIN IMMEDIATE"); err != nil {
			return nil, fmt.Errorf("begin: %w", err)
		}
		w.open = &group{begun: time.Now(), over: make(chan struct{})}
	}
	g := w.open
	// The first needs no savepoint: there is nobody else's work to keep.
	saved := g.members > 0
	if saved {
		if _, err := w.exec(steady, "SAVEPOINT member"); err != nil {
			return nil, w.abort(steady, fmt.Errorf("begin: %w", err))
		}
	}
	joined := false
	defer func() { // also on panic
		if !joined {
			w.undo(steady, saved)
		}
	}()
	if err := cmp.Or(fn(), ctx.Err()); err != nil {
		return nil, err
	}
	if saved {
		if _, err := w.exec(steady, "RELEASE member"); err != nil {
			return nil, fmt.Errorf("keep the work: %w", err)
		}
	}
	g.members++
	joined = true
	return g, nil
}

// undo takes back what one transaction did. When SQLite refuses, it has rolled
// back everything already, as it does when the disk is full.
func (w *writer) undo(ctx context.Context, saved bool) {
	if !saved {
		_ = w.abort(ctx, nil) // nobody is in it
		return
	}
	for _, statement := range []string{"ROLLBACK TO member", "RELEASE member"} {
		if _, err := w.exec(ctx, statement); err != nil {
			_ = w.abort(ctx, fmt.Errorf("the transaction before was lost: %w", err))
			return
		}
	}
}
