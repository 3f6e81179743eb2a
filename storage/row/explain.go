package row

import (
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// DiagnosticColumns are all columns of a diagnostic; the last holds it whole.
const DiagnosticColumns = `repository_id, path, position, ref, rule, severity, diagnostic`

// Diagnostics gives the values of DiagnosticColumns for each of a file's.
func Diagnostics(f storage.File) [][]any {
	rows := make([][]any, len(f.Diagnostics))
	for i, d := range f.Diagnostics {
		rows[i] = []any{f.RepositoryID, f.Path, i, d.Ref, d.Rule, string(d.Severity), jsonValue{d}}
	}
	return rows
}

// ScanDiagnostic reads the key, the owner and the diagnostic.
func ScanDiagnostic(s Scanner) (d storage.FileDiagnostic, err error) {
	var path string
	err = s.Scan(&d.RepositoryID, &path, &d.Position, &d.Owner, jsonColumn{&d.Diagnostic})
	d.Path = path // the key decides, whatever was written inside
	return d, err
}

// ScanDiagnosticCount reads severity, rule and count.
func ScanDiagnosticCount(s Scanner) (c storage.DiagnosticCount, err error) {
	var severity string
	err = s.Scan(&severity, &c.Rule, &c.Count)
	c.Severity = entity.Severity(severity)
	return c, err
}

// SlimClaimColumns are those of a claim that are not wide.
const SlimClaimColumns = `ref, repository_id, path, document, line, since, commit_sha, delivery`

// ScanConflictClaim reads SlimClaimColumns and how many claims there are on the ref.
func ScanConflictClaim(s Scanner) (c storage.Conflict, err error) {
	var l storage.Claim
	err = s.Scan(&l.Ref, &l.RepositoryID, &l.Path, &l.Document, &l.Line, timeColumn{&l.Since}, &l.Commit, &l.Delivery, &c.Total)
	c.Ref, c.Claims = l.Ref, []storage.Claim{l}
	return c, err
}

// JoinConflicts makes one conflict of neighbours with the same ref.
func JoinConflicts(claims []storage.Conflict) []storage.Conflict {
	var out []storage.Conflict
	for _, c := range claims {
		if last := len(out) - 1; last >= 0 && out[last].Ref == c.Ref {
			out[last].Claims = append(out[last].Claims, c.Claims...)
			continue
		}
		out = append(out, c)
	}
	return out
}
