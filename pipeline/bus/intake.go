package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/callboard/callboard/pipeline/event"
)

const (
	// reconnectDelay is how long to wait before connecting again.
	reconnectDelay = time.Second
	// patience is how long a consumer of a shared transport waits for its run
	// before it acks all the same. A consumer has further wake-ups fetched
	// behind the one it waits for: a slow run must not hold those up. What is
	// lost by acking early is one claim after a crash, and the sweeper is
	// quicker than that.
	patience = 500 * time.Millisecond
	// routerClose bounds the end of the router; its handlers only wait, so they end at once.
	routerClose = 2 * time.Second
)

var errEnded = errors.New("subscriptions ended")

// intake keeps a link to the transport and reads wake-ups from it until ctx
// ends. Without a link the process works on its own wake-ups and the sweeper's.
func (b *Bus) intake(ctx context.Context) {
	logger := newQuietLogger(b.log, func() bool { return ctx.Err() != nil })
	for ctx.Err() == nil {
		if err := b.listen(ctx, logger); err != nil && ctx.Err() == nil {
			b.log.WarnContext(ctx, "no wake-ups from the transport; connecting again",
				slog.String("transport", b.transport.String()), slog.String(event.LogError, err.Error()))
			pause(ctx, reconnectDelay)
		}
	}
}

// listen runs a watermill router over one link until ctx ends or the link breaks.
func (b *Bus) listen(ctx context.Context, logger watermill.LoggerAdapter) error {
	l, err := b.transport.open(ctx, b.cfg.Workers, logger)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", b.transport, err)
	}
	// The router closes subscribers only sometimes (it depends on which of two
	// channels it sees first), so the link is closed here in any case.
	defer l.close()

	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: routerClose}, logger)
	if err != nil {
		return fmt.Errorf("make router: %w", err)
	}
	router.AddMiddleware(b.neverNack, recovered)
	for i, sub := range l.subscribers {
		router.AddConsumerHandler(fmt.Sprintf("wake-%02d", i), wakeTopic, sub, b.handler(l))
	}
	ended := make(chan error, 1)
	// The router must end by Close: a cancelled context would skip waiting for handlers.
	go func() { ended <- router.Run(context.WithoutCancel(ctx)) }()
	select {
	case err := <-ended:
		return fmt.Errorf("subscribe: %w", errors.Join(err, errEnded))
	case <-router.Running():
	}
	b.setLink(l)
	defer b.setLink(nil)
	select {
	case err := <-ended:
		return errors.Join(err, errEnded)
	case <-ctx.Done():
		err := router.Close()
		<-ended //nolint:errcheck // it was told to end
		return err
	}
}

func (b *Bus) setLink(l *link) {
	b.linkLock.Lock()
	defer b.linkLock.Unlock()
	b.link = l
}

// handler passes a wake-up to the scheduler. In memory it is acked by that:
// nobody would deliver it again. Of a shared transport it is acked when its run
// has ended, so that a busy process leaves the stream to others.
func (b *Bus) handler(l *link) message.NoPublishHandlerFunc {
	return func(msg *message.Message) error {
		j := job{msg.Metadata.Get(metaTopic), msg.Metadata.Get(metaKey)}
		if j.topic == "" {
			b.metrics.wakeups.WithLabelValues(wakeMalformed).Inc()
			b.log.WarnContext(msg.Context(), "malformed wake-up", slog.String("id", msg.UUID))
			return nil
		}
		if _, known := b.steps[j.topic]; !known {
			return nil // the work of a newer build; the sweeper will offer it to one
		}
		done, _ := b.sched.wake(j)
		if done == nil || !l.shared {
			return nil
		}
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case <-done:
		case <-timer.C:
		case <-msg.Context().Done():
		}
		return nil
	}
}

// neverNack is the outermost middleware: watermill redelivers a nacked message
// at once, for ever, and keeps what is behind it waiting. Whatever went wrong
// with a wake-up, its row is found by the sweeper.
func (b *Bus) neverNack(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		if _, err := next(msg); err != nil {
			b.log.ErrorContext(msg.Context(), "wake-up lost", slog.String("id", msg.UUID),
				slog.String(event.LogError, err.Error()))
		}
		return nil, nil
	}
}

// recovered is the innermost: a panic is an error to those around it.
func recovered(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) (_ []*message.Message, err error) {
		defer func() {
			if p := recover(); p != nil {
				err = &panicError{value: p, stack: string(debug.Stack())}
			}
		}()
		return next(msg)
	}
}
