package githubapp

import "context"

// Purpose is what a request to GitHub is for. Where the budget is short, those
// that come first are served first.
type Purpose string

// The purposes, most urgent first.
const (
	PurposePush   Purpose = "push"   // somebody changed something and wants to see it
	PurposeManual Purpose = "manual" // somebody asked by hand
	PurposeDocs   Purpose = "docs"   // documentation is built
	PurposeScan   Purpose = "scan"   // nobody waits: reconciliation
)

// Purposes lists all, most urgent first.
func Purposes() []Purpose { return []Purpose{PurposePush, PurposeManual, PurposeDocs, PurposeScan} }

type purposeKey struct{}

// WithPurpose says what the requests made with a context are for.
func WithPurpose(ctx context.Context, p Purpose) context.Context {
	return context.WithValue(ctx, purposeKey{}, p)
}

// purposeOf is PurposePush where nothing is said: what nobody thought of must
// not wait behind a scan.
func purposeOf(ctx context.Context) Purpose {
	if p, ok := ctx.Value(purposeKey{}).(Purpose); ok {
		return p
	}
	return PurposePush
}
