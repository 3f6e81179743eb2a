package sqlite

import (
	"context"
	"fmt"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/row"
)

const selectScan = `SELECT ` + row.ScanColumns + `, seen_ids FROM scans WHERE id = ?1`

func (r reader) Scan(ctx context.Context, id string) (storage.Scan, error) {
	s, err := one(ctx, r, row.ScanFullScan, selectScan, id)
	if err != nil {
		return s, fmt.Errorf("read scan %s: %w", id, err)
	}
	return s, nil
}

func (r reader) Scans(ctx context.Context, f storage.ScanFilter) ([]storage.Scan, error) {
	var c conditions
	if f.Host != "" {
		c.add(`lower(host) = lower(?)`, f.Host)
	}
	if f.Owner != "" {
		c.add(`lower(owner) = lower(?)`, f.Owner)
	}
	if f.Kind != "" {
		c.add(`kind = ?`, string(f.Kind))
	}
	if f.State != "" {
		c.add(`state = ?`, string(f.State))
	}
	query := `SELECT ` + row.ScanColumns + ` FROM scans` + c.sql() + ` ORDER BY started_at DESC, id DESC` + c.limit(f.Limit)
	all, err := collect(ctx, r, row.ScanScan, query, c.args...)
	if err != nil {
		return nil, fmt.Errorf("list scans: %w", err)
	}
	return all, nil
}

var putScan = insert("scans", row.ScanColumns+", seen_ids") + ` ON CONFLICT (id) DO UPDATE SET (` +
	row.ScanColumns + `, seen_ids) = (` + excluded(row.ScanColumns+", seen_ids") + `)`

func (t *tx) PutScan(ctx context.Context, s storage.Scan) error {
	if _, err := t.exec(ctx, putScan, row.Scan(s)...); err != nil {
		return fmt.Errorf("write scan %s of %s: %w", s.ID, s.Owner, err)
	}
	return nil
}

// scanBacklog is written as the partial index has it, or that is not used.
const scanBacklog = `SELECT coalesce(sum(CASE WHEN parked_at = 0 THEN 1 ELSE 0 END), 0), coalesce(sum(CASE WHEN parked_at = 0 THEN 0 ELSE 1 END), 0)
	FROM messages WHERE done_at = 0 AND instr(cause, '"scan":') > 0 AND cause ->> '$.scan' = ?1`

func (r reader) ScanBacklog(ctx context.Context, scanID string) (waiting, failed int, err error) {
	n, err := one(ctx, r, func(s row.Scanner) (n [2]int, err error) { return n, s.Scan(&n[0], &n[1]) }, scanBacklog, scanID)
	if err != nil {
		return 0, 0, fmt.Errorf("count messages of scan %s: %w", scanID, err)
	}
	return n[0], n[1], nil
}

const holdsOf = `SELECT ` + row.HoldColumns + ` FROM holds WHERE scan_id = ?1 ORDER BY repository_id`

func (r reader) Holds(ctx context.Context, scanID string) ([]storage.Hold, error) {
	all, err := collect(ctx, r, row.ScanHold, holdsOf, scanID)
	if err != nil {
		return nil, fmt.Errorf("list holds of scan %s: %w", scanID, err)
	}
	return all, nil
}

var putHold = insert("holds", row.HoldColumns) + ` ON CONFLICT (repository_id) DO UPDATE SET (` +
	row.HoldColumns + `) = (` + excluded(row.HoldColumns) + `)`

func (t *tx) PutHold(ctx context.Context, h storage.Hold) error {
	if _, err := t.exec(ctx, putHold, row.Hold(h)...); err != nil {
		return fmt.Errorf("hold repository %d %s: %w", h.RepositoryID, h.Repository, err)
	}
	return nil
}

const (
	deleteScanHolds       = `DELETE FROM holds WHERE scan_id = ?1`
	deleteRepositoryHolds = `DELETE FROM holds WHERE (scan_id = ?1 OR ?1 = '') AND repository_id IN (SELECT value FROM json_each(?2))`
)

func (t *tx) DeleteHolds(ctx context.Context, scanID string, repositoryIDs ...int64) error {
	query, args := deleteScanHolds, []any{scanID}
	if len(repositoryIDs) > 0 {
		query, args = deleteRepositoryHolds, append(args, idSet(repositoryIDs))
	}
	if _, err := t.exec(ctx, query, args...); err != nil {
		return fmt.Errorf("delete holds of scan %s: %w", scanID, err)
	}
	return nil
}

const repositoriesByID = selectRepositories + ` WHERE id ` + inSet + ` ORDER BY id`

func (r reader) RepositoriesByID(ctx context.Context, ids []int64) ([]storage.Repository, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	all, err := collect(ctx, r, row.ScanRepository, repositoriesByID, idSet(ids))
	if err != nil {
		return nil, fmt.Errorf("read %d repositories: %w", len(ids), err)
	}
	return all, nil
}
