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
	p, err := readParams(r, waitParams)
	if err != nil {
		return err
	}
	if err := a.await(w, r, p); err != nil {
		return err
	}
	var (
		found    *view.Entity
		revision int64
	)
	a.view.Read(func(s *view.Snapshot) { found, revision = find(s), s.Revision() })
	h := w.Header()
	h.Set(RevisionHeader, strconv.FormatInt(revision, 10))
	if found == nil {
		return missing
	}
	etag := tag(found.Digest())
	h.Set("ETag", etag)
	fresh(h, found)
	if respond.Unchanged(r, etag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return respond.Bytes(w, http.StatusOK, found.JSON())
}

// CommitHeader carries the commit that an entity's content was read at.
const CommitHeader = "Callboard-Commit"

// fresh says how new an entity is. Last-Modified is when its own content came to
// be; relations of neighbours may be newer. So it is for people, and only the
// ETag decides whether a client has this version (RFC 9110, 13.2.2, would not
// look further when both are sent).
func fresh(h http.Header, e *view.Entity) {
	if commit := e.Commit(); commit != "" {
		h.Set(CommitHeader, commit)
	}
	if at := e.LastChanged(); !at.IsZero() {
		h.Set("Last-Modified", at.UTC().Format(http.TimeFormat))
	}
}
