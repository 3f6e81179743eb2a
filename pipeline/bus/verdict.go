package bus

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/storage"
)

// Results of a run beside the delivery states.
const (
	// resultContinued is a run whose Outcome leaves its deliveries open.
	resultContinued = "continued"
	resultRetry     = "retry"
	resultPostponed = "postponed"
	resultParked    = "parked"
)

// verdict is what becomes of messages whose run failed.
type verdict struct {
	result     string
	retry      map[time.Time][]int64
	park       []int64
	postpone   []int64
	until      time.Time
	reason     string
	deliveries []storage.DeliveryOutcome
}

// judge decides, by the error's fate (package fault) and the attempts so far.
// Messages that only came along and are not due keep their own time.
func judge(msgs []storage.Message, err error, backoff []time.Duration, now time.Time) verdict {
	v := verdict{result: resultRetry, retry: map[time.Time][]int64{}, reason: text(err)}
	fate, ok := fault.Of(err)
	permanent, outage := ok && fate.Permanent, ok && fate.Reason == fault.ReasonUnavailable
	wait := time.Duration(0)
	if ok {
		wait = fate.After
	}
	for _, m := range msgs {
		switch {
		case !m.ParkedAt.IsZero(): // it stays so
		case permanent || isDue(m, now) && wait <= 0 && !outage && m.Attempts >= len(backoff):
			v.result = resultParked
			v.park = append(v.park, m.ID)
			v.deliver(m, storage.DeliveryParked, v.reason, now)
		case !isDue(m, now):
		case wait > 0:
			v.result, v.until = resultPostponed, now.Add(wait)
			v.postpone = append(v.postpone, m.ID)
			state := storage.DeliveryReceived
			if m.Attempts > 0 {
				state = storage.DeliveryFailed
			}
			v.deliver(m, state, fmt.Sprintf("waits until %s: %s", v.until.UTC().Format(time.RFC3339), v.reason), time.Time{})
		default:
			at := now.Add(backoff[min(m.Attempts, len(backoff)-1)]) // an outage goes on at the slowest pace
			v.retry[at] = append(v.retry[at], m.ID)
			v.deliver(m, storage.DeliveryFailed, v.reason, time.Time{})
		}
	}
	return v
}

// deliver adds the state of the delivery that a message settles.
func (v *verdict) deliver(m storage.Message, state storage.DeliveryState, reason string, done time.Time) {
	if !settles(m) {
		return
	}
	attempts := m.Attempts
	if v.postpone == nil {
		attempts++
	}
	v.deliveries = append(v.deliveries, storage.DeliveryOutcome{
		GUID: m.Cause.Delivery, State: state, Reason: reason, Attempts: attempts, DoneAt: done,
	})
}

func (v verdict) write(ctx context.Context, tx storage.Tx, now time.Time) error {
	if len(v.park) > 0 {
		if err := tx.ParkMessages(ctx, v.park, now, v.reason); err != nil {
			return fmt.Errorf("park messages: %w", err)
		}
	}
	if len(v.postpone) > 0 {
		if err := tx.PostponeMessages(ctx, v.postpone, v.until, v.reason); err != nil {
			return fmt.Errorf("postpone messages: %w", err)
		}
	}
	for at, ids := range v.retry {
		if err := tx.RetryMessages(ctx, ids, at, v.reason); err != nil {
			return fmt.Errorf("retry messages: %w", err)
		}
	}
	if len(v.deliveries) == 0 {
		return nil
	}
	if err := tx.FinishDeliveries(ctx, v.deliveries); err != nil {
		return fmt.Errorf("note deliveries: %w", err)
	}
	return nil
}

// settles says whether the end of a message is the end of its delivery. An
// installation delivery fans out into one refresh per repository; those name
// it as their cause, but it is over when they are queued.
func settles(m storage.Message) bool {
	if m.Cause.Delivery == "" {
		return false
	}
	return m.Cause.Reason != storage.ReasonInstallation || m.Topic == event.TopicInstallation
}

// outcomes are the ends of the deliveries that messages settle, each once. An
// Outcome without State leaves them open: a message that Apply added goes on
// with them.
func outcomes(msgs []storage.Message, out Outcome, now time.Time) []storage.DeliveryOutcome {
	if out.State == "" {
		return nil
	}
	var list []storage.DeliveryOutcome
	index := map[string]int{}
	for _, m := range msgs {
		if !settles(m) {
			continue
		}
		guid := m.Cause.Delivery
		i, ok := index[guid]
		if !ok {
			i = len(list)
			index[guid] = i
			list = append(list, storage.DeliveryOutcome{
				GUID: guid, State: out.State, Reason: out.Reason, Summary: out.Summary, Revision: out.Revision, DoneAt: now,
			})
		}
		attempts := m.Attempts + 1
		if !m.ParkedAt.IsZero() {
			attempts++ // the one that parked it is not counted in the row
		}
		list[i].Attempts = max(list[i].Attempts, attempts)
	}
	return list
}

// text is an error as a row can keep it: bounded, and without the bytes that
// PostgreSQL refuses in text.
func text(err error) string {
	const limit = 2000
	s := err.Error()
	if len(s) > limit {
		s = s[:limit] + "…"
	}
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "�")
}
