package bus

import (
	"context"
	"fmt"
	"time"

	"github.com/callboard/callboard/storage"
)

// lease is a duty that one process of the installation has at a time.
type lease struct {
	name, holder string
	length       time.Duration
	store        storage.Store
	now          func() time.Time

	until time.Time // ours until then
	next  time.Time // not worth asking before
}

// hold says whether the duty is ours. It asks the database only when the
// answer may have changed.
func (l *lease) hold(ctx context.Context) (bool, error) {
	now := l.now()
	if now.Before(l.next) {
		return now.Before(l.until), nil
	}
	got, err := l.acquire(ctx, now, now.Add(l.length))
	if err != nil {
		return false, err
	}
	l.next = now.Add(l.length / 2)
	l.until = time.Time{}
	if got {
		l.until = now.Add(l.length)
	}
	return got, nil
}

// release lets a successor begin at once. If it fails, the lease runs out by itself.
func (l *lease) release(ctx context.Context) {
	now := l.now()
	if !now.Before(l.until) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	_, _ = l.acquire(ctx, now, now)
}

func (l *lease) acquire(ctx context.Context, now, until time.Time) (got bool, err error) {
	err = l.store.InTx(ctx, func(ctx context.Context, tx storage.Tx) error {
		var err error
		got, err = tx.AcquireLease(ctx, l.name, l.holder, now, until)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("acquire lease %s: %w", l.name, err)
	}
	return got, nil
}
