package callboard

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// Diagnostic says what is wrong with a place of a file, and whose it is.
type Diagnostic struct {
	Repository   string `json:"repository"`
	RepositoryID int64  `json:"repositoryId"`
	Host         string `json:"host,omitempty"`
	entity.Diagnostic
	// URL shows the line at the commit that was read.
	URL string `json:"url,omitempty"`
	// Owner owns the entity concerned; without one, the first entity of the
	// repository that has an owner.
	Owner string `json:"owner,omitempty"`
}

// Diagnostics is a page of them. The first page counts all pages.
type Diagnostics struct {
	Page[Diagnostic]
	Totals *Totals `json:"totals,omitempty"`
}

// Totals counts what a filter chose.
type Totals struct {
	Count      int                     `json:"count"`
	BySeverity map[entity.Severity]int `json:"bySeverity"`
	ByRule     map[string]int          `json:"byRule"`
}

// diagnosticsAfter is the key of a cursor. Stored diagnostics come first, those
// that are worked out from the catalog as it is after them, by ref.
type diagnosticsAfter struct {
	storage.DiagnosticKey
	Ref string
}

var severities = []entity.Severity{entity.SeverityError, entity.SeverityWarning, entity.SeverityInfo}

// Diagnostics is GET diagnostics?repository=&host=&owner=&ref=&rule=&severity=&limit=&cursor=:
// what is wrong with the files that were read, never good ones included.
func (a *API) Diagnostics(w http.ResponseWriter, r *http.Request) error {
	q, err := readQuery(r, "repository", "host", "owner", "ref", "rule", "severity", "limit", "cursor")
	if err != nil {
		return err
	}
	filter, err := a.diagnosticFilter(r.Context(), q)
	if err != nil {
		return err
	}
	after, err := readCursor[diagnosticsAfter](q)
	if err != nil {
		return err
	}
	orphans, err := a.unownedRefs(r.Context(), filter)
	if err != nil {
		return err
	}
	out, err := a.diagnosticPage(r.Context(), q, filter, after, orphans)
	if err != nil {
		return err
	}
	if q.Get("cursor") == "" {
		counts, err := a.store.CountDiagnostics(r.Context(), filter)
		if err != nil {
			return err
		}
		out.Totals = total(counts, orphans)
	}
	return respond.JSON(w, r, http.StatusOK, out)
}

// ruleOtherBranch is told of locations that name a branch that is not read.
const ruleOtherBranch = "other-branch"

func (a *API) diagnosticFilter(ctx context.Context, q url.Values) (f storage.DiagnosticFilter, err error) {
	if f.Limit, err = readLimit(q); err != nil {
		return f, err
	}
	f.Rule, f.Severity = q.Get("rule"), entity.Severity(q.Get("severity"))
	if f.Severity != "" && !slices.Contains(severities, f.Severity) {
		return f, respond.Input("Unknown severity '%s', expected one of %v", f.Severity, severities)
	}
	if f.Ref, err = readRef(q, "ref", ""); err != nil {
		return f, err
	}
	if f.Owner, err = readRef(q, "owner", entity.KindGroup); err != nil {
		return f, err
	}
	f.RepositoryID, err = a.readRepository(ctx, q)
	return f, err
}

// readRef reads a parameter as a full ref in lower case, "" without it.
func readRef(q url.Values, name, defaultKind string) (string, error) {
	given := q.Get(name)
	if given == "" {
		return "", nil
	}
	ref, err := entity.ParseRef(given, defaultKind, "")
	if err != nil {
		return "", respond.Input("Query parameter '%s': %s", name, err)
	}
	return ref.String(), nil
}

// readRepository finds the repository that ?repository=owner/name&host= names, 0 without it.
func (a *API) readRepository(ctx context.Context, q url.Values) (int64, error) {
	given := q.Get("repository")
	if given == "" {
		return 0, nil
	}
	owner, name, ok := strings.Cut(given, "/")
	if !ok || owner == "" || name == "" {
		return 0, respond.Input("Query parameter 'repository' must be owner/name")
	}
	repo, err := a.findRepository(ctx, q.Get("host"), owner, name)
	return repo.ID, err
}

// diagnosticPage fills a page with stored diagnostics, and what room they leave
// with orphans: entities whose owner is not in the catalog.
func (a *API) diagnosticPage(ctx context.Context, q url.Values, f storage.DiagnosticFilter, after diagnosticsAfter, orphans []unowned) (out Diagnostics, err error) {
	out.Items = []Diagnostic{}
	var found []storage.FileDiagnostic
	limit := f.Limit
	if after.Ref == "" {
		f.After, f.Limit = after.DiagnosticKey, limit+1
		if found, err = a.store.Diagnostics(ctx, f); err != nil {
			return out, err
		}
	}
	orphans = behind(orphans, after.Ref)
	if more := len(found)+len(orphans) > limit; len(found) >= limit {
		if found = found[:limit]; more {
			out.NextCursor = writeCursor(q, diagnosticsAfter{DiagnosticKey: found[limit-1].Key()})
		}
	} else {
		if more {
			orphans = orphans[:limit-len(found)]
			out.NextCursor = writeCursor(q, diagnosticsAfter{Ref: orphans[len(orphans)-1].ref})
		}
		diagnosed, err := a.diagnose(ctx, orphans)
		if err != nil {
			return out, err
		}
		found = append(found, diagnosed...)
	}
	rs := a.repositories()
	for _, d := range found {
		place, err := rs.place(ctx, d.RepositoryID, d.Path, d.Document, d.Line, d.Commit)
		if err != nil {
			return out, err
		}
		if d.Rule == ruleOtherBranch {
			place.URL = "" // of a branch that is not read no commit is known
		}
		out.Items = append(out.Items, Diagnostic{
			Repository: place.Repository, RepositoryID: place.RepositoryID, Host: place.Host,
			Diagnostic: d.Diagnostic, URL: place.URL, Owner: d.Owner,
		})
	}
	return out, nil
}

func total(counts []storage.DiagnosticCount, orphans []unowned) *Totals {
	if len(orphans) > 0 {
		counts = append(counts, storage.DiagnosticCount{Severity: orphans[0].severity, Rule: ruleOwnerUnknown, Count: len(orphans)})
	}
	out := &Totals{BySeverity: map[entity.Severity]int{}, ByRule: map[string]int{}}
	for _, c := range counts {
		out.Count += c.Count
		out.BySeverity[c.Severity] += c.Count
		out.ByRule[c.Rule] += c.Count
	}
	return out
}
