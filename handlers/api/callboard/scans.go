package callboard

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/callboard/callboard/handlers/access"
	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/storage"
)

// Scanner begins scans and decides about those that wait. *scan.Step is one.
type Scanner interface {
	// Start begins or joins scans and answers their ids; storage.ErrNotFound when
	// there is nothing to scan, a fault.Error when GitHub does not say.
	Start(ctx context.Context, host, owner, actor string) ([]string, error)
	// Approve and Reject answer storage.ErrNotFound or, for a scan that does not
	// wait, storage.ErrStale.
	Approve(ctx context.Context, id, actor string) error
	Reject(ctx context.Context, id, actor string) error
}

// Scan is a reconciliation of an account with what GitHub shows of it.
type Scan struct {
	ID    string            `json:"id"`
	Kind  storage.ScanKind  `json:"kind"`
	State storage.ScanState `json:"state"`
	Host  string            `json:"host"`
	// Owner is the organization or user.
	Owner          string `json:"owner"`
	InstallationID int64  `json:"installationId,omitempty"`
	// Reason is scan (by schedule), manual, installation or settings; Actor and Delivery who
	// or what asked.
	Reason   string `json:"reason"`
	Actor    string `json:"actor,omitempty"`
	Delivery string `json:"delivery,omitempty"`

	// Seen repositories were listed, of Total that GitHub says there are (-1 where
	// it does not say), on Pages pages.
	Pages int `json:"pages"`
	Total int `json:"total"`
	Seen  int `json:"seen"`
	// Changed and Missing are asked to be read again: those that moved, and those
	// that are known and were not listed. Waiting are not read yet, Failed were
	// given up.
	Changed int `json:"changed"`
	Missing int `json:"missing"`
	Waiting int `json:"waiting"`
	Failed  int `json:"failed"`
	// Removing is how many entities went and, while the scan is paused, would go.
	Removing int `json:"removing"`
	// Requests is what listing cost at GitHub.
	Requests int `json:"requests"`

	StartedAt  time.Time `json:"startedAt"`
	UpdatedAt  time.Time `json:"updatedAt"`
	FinishedAt time.Time `json:"finishedAt,omitzero"`
	// Rate is repositories a second so far, of listing while it lists and of
	// reading afterwards; EstimatedEnd is when that phase ends at this rate.
	Rate         float64   `json:"rate,omitempty"`
	EstimatedEnd time.Time `json:"estimatedEnd,omitzero"`
	// Error is why it failed or waits, or what it could not prove.
	Error      string `json:"error,omitempty"`
	ApprovedBy string `json:"approvedBy,omitempty"`
}

// ScanDetail is a scan with what it holds back.
type ScanDetail struct {
	Scan
	// Held is how many repositories are held back; Holds has 1000 of them at most.
	Held  int    `json:"held"`
	Holds []Hold `json:"holds"`
}

// Hold is a removal that waits until the scan goes on.
type Hold struct {
	RepositoryID int64  `json:"repositoryId"`
	Repository   string `json:"repository"`
	// Entities would go; Refs are some of them.
	Entities int       `json:"entities"`
	Refs     []string  `json:"refs"`
	At       time.Time `json:"at"`
}

func newScan(s storage.Scan, waiting, failed int, now time.Time) Scan {
	out := Scan{
		ID: s.ID, Kind: s.Kind, State: s.State, Host: s.Host, Owner: s.Owner, InstallationID: s.InstallationID,
		Reason: s.Cause.Reason, Actor: s.Cause.Actor, Delivery: s.Cause.Delivery, Pages: s.Pages, Total: s.Total, Seen: s.Seen,
		Changed: s.Changed, Missing: s.Missing, Waiting: waiting, Failed: max(s.Failed, failed), Removing: s.Removing,
		Requests: s.Requests, StartedAt: utc(s.StartedAt), UpdatedAt: utc(s.UpdatedAt), FinishedAt: utc(s.FinishedAt),
		Error: s.Error, ApprovedBy: s.ApprovedBy,
	}
	if s.State == storage.ScanRunning {
		out.estimate(s.Listed(), now)
	}
	return out
}

// estimate says how fast it goes. Listing and reading go on at the same time:
// what is read while the listing lasts is not counted on.
func (s *Scan) estimate(listed bool, now time.Time) {
	done, left := s.Seen, s.Total-s.Seen
	if listed {
		done, left = s.Changed+s.Missing-s.Waiting, s.Waiting
	}
	took := now.Sub(s.StartedAt).Seconds()
	if done <= 0 || left < 0 || took <= 0 {
		return
	}
	s.Rate = float64(done) / took
	s.EstimatedEnd = utc(now.Add(time.Duration(float64(left) / s.Rate * float64(time.Second))))
}

// live adds to a scan that runs what its messages tell.
func (a *API) live(ctx context.Context, s storage.Scan) (Scan, error) {
	var waiting, failed int
	if s.State == storage.ScanRunning {
		var err error
		if waiting, failed, err = a.store.ScanBacklog(ctx, s.ID); err != nil {
			return Scan{}, err
		}
	}
	return newScan(s, waiting, failed, a.now()), nil
}

var (
	scanStates = []storage.ScanState{
		storage.ScanRunning, storage.ScanPaused, storage.ScanDone, storage.ScanFailed, storage.ScanSuperseded,
	}
	scanKinds = []storage.ScanKind{storage.ScanRepositories, storage.ScanPeople}
)

// Scans is GET scans?host=&owner=&kind=&state=&limit=, newest first.
func (a *API) Scans(w http.ResponseWriter, r *http.Request) error {
	q, err := readQuery(r, "host", "owner", "kind", "state", "limit")
	if err != nil {
		return err
	}
	limit, err := readLimit(q)
	if err != nil {
		return err
	}
	f := storage.ScanFilter{
		Host: q.Get("host"), Owner: q.Get("owner"), Kind: storage.ScanKind(q.Get("kind")), State: storage.ScanState(q.Get("state")), Limit: limit,
	}
	if f.State != "" && !slices.Contains(scanStates, f.State) {
		return respond.Input("Unknown state '%s', expected one of %v", f.State, scanStates)
	}
	if f.Kind != "" && !slices.Contains(scanKinds, f.Kind) {
		return respond.Input("Unknown kind '%s', expected one of %v", f.Kind, scanKinds)
	}
	list, err := a.store.Scans(r.Context(), f)
	if err != nil {
		return err
	}
	out := make([]Scan, len(list))
	for i, s := range list {
		if out[i], err = a.live(r.Context(), s); err != nil {
			return err
		}
	}
	return respond.JSON(w, r, http.StatusOK, items(out))
}

// Scan is GET scans/{id}.
func (a *API) Scan(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	id := r.PathValue("id")
	s, err := a.store.Scan(r.Context(), id)
	if errors.Is(err, storage.ErrNotFound) {
		return noScan(id)
	}
	if err != nil {
		return err
	}
	out := ScanDetail{Holds: []Hold{}}
	if out.Scan, err = a.live(r.Context(), s); err != nil {
		return err
	}
	holds, err := a.store.Holds(r.Context(), id)
	if err != nil {
		return err
	}
	out.Held = len(holds)
	for _, h := range holds[:min(len(holds), limitMax)] {
		refs := h.Refs
		if refs == nil {
			refs = []string{}
		}
		out.Holds = append(out.Holds, Hold{
			RepositoryID: h.RepositoryID, Repository: h.Repository, Entities: h.Entities, Refs: refs, At: utc(h.At),
		})
	}
	return respond.JSON(w, r, http.StatusOK, out)
}

func noScan(id string) error { return respond.NotFound("No scan %s", id) }

// StartScans is POST scans?host=&owner=: 202 with the scans that began, or ran
// already. Without owner all accounts are scanned, without host those of all hosts.
func (a *API) StartScans(w http.ResponseWriter, r *http.Request) error {
	q, err := readQuery(r, "host", "owner")
	if err != nil {
		return err
	}
	if a.scanner == nil {
		return respond.NotImplemented("Nothing is scanned here")
	}
	ids, err := a.scanner.Start(r.Context(), q.Get("host"), q.Get("owner"), access.Actor(r.Context()))
	if errors.Is(err, storage.ErrNotFound) {
		return respond.NotFound("Nothing to scan: neither an installation of the App nor an entry of catalog.providers.github covers it")
	}
	if _, fate := fault.Of(err); fate {
		w.Header().Set("Retry-After", "5")
		return respond.Unavailable("GitHub cannot be asked now where to scan; try again later")
	}
	if err != nil {
		return err
	}
	var out []Scan
	for _, id := range ids {
		s, err := a.store.Scan(r.Context(), id)
		if err != nil {
			return err
		}
		began, err := a.live(r.Context(), s)
		if err != nil {
			return err
		}
		out = append(out, began)
	}
	return respond.JSON(w, r, http.StatusAccepted, items(out))
}

// ApproveScan is POST scans/{id}/approve: 202, and what the scan holds is removed.
func (a *API) ApproveScan(w http.ResponseWriter, r *http.Request) error {
	return a.decideScan(w, r, Scanner.Approve)
}

// RejectScan is POST scans/{id}/reject: 202, and what the scan holds is kept.
func (a *API) RejectScan(w http.ResponseWriter, r *http.Request) error {
	return a.decideScan(w, r, Scanner.Reject)
}

func (a *API) decideScan(w http.ResponseWriter, r *http.Request, decide func(Scanner, context.Context, string, string) error) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	id := r.PathValue("id")
	if a.scanner == nil {
		return noScan(id)
	}
	err := decide(a.scanner, r.Context(), id, access.Actor(r.Context()))
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return noScan(id)
	case errors.Is(err, storage.ErrStale):
		return respond.Conflict("Scan %s does not wait for a decision", id)
	case err != nil:
		return err
	}
	return respond.JSON(w, r, http.StatusAccepted, Accepted{Status: "accepted"})
}
