package callboard

import (
	"context"
	"slices"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
	"github.com/callboard/callboard/storage/view"
)

// ruleOwnerUnknown is the one rule that no file breaks by itself: its owner may
// come or go without it. So it is not stored, but asked of the catalog as it is.
const ruleOwnerUnknown = "owner-unknown"

const ownedBy = "relations.ownedby"

// unownedRefs are the entities that a filter chooses and whose owner is not in
// the catalog, sorted, each with that owner.
func (a *API) unownedRefs(ctx context.Context, f storage.DiagnosticFilter) ([][2]string, error) {
	if f.Rule != "" && f.Rule != ruleOwnerUnknown || f.Severity != "" && f.Severity != entity.SeverityWarning {
		return nil, nil
	}
	var found [][2]string
	a.view.Read(func(s *view.Snapshot) {
		for _, owner := range s.Select(nil).Facet(ownedBy) {
			if f.Owner != "" && f.Owner != owner.Value || s.ByRef(owner.Value) != nil {
				continue
			}
			theirs, _ := s.Select(view.Equal{Key: ownedBy, Values: []string{owner.Value}}).Page(nil, 0, 0)
			for _, e := range theirs {
				if f.Ref == "" || f.Ref == e.Ref() {
					found = append(found, [2]string{e.Ref(), owner.Value})
				}
			}
		}
	})
	if f.RepositoryID != 0 && len(found) > 0 {
		entities, err := a.store.RepositoryEntities(ctx, f.RepositoryID)
		if err != nil {
			return nil, err
		}
		declared := map[string]bool{}
		for _, e := range entities {
			declared[e.Ref] = true
		}
		found = slices.DeleteFunc(found, func(u [2]string) bool { return !declared[u[0]] })
	}
	slices.SortFunc(found, func(x, y [2]string) int { return slices.Compare(x[:], y[:]) })
	// A second unknown owner of one entity adds nothing.
	return slices.CompactFunc(found, func(x, y [2]string) bool { return x[0] == y[0] }), nil
}

// unowned are their diagnostics, behind a ref.
func (a *API) unowned(ctx context.Context, f storage.DiagnosticFilter, after string, limit int) (page []storage.FileDiagnostic, more bool, err error) {
	all, err := a.unownedRefs(ctx, f)
	if err != nil {
		return nil, false, err
	}
	all = slices.DeleteFunc(all, func(u [2]string) bool { return u[0] <= after })
	if more = len(all) > limit; more {
		all = all[:limit]
	}
	refs := make([]string, len(all))
	for i, u := range all {
		refs[i] = u[0]
	}
	entities, err := a.store.Entities(ctx, refs)
	if err != nil {
		return nil, false, err
	}
	byRef := map[string]storage.Entity{}
	for _, e := range entities {
		byRef[e.Ref] = e
	}
	for _, u := range all {
		e := byRef[u[0]] // without its place if it went this moment
		page = append(page, storage.FileDiagnostic{
			RepositoryID: e.RepositoryID, Owner: u[1],
			Diagnostic: entity.Diagnostic{
				Path: e.Path, Commit: e.Commit, Document: e.Document, Line: e.Line, Column: 1, Ref: u[0], Field: "spec.owner",
				Rule: ruleOwnerUnknown, Severity: entity.SeverityWarning,
				Message: u[0] + " is owned by " + u[1] + ", which is not in the catalog",
				Hint:    "Correct spec.owner, or add the group or user to the catalog.",
			},
		})
	}
	return page, more, nil
}
