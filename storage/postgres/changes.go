package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/row"
)

const (
	selectRevision = `SELECT revision FROM catalog_revision WHERE id = 1`
	selectChanges  = `SELECT ` + row.ChangeColumns + ` FROM changes`
	changesAfter   = selectChanges + ` WHERE revision > $1 ORDER BY revision LIMIT $2`
	changesOf      = selectChanges + ` WHERE ref = $1 ORDER BY revision DESC LIMIT $2`
)

func (r reader) Revision(ctx context.Context) (int64, error) {
	revision, err := one(ctx, r, number, selectRevision)
	if err != nil {
		return 0, fmt.Errorf("read the revision: %w", err)
	}
	return revision, nil
}

func (r reader) Changes(ctx context.Context, after int64, limit int) ([]storage.Change, error) {
	all, err := collect(ctx, r, row.ScanChange, changesAfter, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read changes after %d: %w", after, err)
	}
	return all, nil
}

func (r reader) History(ctx context.Context, ref string, limit int) ([]storage.Change, error) {
	all, err := collect(ctx, r, row.ScanChange, changesOf, ref, limit)
	if err != nil {
		return nil, fmt.Errorf("read history of %s: %w", ref, err)
	}
	return all, nil
}

const lockCatalog = `SELECT revision FROM catalog_revision WHERE id = 1 FOR UPDATE`

func (t *tx) LockCatalog(ctx context.Context) error {
	if t.locked {
		return t.err
	}
	revision, err := one(ctx, t, number, lockCatalog)
	if err != nil {
		return fmt.Errorf("lock the catalog: %w", err)
	}
	t.locked, t.revision = true, revision
	return nil
}

var errNotLocked = errors.New("add changes: LockCatalog was not called")

var insertChange = insert("changes", row.ChangeColumns)

const notify = `SELECT pg_notify($1, $2)`

const setRevision = `UPDATE catalog_revision SET revision = $1 WHERE id = 1`

func (t *tx) AddChanges(ctx context.Context, changes []storage.Change) ([]int64, error) {
	if !t.locked {
		return nil, errNotLocked
	}
	if len(changes) == 0 {
		return nil, nil
	}
	last := t.revision + int64(len(changes))
	revisions := make([]int64, len(changes))
	var b batch
	b.add(setRevision, last)
	for i, c := range changes {
		c.Revision = t.revision + int64(i+1)
		revisions[i] = c.Revision
		b.add(insertChange, row.Change(c)...)
	}
	// Sent by the server when the transaction commits, and only then.
	b.add(notify, channel, t.store.instance+" "+strconv.FormatInt(last, 10))
	if err := t.send(ctx, &b); err != nil {
		return nil, fmt.Errorf("add %d changes: %w", len(changes), err)
	}
	t.revision, t.commit.Revision = last, last
	return revisions, nil
}
