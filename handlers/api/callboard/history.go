package callboard

import (
	"net/http"
	"time"

	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/storage"
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

// Changes is the life of an entity.
type Changes struct {
	Items []Change `json:"items"`
	// Source is where it is declared, while it is served.
	Source *Claim `json:"source,omitempty"`
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
	ref := refOf(r)
	changes, err := a.store.History(r.Context(), ref, limit)
	if err != nil {
		return err
	}
	found, err := a.store.Entities(r.Context(), []string{ref})
	if err != nil {
		return err
	}
	if len(changes)+len(found) == 0 {
		return respond.NotFound("No entity %s, now or before", ref)
	}
	out := Changes{Items: []Change{}}
	for _, c := range changes {
		out.Items = append(out.Items, newChange(c))
	}
	if len(found) > 0 {
		claim, err := a.repositories().claim(r.Context(), found[0].Claim)
		if err != nil {
			return err
		}
		out.Source = &claim
	}
	return respond.JSON(w, r, http.StatusOK, out)
}

func newChange(c storage.Change) Change {
	fields := c.Fields
	if fields == nil {
		fields = []storage.FieldChange{}
	}
	return Change{
		Revision: c.Revision, Ref: c.Ref, UID: c.UID, What: c.What, At: c.At.UTC(), Cause: c.Cause, Fields: fields,
	}
}
