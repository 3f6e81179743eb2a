package callboard

import (
	"net/http"
	"time"

	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/pipeline/gap"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/view"
)

// Status says how it goes.
type Status struct {
	Version string `json:"version"`
	// Ready says that the catalog is loaded.
	Ready    bool `json:"ready"`
	Entities int  `json:"entities"`
	// Kinds counts the entities by kind.
	Kinds map[string]int `json:"kinds"`
	// Repositories counts those that can be read.
	Repositories int `json:"repositories"`
	// Revision is what reads show, StoredRevision what the database has.
	Revision       int64 `json:"revision"`
	StoredRevision int64 `json:"storedRevision"`
	// Backlog counts messages that are neither done nor given up, Parked those
	// that are (at most 1000 are counted).
	Backlog int `json:"backlog"`
	Parked  int `json:"parked"`
	// OldestMessage is when the first of the backlog was added.
	OldestMessage time.Time `json:"oldestMessage,omitzero"`
	// NoGapsSince is as in Gaps.
	NoGapsSince time.Time `json:"noGapsSince,omitzero"`
	// Scans counts those that run and those that wait for approval.
	Scans ScanCounts `json:"scans"`
}

// ScanCounts counts scans by state.
type ScanCounts struct {
	Running int `json:"running"`
	Paused  int `json:"paused"`
}

// Status is GET status.
func (a *API) Status(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	out := Status{Version: a.version, Kinds: make(map[string]int)}
	select {
	case <-a.view.Ready():
		out.Ready = true
	default:
	}
	// The backlog is read first: once it is empty, the revision that follows
	// holds all that was done.
	var err error
	if out.Backlog, out.OldestMessage, err = a.store.MessageBacklog(r.Context()); err != nil {
		return err
	}
	out.OldestMessage = utc(out.OldestMessage)
	if out.StoredRevision, err = a.store.Revision(r.Context()); err != nil {
		return err
	}
	parked, err := a.store.ParkedMessages(r.Context(), searchedParked)
	if err != nil {
		return err
	}
	out.Parked = len(parked)
	repositories, err := a.store.Repositories(r.Context())
	if err != nil {
		return err
	}
	for _, repo := range repositories {
		if repo.ID > 0 && repo.State == storage.RepositoryActive {
			out.Repositories++
		}
	}
	for state, n := range map[storage.ScanState]*int{storage.ScanRunning: &out.Scans.Running, storage.ScanPaused: &out.Scans.Paused} {
		list, err := a.store.Scans(r.Context(), storage.ScanFilter{State: state, Limit: limitMax})
		if err != nil {
			return err
		}
		*n = len(list)
	}
	apps, err := gap.Read(r.Context(), a.store)
	if err != nil {
		return err
	}
	if since, ok := gap.NoneSince(apps); ok {
		out.NoGapsSince = utc(since)
	}
	a.view.Read(func(s *view.Snapshot) {
		out.Revision, out.Entities = s.Revision(), s.Len()
		for _, k := range s.Select(nil).Facet("kind") {
			out.Kinds[k.Value] = k.Count
		}
	})
	return respond.JSON(w, r, http.StatusOK, out)
}
