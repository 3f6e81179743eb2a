package row

import (
	"encoding/json"

	"github.com/callboard/callboard/storage"
)

// TombstoneColumns are all columns of a buried entity.
const TombstoneColumns = EntityColumns + `, buried_relations, descriptor, deleted_at, deleted_cause`

// ScanTombstone reads TombstoneColumns.
func ScanTombstone(s Scanner) (t storage.Tombstone, err error) {
	targets := append(entityTargets(&t.Entity), rawColumn{&t.Descriptor}, timeColumn{&t.At}, jsonColumn{&t.Cause})
	return t, s.Scan(targets...)
}

// CauseScan is what a cause with this scan holds, and no other.
func CauseScan(id string) string {
	name, _ := json.Marshal(id) // strings always encode
	return `"scan":` + string(name)
}
