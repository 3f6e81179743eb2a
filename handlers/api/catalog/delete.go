package catalog

import (
	"context"
	"net/http"

	"github.com/callboard/callboard/handlers/access"
	"github.com/callboard/callboard/storage/view"
)

// Remover takes an entity out of the catalog, if it has the uid still, and has
// its file read again; *refresh.Step is one.
type Remover interface {
	Remove(ctx context.Context, ref, uid, actor string) error
}

// Removal is the part of the API that takes away.
type Removal struct {
	api     *API
	remover Remover
}

// NewRemoval makes it.
func NewRemoval(api *API, remover Remover) Removal { return Removal{api, remover} }

// DeleteEntity is DELETE /entities/by-uid/{uid} (contract catalog 4.13): 204,
// whether there was one or not.
func (d Removal) DeleteEntity(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(r, nil)
	if err != nil {
		return err
	}
	if err := d.api.await(w, r, p); err != nil {
		return err
	}
	if err := d.remove(r, r.PathValue("uid")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (d Removal) remove(r *http.Request, uid string) error {
	find := func() (found *view.Entity) {
		d.api.view.Read(func(s *view.Snapshot) { found = s.ByUID(uid) })
		return found
	}
	found := find()
	if found == nil { // or this replica is behind
		if err := d.api.shown(r.Context()); err != nil {
			return err
		}
		if found = find(); found == nil {
			return nil
		}
	}
	if err := d.remover.Remove(r.Context(), found.Ref(), found.UID(), access.Actor(r.Context())); err != nil {
		return err
	}
	return d.api.shown(r.Context())
}
