package callboard

import (
	"net/http"
	"time"

	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/pipeline/gap"
)

// Gaps says whether webhooks are missing.
type Gaps struct {
	// NoGapsSince is absent while one is missing, before the first reading, and
	// where there is no App, because only Apps have a delivery log.
	NoGapsSince time.Time `json:"noGapsSince,omitzero"`
	Items       []AppGaps `json:"items"`
}

// AppGaps is how far an App's delivery log was read, and what it told.
type AppGaps struct {
	Host string `json:"host"`
	App  int64  `json:"app"`
	// NoGapsSince is the beginning of the proof, ReadAt its end. It is absent
	// while webhooks are missing.
	NoGapsSince time.Time `json:"noGapsSince,omitzero"`
	ReadAt      time.Time `json:"readAt,omitzero"`
	// Open are missing now. Found, Redelivered, Recovered and Lost count from the
	// first reading on: those that did not arrive, requests to send one again,
	// those that came then, and those that GitHub does not have any more.
	Open        int   `json:"open"`
	Found       int64 `json:"found"`
	Redelivered int64 `json:"redelivered"`
	Recovered   int64 `json:"recovered"`
	Lost        int64 `json:"lost"`
	// Missing are the oldest of those that are open.
	Missing []Missing `json:"missing"`
	// Broken is why the proof was begun anew at BrokenAt. ScanAt is when a full scan was
	// asked for because of that.
	Broken   string    `json:"broken,omitempty"`
	BrokenAt time.Time `json:"brokenAt,omitzero"`
	ScanAt   time.Time `json:"scanAt,omitzero"`
	// Error is why the log could not be read at FailedAt.
	Error    string    `json:"error,omitempty"`
	FailedAt time.Time `json:"failedAt,omitzero"`
}

// Missing is a webhook that has not arrived.
type Missing struct {
	GUID           string `json:"guid"`
	Event          string `json:"event"`
	Action         string `json:"action,omitempty"`
	RepositoryID   int64  `json:"repositoryId,omitempty"`
	InstallationID int64  `json:"installationId,omitempty"`
	// SentAt is when GitHub first tried, Status what it says became of the last try.
	SentAt time.Time `json:"sentAt"`
	Status string    `json:"status,omitempty"`
	// Asked counts how often GitHub was asked for it; NextAt is when it may be again.
	Asked  int       `json:"asked"`
	NextAt time.Time `json:"nextAt,omitzero"`
	Error  string    `json:"error,omitempty"`
}

// missingShown is how many of the missing are listed for each App.
const missingShown = 20

// Gaps is GET gaps: what GitHub's delivery logs say of webhooks that did not
// arrive, and what the inbox says of them now.
func (a *API) Gaps(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	apps, err := gap.Read(r.Context(), a.store)
	if err != nil {
		return err
	}
	out := Gaps{Items: []AppGaps{}}
	if since, ok := gap.NoneSince(apps); ok {
		out.NoGapsSince = utc(since)
	}
	for _, app := range apps {
		out.Items = append(out.Items, newAppGaps(app))
	}
	return respond.JSON(w, r, http.StatusOK, out)
}

func newAppGaps(a gap.App) AppGaps {
	out := AppGaps{
		Host: a.Host, App: a.App, ReadAt: utc(a.ReadAt), Open: len(a.Open), Found: a.Found, Redelivered: a.Redelivered,
		Recovered: a.Recovered, Lost: a.Lost, Missing: []Missing{}, Broken: a.Broken, BrokenAt: utc(a.BrokenAt),
		ScanAt: utc(a.ScanAt), Error: a.Error, FailedAt: utc(a.FailedAt),
	}
	if since, ok := gap.NoneSince([]gap.App{a}); ok {
		out.NoGapsSince = utc(since)
	}
	for _, g := range a.Open[:min(len(a.Open), missingShown)] {
		out.Missing = append(out.Missing, Missing{
			GUID: g.GUID, Event: g.Event, Action: g.Action, RepositoryID: g.RepositoryID, InstallationID: g.InstallationID,
			SentAt: utc(g.At), Status: g.Status, Asked: g.Asked, NextAt: utc(g.NextAt), Error: g.Error,
		})
	}
	return out
}
