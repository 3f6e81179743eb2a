package bus

import (
	"context"
	"time"

	"github.com/callboard/callboard/storage"
)

// Step is the work behind one topic, in two halves. Plan may talk to GitHub or
// S3 and writes nothing; Apply writes rows and messages in one transaction and
// talks to nobody. "No network in a transaction" is then a matter of types.
//
// Both get all pending messages of one key together, oldest first: ten queued
// pushes of a repository cost one refresh. Both may run again after a crash,
// a conflict (storage.ErrStale plans anew) or a serialization failure.
type Step[P any] interface {
	Topic() string
	Plan(ctx context.Context, msgs []storage.Message) (P, error)
	Apply(ctx context.Context, tx storage.Tx, plan P) (Outcome, error)
}

// Slow is a Step whose Plan and Apply may take longer than Config.RunTimeout; 0
// is no more than that.
type Slow interface{ Timeout() time.Duration }

// Outcome is what an Apply did, for the deliveries that caused it, the log and
// whoever watches.
type Outcome struct {
	// State is DeliveryApplied, DeliveryUnchanged or DeliveryIgnored.
	State      storage.DeliveryState
	Repository string
	Commit     string
	// Summary says in words what changed.
	Summary  string
	Reason   string
	Changes  int
	Revision int64
}
