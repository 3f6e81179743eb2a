package e2e

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/cmd/config"
	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/schedule"
	"github.com/callboard/callboard/test/githubsim"
	"github.com/callboard/callboard/test/harness"
	"github.com/callboard/callboard/test/services"
)

// Whatever happens on GitHub, and however badly it is told: after one
// reconciliation the catalog is what an empty Callboard makes of GitHub as it is.
func TestReconciliationConverges(t *testing.T) {
	t.Parallel()
	for _, setup := range harness.Setups[:2] {
		t.Run(setup.Name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(4) {
				t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
					t.Parallel()
					h := newChronicle(t, setup, seed)
					for range 60 {
						h.happen()
					}
					h.reconcile(h.World)
					if diff := gocmp.Diff(h.fresh(setup), said(h.World)); diff != "" {
						t.Errorf("%s\n(-fresh +lived):\n%s", strings.Join(h.log, "\n"), diff)
					}
				})
			}
		})
	}
}

// Two organizations are covered, a third is not.
var covered, owners = []string{"acme", "umbrella"}, []string{"acme", "umbrella", "outside"}

// chronicle is what happens to GitHub.
type chronicle struct {
	*harness.World
	t        *testing.T
	rnd      *rand.Rand
	repos    []string          // full names
	branches map[string]string // of repositories by full name, where it is not main
	teams    map[string]string // slug → parent
	users    []string
	n        int
	log      []string
}

func newChronicle(t *testing.T, setup harness.Setup, seed uint64) *chronicle {
	h := &chronicle{
		World: harness.New(t, setup, githubsim.WithSeed(seed), githubsim.WithDeliveryWorkers(4)),
		t:     t, rnd: rand.New(rand.NewPCG(seed, 4)), branches: map[string]string{}, teams: map[string]string{}, users: []string{"ann", "bob", "cy"},
	}
	h.Prepare()
	host := h.Config.GitHub[0].Host
	for _, org := range owners {
		h.GitHub.AddOrg(org, org)
	}
	for _, login := range h.users {
		h.GitHub.AddUser(githubsim.User{Login: login, Name: strings.ToUpper(login)})
		h.must(h.GitHub.AddMember("acme", login, "member"))
	}
	for _, org := range covered {
		h.Config.Providers = append(h.Config.Providers, discovery.Provider{
			ID: org, Host: host, Organization: org, CatalogPath: "catalog-info.yaml", PageSize: 3,
			Filter: discovery.Filter{AllowForks: true, TopicExclude: []string{"hidden"}}, Schedule: schedule.Schedule{Manual: true},
		})
	}
	h.Config.Orgs = []config.OrgProvider{{
		ID: "acme", Host: host, Orgs: []string{"acme"}, TeamPage: 2, TeamMemberPage: 2, MemberPage: 2, Schedule: schedule.Schedule{Manual: true},
		Pause: 50 * time.Millisecond,
	}}
	h.Start()
	for _, org := range owners[:2] {
		h.Install(org)
	}
	h.GitHub.SetDeliveryFaults(githubsim.DeliveryFaults{Drop: 0.2, Lose: 0.2, Double: 0.2, Reorder: 4})
	return h
}

func (h *chronicle) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *chronicle) pick(n int) int { return h.rnd.IntN(n) }

func (h *chronicle) say(format string, args ...any) {
	h.log = append(h.log, fmt.Sprintf(format, args...))
}

// text is a descriptor with names that nothing else has.
func (h *chronicle) text() *string {
	h.n++
	s := fmt.Sprintf("apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: c%d}\nspec: {type: service, lifecycle: x, owner: ann}\n", h.n)
	if h.pick(3) == 0 {
		s += fmt.Sprintf("---\napiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: l%d}\nspec: {targets: [./more.yaml]}\n", h.n)
	}
	return &s
}

func (h *chronicle) more() *string {
	h.n++
	s := fmt.Sprintf("apiVersion: backstage.io/v1alpha1\nkind: Resource\nmetadata: {name: r%d}\nspec: {type: db, owner: ann}\n", h.n)
	return &s
}

// happen does one thing to GitHub; sometimes Callboard has the time to hear of it.
func (h *chronicle) happen() {
	h.T.Helper()
	switch {
	case len(h.repos) < 3 || h.pick(8) == 0:
		h.create()
	case h.pick(3) == 0:
		h.person()
	default:
		h.repository(h.pick(len(h.repos)))
	}
	if h.pick(20) == 0 {
		h.Settled()
	}
}

func (h *chronicle) create() {
	h.n++
	owner, name := owners[h.pick(3)], fmt.Sprint("repo", h.n)
	_, err := h.GitHub.CreateRepo(owner, name, githubsim.RepoOptions{}, map[string]string{"catalog-info.yaml": *h.text(), "more.yaml": *h.more()})
	h.must(err)
	h.repos = append(h.repos, owner+"/"+name)
	h.say("create %s/%s", owner, name)
}

func (h *chronicle) repository(i int) {
	g, repo := h.GitHub, h.repos[i]
	owner, _, _ := strings.Cut(repo, "/")
	switch what := h.pick(12); what {
	case 0, 1:
		branch := h.branch(repo)
		_, err := g.Commit(repo, branch, "change", map[string]*string{"catalog-info.yaml": h.text(), "more.yaml": h.more()})
		h.commit(repo, err)
	case 2:
		_, err := g.Commit(repo, h.branch(repo), "remove", map[string]*string{"catalog-info.yaml": nil})
		h.commit(repo, err)
	case 3:
		h.n++
		name := fmt.Sprint("renamed", h.n)
		h.must(g.RenameRepo(repo, name))
		h.called(i, owner+"/"+name)
		h.say("rename %s to %s", repo, h.repos[i])
	case 4:
		h.transfer(i, owners[h.pick(3)])
	case 5:
		h.n++
		branch := fmt.Sprint("b", h.n)
		if err := g.CreateBranch(repo, branch, h.branch(repo)); err != nil {
			h.commit(repo, err)
			return
		}
		_, err := g.Commit(repo, branch, "on a branch", map[string]*string{"catalog-info.yaml": h.text()})
		h.commit(repo, err)
		h.must(g.SetDefaultBranch(repo, branch))
		h.branches[repo] = branch
		h.say("default branch of %s is %s", repo, branch)
	case 6:
		archived := h.pick(2) == 0
		h.must(g.ArchiveRepo(repo, archived))
		h.say("archive %s %v", repo, archived)
	case 7:
		h.must(g.DeleteRepo(repo))
		h.repos = slices.Delete(h.repos, i, i+1)
		h.say("delete %s", repo)
	case 8:
		topics := [][]string{nil, {"hidden"}, {"shown"}}[h.pick(3)]
		h.must(g.SetTopics(repo, topics))
		h.say("topics of %s: %v", repo, topics)
	case 9:
		h.must(g.SetPrivate(repo, h.pick(2) == 0))
		h.say("visibility of %s", repo)
	case 10:
		h.must(g.DeleteRepo(repo))
		h.repos = slices.Delete(h.repos, i, i+1)
		h.successor(repo)
	case 11:
		if h.transfer(i, owners[h.pick(3)]) {
			h.successor(repo)
		}
	}
}

// transfer gives a repository to another account, unless that has one of the name.
func (h *chronicle) transfer(i int, to string) bool {
	h.T.Helper()
	repo := h.repos[i]
	_, name, _ := strings.Cut(repo, "/")
	if slices.Contains(h.repos, to+"/"+name) {
		return false
	}
	h.must(h.GitHub.TransferRepo(repo, to))
	h.called(i, to+"/"+name)
	h.say("transfer %s to %s", repo, to)
	return true
}

// successor makes another repository of a name that is free again.
func (h *chronicle) successor(repo string) {
	h.T.Helper()
	owner, name, _ := strings.Cut(repo, "/")
	delete(h.branches, repo)
	_, err := h.GitHub.CreateRepo(owner, name, githubsim.RepoOptions{}, map[string]string{"catalog-info.yaml": *h.text(), "more.yaml": *h.more()})
	h.must(err)
	h.repos = append(h.repos, repo)
	h.say("another %s", repo)
}

// commit notes one; an archived repository takes none.
func (h *chronicle) commit(repo string, err error) {
	h.T.Helper()
	if err != nil && strings.Contains(err.Error(), "archived") {
		return
	}
	h.must(err)
	h.say("commit to %s", repo)
}

func (h *chronicle) branch(repo string) string { return cmp.Or(h.branches[repo], "main") }

// called gives a repository another name.
func (h *chronicle) called(i int, name string) {
	h.branches[name] = h.branch(h.repos[i])
	h.repos[i] = name
}

func (h *chronicle) person() {
	g := h.GitHub
	teams := slices.Sorted(maps.Keys(h.teams))
	login := h.users[h.pick(len(h.users))]
	switch what := h.pick(6); {
	case what == 0 || len(teams) == 0:
		h.n++
		to := githubsim.TeamOptions{Name: fmt.Sprint("team", h.n)}
		if len(teams) > 0 && h.pick(2) == 0 {
			to.Parent = teams[h.pick(len(teams))]
		}
		h.must(g.AddTeam("acme", to))
		h.teams[to.Name] = to.Parent
		h.say("team %+v", to)
	case what == 1:
		h.must(g.DeleteTeam("acme", teams[0]))
		h.forget(teams[0])
		h.say("delete team %s", teams[0])
	case what == 2:
		h.n++
		name := fmt.Sprint("named", h.n)
		h.must(g.EditTeam("acme", teams[0], githubsim.TeamOptions{Name: name}))
		delete(h.teams, teams[0])
		h.teams[name] = ""
		for team, parent := range h.teams {
			if parent == teams[0] {
				h.teams[team] = name
			}
		}
		h.say("team %s is called %s", teams[0], name)
	case what == 3:
		h.n++
		login = fmt.Sprint("user", h.n)
		g.AddUser(githubsim.User{Login: login})
		h.must(g.AddMember("acme", login, "member"))
		h.users = append(h.users, login)
		h.say("member %s", login)
	case what == 4 && len(h.users) > 2:
		h.must(g.RemoveMember("acme", login))
		h.users = slices.DeleteFunc(h.users, func(u string) bool { return u == login })
		h.say("no member %s", login)
	default:
		h.must(g.AddTeamMember("acme", teams[h.pick(len(teams))], login))
		h.say("%s joins a team", login)
	}
}

// forget drops a team and those below it: they go with it.
func (h *chronicle) forget(team string) {
	delete(h.teams, team)
	for below, parent := range maps.Clone(h.teams) {
		if parent == team {
			h.forget(below)
		}
	}
}

// reconcile is one scan of every account and one look at the people.
func (h *chronicle) reconcile(w *harness.World) {
	w.T.Helper()
	h.GitHub.SetDeliveryFaults(githubsim.DeliveryFaults{})
	w.Settled()
	for _, path := range []string{"/api/callboard/scans", "/api/callboard/repositories/acme/~people/refresh"} {
		if status, body := send(h.t, w, http.MethodPost, path, ""); status != http.StatusAccepted {
			w.T.Fatalf("%s: %d %s", path, status, body)
		}
	}
	w.Eventually("scans are over", func() error {
		var list struct {
			Items []struct{ State, Owner, Error string }
		}
		if err := w.Get("/api/callboard/scans", &list); err != nil {
			return err
		}
		for _, s := range list.Items {
			if s.State == "running" {
				return errors.New("one runs")
			}
			if s.State != "done" || s.Error != "" {
				w.T.Fatalf("%+v", s)
			}
		}
		return nil
	})
	w.Settled()
}

// fresh is what a Callboard with an empty database says of the same GitHub.
func (h *chronicle) fresh(setup harness.Setup) map[string]harness.Entity {
	h.T.Helper()
	cfg := *h.Config
	cfg.Listen = harness.FreeAddress(h.T)
	cfg.Database.Path = filepath.Join(h.T.TempDir(), "fresh.db")
	if setup.Postgres {
		cfg.Database.DSN = config.Secret(services.Postgres(h.T))
	}
	if setup.Redis {
		cfg.Bus.RedisURL = config.Secret(services.Redis(h.T))
	}
	w := &harness.World{T: h.T, GitHub: h.GitHub, App: h.App, Config: &cfg}
	w.Start()
	w.Eventually("people are known", func() error { return w.Get("/api/callboard/repositories/acme/~people", nil) })
	h.reconcile(w)
	return said(w)
}

// said is the catalog without what only its own history can know.
func said(w *harness.World) map[string]harness.Entity {
	all := w.Written()
	for _, e := range all {
		delete(e.Metadata, "uid")
		delete(e.Metadata, "etag")
	}
	return all
}
