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
	if _, err := t.exec(ctx, lockCatalog); err != nil {
		return fmt.Errorf("lock the catalog: %w", err)
	}
	t.locked = true
	return nil
}

var errNotLocked = errors.New("add changes: LockCatalog was not called")

var insertChange = insert("changes", row.ChangeColumns)

const notify = `SELECT pg_notify($1, $2)`

const bumpRevision = `UPDATE catalog_revision SET revision = revision + $1 WHERE id = 1 RETURNING revision`

func (t *tx) AddChanges(ctx context.Context, changes []storage.Change) ([]int64, error) {
	if !t.locked {
		return nil, errNotLocked
	}
	if len(changes) == 0 {
		return nil, nil
	}
	last, err := one(ctx, t, number, bumpRevision, len(changes))
	if err != nil {
		return nil, fmt.Errorf("take revisions: %w", err)
	}
	revisions := make([]int64, len(changes))
	var b batch
	for i, c := range changes {
		c.Revision = last - int64(len(changes)-1-i)
		revisions[i] = c.Revision
		b.add(insertChange, row.Change(c)...)
	}
	// Sent by the server when the transaction commits, and only then.
	b.add(notify, channel, t.store.instance+" "+strconv.FormatInt(last, 10))
	if err := t.send(ctx, &b); err != nil {
		return nil, fmt.Errorf("add %d changes: %w", len(changes), err)
	}
	t.commit.Revision = last
	return revisions, nil
}
