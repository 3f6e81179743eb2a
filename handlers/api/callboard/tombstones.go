package callboard

import (
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/callboard/callboard/handlers/access"
	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// Undoer brings back what went: the tombstones that a filter chooses. lost are
// the refs that somebody else declares by now. *refresh.Step is one.
type Undoer interface {
	Undo(ctx context.Context, f storage.TombstoneFilter, actor string) (served, lost []string, err error)
}

// Tombstone is an entity that is gone.
type Tombstone struct {
	Ref string `json:"ref"`
	UID string `json:"uid"`
	// Claim is where it was declared.
	Claim
	RemovedAt time.Time     `json:"removedAt"`
	Cause     storage.Cause `json:"cause"`
	// UndoUntil is how long it can be brought back.
	UndoUntil time.Time `json:"undoUntil"`
}

// Tombstones is GET tombstones?ref=&repository=&host=&scan=&since=&limit=&cursor=,
// newest first: what went since a time, or else what can be brought back.
func (a *API) Tombstones(w http.ResponseWriter, r *http.Request) error {
	q, err := readQuery(r, "ref", "repository", "host", "scan", "since", "limit", "cursor")
	if err != nil {
		return err
	}
	ctx := r.Context()
	f, err := a.tombstoneFilter(ctx, q)
	if err != nil {
		return err
	}
	limit := f.Limit
	f.Limit++
	found, err := a.store.Tombstones(ctx, f)
	if err != nil {
		return err
	}
	out := Page[Tombstone]{Items: []Tombstone{}}
	if len(found) > limit {
		found = found[:limit]
		out.NextCursor = writeCursor(q, found[limit-1].Key())
	}
	rs := a.repositories()
	for _, t := range found {
		claim, err := rs.claim(ctx, t.Claim)
		if err != nil {
			return err
		}
		out.Items = append(out.Items, Tombstone{
			Ref: t.Ref, UID: t.UID, Claim: claim, RemovedAt: utc(t.At), Cause: t.Cause, UndoUntil: utc(t.At.Add(a.undo)),
		})
	}
	return respond.JSON(w, r, http.StatusOK, out)
}

func (a *API) tombstoneFilter(ctx context.Context, q url.Values) (f storage.TombstoneFilter, err error) {
	if f.Limit, err = readLimit(q); err != nil {
		return f, err
	}
	ref, err := readRef(q, "ref", "")
	if err != nil {
		return f, err
	}
	if ref != "" {
		f.Refs = []string{ref}
	}
	if f.RepositoryIDs, err = a.allNamed(ctx, q.Get("host"), q.Get("repository")); err != nil {
		return f, err
	}
	f.Scan, f.Since = q.Get("scan"), a.now().Add(-a.undo)
	if since := q.Get("since"); since != "" {
		if f.Since, err = time.Parse(time.RFC3339, since); err != nil {
			return f, respond.Input("Query parameter 'since' must be a time such as 2026-01-31T12:00:00Z")
		}
	}
	f.Before, err = readCursor[storage.TombstoneKey](q)
	return f, err
}

// allNamed are the ids of all repositories that have a name, or had it when they
// went: under one name there may have been several. nil without a name.
func (a *API) allNamed(ctx context.Context, host, full string) ([]int64, error) {
	if full == "" {
		return nil, nil
	}
	list, err := a.store.Repositories(ctx)
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, c := range list {
		if strings.EqualFold(c.FullName(), full) && (host == "" || strings.EqualFold(c.Host, host)) {
			ids = append(ids, c.ID)
		}
	}
	if len(ids) == 0 {
		return nil, respond.NotFound("No repository %s", full)
	}
	return ids, nil
}

// UndoRequest says what is to come back: one of refs, repository and scan.
type UndoRequest struct {
	Refs []string `json:"refs,omitempty"`
	// Repository is owner/name, on Host if that is given.
	Repository string `json:"repository,omitempty"`
	Host       string `json:"host,omitempty"`
	// Scan is the id of one that removed them.
	Scan string `json:"scan,omitempty"`
}

// Undone is what came of it.
type Undone struct {
	Items []UndoneItem `json:"items"`
	// Revision of the catalog that shows it.
	Revision int64 `json:"revision"`
}

// UndoneItem is an entity that was to come back.
type UndoneItem struct {
	Ref string `json:"ref"`
	// Outcome is served; conflict where another file declares the ref by now; or
	// nothing where there is none to bring back.
	Outcome string `json:"outcome"`
	// ServedBy is that other file.
	ServedBy *Claim `json:"servedBy,omitempty"`
}

// The outcomes of an undo.
const (
	UndoServed   = "served"
	UndoConflict = "conflict"
	UndoNothing  = "nothing"
)

// Undo is POST tombstones/undo: entities that went are served again as they were,
// as orphans, until a file declares them or somebody deletes them.
func (a *API) Undo(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	ctx := r.Context()
	f, err := a.readUndo(r)
	if err != nil {
		return err
	}
	if a.undoer == nil {
		return respond.NotImplemented("Nothing is removed here, so nothing can be brought back")
	}
	served, lost, err := a.undoer.Undo(ctx, f, access.Actor(ctx))
	if err != nil {
		return err
	}
	if len(served)+len(lost) == 0 {
		return respond.NotFound("Nothing to bring back: nothing of it was removed since %s and is still gone", stamp(a.now().Add(-a.undo)))
	}
	out, err := a.undone(ctx, f.Refs, served, lost)
	if err != nil {
		return err
	}
	return respond.JSON(w, r, http.StatusOK, out)
}

func (a *API) undone(ctx context.Context, asked, served, lost []string) (out Undone, err error) {
	out.Items = []UndoneItem{}
	for _, ref := range served {
		out.Items = append(out.Items, UndoneItem{Ref: ref, Outcome: UndoServed})
	}
	winners, err := a.store.Entities(ctx, lost)
	if err != nil {
		return out, err
	}
	rs := a.repositories()
	for _, ref := range lost {
		item := UndoneItem{Ref: ref, Outcome: UndoConflict}
		if i := slices.IndexFunc(winners, func(e storage.Entity) bool { return e.Ref == ref }); i >= 0 {
			claim, err := rs.claim(ctx, winners[i].Claim)
			if err != nil {
				return out, err
			}
			item.ServedBy = &claim
		}
		out.Items = append(out.Items, item)
	}
	for _, ref := range asked {
		if !slices.Contains(served, ref) && !slices.Contains(lost, ref) {
			out.Items = append(out.Items, UndoneItem{Ref: ref, Outcome: UndoNothing})
		}
	}
	out.Revision, err = a.store.Revision(ctx)
	return out, err
}

// readUndo reads the body. Nothing but what is asked for comes back, so a
// misspelt member is an error.
func (a *API) readUndo(r *http.Request) (f storage.TombstoneFilter, err error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return f, respond.Input("Send a body of type application/json")
	}
	var req UndoRequest
	dec := json.NewDecoder(r.Body) // bounded by the route
	dec.DisallowUnknownFields()
	if err := dec.Decode(&req); err != nil {
		return f, respond.Input("Malformed body: %s", err)
	}
	given := 0
	for _, is := range []bool{len(req.Refs) > 0, req.Repository != "", req.Scan != ""} {
		if is {
			given++
		}
	}
	if given != 1 {
		return f, respond.Input("The body must have one of refs, repository and scan")
	}
	if len(req.Refs) > limitMax {
		return f, respond.Input("The body has %d refs, more than %d", len(req.Refs), limitMax)
	}
	for _, given := range req.Refs {
		ref, err := entity.ParseRef(given, "", "")
		if err != nil {
			return f, respond.Input("'%s': %s", given, err)
		}
		f.Refs = append(f.Refs, ref.String())
	}
	slices.Sort(f.Refs)
	f.Refs, f.Scan = slices.Compact(f.Refs), req.Scan
	f.RepositoryIDs, err = a.allNamed(r.Context(), req.Host, req.Repository)
	return f, err
}
