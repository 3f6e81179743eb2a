// Package refresh makes the catalog equal to one repository's Git tree.
//
// It is the only way in: a push, a scan, a registration, a manual refresh and
// a retry all ask for the same idempotent operation, with a reason. Plan looks
// at the head of the default branch and reads the files that changed; Apply
// replaces what came from them, diagnostics included, in one transaction.
//
// It does not know how messages travel (bus), what a descriptor means
// (descriptor) or how GitHub is asked (githubapp).
package refresh

import (
	"context"
	"log/slog"
	"time"

	"github.com/callboard/callboard/pipeline/bus"
	"github.com/callboard/callboard/pipeline/descriptor"
	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/rule"
	"github.com/callboard/callboard/storage"
)

// GitHub is what a refresh asks of GitHub.
type GitHub interface {
	// Open looks at the head of the default branch; ids of the files at paths
	// ride along. githubapp.ErrNotFound when the repository is not to be seen.
	Open(ctx context.Context, n githubapp.Name, paths []string) (Tree, error)
	// Covered says whether we may still read the repository: no is evidence that
	// it was taken away.
	Covered(ctx context.Context, n githubapp.Name) (bool, error)
	// Moved says whether a branch's head is another commit than sha.
	Moved(ctx context.Context, n githubapp.Name, branch, sha string) (bool, error)
	// Hosts are the GitHub hosts that are configured.
	Hosts() []string
	// AppsOn are the Apps on an organization, none for a user's account, and nil
	// while that is not known: LearnApps asks.
	AppsOn(host, owner string) []int64
	LearnApps(ctx context.Context, host string) error
}

// Tree is a repository at one commit. *githubapp.Snapshot is one.
type Tree interface {
	Facts() githubapp.Repository
	Lookup(ctx context.Context, paths []string) (map[string]githubapp.Object, error)
	List(ctx context.Context) ([]githubapp.Entry, error)
	Read(ctx context.Context, objects []githubapp.Object) (map[string][]byte, error)
}

// Config says what is read. Zero fields take the defaults.
type Config struct {
	// Policy says which repositories are searched for descriptors, and where. Its
	// zero value is that of every repository and the default path.
	Policy discovery.Policy
	// KeepAbandoned keeps what repositories declared whose account no entry covers
	// any more.
	KeepAbandoned bool
	// Rules say which kinds may come from where; nil lets every kind in.
	Rules rule.Rules
	// Owner is the policy for entities without an owner; the zero value is OwnerOff.
	Owner OwnerPolicy
	// Limits of one descriptor file; FileBytes also bounds placeholder files.
	Limits descriptor.Limits
	// MaxFiles is how many catalog files one repository may have (10,000), and
	// MaxDepth how deep Locations may nest (10).
	MaxFiles int
	MaxDepth int
	// Undo is how long what went can come back as it was (7 days).
	Undo time.Duration
	Now  func() time.Time
}

// Step is the work behind event.TopicRefresh.
type Step struct {
	cfg    Config
	store  storage.Store
	github GitHub
	log    *slog.Logger
}

var _ bus.Step[Plan] = (*Step)(nil)

// New makes the step.
func New(cfg Config, store storage.Store, github GitHub, log *slog.Logger) *Step {
	if len(cfg.Policy.Providers) == 0 && cfg.Policy.Undirected.CatalogPath == "" {
		cfg.Policy = discovery.All(discovery.DefaultPath)
	}
	if cfg.Limits.FileBytes == 0 {
		cfg.Limits.FileBytes = 5 << 20
	}
	if cfg.MaxFiles == 0 {
		cfg.MaxFiles = 10_000
	}
	if cfg.MaxDepth == 0 {
		cfg.MaxDepth = 10
	}
	if cfg.Undo == 0 {
		cfg.Undo = 7 * 24 * time.Hour
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Step{cfg: cfg, store: store, github: github, log: log}
}

// Topic implements bus.Step.
func (s *Step) Topic() string { return event.TopicRefresh }

// Looks is the same work behind event.TopicLook.
type Looks struct{ *Step }

// Topic implements bus.Step.
func (Looks) Topic() string { return event.TopicLook }

// Scanned is the same work behind event.TopicScanned.
type Scanned struct{ *Step }

// Topic implements bus.Step.
func (Scanned) Topic() string { return event.TopicScanned }
