package bus

import (
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/callboard/callboard/pipeline/event"
)

// repeatAfter is how often the same complaint of watermill's is logged. With
// Redis away each of its consumers would complain twice a second.
const repeatAfter = 10 * time.Second

// quietLogger passes watermill's errors on as warnings, each once in a while,
// and the rest as debug lines. Its own view of a message is of no interest: the
// bus logs a line per run.
type quietLogger struct {
	log *slog.Logger
	// over says that we are shutting down, when broken connections are no news.
	over   func() bool
	fields watermill.LogFields
	seen   *seen
}

type seen struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func newQuietLogger(log *slog.Logger, over func() bool) watermill.LoggerAdapter {
	return &quietLogger{log: log, over: over, seen: &seen{last: map[string]time.Time{}}}
}

func (q *quietLogger) Error(msg string, err error, fields watermill.LogFields) {
	if q.over() {
		return
	}
	q.seen.mu.Lock()
	now := time.Now()
	again := now.Sub(q.seen.last[msg]) < repeatAfter
	if !again {
		q.seen.last[msg] = now
	}
	q.seen.mu.Unlock()
	if !again {
		q.log.Warn("watermill: "+msg, append(q.attrs(fields), event.LogError, err)...)
	}
}

func (q *quietLogger) Info(msg string, fields watermill.LogFields) { q.Debug(msg, fields) }
func (q *quietLogger) Trace(string, watermill.LogFields)           {}
func (q *quietLogger) Debug(msg string, fields watermill.LogFields) {
	q.log.Debug("watermill: "+msg, q.attrs(fields)...)
}

func (q *quietLogger) With(fields watermill.LogFields) watermill.LoggerAdapter {
	return &quietLogger{log: q.log, over: q.over, fields: q.fields.Add(fields), seen: q.seen}
}

func (q *quietLogger) attrs(fields watermill.LogFields) []any {
	all := q.fields.Add(fields)
	out := make([]any, 0, 2*len(all))
	for k, v := range all {
		out = append(out, k, v)
	}
	return out
}
