package catalog

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/callboard/callboard/handlers/access"
	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// The routes of Backstage's module for unprocessed entities (contract catalog
// 4.3). What they show are the documents that are refused now, taken from the
// diagnostics: "failed" all of them, "pending" those that never were good and
// so are served in no version. GET /api/callboard/diagnostics says more.

// unprocessed is a list of rows.
type unprocessed struct {
	Type     string         `json:"type"` // failed or pending
	Entities []refreshState `json:"entities"`
}

// refreshState is a row as the module sends it, JSON columns unpacked.
type refreshState struct {
	// EntityID is the uid, or what documentID makes of a place.
	EntityID string `json:"entity_id"`
	// EntityRef is empty when the document did not get as far as having one.
	EntityRef string `json:"entity_ref"`
	// Unprocessed is what is known of the document: as last good, or its name.
	Unprocessed     json.RawMessage `json:"unprocessed_entity"`
	Errors          []*entity.Error `json:"errors"`
	NextUpdateAt    time.Time       `json:"next_update_at"`
	LastDiscoveryAt time.Time       `json:"last_discovery_at"`
	LocationKey     string          `json:"location_key"`
}

// maxUnprocessed bounds the lists, which the module does not page.
const maxUnprocessed = 1000

// Unprocessed is GET /entities/unprocessed/failed and …/pending, ?owner=.
func (a *API) Unprocessed(list string) respond.Func {
	return func(w http.ResponseWriter, r *http.Request) error {
		p, err := readParams(r, known{"owner": text})
		if err != nil {
			return err
		}
		f := storage.DiagnosticFilter{Severity: entity.SeverityError, Limit: maxUnprocessed}
		if given := p.text("owner"); given != "" {
			ref, err := entity.ParseRef(given, entity.KindGroup, "")
			if err != nil {
				return respond.Input("%s", err)
			}
			f.Owner = ref.String()
		}
		rows, err := a.refused(r.Context(), f, list == "pending")
		if err != nil {
			return err
		}
		return respond.JSON(w, r, http.StatusOK, unprocessed{Type: list, Entities: rows})
	}
}

// refused makes a row of each document with errors.
func (a *API) refused(ctx context.Context, f storage.DiagnosticFilter, neverGood bool) ([]refreshState, error) {
	found, err := a.store.Diagnostics(ctx, f)
	if err != nil {
		return nil, err
	}
	var refs []string
	for _, d := range found {
		if d.Ref != "" {
			refs = append(refs, d.Ref)
		}
	}
	slices.Sort(refs)
	served, err := a.store.Entities(ctx, slices.Compact(refs))
	if err != nil {
		return nil, err
	}
	rows, at, repos := []refreshState{}, map[string]int{}, map[int64]storage.Repository{}
	for _, d := range found {
		i := slices.IndexFunc(served, func(e storage.Entity) bool {
			return e.Ref == d.Ref && e.RepositoryID == d.RepositoryID && e.Path == d.Path
		})
		if i >= 0 && neverGood {
			continue
		}
		id := documentID(d)
		if n, ok := at[id]; ok {
			rows[n].Errors = append(rows[n].Errors, errorOf(d))
			continue
		}
		if _, known := repos[d.RepositoryID]; !known {
			repo, err := a.store.Repository(ctx, d.RepositoryID)
			if err != nil && !errors.Is(err, storage.ErrNotFound) {
				return nil, err
			}
			repos[d.RepositoryID] = repo
		}
		row, err := newRefreshState(d, repos[d.RepositoryID])
		if err != nil {
			return nil, err
		}
		if row.LocationKey == "" {
			if row.LocationKey, err = a.rootOf(ctx, d); err != nil {
				return nil, err
			}
		}
		if i >= 0 {
			row.EntityID, row.Unprocessed = served[i].UID, served[i].JSON
		}
		at[id] = len(rows)
		rows = append(rows, row)
	}
	return rows, nil
}

// ruleOtherBranch is told of locations that name a branch that is not read.
const ruleOtherBranch = "other-branch"

func errorOf(d storage.FileDiagnostic) *entity.Error {
	message := d.Message
	if d.Line > 0 {
		message = fmt.Sprintf("%s:%d:%d: %s", d.Path, d.Line, d.Column, d.Message)
	}
	return &entity.Error{Name: "InputError", Message: message}
}

// rootOf is the location that a file came in by: of a file that nobody has read
// there is no address of its own.
func (a *API) rootOf(ctx context.Context, d storage.FileDiagnostic) (string, error) {
	files, err := a.store.Files(ctx, d.RepositoryID)
	if err != nil {
		return "", err
	}
	for _, f := range files {
		if f.Path == d.Path {
			return f.Origin, nil
		}
	}
	return "", nil
}

func newRefreshState(d storage.FileDiagnostic, repo storage.Repository) (row refreshState, err error) {
	row = refreshState{
		EntityID: documentID(d), EntityRef: d.Ref, Errors: []*entity.Error{errorOf(d)},
		NextUpdateAt: repo.VerifiedAt.UTC(), LastDiscoveryAt: repo.AppliedAt.UTC(),
	}
	if repo.AppliedAt.IsZero() { // never read
		row.NextUpdateAt, row.LastDiscoveryAt = repo.ErrorAt.UTC(), repo.ErrorAt.UTC()
	} else if d.Rule != ruleOtherBranch {
		row.LocationKey = fmt.Sprintf("url:%s/tree/%s/%s", repo.HTMLURL, repo.DefaultBranch, d.Path)
	}
	// The plugin's page shows kind, namespace and name, and breaks without metadata.
	var doc struct {
		Kind     string `json:"kind"`
		Metadata struct {
			Namespace string `json:"namespace"`
			Name      string `json:"name"`
		} `json:"metadata"`
		Spec struct {
			Owner string `json:"owner,omitempty"`
		} `json:"spec"`
	}
	if ref, err := entity.ParseRef(d.Ref, "", ""); err == nil {
		doc.Kind, doc.Metadata.Namespace, doc.Metadata.Name = ref.Kind, ref.Namespace, ref.Name
	} else {
		doc.Metadata.Name = d.Path
	}
	doc.Spec.Owner = d.Owner
	row.Unprocessed, err = json.Marshal(doc)
	return row, err
}

// documentID names a document that has no uid by its place, in letters that need
// no escape in a path.
func documentID(d storage.FileDiagnostic) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d:%d:%s", d.RepositoryID, d.Document, d.Path))
}

// repositoryOf reads what documentID wrote.
func repositoryOf(id string) (repository int64, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil {
		return 0, false
	}
	number, _, _ := strings.Cut(string(raw), ":")
	repository, err = strconv.ParseInt(number, 10, 64)
	return repository, err == nil
}

// DeleteUnprocessed is DELETE /entities/unprocessed/delete/{entity_id}: 204. A
// last good version goes as by DELETE by-uid. Of a document that was never good
// there is nothing to delete but its errors, and these go with the file; so the
// repository is looked at again.
func (d Removal) DeleteUnprocessed(w http.ResponseWriter, r *http.Request) error {
	if _, err := readParams(r, nil); err != nil {
		return err
	}
	if err := d.api.started(r.Context()); err != nil {
		return err
	}
	id := r.PathValue("entity_id")
	if err := d.remove(r, id); err != nil {
		return err
	}
	if repository, ok := repositoryOf(id); ok {
		cause := storage.Cause{Reason: storage.ReasonManual, Actor: access.Actor(r.Context())}
		err := d.api.store.InTx(r.Context(), func(ctx context.Context, tx storage.Tx) error {
			repo, err := tx.Repository(ctx, repository)
			if errors.Is(err, storage.ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			return lookAt(ctx, tx, repo, cause)
		})
		if err != nil {
			return err
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
