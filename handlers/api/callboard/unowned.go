package callboard

import (
	"cmp"
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

// unowned is an entity and its owner that is not in the catalog.
type unowned struct {
	ref, owner string
	severity   entity.Severity
}

// unownedSeverity is how bad an unknown owner is by the owner policy; "" where
// nobody asks for owners.
func (a *API) unownedSeverity() entity.Severity {
	switch a.settings("", "").OwnerPolicy {
	case "warn":
		return entity.SeverityWarning
	case "enforce":
		return entity.SeverityError
	}
	return ""
}

// unownedRefs are those that a filter chooses, sorted.
func (a *API) unownedRefs(ctx context.Context, f storage.DiagnosticFilter) ([]unowned, error) {
	severity := a.unownedSeverity()
	if severity == "" || f.Rule != "" && f.Rule != ruleOwnerUnknown || f.Severity != "" && f.Severity != severity {
		return nil, nil
	}
	var found []unowned
	a.view.Read(func(s *view.Snapshot) {
		for _, owner := range s.Select(nil).Facet(ownedBy) {
			if f.Owner != "" && f.Owner != owner.Value || s.ByRef(owner.Value) != nil {
				continue
			}
			theirs, _ := s.Select(view.Equal{Key: ownedBy, Values: []string{owner.Value}}).Page(nil, 0, 0)
			for _, e := range theirs {
				if f.Ref == "" || f.Ref == e.Ref() {
					found = append(found, unowned{e.Ref(), owner.Value, severity})
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
		found = slices.DeleteFunc(found, func(u unowned) bool { return !declared[u.ref] })
	}
	slices.SortFunc(found, func(x, y unowned) int { return cmp.Or(cmp.Compare(x.ref, y.ref), cmp.Compare(x.owner, y.owner)) })
	// A second unknown owner of one entity adds nothing.
	return slices.CompactFunc(found, func(x, y unowned) bool { return x.ref == y.ref }), nil
}

// behind are those that come after a ref.
func behind(all []unowned, ref string) []unowned {
	i, found := slices.BinarySearchFunc(all, ref, func(u unowned, ref string) int { return cmp.Compare(u.ref, ref) })
	if found {
		i++
	}
	return all[i:]
}

// diagnose makes their diagnostics.
func (a *API) diagnose(ctx context.Context, all []unowned) ([]storage.FileDiagnostic, error) {
	refs := make([]string, len(all))
	for i, u := range all {
		refs[i] = u.ref
	}
	entities, err := a.store.Entities(ctx, refs)
	if err != nil {
		return nil, err
	}
	byRef := map[string]storage.Entity{}
	for _, e := range entities {
		byRef[e.Ref] = e
	}
	out := make([]storage.FileDiagnostic, len(all))
	for i, u := range all {
		e := byRef[u.ref] // without its place if it went this moment
		out[i] = storage.FileDiagnostic{
			RepositoryID: e.RepositoryID, Owner: u.owner,
			Diagnostic: entity.Diagnostic{
				Path: e.Path, Commit: e.Commit, Document: e.Document, Line: e.Line, Column: 1, Ref: u.ref, Field: "spec.owner",
				Rule: ruleOwnerUnknown, Severity: u.severity,
				Message: u.ref + " is owned by " + u.owner + ", which is not in the catalog",
				Hint:    "Correct spec.owner, or add the group or user to the catalog.",
			},
		}
	}
	return out, nil
}
