package storage

import "time"

// Tombstone is an entity that is gone, as it was when it went.
type Tombstone struct {
	Entity
	// At is when it went, Cause why.
	At    time.Time
	Cause Cause
}

// Key is where a listing continues behind the tombstone.
func (t Tombstone) Key() TombstoneKey { return TombstoneKey{t.At, t.Ref} }

// TombstoneKey is the order of tombstones, turned round.
type TombstoneKey struct {
	At  time.Time `json:"at"`
	Ref string    `json:"ref"`
}

// TombstoneFilter selects tombstones, newest first. Zero fields do not filter.
type TombstoneFilter struct {
	Refs          []string
	RepositoryIDs []int64
	Scan          string       // that it was removed by
	Since         time.Time    // those that went before are left out
	Before        TombstoneKey // continues a listing behind one
	Limit         int          // 0 means 100
}
