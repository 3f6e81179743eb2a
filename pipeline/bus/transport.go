package bus

import (
	"context"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
)

// Transport carries wake-ups between the processes of an installation: Memory
// or Redis. It may lose, double and reorder them.
type Transport interface {
	// open connects with so many consumers. It is called again after a link broke.
	open(ctx context.Context, consumers int, logger watermill.LoggerAdapter) (*link, error)
	// shared says that other processes hear it, too.
	shared() bool
	String() string
}

// link is an open connection of a transport.
type link struct {
	publisher   message.Publisher
	subscribers []message.Subscriber
	shared      bool
	// unread is how many wake-ups nobody has fetched yet; nil when they cannot pile up.
	unread func(context.Context) (int64, error)
}

// close releases everything; closing twice is allowed by watermill.
func (l *link) close() {
	for _, s := range l.subscribers {
		_ = s.Close()
	}
	_ = l.publisher.Close()
}

// Memory is the transport of a single process.
func Memory() Transport { return memory{} }

type memory struct{}

func (memory) String() string { return "memory" }
func (memory) shared() bool   { return false }

func (memory) open(_ context.Context, _ int, logger watermill.LoggerAdapter) (*link, error) {
	// One subscriber: each of several would get every wake-up.
	ch := gochannel.NewGoChannel(gochannel.Config{OutputChannelBuffer: 64}, logger)
	return &link{publisher: ch, subscribers: []message.Subscriber{ch}}, nil
}
