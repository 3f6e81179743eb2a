package bus

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/storage"
)

const (
	// wakeTopic is the one transport topic (with Redis: the stream). All steps
	// share it: a wake-up carries the topic of its messages.
	wakeTopic = "callboard:wake.v1"

	metaTopic = "topic"
	metaKey   = "key"

	// publishTimeout bounds one wake-up; go-redis alone would try for about 2 s.
	publishTimeout = time.Second
	// downTime is how long a transport that refused is not asked again.
	downTime = time.Second
)

// committed hears of every commit of this process. It must not block, so what
// does not fit is dropped and left to the sweeper.
func (b *Bus) committed(c storage.Commit) {
	for i, m := range c.Messages {
		j := job{m.Topic, m.Key}
		if i > 0 && j == (job{c.Messages[i-1].Topic, c.Messages[i-1].Key}) {
			continue
		}
		select {
		case b.outbox <- j:
		default:
			b.metrics.wakeups.WithLabelValues(wakeDropped).Inc()
		}
	}
}

// relay publishes what was committed.
func (b *Bus) relay(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-b.outbox:
			// A run that has not begun will read these messages, too: a busy
			// repository is not worth a wake-up for each of its pushes.
			if !b.sched.waits(j) {
				b.publish(ctx, j)
			}
		}
	}
}

// publish wakes somebody up for a job: through the transport, or in this
// process while the transport is away. False means that nobody heard.
func (b *Bus) publish(ctx context.Context, j job) bool {
	b.linkLock.RLock()
	defer b.linkLock.RUnlock()
	if b.link == nil || time.Now().UnixNano() < b.downUntil.Load() {
		return b.wakeHere(j)
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	msg := message.NewMessage(j.topic+" "+j.key, nil)
	msg.Metadata.Set(metaTopic, j.topic)
	msg.Metadata.Set(metaKey, j.key)
	msg.SetContext(ctx)
	if err := b.link.publisher.Publish(wakeTopic, msg); err != nil {
		if !errors.Is(context.Cause(ctx), context.Canceled) {
			b.downUntil.Store(time.Now().Add(downTime).UnixNano())
			b.log.WarnContext(ctx, "transport refuses wake-ups; working on without it",
				slog.String("transport", b.transport.String()), slog.String(event.LogError, err.Error()))
		}
		return b.wakeHere(j)
	}
	b.metrics.wakeups.WithLabelValues(wakePublished).Inc()
	return true
}

// wakeHere gives a job to our own workers.
func (b *Bus) wakeHere(j job) bool {
	if _, known := b.steps[j.topic]; !known {
		return true // another build's; swept again later, so that it does not crowd out ours
	}
	_, ok := b.sched.wake(j)
	label := wakeLocal
	if !ok {
		label = wakeDropped
	}
	b.metrics.wakeups.WithLabelValues(label).Inc()
	return ok
}
