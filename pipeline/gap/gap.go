// Package gap is what is known of webhooks that GitHub sent and that did not
// arrive: for each App, since when there are none.
//
// package recovery reads GitHub's delivery logs and writes this; the API and
// the metrics read it, in any process. It asks GitHub nothing.
package gap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/callboard/callboard/storage"
)

// App is how far the delivery log of an App was read, and what it told.
type App struct {
	Host string `json:"host"`
	App  int64  `json:"app"`

	// Since is the beginning of the unbroken proof: whatever GitHub sent since
	// then and until ReadAt has arrived, or is in Open.
	Since time.Time `json:"since,omitzero"`
	// ReadAt is when the last good reading began.
	ReadAt time.Time `json:"readAt,omitzero"`
	// Newest is the latest attempt in the log, by GitHub's clock; the next reading
	// begins a little before it.
	Newest   time.Time `json:"newest,omitzero"`
	NewestID int64     `json:"newestId,omitempty"`

	// Open are those that did not arrive, the oldest first.
	Open []Gap `json:"open,omitempty"`
	// Found, Redelivered, Recovered and Lost are counted from the first reading:
	// deliveries that did not arrive, requests to send one again, those that came
	// then, and those that GitHub does not have any more.
	Found       int64 `json:"found,omitempty"`
	Redelivered int64 `json:"redelivered,omitempty"`
	Recovered   int64 `json:"recovered,omitempty"`
	Lost        int64 `json:"lost,omitempty"`
	// Deaf says that nothing came of what was asked for last.
	Deaf bool `json:"deaf,omitempty"`

	// BrokenAt is when the proof was last found to be broken, and Broken says why.
	BrokenAt time.Time `json:"brokenAt,omitzero"`
	Broken   string    `json:"broken,omitempty"`
	// ScanAt is when a full scan was last asked for because of that. ScanOwed
	// says that another one has to follow.
	ScanAt   time.Time `json:"scanAt,omitzero"`
	ScanOwed bool      `json:"scanOwed,omitempty"`

	// Error is why the log could not be read at FailedAt, the last time that was tried.
	FailedAt time.Time `json:"failedAt,omitzero"`
	Error    string    `json:"error,omitempty"`
}

// Gap is a delivery that did not arrive.
type Gap struct {
	GUID   string `json:"guid"`
	Event  string `json:"event"`
	Action string `json:"action,omitempty"`
	// RepositoryID and InstallationID are 0 where the event is about none.
	RepositoryID   int64 `json:"repositoryId,omitempty"`
	InstallationID int64 `json:"installationId,omitempty"`
	// At is when GitHub first tried, Attempt the id of its last attempt.
	At      time.Time `json:"at"`
	Attempt int64     `json:"attempt"`
	// Status is what GitHub says became of it: "OK" where somebody else answered for us.
	Status string `json:"status,omitempty"`
	// Asked counts how often it was asked for; not again before NextAt.
	Asked  int       `json:"asked,omitempty"`
	NextAt time.Time `json:"nextAt,omitzero"`
	Error  string    `json:"error,omitempty"`
}

// checkpoint is where it is kept: in one place, so that an App that was taken
// out of the configuration is forgotten.
const checkpoint = "gaps"

// Load reads what is known of all Apps.
func Load(ctx context.Context, r storage.Reader) ([]App, error) {
	c, err := r.Checkpoint(ctx, checkpoint)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var apps []App
	if err := json.Unmarshal(c.Value, &apps); err != nil {
		return nil, fmt.Errorf("read checkpoint %s: %w", checkpoint, err)
	}
	return apps, nil
}

// Save replaces what is known of all Apps.
func Save(ctx context.Context, tx storage.Tx, apps []App, now time.Time) error {
	value, err := json.Marshal(apps)
	if err != nil {
		return fmt.Errorf("encode checkpoint %s: %w", checkpoint, err)
	}
	return tx.PutCheckpoint(ctx, storage.Checkpoint{Name: checkpoint, Value: value, UpdatedAt: now})
}

// Arrived takes those that the inbox has by now out of Open, and says how many.
func (a *App) Arrived(ctx context.Context, r storage.Reader) (int, error) {
	if len(a.Open) == 0 {
		return 0, nil
	}
	guids := make([]string, len(a.Open))
	for i, g := range a.Open {
		guids[i] = g.GUID
	}
	known, err := r.KnownDeliveries(ctx, guids)
	if err != nil {
		return 0, err
	}
	var open []Gap
	for _, g := range a.Open {
		if !known[g.GUID] {
			open = append(open, g)
		}
	}
	n := len(a.Open) - len(open)
	a.Open, a.Recovered = open, a.Recovered+int64(n)
	return n, nil
}

// Read is Load with what came since the last reading.
func Read(ctx context.Context, r storage.Reader) ([]App, error) {
	apps, err := Load(ctx, r)
	if err != nil {
		return nil, err
	}
	for i := range apps {
		if _, err := apps[i].Arrived(ctx, r); err != nil {
			return nil, err
		}
	}
	return apps, nil
}

// NoneSince is since when all Apps have no gaps; ok is false while one has, or
// was never read.
func NoneSince(apps []App) (since time.Time, ok bool) {
	for _, a := range apps {
		if len(a.Open) > 0 || a.Since.IsZero() {
			return time.Time{}, false
		}
		if a.Since.After(since) {
			since = a.Since
		}
	}
	return since, len(apps) > 0
}
