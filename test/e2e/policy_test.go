package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/callboard/callboard/cmd/config"
	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/schedule"
	"github.com/callboard/callboard/test/githubsim"
	"github.com/callboard/callboard/test/harness"
)

// entry is one of catalog.providers.github about acme.
func entry(w *harness.World, id string, change func(*discovery.Provider)) {
	p := discovery.Provider{
		ID: id, Host: w.Config.GitHub[0].Host, Organization: "acme", CatalogPath: "catalog-info.yaml", PageSize: 10,
		Filter: discovery.Filter{AllowForks: true, AllowArchived: true}, Schedule: schedule.Schedule{Manual: true},
	}
	change(&p)
	w.Config.Providers = append(w.Config.Providers, p)
}

func restart(w *harness.World) {
	w.Stop()
	w.Start()
	w.Settled()
}

// filters.branch is the branch that is read: by scans, pushes and after a restart.
func TestBranchOfTheFilter(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		w.Prepare()
		entry(w, "dev", func(p *discovery.Provider) { p.Branch = "develop" })
		create(t, w, "acme/one", map[string]string{"catalog-info.yaml": component("main", "x")})
		must(t, w.GitHub.CreateBranch("acme/one", "develop", "main"))
		on := func(branch, name string) {
			t.Helper()
			_, err := w.GitHub.Commit("acme/one", branch, "change", map[string]*string{"catalog-info.yaml": new(component(name, "x"))})
			must(t, err)
		}
		on("develop", "dev")
		w.Start()
		w.Install("acme")
		w.Settled()
		expectRefs(t, w, "component:default/dev")
		on("main", "main2")
		on("develop", "dev2")
		w.Settled()
		expectRefs(t, w, "component:default/dev2")
		restart(w)
		if s := scan(t, w); s.Changed != 0 {
			t.Errorf("an unchanged branch: %+v", s)
		}
		expectRefs(t, w, "component:default/dev2")
	})
}

// Visibility and forks take repositories in and out, with the webhook and without.
func TestVisibilityAndForks(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		w.Prepare()
		entry(w, "closed", func(p *discovery.Provider) {
			p.Filter.Visibility, p.Filter.AllowForks = []string{"private", "internal"}, false
		})
		for name, o := range map[string]githubsim.RepoOptions{"private": {Private: true}, "public": {}, "fork": {Private: true, Fork: true}} {
			_, err := w.GitHub.CreateRepo("acme", name, o, map[string]string{"catalog-info.yaml": component(name, "x")})
			must(t, err)
		}
		w.Start()
		w.Install("acme")
		w.Settled()
		expectRefs(t, w, "component:default/private")
		must(t, w.GitHub.SetPrivate("acme/public", true))
		w.Settled()
		expectRefs(t, w, "component:default/private", "component:default/public")
		w.App.SetWebhook("", harness.Secret)
		must(t, w.GitHub.SetPrivate("acme/private", false))
		scan(t, w)
		expectRefs(t, w, "component:default/public")
	})
}

// An entry with app covers the organizations of this App, no other App's, and no users.
func TestEntriesByApp(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		w.Prepare()
		other, err := w.GitHub.AddApp("other", githubsim.AppOptions{
			WebhookURL: "http://" + w.Config.Listen + "/api/events/http/github", WebhookSecret: harness.Secret,
		})
		must(t, err)
		w.Config.GitHub[0].Apps = append(w.Config.GitHub[0].Apps, config.App{ID: other.ID(), PrivateKey: config.Secret(other.KeyPEM())})
		entry(w, "other", func(p *discovery.Provider) { p.Organization, p.App, p.Branch = "", other.ID(), "develop" })
		entry(w, "first", func(p *discovery.Provider) { p.Organization, p.App = "", w.App.ID() })
		w.GitHub.AddUser(githubsim.User{Login: "ann"})
		for _, repo := range []string{"acme/one", "umbrella/two", "ann/three"} {
			owner, name, _ := strings.Cut(repo, "/")
			create(t, w, repo, map[string]string{"catalog-info.yaml": component(name, "x")})
			_, err := w.GitHub.Commit(repo, "develop", "begin", map[string]*string{"catalog-info.yaml": new(component(owner, "x"))})
			must(t, err)
		}
		w.Start()
		w.Install("acme")
		w.Install("ann")
		_, err = w.GitHub.Install(other, "umbrella", nil)
		must(t, err)
		w.Settled()
		expectRefs(t, w, "component:default/one", "component:default/umbrella")
		for _, repo := range []string{"acme/one", "ann/three"} {
			commit(t, w, repo, map[string]*string{"README.md": new("hello")})
		}
		w.Settled()
		expectRefs(t, w, "component:default/one", "component:default/umbrella")
		w.GitHub.ResetRequests()
		restart(w)
		expectRefs(t, w, "component:default/one", "component:default/umbrella")
		if n := total(asks(w)); n > 4 {
			t.Errorf("a start without a change costs %d requests: %v", n, asks(w))
		}
	})
}

// Several entries for one organization: each repository is read by those that take it.
func TestSeveralEntries(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		w.Prepare()
		topic := func(name string) []string { return []string{name} }
		entry(w, "dev", func(p *discovery.Provider) { p.Branch, p.Filter.TopicInclude = "develop", topic("dev") })
		entry(w, "all", func(p *discovery.Provider) { p.Filter.TopicExclude = topic("hidden") })
		entry(w, "more", func(p *discovery.Provider) { p.CatalogPath, p.Filter.TopicInclude = "services/*.yaml", topic("more") })
		for name, topics := range map[string][]string{"plain": nil, "more": {"more"}, "dev": {"dev", "more"}, "hidden": {"hidden"}} {
			_, err := w.GitHub.CreateRepo("acme", name, githubsim.RepoOptions{Topics: topics}, map[string]string{
				"catalog-info.yaml": component(name, "x"), "services/a.yaml": component(name+"-a", "x"),
			})
			must(t, err)
			_, err = w.GitHub.Commit("acme/"+name, "develop", "begin", map[string]*string{"catalog-info.yaml": new(component(name+"-dev", "x"))})
			must(t, err)
		}
		w.Start()
		w.Install("acme")
		w.Settled()
		expectRefs(t, w, "component:default/dev-dev", "component:default/more", "component:default/more-a", "component:default/plain")
		must(t, w.GitHub.SetTopics("acme/plain", topic("more")), w.GitHub.SetTopics("acme/dev", nil), w.GitHub.SetTopics("acme/more", topic("hidden")))
		w.Settled()
		want := []string{"component:default/dev", "component:default/plain", "component:default/plain-a"}
		expectRefs(t, w, want...)
		restart(w)
		scan(t, w)
		expectRefs(t, w, want...)
		var settings struct{ Pattern string }
		if err := w.Get("/api/callboard/settings?owner=acme&host="+w.Config.GitHub[0].Host, &settings); err != nil || settings.Pattern != "{catalog-info.yaml,services/*.yaml}" {
			t.Errorf("settings %+v %v", settings, err)
		}
		var hidden struct{ Excluded string }
		if err := w.Get("/api/callboard/repositories/acme/hidden", &hidden); err == nil && !strings.Contains(hidden.Excluded, "all: its topic hidden") {
			t.Errorf("excluded: %q", hidden.Excluded)
		}
	})
}

// orphanProviderStrategy: keep keeps what came from accounts that no entry covers
// any more: at the start, and whatever is pushed there.
func TestKeepsWhatNoEntryCovers(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		w.Prepare()
		entry(w, "acme", func(*discovery.Provider) {})
		create(t, w, "acme/one", map[string]string{"catalog-info.yaml": component("one", "x")})
		w.Start()
		w.Install("acme")
		w.Settled()
		w.Config.Providers[0].Organization, w.Config.Catalog.KeepOrphans = "other", true
		restart(w)
		commit(t, w, "acme/one", map[string]*string{"catalog-info.yaml": nil})
		w.Settled()
		expectRefs(t, w, "component:default/one")
		var r struct{ Excluded string }
		if err := w.Get("/api/callboard/repositories/acme/one", &r); err != nil || !strings.Contains(r.Excluded, "no entry of catalog.providers.github covers acme; what it declared is kept") {
			t.Errorf("%v %s", err, fmt.Sprint(r))
		}
	})
}

func total(asks map[string]int) (n int) {
	for _, some := range asks {
		n += some
	}
	return n
}
