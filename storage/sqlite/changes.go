package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/row"
)

const (
	selectRevision = `SELECT revision FROM catalog_revision WHERE id = 1`
	selectChanges  = `SELECT ` + row.ChangeColumns + ` FROM changes`
	changesAfter   = selectChanges + ` WHERE revision > ? ORDER BY revision LIMIT ?`
	changesOf      = selectChanges + ` WHERE ref = ? ORDER BY revision DESC LIMIT ?`
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

// LockCatalog has nothing to lock here: there is one writer.
func (t *tx) LockCatalog(ctx context.Context) error {
	t.locked = true
	return ctx.Err()
}

var errNotLocked = errors.New("add changes: LockCatalog was not called")

var insertChange = insert("changes", row.ChangeColumns)

const bumpRevision = `UPDATE catalog_revision SET revision = revision + ? WHERE id = 1 RETURNING revision`

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
	for i, c := range changes {
		c.Revision = last - int64(len(changes)-1-i)
		revisions[i] = c.Revision
		if _, err := t.exec(ctx, insertChange, row.Change(c)...); err != nil {
			return nil, fmt.Errorf("add change of %s: %w", c.Ref, err)
		}
	}
	t.commit.Revision = last
	return revisions, nil
}
