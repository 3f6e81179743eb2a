package callboard

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/callboard/callboard/handlers/access"
	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/storage"
)

// Repository is a repository and how far the catalog is with it.
type Repository struct {
	// ID is GitHub's; it stays when the repository is renamed.
	ID             int64    `json:"id"`
	Host           string   `json:"host"`
	Owner          string   `json:"owner"`
	Name           string   `json:"name"`
	URL            string   `json:"url,omitempty"`
	DefaultBranch  string   `json:"defaultBranch,omitempty"`
	Visibility     string   `json:"visibility,omitempty"`
	Archived       bool     `json:"archived,omitempty"`
	Fork           bool     `json:"fork,omitempty"`
	Topics         []string `json:"topics,omitempty"`
	InstallationID int64    `json:"installationId,omitempty"`
	// Discovered repositories are searched for catalog files; others are read
	// only where a location points.
	Discovered bool                    `json:"discovered"`
	State      storage.RepositoryState `json:"state"`

	// Applied is the commit that the catalog shows, Head the newest heard of.
	Applied   string    `json:"applied,omitempty"`
	AppliedAt time.Time `json:"appliedAt,omitzero"`
	Head      string    `json:"head,omitempty"`
	HeadAt    time.Time `json:"headAt,omitzero"`
	// Behind says that the head is not applied; LagMs is then how long ago it
	// was heard of, and otherwise how long it took from there to applied. Of
	// pushes that wait or failed only the answer for a single repository knows.
	Behind bool  `json:"behind"`
	LagMs  int64 `json:"lagMs"`
	// Error is why the last refresh failed.
	Error   string    `json:"error,omitempty"`
	ErrorAt time.Time `json:"errorAt,omitzero"`
	// VerifiedAt is when GitHub last confirmed the head, also if nothing had
	// changed, by itself or in a complete scan; right to the minute.
	VerifiedAt time.Time `json:"verifiedAt,omitzero"`
}

func newRepository(r storage.Repository, now time.Time) Repository {
	out := Repository{
		ID: r.ID, Host: r.Host, Owner: r.Owner, Name: r.Name, URL: r.HTMLURL, DefaultBranch: r.DefaultBranch,
		Visibility: r.Visibility, Archived: r.Archived, Fork: r.Fork, Topics: r.Topics,
		InstallationID: r.InstallationID, Discovered: r.Discovered, State: r.State,
		Applied: r.AppliedSHA, AppliedAt: utc(r.AppliedAt), Head: r.HeadSHA, HeadAt: utc(r.HeadAt),
		Error: r.Error, ErrorAt: utc(r.ErrorAt), VerifiedAt: utc(r.VerifiedAt),
		Behind: r.HeadSHA != "" && r.HeadSHA != r.AppliedSHA && r.State != storage.RepositoryRemoved,
	}
	end := r.AppliedAt
	if out.Behind {
		end = now
	}
	if !r.HeadAt.IsZero() && end.After(r.HeadAt) {
		out.LagMs = end.Sub(r.HeadAt).Milliseconds()
	}
	return out
}

// hear takes refreshes into account that are not done. The stored head is only
// written together with what is applied, so the newest push among them may tell
// of a newer one. One that was heard of before what is applied was is outdated:
// a refresh reads the newest tree, whoever asked for it.
func (r *Repository) hear(waiting []storage.Message, now time.Time) {
	var (
		head string
		at   time.Time
	)
	for _, m := range waiting {
		var told event.Refresh
		if json.Unmarshal(m.Payload, &told) == nil && told.Head != "" && !m.CreatedAt.Before(at) {
			head, at = told.Head, m.CreatedAt
		}
	}
	if head == "" || head == r.Applied || !at.After(r.HeadAt) || r.State == storage.RepositoryRemoved {
		return
	}
	r.Behind, r.Head, r.HeadAt = true, head, utc(at)
	r.LagMs = max(0, now.Sub(at).Milliseconds())
}

// Repositories is GET repositories, by host, owner and name.
func (a *API) Repositories(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	list, err := a.store.Repositories(r.Context())
	if err != nil {
		return err
	}
	out, err := a.shown(r.Context(), list...)
	if err != nil {
		return err
	}
	return respond.JSON(w, r, http.StatusOK, items(out))
}

// repository finds the one that a path names.
func (a *API) repository(r *http.Request, host string) (storage.Repository, error) {
	return a.findRepository(r.Context(), host, r.PathValue("owner"), r.PathValue("name"))
}

// findRepository looks on any host without one; an active one is preferred.
func (a *API) findRepository(ctx context.Context, host, owner, name string) (storage.Repository, error) {
	missing := respond.NotFound("No repository %s/%s", owner, name)
	if host != "" {
		repo, err := a.store.RepositoryByName(ctx, host, owner, name)
		if errors.Is(err, storage.ErrNotFound) {
			return repo, missing
		}
		return repo, err
	}
	list, err := a.store.Repositories(ctx)
	if err != nil {
		return storage.Repository{}, err
	}
	list = slices.DeleteFunc(list, func(c storage.Repository) bool {
		return !strings.EqualFold(c.Owner, owner) || !strings.EqualFold(c.Name, name)
	})
	if len(list) == 0 {
		return storage.Repository{}, missing
	}
	inactive := func(c storage.Repository) int {
		if c.State == storage.RepositoryActive {
			return 0
		}
		return 1
	}
	return slices.MinFunc(list, func(x, y storage.Repository) int { return cmp.Compare(inactive(x), inactive(y)) }), nil
}

// Repository is GET repositories/{owner}/{name}?host=: everything that is known
// of it, and in plain words why the catalog is as it is.
func (a *API) Repository(w http.ResponseWriter, r *http.Request) error {
	q, err := readQuery(r, "host")
	if err != nil {
		return err
	}
	repo, err := a.repository(r, q.Get("host"))
	if err != nil {
		return err
	}
	detail, err := a.detail(r.Context(), repo)
	if err != nil {
		return err
	}
	return respond.JSON(w, r, http.StatusOK, detail)
}

// Refresh is POST repositories/{owner}/{name}/refresh?host=&force=: 202, and the
// repository is looked at again; with force everything is read again, also if
// its head did not move.
func (a *API) Refresh(w http.ResponseWriter, r *http.Request) error {
	q, err := readQuery(r, "host", "force")
	if err != nil {
		return err
	}
	force, err := readBool(q, "force")
	if err != nil {
		return err
	}
	repo, err := a.repository(r, q.Get("host"))
	if err != nil {
		return err
	}
	req := event.RefreshOf(repo)
	req.Force = force
	msg, err := event.RefreshMessage(req, storage.Cause{
		Reason: storage.ReasonManual, Repository: repo.FullName(), Actor: access.Actor(r.Context()),
	})
	if err != nil {
		return err
	}
	var id int64
	err = a.store.InTx(r.Context(), func(ctx context.Context, tx storage.Tx) (err error) {
		id, err = event.Ask(ctx, tx, a.now(), msg, false)
		return err
	})
	if err != nil {
		return err
	}
	return respond.JSON(w, r, http.StatusAccepted, Accepted{Status: "accepted", Message: id})
}
