package bus

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/storage"
)

// conclude writes down how a run ended: rows (if it failed), log line, metrics, observer.
func (b *Bus) conclude(base context.Context, j job, msgs []storage.Message, out Outcome, err error) {
	if err != nil && base.Err() != nil {
		return // we are being stopped; the rows are as they were
	}
	if len(msgs) == 0 {
		if err != nil {
			// The store does not answer. The rows are due still, so the sweeper returns to them.
			b.log.WarnContext(base, "messages not read", slog.String(event.LogTopic, j.topic),
				slog.String(event.LogKey, j.key), slog.String(event.LogError, err.Error()))
		}
		return
	}
	o := Observed{
		Topic: j.topic, Key: j.key, Result: string(out.State), Outcome: out,
		Messages: len(msgs), Deliveries: deliveries(msgs), Err: err,
	}
	if err != nil {
		o.Outcome = Outcome{}
		o.Result = b.fail(base, msgs, err)
	} else if o.Result == "" {
		o.Result = resultContinued
	}
	o.Elapsed = b.cfg.Now().Sub(oldest(msgs))
	b.metrics.handled(j.topic, o.Result, len(msgs))
	b.report(base, o, msgs)
	if b.cfg.Observe != nil {
		b.cfg.Observe(o)
	}
}

// fail writes the verdict on failed messages and returns its name.
func (b *Bus) fail(base context.Context, msgs []storage.Message, cause error) string {
	// The run's own time may be what is over, so the verdict has its own.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(base), recordTimeout)
	defer cancel()
	now := b.cfg.Now()
	v := judge(msgs, cause, b.cfg.Backoff, now)
	err := b.store.InTx(ctx, func(ctx context.Context, tx storage.Tx) error { return v.write(ctx, tx, now) })
	if err != nil {
		b.log.ErrorContext(ctx, "failure not recorded", slog.String(event.LogTopic, msgs[0].Topic),
			slog.String(event.LogKey, msgs[0].Key), slog.String(event.LogError, err.Error()))
	}
	return v.result
}

// report logs the one line of a run.
func (b *Bus) report(ctx context.Context, o Observed, msgs []storage.Message) {
	level, attempt := slog.LevelInfo, 0
	for _, m := range msgs {
		attempt = max(attempt, m.Attempts+1)
	}
	attrs := []slog.Attr{
		slog.String(event.LogTopic, o.Topic),
		slog.String(event.LogKey, o.Key),
		slog.String("result", o.Result),
		slog.Int("messages", o.Messages),
		slog.Int(event.LogAttempt, attempt),
		slog.Int64(event.LogDuration, o.Elapsed.Milliseconds()),
	}
	if len(o.Deliveries) > 0 {
		attrs = append(attrs, slog.String(event.LogDelivery, o.Deliveries[len(o.Deliveries)-1]))
	}
	if o.Err != nil {
		level = slog.LevelWarn
		switch {
		case o.Result == resultParked:
			level = slog.LevelError
		case o.Result == resultPostponed && (b.sched.background[o.Topic] || waitsItsTurn(o.Err)):
			level = slog.LevelDebug // thousands may wait for a rate limit, and nobody for them
		case o.Result == resultPostponed:
			level = slog.LevelInfo
		}
		attrs = append(attrs, slog.String(event.LogError, o.Err.Error()))
		if p, ok := errors.AsType[*panicError](o.Err); ok {
			level = slog.LevelError
			attrs = append(attrs, slog.String("stack", p.stack))
		}
	} else {
		attrs = append(attrs,
			slog.String(event.LogRepository, o.Outcome.Repository),
			slog.String(event.LogCommit, o.Outcome.Commit),
			slog.Int64(event.LogRevision, o.Outcome.Revision),
			slog.String("summary", o.Outcome.Summary))
	}
	b.log.LogAttrs(ctx, level, "run", attrs...)
}

// waitsItsTurn says that work waits for nothing but its own pace.
func waitsItsTurn(err error) bool {
	fate, ok := fault.Of(err)
	return ok && fate.Reason == fault.ReasonTurn
}

func deliveries(msgs []storage.Message) []string {
	var guids []string
	for _, m := range msgs {
		if g := m.Cause.Delivery; g != "" && !slices.Contains(guids, g) {
			guids = append(guids, g)
		}
	}
	return guids
}

// oldest is when the first of the messages was added. Those that were parked
// waited for somebody else, not for us.
func oldest(msgs []storage.Message) time.Time {
	var t time.Time
	for _, m := range msgs {
		if m.ParkedAt.IsZero() && (t.IsZero() || m.CreatedAt.Before(t)) {
			t = m.CreatedAt
		}
	}
	return t
}
