package storage

import "github.com/callboard/callboard/storage/entity"

// RepositoryFilter selects repositories, by id. Zero fields do not filter.
type RepositoryFilter struct {
	Failed bool  // those whose last refresh failed
	After  int64 // continues a listing behind an id
	Limit  int   // 0 means 100
}

// FileDiagnostic is a diagnostic and where it stands.
type FileDiagnostic struct {
	RepositoryID int64
	// Position among the diagnostics of its file.
	Position int
	// Owner is the ref of who owns the entity concerned; without one, of who owns
	// the first entity (by ref) of the repository that has an owner.
	Owner string
	entity.Diagnostic
}

// Key is where a listing continues behind the diagnostic.
func (d FileDiagnostic) Key() DiagnosticKey { return DiagnosticKey{d.RepositoryID, d.Path, d.Position} }

// DiagnosticKey is the order of diagnostics.
type DiagnosticKey struct {
	RepositoryID int64
	Path         string
	Position     int
}

// DiagnosticFilter selects diagnostics. Zero fields do not filter.
type DiagnosticFilter struct {
	RepositoryID int64
	Ref          string
	Rule         string
	Severity     entity.Severity
	// Owner is not looked up in an index: all that the other fields leave are asked.
	Owner string
	After DiagnosticKey
	Limit int // 0 means 100
}

// DiagnosticCount is how many diagnostics there are of a kind.
type DiagnosticCount struct {
	Severity entity.Severity
	Rule     string
	Count    int
}

// ConflictFilter selects refs that several files declare. Zero fields do not filter.
type ConflictFilter struct {
	Ref          string
	RepositoryID int64  // serves the ref or claims it
	After        string // continues a listing behind a ref
	Limit        int    // 0 means 100
}

// Conflict is a ref with the claims that lost it.
type Conflict struct {
	Ref string
	// Claims are without Descriptor, JSON and Relations, oldest first, and
	// MaxConflictClaims at most; Total counts all.
	Claims []Claim
	Total  int
}

// MaxConflictClaims bounds the claims that are listed of one ref: a template
// that was copied a thousand times is one conflict.
const MaxConflictClaims = 50
