package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/row"
)

const selectDelivery = `SELECT ` + row.DeliveryColumns + `, payload FROM deliveries WHERE guid = $1`

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

// A GUID that comes twice in one statement conflicts with itself, too.
var insertDeliveries = insertAll("deliveries", row.DeliveryColumns+", payload",
	"text, text, text, bigint, bigint, text, text, text, text, bigint, text, text, int, text, bigint, bigint, bytea") +
	` ON CONFLICT (guid) DO NOTHING RETURNING guid`

const knownDeliveries = `SELECT guid FROM deliveries WHERE guid = ANY ($1)`

func (r reader) KnownDeliveries(ctx context.Context, guids []string) (map[string]bool, error) {
	if len(guids) == 0 {
		return nil, nil
	}
	found, err := collect(ctx, r, text, knownDeliveries, guids)
	if err != nil {
		return nil, fmt.Errorf("look for %d deliveries: %w", len(guids), err)
	}
	known := make(map[string]bool, len(found))
	for _, guid := range found {
		known[guid] = true
	}
	return known, nil
}

func (t *tx) AddDeliveries(ctx context.Context, all []storage.Delivery) ([]bool, error) {
	if len(all) == 0 {
		return nil, nil
	}
	rows := make([][]any, len(all))
	for i, d := range all {
		rows[i] = row.Delivery(d)
	}
	guids, err := collect(ctx, t, func(s row.Scanner) (guid string, err error) { return guid, s.Scan(&guid) },
		insertDeliveries, columns(rows)...)
	if err != nil {
		return nil, fmt.Errorf("add %d deliveries: %w", len(all), err)
	}
	unknown := make(map[string]bool, len(guids))
	for _, guid := range guids {
		unknown[guid] = true
	}
	added := make([]bool, len(all))
	for i, d := range all {
		guid := row.Text(d.GUID)
		added[i] = unknown[guid]
		delete(unknown, guid)
	}
	return added, nil
}

const finishDeliveries = `UPDATE deliveries SET state = o.state, reason = o.reason, summary = o.summary,
		revision = o.revision, attempts = o.attempts, done_at = o.done_at
	FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::int[], $7::bigint[])
		AS o (guid, state, reason, summary, revision, attempts, done_at)
	WHERE deliveries.guid = o.guid`

func (t *tx) FinishDeliveries(ctx context.Context, outcomes []storage.DeliveryOutcome) error {
	if len(outcomes) == 0 {
		return nil
	}
	// A row that joins twice would be updated once, with either.
	outcomes = row.Last(outcomes, func(o storage.DeliveryOutcome) string { return row.Text(o.GUID) })
	rows := make([][]any, len(outcomes))
	for i, o := range outcomes {
		rows[i] = []any{o.GUID, string(o.State), o.Reason, o.Summary, o.Revision, o.Attempts, row.Micros(o.DoneAt)}
	}
	if _, err := t.exec(ctx, finishDeliveries, columns(rows)...); err != nil {
		return fmt.Errorf("finish %d deliveries: %w", len(outcomes), err)
	}
	return nil
}

const (
	pruneMessages   = `DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE done_at <> 0 AND done_at < $1 LIMIT $2)`
	pruneDeliveries = `DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries
		WHERE state IN ('applied', 'unchanged', 'ignored') AND received_at < $1 AND done_at < $1 LIMIT $2)`
	pruneTombstones = `DELETE FROM entities WHERE id IN (SELECT id FROM entities WHERE deleted_at <> 0 AND deleted_at < $1 LIMIT $2)`
	pruneScans      = `DELETE FROM scans WHERE id IN (SELECT id FROM scans WHERE finished_at <> 0 AND finished_at < $1 LIMIT $2)`
	pruneLeases     = `DELETE FROM leases WHERE name IN (SELECT name FROM leases WHERE expires_at < $1 LIMIT $2)`
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
