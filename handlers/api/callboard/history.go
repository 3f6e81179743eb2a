package callboard

import (
	"net/http"
	"strings"
	"time"

	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/view"
)

// Change is one step in the life of an entity.
type Change struct {
	Revision int64  `json:"revision"`
	Ref      string `json:"ref"`
	UID      string `json:"uid,omitempty"`
	// What is created, updated or deleted.
	What  storage.ChangeKind `json:"what"`
	At    time.Time          `json:"at"`
	Cause storage.Cause      `json:"cause"`
	// Fields are what differs, by JSON pointer.
	Fields []storage.FieldChange `json:"fields"`
}

// History is GET entities/{kind}/{namespace}/{name}/history?limit=, newest
// first. An entity that is gone keeps its history.
func (a *API) History(w http.ResponseWriter, r *http.Request) error {
	q, err := readQuery(r, "limit")
	if err != nil {
		return err
	}
	limit, err := readLimit(q)
	if err != nil {
		return err
	}
	ref := strings.ToLower(r.PathValue("kind") + ":" + r.PathValue("namespace") + "/" + r.PathValue("name"))
	changes, err := a.store.History(r.Context(), ref, limit)
	if err != nil {
		return err
	}
	if len(changes) == 0 {
		var served bool
		a.view.Read(func(s *view.Snapshot) { served = s.ByRef(ref) != nil })
		if !served {
			return respond.NotFound("No entity %s, now or before", ref)
		}
	}
	var out []Change
	for _, c := range changes {
		fields := c.Fields
		if fields == nil {
			fields = []storage.FieldChange{}
		}
		out = append(out, Change{
			Revision: c.Revision, Ref: c.Ref, UID: c.UID, What: c.What, At: c.At.UTC(), Cause: c.Cause, Fields: fields,
		})
	}
	return respond.JSON(w, http.StatusOK, items(out))
}
