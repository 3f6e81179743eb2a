// Package people makes users and groups of the catalog equal to the members and
// teams of organizations (contract catalog 5.5).
//
// Every event and every schedule asks for the same: look at everybody, turn them
// into entities, and write what differs. Nothing is patched from a payload, so
// what was lost, doubled or reordered makes no difference.
//
// One entry of catalog.providers.githubOrg is one source, with all of its
// organizations, because a user of two of them is one entity that lists the teams
// of both. Sources are rows among the repositories; how their entries become
// claims, history and tombstones is not known here (refresh, through Catalog).
//
//	event: {host, org} → turn → list → Transform → PlanEntries → doubt removals → write
package people

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/callboard/callboard/pipeline/bus"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/schedule"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// GitHub is what a look at people asks of GitHub.
type GitHub interface {
	// Installations lists where the Apps of a host are installed: all, or an error.
	Installations(ctx context.Context, host string) ([]githubapp.Installation, error)
	// People reads all members and teams of an organization: all, or an error.
	People(ctx context.Context, host, org string, installation int64, q githubapp.PeopleQuery) (githubapp.People, error)
	// Present asks for members ("members/<login>") and teams ("teams/<slug>") one by
	// one, and answers those that are there.
	Present(ctx context.Context, host, org string, whom []string) (map[string]bool, error)
	// Hosts are the GitHub hosts that are configured.
	Hosts() []string
}

// Entry declares one member or team.
type Entry struct {
	// Path names the entry within its source.
	Path string
	// SHA is another one when the entry says something else.
	SHA string
	// Origin is the location ref that the entity carries.
	Origin       string
	Declarations []entity.Declaration
	Diagnostics  []entity.Diagnostic
}

// Catalog is where entries become entities.
type Catalog interface {
	// SourceID is the id of the row of a source.
	SourceID(host, owner, name string) int64
	// PlanEntries plans to make what a source declares equal to entries. With force
	// entries are written that did not change.
	PlanEntries(ctx context.Context, source storage.Repository, entries []Entry, force bool, cause storage.Cause) (Change, error)
}

// Change is a planned difference.
type Change interface {
	// Removed are the paths of the entries that go, Keeps how many of those that
	// were known stay.
	Removed() []string
	Keeps() int
	Apply(ctx context.Context, tx storage.Tx) (bus.Outcome, error)
}

// Provider is an entry of catalog.providers.githubOrg.
type Provider struct {
	ID   string
	Host string
	// URL is scheme and host of the pages of people; "https://<Host>" when empty.
	URL string
	// Orgs are logins; none means every organization that an App is installed on.
	Orgs []string
	// Query says how people are read, whether verified addresses are taken and
	// whether suspended users are left out.
	Query    githubapp.PeopleQuery
	Schedule schedule.Schedule
	// Pause is the least time between two looks, for each request that the first
	// one cost (1 s): as much as the budget of an hour allows at all times.
	Pause time.Duration
}

// owner is what the row of the source has as its owner: the organization, or
// something that is none where there may be several.
func (p Provider) owner() string {
	if len(p.Orgs) == 1 {
		return p.Orgs[0]
	}
	return "~" + p.ID
}

// covers says whether an organization belongs to the provider.
func (p Provider) covers(host, org string) bool {
	if !strings.EqualFold(p.Host, host) {
		return false
	}
	if strings.EqualFold(p.owner(), org) || len(p.Orgs) == 0 && !strings.HasPrefix(org, "~") {
		return true
	}
	for _, o := range p.Orgs {
		if strings.EqualFold(o, org) {
			return true
		}
	}
	return false
}

// Config says whose people are in the catalog. Zero fields take the defaults.
type Config struct {
	Providers []Provider
	// KeepAbandoned leaves what a source declared when it is not configured any
	// more (catalog.orphanProviderStrategy: keep).
	KeepAbandoned bool
	// A look that would remove more than both, a share of the source's entities and
	// a number of them, waits for somebody to approve it.
	MaxRemovedShare    float64
	MaxRemovedEntities int
	Now                func() time.Time
}

// Step is the work behind event.TopicPeople.
type Step struct {
	cfg     Config
	store   storage.Store
	github  GitHub
	catalog Catalog
	log     *slog.Logger
	// holder names this process in leases.
	holder string
}

var _ bus.Step[Plan] = (*Step)(nil)

// New makes the step.
func New(cfg Config, store storage.Store, github GitHub, catalog Catalog, log *slog.Logger) *Step {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Step{cfg: cfg, store: store, github: github, catalog: catalog, log: log, holder: uuid.NewString()}
}

// Topic implements bus.Step.
func (s *Step) Topic() string { return event.TopicPeople }

// Covers says whether an organization's people belong to the catalog. Events of
// others need no look.
func (s *Step) Covers(host, org string) bool {
	_, ok := s.provider(host, org)
	return ok
}

// provider finds the entry for an organization: one that names it comes first.
func (s *Step) provider(host, org string) (Provider, bool) {
	for _, named := range []bool{true, false} {
		for _, p := range s.cfg.Providers {
			if named == (len(p.Orgs) > 0 || strings.EqualFold(p.owner(), org)) && p.covers(host, org) {
				return p, true
			}
		}
	}
	return Provider{}, false
}

// source is the row of a source.
func (s *Step) source(host, owner string) storage.Repository {
	return storage.Repository{
		ID: s.catalog.SourceID(host, owner, event.PeopleName), Host: host, Owner: owner, Name: event.PeopleName,
	}
}
