package sqlite

import (
	"context"
	"fmt"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/row"
)

// selectTombstones leaves out what is served by its own repository again, and of
// several tombstones of a ref all but the newest.
const (
	selectTombstones = `SELECT ` + row.TombstoneColumns + ` FROM entities`
	tombstoneStands  = `deleted_at <> 0
		AND NOT EXISTS (SELECT 1 FROM entities newer WHERE newer.ref = entities.ref AND newer.deleted_at <> 0
			AND (newer.deleted_at > entities.deleted_at OR newer.deleted_at = entities.deleted_at AND newer.id > entities.id))
		AND NOT EXISTS (SELECT 1 FROM entities living WHERE living.ref = entities.ref AND living.deleted_at = 0
			AND living.repository_id = entities.repository_id)`
	tombstoneOrder = ` ORDER BY deleted_at DESC, ref DESC`
)

func (r reader) Tombstones(ctx context.Context, f storage.TombstoneFilter) ([]storage.Tombstone, error) {
	var c conditions
	c.add(tombstoneStands)
	if len(f.Refs) > 0 {
		c.add(`ref `+inSet, textSet(f.Refs))
	}
	if len(f.RepositoryIDs) > 0 {
		c.add(`repository_id `+inSet, idSet(f.RepositoryIDs))
	}
	if f.Scan != "" {
		c.add(`instr(deleted_cause, ?) > 0`, row.CauseScan(f.Scan))
	}
	if !f.Since.IsZero() {
		c.add(`deleted_at >= ?`, row.Micros(f.Since))
	}
	if !f.Before.At.IsZero() {
		c.add(`(deleted_at, ref) < (?, ?)`, row.Micros(f.Before.At), f.Before.Ref)
	}
	query := selectTombstones + c.sql() + tombstoneOrder + c.limit(f.Limit)
	all, err := collect(ctx, r, row.ScanTombstone, query, c.args...)
	if err != nil {
		return nil, fmt.Errorf("list tombstones: %w", err)
	}
	return all, nil
}

const deleteTombstone = `DELETE FROM entities WHERE deleted_at <> 0 AND ref = ? AND uid = ?`

func (t *tx) DeleteTombstones(ctx context.Context, all []storage.Tombstone) error {
	for _, s := range all {
		if _, err := t.exec(ctx, deleteTombstone, s.Ref, s.UID); err != nil {
			return fmt.Errorf("delete the tombstone of %s: %w", s.Ref, err)
		}
	}
	return nil
}
