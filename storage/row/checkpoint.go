package row

import "github.com/callboard/callboard/storage"

// CheckpointColumns are all columns of a checkpoint, its key first.
const CheckpointColumns = `name, value, updated_at`

// Checkpoint gives the values of CheckpointColumns.
func Checkpoint(c storage.Checkpoint) []any {
	return []any{c.Name, string(c.Value), Micros(c.UpdatedAt)}
}

// ScanCheckpoint reads CheckpointColumns.
func ScanCheckpoint(s Scanner) (c storage.Checkpoint, err error) {
	return c, s.Scan(&c.Name, rawColumn{&c.Value}, timeColumn{&c.UpdatedAt})
}
