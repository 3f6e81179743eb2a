package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/row"
)

const selectDelivery = `SELECT ` + row.DeliveryColumns + `, payload FROM deliveries WHERE guid = ?`

func (r reader) Delivery(ctx context.Context, guid string) (storage.Delivery, error) {
	d, err := one(ctx, r, row.ScanFullDelivery, selectDelivery, guid)
	if err != nil {
		return d, fmt.Errorf("read delivery %s: %w", guid, err)
	}
	return d, nil
}

// defaultLimit is what a limit of 0 means.
const defaultLimit = 100

func (r reader) Deliveries(ctx context.Context, f storage.DeliveryFilter) ([]storage.Delivery, error) {
	var c conditions
	if f.Repository != "" {
		c.add(`lower(repository) = lower(?)`, f.Repository)
	}
	if f.State != "" {
		c.add(`state = ?`, string(f.State))
	}
	if f.Event != "" {
		c.add(`event = ?`, f.Event)
	}
	if f.Commit != "" {
		c.add(`commit_sha = ?`, f.Commit)
	}
	if f.Before != "" {
		// An unknown GUID compares as NULL: nothing was received before it.
		c.add(`(received_at, id) < (SELECT received_at, id FROM deliveries WHERE guid = ?)`, f.Before)
	}
	query := `SELECT ` + row.DeliveryColumns + ` FROM deliveries` + c.sql() + ` ORDER BY received_at DESC, id DESC` + c.limit(f.Limit)
	all, err := collect(ctx, r, row.ScanDelivery, query, c.args...)
	if err != nil {
		return nil, fmt.Errorf("list deliveries: %w", err)
	}
	return all, nil
}

const knownDeliveries = `SELECT guid FROM deliveries WHERE guid ` + inSet

func (r reader) KnownDeliveries(ctx context.Context, guids []string) (map[string]bool, error) {
	if len(guids) == 0 {
		return nil, nil
	}
	found, err := collect(ctx, r, text, knownDeliveries, textSet(guids))
	if err != nil {
		return nil, fmt.Errorf("look for %d deliveries: %w", len(guids), err)
	}
	known := make(map[string]bool, len(found))
	for _, guid := range found {
		known[guid] = true
	}
	return known, nil
}

var insertDelivery = insert("deliveries", row.DeliveryColumns+", payload") + ` ON CONFLICT (guid) DO NOTHING`

func (t *tx) AddDeliveries(ctx context.Context, all []storage.Delivery) ([]bool, error) {
	added := make([]bool, len(all))
	for i, d := range all {
		n, err := t.exec(ctx, insertDelivery, row.Delivery(d)...)
		if err != nil {
			return nil, fmt.Errorf("add delivery %s: %w", d.GUID, err)
		}
		added[i] = n == 1
	}
	return added, nil
}

const finishDelivery = `UPDATE deliveries SET state = ?, reason = ?, summary = ?, revision = ?, attempts = ?, done_at = ?
	WHERE guid = ?`

func (t *tx) FinishDeliveries(ctx context.Context, outcomes []storage.DeliveryOutcome) error {
	for _, o := range outcomes {
		_, err := t.exec(ctx, finishDelivery, string(o.State), o.Reason, o.Summary, o.Revision, o.Attempts,
			row.Micros(o.DoneAt), o.GUID)
		if err != nil {
			return fmt.Errorf("finish delivery %s: %w", o.GUID, err)
		}
	}
	return nil
}

const (
	pruneMessages   = `DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE done_at <> 0 AND done_at < ?1 LIMIT ?2)`
	pruneDeliveries = `DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries
		WHERE state IN ('applied', 'unchanged', 'ignored') AND received_at < ?1 AND done_at < ?1 LIMIT ?2)`
	pruneTombstones = `DELETE FROM entities WHERE id IN (SELECT id FROM entities WHERE deleted_at <> 0 AND deleted_at < ?1 LIMIT ?2)`
	pruneScans      = `DELETE FROM scans WHERE id IN (SELECT id FROM scans WHERE finished_at <> 0 AND finished_at < ?1 LIMIT ?2)`
	pruneLeases     = `DELETE FROM leases WHERE name IN (SELECT name FROM leases WHERE expires_at < ?1 LIMIT ?2)`
)

// Prune keeps parked deliveries, because they may be replayed.
func (t *tx) Prune(ctx context.Context, before, buried time.Time, limit int) (total int64, err error) {
	for _, query := range []string{pruneMessages, pruneDeliveries, pruneTombstones, pruneScans, pruneLeases} {
		oldest := before
		if query == pruneTombstones {
			oldest = buried
		}
		n, err := t.exec(ctx, query, row.Micros(oldest), int64(limit)-total)
		if err != nil {
			return 0, fmt.Errorf("prune: %w", err)
		}
		total += n
	}
	return total, nil
}
