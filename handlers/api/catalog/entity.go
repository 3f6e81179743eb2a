package catalog

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/storage/view"
)

// EntityByName is GET /entities/by-name/{kind}/{namespace}/{name} (contract catalog 4.10).
func (a *API) EntityByName(w http.ResponseWriter, r *http.Request) error {
	kind, namespace, name := r.PathValue("kind"), r.PathValue("namespace"), r.PathValue("name")
	ref := strings.ToLower(kind + ":" + namespace + "/" + name)
	return a.entity(w, r,
		func(s *view.Snapshot) *view.Entity { return s.ByRef(ref) },
		respond.NotFound("No entity named '%s' found, with kind '%s' in namespace '%s'", name, kind, namespace))
}

// EntityByUID is GET /entities/by-uid/{uid} (contract catalog 4.10).
func (a *API) EntityByUID(w http.ResponseWriter, r *http.Request) error {
	uid := r.PathValue("uid")
	return a.entity(w, r,
		func(s *view.Snapshot) *view.Entity { return s.ByUID(uid) },
		respond.NotFound("No entity with uid %s", uid))
}

func (a *API) entity(w http.ResponseWriter, r *http.Request, find func(*view.Snapshot) *view.Entity, missing error) error {
	if _, err := readParams(r, nil); err != nil {
		return err
	}
	if err := a.started(r.Context()); err != nil {
		return err
	}
	var (
		found    *view.Entity
		revision int64
	)
	a.view.Read(func(s *view.Snapshot) { found, revision = find(s), s.Revision() })
	w.Header().Set(RevisionHeader, strconv.FormatInt(revision, 10))
	if found == nil {
		return missing
	}
	etag := tag(found.Digest())
	w.Header().Set("ETag", etag)
	if respond.Unchanged(r, etag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return respond.Bytes(w, http.StatusOK, found.JSON())
}
