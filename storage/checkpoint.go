package storage

import (
	"encoding/json"
	"time"
)

// Checkpoint is how far a recurring duty came, so that another process, or this
// one after a restart, goes on from there. The value is the duty's own.
type Checkpoint struct {
	// Name begins with the duty's: "schedule/…".
	Name      string
	Value     json.RawMessage
	UpdatedAt time.Time
}
