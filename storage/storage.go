// Package storage publishes what the two backends must agree on: the rows, the
// reads, the writes of one transaction, and the errors.
//
// It does not know SQL (postgres and sqlite do), does not filter entities
// (storage/view does, in memory) and never talks to the network.
// Every promise here is held by storagetest.
package storage

import (
	"context"
	"errors"
	"time"
)

// Errors that both backends map their driver's errors to.
var (
	// ErrNotFound is answered by reads of one row.
	ErrNotFound = errors.New("not found")
	// ErrStale is answered when a row was changed since it was read.
	ErrStale = errors.New("changed since it was read")
)

// Store is a database of Callboard's.
type Store interface {
	Reader
	// InTx runs fn in one read-write transaction: committed when fn returns nil,
	// rolled back on error or panic. It may run fn again after a serialization
	// failure, so fn touches nothing but tx. fn must not use the Store.
	InTx(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error
	// OnCommit registers a function that is called after every commit of this
	// process that added messages or changes, and, where the database tells, of
	// other processes that added changes. It must not block. Call it before use.
	OnCommit(func(Commit))
	// Ping fails when the database cannot answer.
	Ping(ctx context.Context) error
	Close() error
}

// Commit is what a committed transaction left to do.
type Commit struct {
	// Messages that were added and are due, without payload.
	Messages []Message
	// Revision is the highest revision that was given, 0 for none.
	Revision int64
}

// Reader is what can be read, inside a transaction and outside.
// Lists are bounded by their filter or are whole by purpose, as said.
type Reader interface {
	Delivery(ctx context.Context, guid string) (Delivery, error)
	// Deliveries lists without payloads, newest first.
	Deliveries(ctx context.Context, f DeliveryFilter) ([]Delivery, error)
	// KnownDeliveries says which of the GUIDs there are.
	KnownDeliveries(ctx context.Context, guids []string) (map[string]bool, error)

	// PendingMessages are all of the key that are not done, not parked and due at now, by id.
	PendingMessages(ctx context.Context, topic, key string, now time.Time) ([]Message, error)
	// UndoneMessages are all of the keys that are not done, whether they are due,
	// wait or are parked, by id.
	UndoneMessages(ctx context.Context, topic string, keys ...string) ([]Message, error)
	// SweepMessages are due and undone, and were neither added nor swept since
	// quietSince; a message that failed before is taken as soon as it is due.
	SweepMessages(ctx context.Context, now, quietSince time.Time, limit int) ([]Message, error)
	// ParkedMessages lists the parked, newest first.
	ParkedMessages(ctx context.Context, limit int) ([]Message, error)
	// MessageBacklog is how many messages are neither done nor parked, and when the oldest was added.
	MessageBacklog(ctx context.Context) (n int, oldest time.Time, err error)

	Repository(ctx context.Context, id int64) (Repository, error)
	// RepositoryByName is the first of RepositoriesNamed.
	RepositoryByName(ctx context.Context, host, owner, name string) (Repository, error)
	// RepositoriesNamed are all that have the name or had it, in any case: active
	// ones, unreachable ones, those that had it (Former), removed ones, the
	// newest of each first.
	RepositoriesNamed(ctx context.Context, host, owner, name string) ([]Repository, error)
	// RepositoryByCommit finds one whose AppliedSHA this is.
	RepositoryByCommit(ctx context.Context, sha string) (Repository, error)
	// Repositories lists all, by host, owner, name.
	Repositories(ctx context.Context) ([]Repository, error)
	// RepositoriesByID reads those that there are, by id.
	RepositoriesByID(ctx context.Context, ids []int64) ([]Repository, error)
	// RepositoryPage lists some, by id.
	RepositoryPage(ctx context.Context, f RepositoryFilter) ([]Repository, error)
	// Files lists all of a repository, by path.
	Files(ctx context.Context, repositoryID int64) ([]File, error)

	// Diagnostics lists those of all files, by repository, path and position.
	Diagnostics(ctx context.Context, f DiagnosticFilter) ([]FileDiagnostic, error)
	// CountDiagnostics counts what Diagnostics would list without After and Limit,
	// by severity and rule.
	CountDiagnostics(ctx context.Context, f DiagnosticFilter) ([]DiagnosticCount, error)

	// Entities reads the living ones among refs, in no order.
	Entities(ctx context.Context, refs []string) ([]Entity, error)
	// RepositoryEntities reads all living ones that a repository declares, by ref.
	RepositoryEntities(ctx context.Context, repositoryID int64) ([]Entity, error)
	// EachEntity calls fn for every living entity, without Descriptor, in no
	// order, and returns the revision that the reading is consistent with.
	EachEntity(ctx context.Context, fn func(Entity) error) (revision int64, err error)
	// Tombstones lists what is gone, newest first, of each ref the newest alone.
	// What its own repository declares again is not gone.
	Tombstones(ctx context.Context, f TombstoneFilter) ([]Tombstone, error)
	// Claims reads the losing claims on refs, and those of a repository.
	Claims(ctx context.Context, refs []string) ([]Claim, error)
	RepositoryClaims(ctx context.Context, repositoryID int64) ([]Claim, error)
	// Conflicts lists the refs that have losing claims, by ref.
	Conflicts(ctx context.Context, f ConflictFilter) ([]Conflict, error)

	// Changes reads the feed after a revision, in order.
	Changes(ctx context.Context, after int64, limit int) ([]Change, error)
	// History reads the changes of a ref, newest first.
	History(ctx context.Context, ref string, limit int) ([]Change, error)
	// Revision is the newest of the feed.
	Revision(ctx context.Context) (int64, error)

	// Locations lists all, by target.
	Locations(ctx context.Context) ([]Location, error)
	// RepositoryLocations are those that point into a repository; owner and repo in any case.
	RepositoryLocations(ctx context.Context, host, owner, repo string) ([]Location, error)

	Scan(ctx context.Context, id string) (Scan, error)
	// Scans lists without SeenIDs, newest first.
	Scans(ctx context.Context, f ScanFilter) ([]Scan, error)
	// ScanBacklog is how many undone messages have the scan as their cause: those
	// that are still to be done, and those that are parked.
	ScanBacklog(ctx context.Context, scanID string) (waiting, failed int, err error)
	// Holds lists those of a scan, by repository id.
	Holds(ctx context.Context, scanID string) ([]Hold, error)

	Checkpoint(ctx context.Context, name string) (Checkpoint, error)
	// Checkpoints lists those whose name begins with the prefix, by name.
	Checkpoints(ctx context.Context, prefix string) ([]Checkpoint, error)
}

// Tx is a transaction. Reads see its own writes. A call with an empty list asks
// the database nothing.
type Tx interface {
	Reader

	// AddDeliveries answers false for those whose GUID is known, of which nothing
	// is changed. Of several with one GUID only the first is added.
	AddDeliveries(ctx context.Context, all []Delivery) (added []bool, err error)
	// FinishDeliveries writes state, reason, attempts, summary, revision and time.
	FinishDeliveries(ctx context.Context, outcomes []DeliveryOutcome) error

	// AddMessages stores messages and returns their ids in order. A zero RunAfter is now.
	AddMessages(ctx context.Context, msgs []Message) ([]int64, error)
	// FinishMessages makes messages done. Whoever calls it first in a transaction
	// has them for himself until its end: it waits for others who are at it, and
	// answers ErrStale when one of them is done already (or was never there).
	// The rest is done even then, so roll back unless that is what you want.
	FinishMessages(ctx context.Context, ids []int64, at time.Time) error
	// RetryMessages counts an attempt and sets when to try again; ParkMessages
	// gives up on them until they are replayed.
	RetryMessages(ctx context.Context, ids []int64, runAfter time.Time, reason string) error
	ParkMessages(ctx context.Context, ids []int64, at time.Time, reason string) error
	// PostponeMessages sets when to try again without counting an attempt.
	PostponeMessages(ctx context.Context, ids []int64, runAfter time.Time, reason string) error
	MarkSwept(ctx context.Context, ids []int64, at time.Time) error

	// LockCatalog serialises all writers of entities until the transaction ends,
	// so that commit order is feed order. Call it before reading what decides a write.
	LockCatalog(ctx context.Context) error
	// PutRepository inserts (Version 0) or updates; ErrStale when Version is not
	// the stored one. It returns the new version.
	PutRepository(ctx context.Context, r Repository) (int64, error)
	// DeleteRepository forgets a repository and its files. Its entities and claims
	// are the caller's to settle.
	DeleteRepository(ctx context.Context, id int64) error
	// VerifyRepository moves VerifiedAt on, and leaves Version as it is: it says
	// nothing that a plan could depend on.
	VerifyRepository(ctx context.Context, id int64, at time.Time) error
	PutFiles(ctx context.Context, files []File) error
	DeleteFiles(ctx context.Context, repositoryID int64, paths []string) error

	// PutEntities inserts or replaces by ref, relations included.
	PutEntities(ctx context.Context, entities []Entity) error
	// BuryEntities makes tombstones: the rows leave every read but History and Tombstones.
	BuryEntities(ctx context.Context, refs []string, at time.Time, cause Cause) error
	// DeleteTombstones forgets those of these refs and uids: they came back.
	DeleteTombstones(ctx context.Context, all []Tombstone) error
	// PutClaims inserts or replaces by ref, repository, path and document.
	PutClaims(ctx context.Context, claims []Claim) error
	// DeleteClaims removes the claims that these files of a repository hold.
	DeleteClaims(ctx context.Context, repositoryID int64, paths []string) error
	// DeleteClaim removes one.
	DeleteClaim(ctx context.Context, c Claim) error
	// AddChanges appends to the feed and returns the revision given to each, in
	// order. It needs LockCatalog.
	AddChanges(ctx context.Context, changes []Change) ([]int64, error)

	// ReplaceLocations makes the locations of a source exactly these. A location
	// whose type and target are kept keeps its id.
	ReplaceLocations(ctx context.Context, source string, locations []Location) error

	// PutScan inserts or replaces by id.
	PutScan(ctx context.Context, s Scan) error
	// PutHold inserts or replaces by repository id: the newest scan that misses a
	// repository holds it.
	PutHold(ctx context.Context, h Hold) error
	// DeleteHolds removes those of a scan, or with ids only those of these
	// repositories; then "" stands for any scan.
	DeleteHolds(ctx context.Context, scanID string, repositoryIDs ...int64) error

	// PutCheckpoint inserts or replaces by name.
	PutCheckpoint(ctx context.Context, c Checkpoint) error

	// AcquireLease takes or renews a named lease until a time; false when another
	// holder has it and it is not over at now.
	AcquireLease(ctx context.Context, name, holder string, now, until time.Time) (bool, error)
	// Prune deletes finished messages, final deliveries, scans and leases older than
	// before, and tombstones older than buried, at most limit rows, and says how many
	// went: fewer than limit when none is left. Changes are kept.
	Prune(ctx context.Context, before, buried time.Time, limit int) (int64, error)
}
