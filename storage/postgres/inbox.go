package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
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
	var where []string
	var args []any
	add := func(condition string, arg any) {
		args = append(args, arg)
		where = append(where, strings.ReplaceAll(condition, "?", "$"+strconv.Itoa(len(args))))
	}
	if f.Repository != "" {
		add(`lower(repository) = lower(?)`, f.Repository)
	}
	if f.State != "" {
		add(`state = ?`, string(f.State))
	}
	if f.Event != "" {
		add(`event = ?`, f.Event)
	}
	if f.Before != "" {
		// An unknown GUID compares as NULL: nothing was received before it.
		add(`(received_at, id) < (SELECT received_at, id FROM deliveries WHERE guid = ?)`, f.Before)
	}
	query := `SELECT ` + row.DeliveryColumns + ` FROM deliveries`
	if len(where) > 0 {
		query += ` WHERE ` + strings.Join(where, ` AND `)
	}
	limit := f.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	args = append(args, limit)
	query += ` ORDER BY received_at DESC, id DESC LIMIT $` + strconv.Itoa(len(args))
	all, err := collect(ctx, r, row.ScanDelivery, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list deliveries: %w", err)
	}
	return all, nil
}

var insertDelivery = insert("deliveries", row.DeliveryColumns+", payload") + ` ON CONFLICT (guid) DO NOTHING`

func (t *tx) AddDelivery(ctx context.Context, d storage.Delivery) (bool, error) {
	n, err := t.exec(ctx, insertDelivery, row.Delivery(d)...)
	if err != nil {
		return false, fmt.Errorf("add delivery %s: %w", d.GUID, err)
	}
	return n == 1, nil
}

const finishDelivery = `UPDATE deliveries SET state = $1, reason = $2, summary = $3, revision = $4, attempts = $5, done_at = $6
	WHERE guid = $7`

func (t *tx) FinishDeliveries(ctx context.Context, outcomes []storage.DeliveryOutcome) error {
	var b batch
	for _, o := range outcomes {
		b.add(finishDelivery, string(o.State), o.Reason, o.Summary, o.Revision, o.Attempts, row.Micros(o.DoneAt), o.GUID)
	}
	if err := t.send(ctx, &b); err != nil {
		return fmt.Errorf("finish %d deliveries: %w", len(outcomes), err)
	}
	return nil
}

const (
	pruneMessages   = `DELETE FROM messages WHERE done_at <> 0 AND done_at < $1`
	pruneDeliveries = `DELETE FROM deliveries WHERE state IN ('applied', 'unchanged', 'ignored')
		AND received_at < $1 AND done_at < $1`
	pruneTombstones = `DELETE FROM entities WHERE deleted_at <> 0 AND deleted_at < $1`
)

// Prune keeps parked deliveries, because they may be replayed.
func (t *tx) Prune(ctx context.Context, before time.Time) (total int64, err error) {
	for _, query := range []string{pruneMessages, pruneDeliveries, pruneTombstones} {
		n, err := t.exec(ctx, query, row.Micros(before))
		if err != nil {
			return 0, fmt.Errorf("prune: %w", err)
		}
		total += n
	}
	return total, nil
}
