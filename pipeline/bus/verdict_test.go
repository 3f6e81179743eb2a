package bus

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/storage"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	cause := errors.New("boom")
	backoff := []time.Duration{time.Second, time.Minute}
	msg := func(id int64, attempts int, runAfter time.Time) storage.Message {
		return storage.Message{ID: id, Attempts: attempts, RunAfter: runAfter, Cause: storage.Cause{Delivery: fmt.Sprint("d", id)}}
	}
	delivery := func(id int64, state storage.DeliveryState, attempts int, done time.Time) storage.DeliveryOutcome {
		return storage.DeliveryOutcome{GUID: fmt.Sprint("d", id), State: state, Reason: "boom", Attempts: attempts, DoneAt: done}
	}
	tests := []struct {
		name string
		msgs []storage.Message
		err  error
		want verdict
	}{
		{
			"each by its own attempts", []storage.Message{msg(1, 0, now), msg(2, 1, now), msg(3, 2, now)}, cause,
			verdict{
				result: resultParked, park: []int64{3},
				retry: map[time.Time][]int64{now.Add(time.Second): {1}, now.Add(time.Minute): {2}},
				deliveries: []storage.DeliveryOutcome{
					delivery(1, storage.DeliveryFailed, 1, time.Time{}), delivery(2, storage.DeliveryFailed, 2, time.Time{}),
					delivery(3, storage.DeliveryParked, 3, now),
				},
			},
		},
		{
			"those that are not due keep their time", []storage.Message{msg(1, 2, now.Add(time.Hour)), msg(2, 0, now)}, cause,
			verdict{
				result: resultRetry, retry: map[time.Time][]int64{now.Add(time.Second): {2}},
				deliveries: []storage.DeliveryOutcome{delivery(2, storage.DeliveryFailed, 1, time.Time{})},
			},
		},
		{
			"permanent", []storage.Message{msg(1, 0, now)}, fmt.Errorf("plan: %w", fault.Permanent(fault.ReasonInvalid, cause)),
			verdict{
				result: resultParked, park: []int64{1}, retry: map[time.Time][]int64{}, reason: "plan: boom",
				deliveries: []storage.DeliveryOutcome{
					{GUID: "d1", State: storage.DeliveryParked, Reason: "plan: boom", Attempts: 1, DoneAt: now},
				},
			},
		},
		{
			"wait", []storage.Message{msg(1, 0, now), msg(2, 2, now)}, fault.RetryAfter(time.Hour, fault.ReasonRateLimited, cause),
			verdict{
				result: resultPostponed, postpone: []int64{1, 2}, until: now.Add(time.Hour), retry: map[time.Time][]int64{},
				deliveries: []storage.DeliveryOutcome{
					{GUID: "d1", State: storage.DeliveryReceived, Reason: "waits until 2026-11-23T13:00:00Z: boom"},
					{GUID: "d2", State: storage.DeliveryFailed, Reason: "waits until 2026-11-23T13:00:00Z: boom", Attempts: 2},
				},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.want.reason == "" {
				tt.want.reason = "boom"
			}
			got := judge(tt.msgs, tt.err, backoff, now)
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(verdict{})); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	got := text(errors.New("a\x00b\xff" + strings.Repeat("ü", 3000)))
	if strings.Contains(got, "\x00") || !utf8.ValidString(got) || len(got) > 2100 {
		t.Errorf("%d bytes, starts %q", len(got), got[:10])
	}
}

// Whatever lies in the stream, reading it neither fails nor panics.
func FuzzWire(f *testing.F) {
	f.Add("topic", "repository.refresh.v1", "key", "github.com/1")
	f.Add("payload", "x", "_watermill_message_uuid", "")
	f.Add("", "", "", "\xff\x00")
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 string) {
		msg, err := wire{}.Unmarshal(map[string]any{k1: v1, k2: v2, "n": 1})
		if err != nil {
			t.Fatal(err)
		}
		values, err := wire{}.Marshal("", msg)
		if err != nil {
			t.Fatal(err)
		}
		again, err := wire{}.Unmarshal(values)
		if err != nil || !again.Equals(msg) {
			t.Errorf("%v became %v, %v", msg, again, err)
		}
	})
}
