package callboard

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/storage"
)

// Conflict is a ref that several files declare.
type Conflict struct {
	Ref string `json:"ref"`
	// Served is the claim that the catalog shows; Why says in words why it and
	// not the next.
	Served *Claim `json:"served,omitempty"`
	Why    string `json:"why"`
	// Lost are the other claims, oldest first; LostTotal counts also those that
	// are too many to be listed.
	Lost      []Claim `json:"lost"`
	LostTotal int     `json:"lostTotal"`
}

// Conflicts is GET conflicts?ref=&repository=&host=&limit=&cursor=, by ref.
// repository chooses the refs that it serves or claims.
func (a *API) Conflicts(w http.ResponseWriter, r *http.Request) error {
	q, err := readQuery(r, "ref", "repository", "host", "limit", "cursor")
	if err != nil {
		return err
	}
	var f storage.ConflictFilter
	if f.Limit, err = readLimit(q); err != nil {
		return err
	}
	if f.Ref, err = readRef(q, "ref", ""); err != nil {
		return err
	}
	if f.RepositoryID, err = a.readRepository(r.Context(), q); err != nil {
		return err
	}
	if f.After, err = readCursor[string](q); err != nil {
		return err
	}
	limit := f.Limit
	f.Limit++
	found, err := a.store.Conflicts(r.Context(), f)
	if err != nil {
		return err
	}
	out := Page[Conflict]{}
	if len(found) > limit {
		found = found[:limit]
		out.NextCursor = writeCursor(q, found[limit-1].Ref)
	}
	if out.Items, err = a.conflicts(r.Context(), found); err != nil {
		return err
	}
	return respond.JSON(w, r, http.StatusOK, out)
}

func (a *API) conflicts(ctx context.Context, found []storage.Conflict) ([]Conflict, error) {
	refs := make([]string, len(found))
	for i, c := range found {
		refs[i] = c.Ref
	}
	served, err := a.store.Entities(ctx, refs)
	if err != nil {
		return nil, err
	}
	byRef := map[string]storage.Entity{}
	for _, e := range served {
		byRef[e.Ref] = e
	}
	rs, out := a.repositories(), make([]Conflict, 0, len(found))
	for _, c := range found {
		item := Conflict{Ref: c.Ref, Lost: []Claim{}, LostTotal: c.Total}
		for _, l := range c.Claims {
			claim, err := rs.claim(ctx, l)
			if err != nil {
				return nil, err
			}
			item.Lost = append(item.Lost, claim)
		}
		winner, ok := byRef[c.Ref]
		if !ok {
			item.Why = "Nobody serves it at this moment: the next refresh of one of these repositories settles it."
		} else {
			claim, err := rs.claim(ctx, winner.Claim)
			if err != nil {
				return nil, err
			}
			item.Served, item.Why = &claim, whyServed(claim, item.Lost[0])
		}
		out = append(out, item)
	}
	return out, nil
}

// whyServed words the order that pipeline/refresh puts claims in.
func whyServed(winner, next Claim) string {
	switch {
	case winner.RepositoryID != next.RepositoryID && winner.Since.Equal(next.Since):
		return fmt.Sprintf("%s and %s declared it at the same moment, and %s is the older repository.",
			winner.Repository, next.Repository, winner.Repository)
	case winner.RepositoryID != next.RepositoryID:
		return fmt.Sprintf("%s has declared it since %s, %s only since %s: who was first serves, until it gives the name up.",
			winner.Repository, winner.Since.Format(time.RFC3339), next.Repository, next.Since.Format(time.RFC3339))
	case winner.Path > next.Path:
		return fmt.Sprintf("%s is broken, and within a repository a good version goes before a broken one.", next.Path)
	default:
		return fmt.Sprintf("Both are in %s, where the path decides: %s comes before %s.", winner.Repository, winner.Path, next.Path)
	}
}
