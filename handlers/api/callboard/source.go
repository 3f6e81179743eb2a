package callboard

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// Source says where an entity comes from and how fresh it is.
type Source struct {
	Ref string `json:"ref"`
	UID string `json:"uid"`
	// Revision, Commit and Delivery are those of the version that is served.
	Revision int64 `json:"revision"`
	Claim
	FirstSeen   time.Time `json:"firstSeen"`
	LastChanged time.Time `json:"lastChanged"`
	// LastVerified is when GitHub last confirmed the head that the entity was
	// read at or before, right to the minute.
	LastVerified time.Time `json:"lastVerified,omitzero"`
	// Stale says that the file is broken now and that this is its last good
	// version; Errors say why.
	Stale  bool                `json:"stale,omitempty"`
	Errors []entity.StatusItem `json:"errors,omitempty"`
	// Lost are the claims of other files on the ref.
	Lost []Claim `json:"lost"`
	// Freshness is how far the catalog is with the repository.
	Freshness *Repository `json:"freshness,omitempty"`
}

// refOf reads a ref from the path.
func refOf(r *http.Request) string {
	return strings.ToLower(r.PathValue("kind") + ":" + r.PathValue("namespace") + "/" + r.PathValue("name"))
}

// Source is GET entities/{kind}/{namespace}/{name}.
func (a *API) Source(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	ctx, ref := r.Context(), refOf(r)
	found, err := a.store.Entities(ctx, []string{ref})
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return a.missing(ctx, ref)
	}
	out, err := a.source(ctx, found[0])
	if err != nil {
		return err
	}
	return respond.JSON(w, r, http.StatusOK, out)
}

func (a *API) source(ctx context.Context, e storage.Entity) (Source, error) {
	rs := a.repositories()
	claim, err := rs.claim(ctx, e.Claim)
	if err != nil {
		return Source{}, err
	}
	out := Source{
		Ref: e.Ref, UID: e.UID, Revision: e.Revision, Claim: claim, FirstSeen: utc(e.FirstSeen), LastChanged: utc(e.LastChanged),
		Stale: len(e.Errors) > 0, Errors: e.Errors, Lost: []Claim{},
	}
	if repo, err := rs.get(ctx, e.RepositoryID); err != nil {
		return out, err
	} else if repo.Owner != "" {
		shown, err := a.shown(ctx, repo)
		if err != nil {
			return out, err
		}
		fresh := shown[0]
		waiting, err := a.waiting(ctx, refreshKeys(repo)...)
		if err != nil {
			return out, err
		}
		fresh.hear(waiting, a.now())
		out.Freshness, out.LastVerified = &fresh, fresh.VerifiedAt
	}
	conflicts, err := a.store.Conflicts(ctx, storage.ConflictFilter{Ref: e.Ref, Limit: 1})
	if err != nil {
		return out, err
	}
	for _, c := range conflicts {
		for _, l := range c.Claims {
			lost, err := rs.claim(ctx, l)
			if err != nil {
				return out, err
			}
			out.Lost = append(out.Lost, lost)
		}
	}
	return out, nil
}

// missing says whether a ref that is not served ever was.
func (a *API) missing(ctx context.Context, ref string) error {
	last, err := a.store.History(ctx, ref, 1)
	if err != nil {
		return err
	}
	if len(last) == 0 {
		return respond.NotFound("No entity %s, now or before", ref)
	}
	return respond.NotFound("Entity %s was %s at %s and is not served; its history says why", ref, last[0].What, stamp(last[0].At))
}
