package app

import (
	"context"

	"github.com/callboard/callboard/cmd/config"
	"github.com/callboard/callboard/pipeline/bus"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/people"
	"github.com/callboard/callboard/pipeline/refresh"
	"github.com/callboard/callboard/storage"
)

// peopleConfig says whose people are in the catalog.
func peopleConfig(cfg *config.Config) people.Config {
	urls := map[string]string{}
	for _, h := range hosts(cfg.GitHub) {
		urls[h.Host] = h.WebURL()
	}
	out := people.Config{
		MaxRemovedShare: cfg.Scan.MaxRemovedShare, MaxRemovedEntities: cfg.Scan.MaxRemovedEntities,
		KeepAbandoned: cfg.Catalog.KeepOrphans,
	}
	for _, o := range cfg.Orgs {
		out.Providers = append(out.Providers, people.Provider{
			ID: o.ID, Host: o.Host, URL: urls[o.Host], Orgs: o.Orgs, Schedule: o.Schedule, Pause: o.Pause,
			Query: githubapp.PeopleQuery{
				Members: o.MemberPage, Teams: o.TeamPage, TeamMembers: o.TeamMemberPage,
				VerifiedEmails: o.UseVerifiedEmails, Suspended: o.ExcludeSuspended,
			},
		})
	}
	return out
}

// peopleCatalog lets people write what refresh writes.
type peopleCatalog struct{ step *refresh.Step }

// SourceID implements people.Catalog.
func (peopleCatalog) SourceID(host, owner, name string) int64 {
	return refresh.SourceID(host, owner, name)
}

// PlanEntries implements people.Catalog.
func (c peopleCatalog) PlanEntries(ctx context.Context, source storage.Repository, entries []people.Entry, force bool, cause storage.Cause) (people.Change, error) {
	all := make([]refresh.Entry, len(entries))
	for i, e := range entries {
		all[i] = refresh.Entry(e)
	}
	plan, err := c.step.PlanEntries(ctx, source, all, force, cause)
	return peopleChange{plan, c.step}, err
}

// peopleChange is a plan of a refresh with what applies it.
type peopleChange struct {
	refresh.Plan
	step *refresh.Step
}

// Apply implements people.Change.
func (c peopleChange) Apply(ctx context.Context, tx storage.Tx) (bus.Outcome, error) {
	return c.step.Apply(ctx, tx, c.Plan)
}
