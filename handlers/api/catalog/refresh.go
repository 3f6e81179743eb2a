package catalog

import (
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
	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// maxLooks bounds how many repositories one refresh looks at: as far as
// Backstage goes up (contract catalog 3.11).
const maxLooks = 32

// RefreshEntity is POST /refresh (contract catalog 4.13): the repository of the
// entity is looked at again, and those of the Locations that led to it.
func (a *API) RefreshEntity(w http.ResponseWriter, r *http.Request) error {
	if _, err := readParams(r, nil); err != nil {
		return err
	}
	b, err := readBody(r)
	if err != nil {
		return err
	}
	if _, given := b["entityRef"]; !given {
		return respond.Input("request/body must have required property 'entityRef'")
	}
	for name := range b {
		if name != "entityRef" && name != "authorizationToken" {
			return respond.Input("request/body must NOT have additional properties")
		}
	}
	given, _, err := b.string("entityRef")
	if err != nil {
		return err
	}
	if _, _, err := b.string("authorizationToken"); err != nil { // of old clients, and of no use
		return err
	}
	ref := strings.ToLower(given)
	cause := storage.Cause{Reason: storage.ReasonManual, Actor: access.Actor(r.Context())}
	err = a.store.InTx(r.Context(), func(ctx context.Context, tx storage.Tx) error {
		found, err := tx.Entities(ctx, []string{ref})
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return respond.NotFound("Entity %s not found", ref)
		}
		repos, err := leadingTo(ctx, tx, found[0])
		if err != nil {
			return err
		}
		for _, repo := range repos {
			if err := lookAt(ctx, tx, repo, cause); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		w.WriteHeader(http.StatusOK)
	}
	return err
}

// leadingTo are the repository of an entity and those whose Location entities
// led to it: they carry the same origin.
func leadingTo(ctx context.Context, tx storage.Tx, e storage.Entity) ([]storage.Repository, error) {
	var doc struct {
		Metadata struct {
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
	}
	_ = json.Unmarshal(e.JSON, &doc) // an entity without an origin has only itself
	origin := doc.Metadata.Annotations[entity.AnnotationOriginLocation]
	var repos []storage.Repository
	ids := []int64{e.RepositoryID}
	for i := 0; i < len(ids) && i < maxLooks; i++ {
		repo, err := tx.Repository(ctx, ids[i])
		if errors.Is(err, storage.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		repos = append(repos, repo)
		locations, err := location.Of(ctx, tx, repo)
		if err != nil {
			return nil, err
		}
		for _, l := range locations {
			if from, ok := location.ParseSource(l.Source); ok && l.Origin == origin && !slices.Contains(ids, from.RepositoryID) {
				ids = append(ids, from.RepositoryID)
			}
		}
	}
	return repos, nil
}

// lookAt asks for a look at a repository.
func lookAt(ctx context.Context, tx storage.Tx, repo storage.Repository, cause storage.Cause) error {
	req := event.RefreshOf(repo)
	req.Look = true
	cause.Repository = repo.FullName()
	msg, err := event.RefreshMessage(req, cause)
	if err != nil {
		return err
	}
	_, err = event.Ask(ctx, tx, time.Now(), msg, false)
	return err
}
