package storage

import (
	"encoding/json"
	"time"
)

// ScanKind is what a scan goes over.
type ScanKind string

// The kinds of scan.
const (
	ScanRepositories ScanKind = "repositories" // the repositories of an account
	ScanPeople       ScanKind = "people"       // the members and teams of an organization
)

// ScanState is how far a scan is.
type ScanState string

// The states of a scan. A paused one waits for somebody to approve what it would
// remove; the last three are final.
const (
	ScanRunning    ScanState = "running"
	ScanPaused     ScanState = "paused"
	ScanDone       ScanState = "done"
	ScanFailed     ScanState = "failed"
	ScanSuperseded ScanState = "superseded" // a newer scan of the same began while it was paused
)

// Scan is one reconciliation of an account with what GitHub shows of it.
type Scan struct {
	// ID is a UUID.
	ID             string
	Kind           ScanKind
	Host           string
	Owner          string
	InstallationID int64
	Cause          Cause
	State          ScanState

	// Cursor is where the listing goes on, PageSize what is asked for there.
	Cursor   string
	PageSize int
	Pages    int
	// Total is what GitHub says there is, Seen how much of it was listed. SeenIDs
	// is a serialized roaring bitmap of the low and high halves; only the scan reads it.
	Total   int
	Seen    int
	SeenIDs []byte
	// Changed were asked to be refreshed, Missing are known and were not listed,
	// Failed could not be refreshed. Removing is how many entities went and, while it
	// is paused, would go; Released is how many of them it let go since anybody approved.
	Changed  int
	Missing  int
	Failed   int
	Removing int
	Released int
	// Requests is what it cost at GitHub, Retries how often in a row a page failed.
	Requests int
	Retries  int

	StartedAt  time.Time
	UpdatedAt  time.Time
	FinishedAt time.Time
	// Error is why it failed or waits.
	Error string
	// ApprovedBy is who let a paused one go on.
	ApprovedBy string
}

// Listed says that there is nothing to list any more. One that changed settings
// made necessary never lists.
func (s Scan) Listed() bool { return s.Cause.Reason == ReasonSettings || s.Pages > 0 && s.Cursor == "" }

// Complete says that a scan saw everything and that all that it found was done.
func (s Scan) Complete() bool { return s.State == ScanDone && s.Pages > 0 && s.Error == "" }

// ScanFilter selects scans. Zero fields do not filter; names are in any case.
type ScanFilter struct {
	Host, Owner string
	Kind        ScanKind
	State       ScanState
	Limit       int // 0 means 100
}

// Hold is a removal that a scan found and that is not applied before all of the
// scan's removals are counted.
type Hold struct {
	ScanID       string
	RepositoryID int64
	// Repository is owner/name, Entities how many would go, Refs some of them.
	Repository string
	Entities   int
	Refs       []string
	// Payload is the event.Refresh that applies it once it is released; of people
	// the paths of all that would go.
	Payload json.RawMessage
	At      time.Time
}
