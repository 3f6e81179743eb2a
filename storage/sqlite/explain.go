package sqlite

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/row"
)

// conditions gathers what a WHERE joins; each has one ? for its argument.
type conditions struct {
	where []string
	args  []any
}

func (c *conditions) add(condition string, args ...any) {
	c.where = append(c.where, condition)
	c.args = append(c.args, args...)
}

// sql is the WHERE of all, if there are some.
func (c *conditions) sql() string {
	if len(c.where) == 0 {
		return ""
	}
	return ` WHERE ` + strings.Join(c.where, ` AND `)
}

// limit ends a query with LIMIT.
func (c *conditions) limit(n int) string {
	if n <= 0 {
		n = defaultLimit
	}
	c.args = append(c.args, n)
	return ` LIMIT ?`
}

func (r reader) RepositoryPage(ctx context.Context, f storage.RepositoryFilter) ([]storage.Repository, error) {
	var c conditions
	if f.After != 0 {
		c.add(`id > ?`, f.After)
	}
	if f.Failed {
		c.add(`error <> ''`)
	}
	query := selectRepositories + c.sql() + ` ORDER BY id` + c.limit(f.Limit)
	all, err := collect(ctx, r, row.ScanRepository, query, c.args...)
	if err != nil {
		return nil, fmt.Errorf("list repositories after %d: %w", f.After, err)
	}
	return all, nil
}

const verifyRepository = `UPDATE repositories SET verified_at = ? WHERE id = ?`

func (t *tx) VerifyRepository(ctx context.Context, id int64, at time.Time) error {
	if _, err := t.exec(ctx, verifyRepository, row.Micros(at), id); err != nil {
		return fmt.Errorf("verify repository %d: %w", id, err)
	}
	return nil
}

const (
	// The key of relations begins with what is asked for, so this reads one row.
	ownOwner = `SELECT target FROM relations WHERE origin_ref = d.ref AND source = d.ref AND type = 'ownedBy' ORDER BY target LIMIT 1`
	// The owner of the first entity that has one.
	repositoryOwner = `SELECT target FROM entities JOIN relations ON origin_ref = entities.ref AND source = entities.ref
		WHERE deleted_at = 0 AND repository_id = d.repository_id AND type = 'ownedBy' ORDER BY entities.ref, target LIMIT 1`

	diagnosticOwner   = `coalesce((` + ownOwner + `), (` + repositoryOwner + `), '')`
	selectDiagnostics = `SELECT repository_id, path, position, ` + diagnosticOwner + `, diagnostic FROM diagnostics d`
	countDiagnostics  = `SELECT severity, rule, count(*) FROM diagnostics d`
)

func diagnosticConditions(f storage.DiagnosticFilter) *conditions {
	c := &conditions{}
	if f.RepositoryID != 0 {
		c.add(`repository_id = ?`, f.RepositoryID)
	}
	if f.Ref != "" {
		c.add(`ref = ?`, f.Ref)
	}
	if f.Rule != "" {
		c.add(`rule = ?`, f.Rule)
	}
	if f.Severity != "" {
		c.add(`severity = ?`, string(f.Severity))
	}
	if f.Owner != "" {
		c.add(diagnosticOwner+` = ?`, f.Owner)
	}
	return c
}

func (r reader) Diagnostics(ctx context.Context, f storage.DiagnosticFilter) ([]storage.FileDiagnostic, error) {
	c := diagnosticConditions(f)
	if f.After != (storage.DiagnosticKey{}) {
		c.add(`(repository_id, path, position) > (?, ?, ?)`, f.After.RepositoryID, f.After.Path, f.After.Position)
	}
	query := selectDiagnostics + c.sql() + ` ORDER BY repository_id, path, position` + c.limit(f.Limit)
	all, err := collect(ctx, r, row.ScanDiagnostic, query, c.args...)
	if err != nil {
		return nil, fmt.Errorf("list diagnostics: %w", err)
	}
	return all, nil
}

func (r reader) CountDiagnostics(ctx context.Context, f storage.DiagnosticFilter) ([]storage.DiagnosticCount, error) {
	c := diagnosticConditions(f)
	query := countDiagnostics + c.sql() + ` GROUP BY severity, rule ORDER BY severity, rule`
	all, err := collect(ctx, r, row.ScanDiagnosticCount, query, c.args...)
	if err != nil {
		return nil, fmt.Errorf("count diagnostics: %w", err)
	}
	return all, nil
}

const deleteDiagnostics = `DELETE FROM diagnostics WHERE repository_id = ? AND path ` + inSet

const deleteRepositoryDiagnostics = `DELETE FROM diagnostics WHERE repository_id = ?`

var insertDiagnostic = insert("diagnostics", row.DiagnosticColumns)

// replaceDiagnostics keeps the rows of diagnostics in step with their file.
func (t *tx) replaceDiagnostics(ctx context.Context, f storage.File) error {
	if _, err := t.exec(ctx, deleteDiagnostics, f.RepositoryID, textSet([]string{f.Path})); err != nil {
		return fmt.Errorf("replace diagnostics of %s: %w", f.Path, err)
	}
	for _, d := range row.Diagnostics(f) {
		if _, err := t.exec(ctx, insertDiagnostic, d...); err != nil {
			return fmt.Errorf("write diagnostics of %s: %w", f.Path, err)
		}
	}
	return nil
}

const (
	// conflictRefs are the refs that a repository claims or serves.
	conflictRefs   = `ref IN (SELECT ref FROM claims WHERE repository_id = ? UNION SELECT ref FROM entities WHERE deleted_at = 0 AND repository_id = ?)`
	selectConflict = `SELECT DISTINCT ref FROM claims`
	conflictClaims = `SELECT ` + row.SlimClaimColumns + `, total FROM (
		SELECT ` + row.SlimClaimColumns + `, count(*) OVER (PARTITION BY ref) AS total,
			row_number() OVER (PARTITION BY ref` + claimRank + `) AS rank
		FROM claims WHERE ref ` + inSet + `) AS ranked WHERE rank <= ?` + claimOrder
)

func (r reader) Conflicts(ctx context.Context, f storage.ConflictFilter) ([]storage.Conflict, error) {
	var c conditions
	if f.Ref != "" {
		c.add(`ref = ?`, f.Ref)
	}
	if f.After != "" {
		c.add(`ref > ?`, f.After)
	}
	if f.RepositoryID != 0 {
		c.add(conflictRefs, f.RepositoryID, f.RepositoryID)
	}
	query := selectConflict + c.sql() + ` ORDER BY ref` + c.limit(f.Limit)
	refs, err := collect(ctx, r, func(s row.Scanner) (ref string, err error) { return ref, s.Scan(&ref) }, query, c.args...)
	if err != nil {
		return nil, fmt.Errorf("list conflicts: %w", err)
	}
	if len(refs) == 0 {
		return nil, nil
	}
	claims, err := collect(ctx, r, row.ScanConflictClaim, conflictClaims, textSet(refs), storage.MaxConflictClaims)
	if err != nil {
		return nil, fmt.Errorf("read the claims on %d refs: %w", len(refs), err)
	}
	return row.JoinConflicts(claims), nil
}
