package storage

import (
	"encoding/json"
	"time"

	"github.com/callboard/callboard/storage/entity"
)

// Cause says why something changed. It travels with every message and is
// stored with every change.
type Cause struct {
	// Reason is one of the Reason constants.
	Reason     string `json:"reason"`
	Delivery   string `json:"delivery,omitempty"`
	Repository string `json:"repository,omitempty"`
	Commit     string `json:"commit,omitempty"`
	Pusher     string `json:"pusher,omitempty"`
	Actor      string `json:"actor,omitempty"`
	// Scan is the id of the scan that found it.
	Scan string `json:"scan,omitempty"`
}

// Reasons of a Cause.
const (
	ReasonPush         = "push"
	ReasonRepository   = "repository"
	ReasonInstallation = "installation"
	ReasonLocation     = "location"
	ReasonScan         = "scan"
	ReasonManual       = "manual"
	ReasonDelete       = "delete" // somebody deleted an entity by its uid
	ReasonUndo         = "undo"   // somebody brought it back
	ReasonReplay       = "replay"
	ReasonSettings     = "settings"
	ReasonPeople       = "people"
)

// DeliveryState is how far a webhook delivery has come.
type DeliveryState string

// The states of a delivery. Received and Failed still have a message to be
// done; the others are final (Parked until it is replayed).
const (
	DeliveryReceived  DeliveryState = "received"
	DeliveryApplied   DeliveryState = "applied"
	DeliveryUnchanged DeliveryState = "unchanged"
	DeliveryIgnored   DeliveryState = "ignored"
	DeliveryFailed    DeliveryState = "failed"
	DeliveryParked    DeliveryState = "parked"
)

// Delivery is one webhook delivery: a row of the inbox.
type Delivery struct {
	// GUID is GitHub's X-GitHub-Delivery; a redelivery keeps it.
	GUID           string
	Event          string
	Action         string
	InstallationID int64
	RepositoryID   int64
	// Repository is owner/name as the payload spelt it.
	Repository string
	// GitRef and Commit are a push's ref and after.
	GitRef  string
	Commit  string
	Pusher  string
	Payload []byte

	ReceivedAt time.Time
	State      DeliveryState
	// Reason says why the delivery was ignored, failed or parked.
	Reason   string
	Attempts int
	// Summary is what was changed, in words; Revision the catalog revision it led to.
	Summary  string
	Revision int64
	DoneAt   time.Time
}

// DeliveryFilter selects deliveries, newest first. Zero fields do not filter.
type DeliveryFilter struct {
	Repository string // owner/name, case-insensitive
	State      DeliveryState
	Event      string
	Commit     string // of a push: what it led the branch to
	// Before continues a listing: only deliveries received before this one's GUID.
	Before string
	Limit  int // 0 means 100
}

// DeliveryOutcome is the end of a delivery.
type DeliveryOutcome struct {
	GUID     string
	State    DeliveryState
	Reason   string
	Summary  string
	Revision int64
	Attempts int
	DoneAt   time.Time
}

// Message is a piece of intended work. The row is the work; what the bus
// carries is only the wake-up.
type Message struct {
	ID      int64
	Topic   string
	Key     string
	Payload json.RawMessage
	Cause   Cause

	Attempts  int
	CreatedAt time.Time
	RunAfter  time.Time
	// SweptAt is when the sweeper last republished it.
	SweptAt  time.Time
	DoneAt   time.Time
	ParkedAt time.Time
	Error    string
}

// RepositoryState says whether the last look at a repository found it.
type RepositoryState string

// The states of a repository.
const (
	RepositoryActive      RepositoryState = "active"
	RepositoryUnreachable RepositoryState = "unreachable" // GitHub answers 404 or 403; nothing is deleted for that
	RepositoryRemoved     RepositoryState = "removed"     // GitHub said so: deleted, or taken from the installation
)

// Repository is what is known of a Git repository. ID is GitHub's numeric id,
// so a rename or transfer only changes columns. It is negative, and made of the
// name, while a location names the repository and GitHub does not show it.
type Repository struct {
	ID    int64
	Host  string
	Owner string
	Name  string
	// Former are the names that it had before and locations still name, as
	// owner/name in lower case: GitHub leads from them to it.
	Former         []string
	DefaultBranch  string
	HTMLURL        string
	Visibility     string
	Archived       bool
	Fork           bool
	Topics         []string
	InstallationID int64
	// Discovered repositories are searched for the catalog pattern; others are
	// only read where a location points.
	Discovered bool
	State      RepositoryState

	// AppliedSHA is the commit that the catalog shows, AppliedAt when it came to
	// show it.
	AppliedSHA string
	AppliedAt  time.Time
	// SettingsHash names the pattern and rules that AppliedSHA was read with;
	// another hash means everything is read again.
	SettingsHash string
	// HeadSHA is the newest head heard of, HeadAt when; ahead of AppliedSHA means lag.
	HeadSHA string
	HeadAt  time.Time
	// Error is why the last refresh failed, ErrorAt when; empty after a good one.
	Error   string
	ErrorAt time.Time
	// VerifiedAt is when GitHub last confirmed the head, also when nothing had
	// changed; right to the minute.
	VerifiedAt time.Time
	// Version grows with every write. PutRepository refuses a stale one.
	Version int64
}

// FullName is owner/name.
func (r Repository) FullName() string { return r.Owner + "/" + r.Name }

// FileRole is why a file of a repository is read.
type FileRole string

// The roles of a file.
const (
	RolePattern    FileRole = "pattern"    // matches the catalog pattern
	RoleRegistered FileRole = "registered" // a location names it
	RoleTarget     FileRole = "target"     // a Location entity of the same repository reaches it
)

// FileStatus is the verdict on a file.
type FileStatus string

// The verdicts.
const (
	FileOK      FileStatus = "ok"
	FileBroken  FileStatus = "broken"  // at least one document was refused
	FileIgnored FileStatus = "ignored" // vendored, a skeleton …
	FileMissing FileStatus = "missing" // a location names it, the tree lacks it
)

// File is a catalog file of a repository, as last read.
type File struct {
	RepositoryID int64
	Path         string
	BlobSHA      string
	Role         FileRole
	// Parent is the path of the file whose Location reached this one; "" for the others.
	Parent string
	// Origin is the location ref of the root this file came in by.
	Origin string
	// Roots are the locations that name this very file, or the first file of
	// their glob: for each there is a generated Location entity.
	Roots []Root
	// Inputs are the other files of the repository that its documents were made
	// from ($text, $json, $yaml): path to blob SHA, "" for one that is absent.
	Inputs map[string]string
	// Targets are the Location targets inside the repository, as clean paths or
	// globs; they are matched against every new tree. External are absolute URLs
	// of files elsewhere.
	Targets     []string
	External    []string
	Status      FileStatus
	Diagnostics []entity.Diagnostic
	Documents   int
	// Errors are those that no entity of the file can show: the generated
	// Locations that lead to the file do.
	Errors []entity.StatusItem
}

// Root is a location that a file is named by.
type Root struct {
	// Name of the generated Location entity, in the default namespace.
	Name string `json:"name"`
	// Location is its ref, type:target.
	Location string `json:"location"`
	// Optional roots were found by the catalog pattern, not registered.
	Optional bool `json:"optional,omitempty"`
}

// Claim is a declaration of an entity by a file.
type Claim struct {
	entity.Declaration
	RepositoryID int64
	Path         string
	// Since is when the repository first declared the ref: the older claim wins.
	Since    time.Time
	Commit   string
	Delivery string
}

// Entity is a winning claim with what the catalog adds to it.
type Entity struct {
	Claim
	// UID is a UUID v4 given when the ref first enters the store.
	UID string
	// Hash covers JSON, relations and errors; equal hash means nothing to write.
	Hash string
	// Errors is not empty while the file that declares the entity is broken and
	// this is its last good version.
	Errors      []entity.StatusItem
	Revision    int64
	FirstSeen   time.Time
	LastChanged time.Time
}

// ChangeKind is what happened to an entity.
type ChangeKind string

// The kinds of change.
const (
	ChangeCreated ChangeKind = "created"
	ChangeUpdated ChangeKind = "updated"
	ChangeDeleted ChangeKind = "deleted"
)

// Change is one entry of the ordered feed, which is also the history.
// Revisions are given in commit order without gaps being visible to readers.
type Change struct {
	Revision   int64
	Ref        string
	UID        string
	What       ChangeKind
	BeforeHash string
	AfterHash  string
	// Fields are the differences, oldest field first by path.
	Fields []FieldChange
	Cause  Cause
	At     time.Time
}

// FieldChange is one differing field of an entity: a JSON pointer and the value
// before and after, absent when the field was.
type FieldChange struct {
	Path   string          `json:"path"`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

// Location is a registered location: by configuration, by the API, or by a
// Location entity of another repository.
type Location struct {
	// ID is a UUID.
	ID string
	// Type is "url" or "file"; Target as registered.
	Type   string
	Target string
	// Source is "config", "api:<id>", or "entity:<repository id>:<path>".
	Source string
	// Host, Owner, Repo (lower case), GitRef and Path are what the target points
	// to when it is a file of a repository on a configured GitHub host.
	Host   string
	Owner  string
	Repo   string
	GitRef string
	Path   string
	// Origin is the location ref that entities found here carry as their origin.
	Origin string
	// Name of the generated Location entity, "" for the one that the location ref
	// gives: a registered location keeps its name when it gets another target.
	Name string
}
