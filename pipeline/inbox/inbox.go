// Package inbox takes webhook deliveries in, each once, and turns them into
// messages: what Accept has answered survives any crash (design, promise 1).
//
// It reads only the few fields of a payload that say where it belongs. It knows
// no signature and no HTTP (handlers/webhook does), asks GitHub nothing, and
// does not do the work: a message is a hint that a repository moved.
//
//	receipt, err := in.Accept(ctx, inbox.Received{GUID: guid, Event: "push", Payload: body})
package inbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/storage"
)

// Errors of Accept and Replay beside the store's.
var (
	// ErrPayload is answered for a payload that is no JSON object.
	ErrPayload = errors.New("payload is not a JSON object")
	// ErrClosed is answered when Run has ended.
	ErrClosed = errors.New("inbox is closed")
	// ErrNothingToDo is answered by Replay for deliveries that mean no work.
	ErrNothingToDo = errors.New("nothing to do for this delivery")
)

// Config of an Inbox. Zero fields mean the defaults named with them.
type Config struct {
	// Host is the GitHub host that deliveries come from unless they say another: "github.com".
	Host string
	// Policy says which accounts are discovered, and which branch is read there.
	Policy discovery.Policy
	// People says whether the members and teams of an organization are kept: no
	// organization's without it.
	People func(host, org string) bool
	// Now is the clock: time.Now.
	Now func() time.Time
}

// Received is a delivery whose signature was found good.
type Received struct {
	// GUID is X-GitHub-Delivery, Event is X-GitHub-Event.
	GUID  string
	Event string
	// Host is X-GitHub-Enterprise-Host, empty for the configured one.
	Host    string
	Payload []byte
}

// Receipt says what was done with an accepted delivery.
type Receipt struct {
	// State is received or ignored; for a duplicate, what the first has come to.
	State storage.DeliveryState
	// Reason says why it was ignored.
	Reason string
	// Repository as the payload spells it, if it names one.
	Repository string
	// Duplicate says that the GUID was known. Nothing was done then, unless
	// Again: the first had failed, and is tried again now.
	Duplicate bool
	Again     bool
}

// Inbox accepts deliveries. Make it with New; it works while Run does.
type Inbox struct {
	store   storage.Store
	cfg     Config
	log     *slog.Logger
	queue   chan *entry
	closed  chan struct{}
	started atomic.Bool
}

// New makes an Inbox on a store.
func New(store storage.Store, cfg Config, logger *slog.Logger) *Inbox {
	if cfg.Host == "" {
		cfg.Host = "github.com"
	}
	if cfg.People == nil {
		cfg.People = func(string, string) bool { return false }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Inbox{store: store, cfg: cfg, log: logger, queue: make(chan *entry), closed: make(chan struct{})}
}

// Accept returns when the delivery and its message are committed. After an
// error they may or may not be; the sender may deliver again, the GUID tells.
func (in *Inbox) Accept(ctx context.Context, r Received) (Receipt, error) {
	if r.Host == "" {
		r.Host = in.cfg.Host
	}
	routed, err := in.cfg.route(r, in.cfg.Now())
	if err != nil {
		return Receipt{}, err
	}
	e := &entry{routed: routed, done: make(chan error, 1)}
	select {
	case in.queue <- e:
	case <-in.closed:
		return Receipt{}, ErrClosed
	case <-ctx.Done():
		return Receipt{}, fmt.Errorf("wait for the inbox: %w", context.Cause(ctx))
	}
	select {
	case err := <-e.done:
		return e.receipt, err
	case <-ctx.Done():
		return Receipt{}, fmt.Errorf("wait for the commit: %w", context.Cause(ctx))
	}
}
