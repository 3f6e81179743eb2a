package people_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/people"
	"github.com/callboard/callboard/pipeline/refresh"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/sqlite"
	"github.com/callboard/callboard/test/githubsim"
)

// life is an organization in which things happen, of which Callboard hears some.
type life struct {
	*fixture
	sim   *githubsim.Server
	org   string
	teams int
}

// Whatever happens to members and teams, and whether one hears of it or not:
// after one look the catalog is what a new one makes of the organization.
func TestAnyLifeEndsAsFromNothing(t *testing.T) {
	t.Parallel()
	sim, err := githubsim.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	app, err := sim.AddApp("callboard", githubsim.AppOptions{})
	if err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(sim.URL(), "http://")
	clients, err := githubapp.New([]githubapp.Host{{
		Host: host, BaseURL: sim.URL(), Apps: []githubapp.App{{ID: app.ID(), PrivateKey: app.KeyPEM()}},
	}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	runs := 0
	rapid.Check(t, func(r *rapid.T) {
		runs++
		l := &life{fixture: &fixture{t: t, now: time.Unix(1<<30, 0).UTC()}, sim: sim, org: fmt.Sprintf("org-%d", runs)}
		sim.AddOrg(l.org, l.org)
		if err := sim.AddMember(l.org, "owner", "admin", githubsim.Quiet()); err != nil {
			r.Fatal(err)
		}
		if _, err := sim.Install(app, l.org, nil); err != nil {
			r.Fatal(err)
		}
		fresh := func() (storage.Store, *people.Step) {
			store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "callboard.db"))
			if err != nil {
				r.Fatal(err)
			}
			log := slog.New(slog.DiscardHandler)
			now := func() time.Time { return l.now }
			p := people.Provider{ID: "main", Host: host, Orgs: []string{l.org}, Query: githubapp.PeopleQuery{Members: 2, Teams: 2, TeamMembers: 2}}
			cfg := people.Config{Providers: []people.Provider{p}, MaxRemovedShare: 1, Now: now}
			return store, people.New(cfg, store, clients, catalog{refresh.New(refresh.Config{Now: now}, store, nil, log)}, log)
		}
		look := func() {
			l.now = l.now.Add(time.Hour)
			if _, err := l.run(l.message(people.Provider{Host: host}, l.org, nil)); err != nil {
				r.Fatal(err)
			}
		}
		l.store, l.step = fresh()
		defer func() { _ = l.store.Close() }()
		for range rapid.IntRange(1, 15).Draw(r, "steps") {
			l.happen(r)
			for range rapid.IntRange(0, 1).Draw(r, "heard") {
				look()
			}
		}
		look()
		lived := l.dump()
		old := l.store
		l.store, l.step = fresh()
		look()
		if diff := cmp.Diff(l.dump(), lived); diff != "" {
			r.Errorf("(-from nothing +lived)\n%s", diff)
		}
		_ = old.Close()
	})
}

// happen is one change. Most of those that make no sense are refused, as GitHub does.
func (l *life) happen(r *rapid.T) {
	user := rapid.SampledFrom([]string{"ann", "bob", "cleo", "dan-"}).Draw(r, "user")
	team := fmt.Sprintf("team-%d", rapid.IntRange(0, max(l.teams, 1)-1).Draw(r, "team"))
	quiet := githubsim.Quiet()
	switch rapid.IntRange(0, 6).Draw(r, "what") {
	case 0:
		_ = l.sim.AddMember(l.org, user, "member", quiet)
	case 1:
		_ = l.sim.RemoveMember(l.org, user, quiet)
	case 2:
		parent := ""
		if l.teams > 0 && rapid.Bool().Draw(r, "below") {
			parent = team
		}
		_ = l.sim.AddTeam(l.org, githubsim.TeamOptions{Name: fmt.Sprintf("team %d", l.teams), Parent: parent}, quiet)
		l.teams++
	case 3:
		_ = l.sim.EditTeam(l.org, team, githubsim.TeamOptions{Name: strings.ReplaceAll(team, "-", " "), Description: user}, quiet)
	case 4:
		_ = l.sim.DeleteTeam(l.org, team, quiet)
	case 5:
		_ = l.sim.AddMember(l.org, user, "member", quiet)
		_ = l.sim.AddTeamMember(l.org, team, user, quiet)
	case 6:
		_ = l.sim.RemoveTeamMember(l.org, team, user, quiet)
	}
}

// dump is what the catalog has of everybody.
func (l *life) dump() map[string]string {
	l.t.Helper()
	out := map[string]string{}
	if _, err := l.store.EachEntity(l.t.Context(), func(e storage.Entity) error {
		out[e.Ref] = fmt.Sprintf("%s %s %v", e.JSON, e.Path, e.Relations)
		return nil
	}); err != nil {
		l.t.Fatal(err)
	}
	return out
}
