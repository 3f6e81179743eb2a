package postgres

import (
	"context"
	"fmt"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/row"
)

const (
	selectCheckpoint  = `SELECT ` + row.CheckpointColumns + ` FROM checkpoints WHERE name = $1`
	selectCheckpoints = `SELECT ` + row.CheckpointColumns + ` FROM checkpoints WHERE name >= $1 AND name < $2 ORDER BY name`
)

func (r reader) Checkpoint(ctx context.Context, name string) (storage.Checkpoint, error) {
	c, err := one(ctx, r, row.ScanCheckpoint, selectCheckpoint, name)
	if err != nil {
		return c, fmt.Errorf("read checkpoint %s: %w", name, err)
	}
	return c, nil
}

// beyond comes after every character, so it ends the range of a prefix.
const beyond = "\U0010FFFF"

func (r reader) Checkpoints(ctx context.Context, prefix string) ([]storage.Checkpoint, error) {
	all, err := collect(ctx, r, row.ScanCheckpoint, selectCheckpoints, prefix, prefix+beyond)
	if err != nil {
		return nil, fmt.Errorf("list checkpoints of %s: %w", prefix, err)
	}
	return all, nil
}

var putCheckpoint = insert("checkpoints", row.CheckpointColumns) + ` ON CONFLICT (name) DO UPDATE SET (` +
	row.CheckpointColumns + `) = (` + excluded(row.CheckpointColumns) + `)`

func (t *tx) PutCheckpoint(ctx context.Context, c storage.Checkpoint) error {
	if _, err := t.exec(ctx, putCheckpoint, row.Checkpoint(c)...); err != nil {
		return fmt.Errorf("write checkpoint %s: %w", c.Name, err)
	}
	return nil
}
