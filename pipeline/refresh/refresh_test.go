package refresh_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/callboard/callboard/pipeline/bus"
	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/pipeline/refresh"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
	"github.com/callboard/callboard/storage/sqlite"
	"github.com/callboard/callboard/test/githubsim"
)

// fixture is one step between a simulated GitHub and a real store.
type fixture struct {
	t     *testing.T
	sim   *githubsim.Server
	store storage.Store
	step  *refresh.Step
	// configure changes the settings of the step, as a restart would.
	configure func(func(*refresh.Config))
	host      string
	n         int
	// attempts is how often the messages of run were tried before.
	attempts int
}

type source struct{ *githubapp.Clients }

func (s source) Open(ctx context.Context, n githubapp.Name, paths []string) (refresh.Tree, error) {
	snapshot, err := s.Clients.Open(ctx, n, paths)
	if err != nil {
		return nil, err
	}
	return snapshot, nil
}

func setup(t *testing.T, pattern string, opts ...githubsim.Option) *fixture {
	t.Helper()
	t.Parallel()
	sim, err := githubsim.Open(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	sim.AddToken("token", "repo")
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	host := strings.TrimPrefix(sim.URL(), "http://")
	clients, err := githubapp.New([]githubapp.Host{{Host: host, BaseURL: sim.URL(), Token: "token"}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	cfg := refresh.Config{Policy: discovery.All(pattern), MaxFiles: 50}
	f := &fixture{t: t, sim: sim, store: store, host: host}
	f.configure = func(change func(*refresh.Config)) {
		change(&cfg)
		f.step = refresh.New(cfg, store, source{clients}, slog.New(slog.DiscardHandler))
	}
	f.configure(func(*refresh.Config) {})
	return f
}

func (f *fixture) create(name string, files map[string]string) *githubsim.Repo {
	f.t.Helper()
	owner, repo, _ := strings.Cut(name, "/")
	r, err := f.sim.CreateRepo(owner, repo, githubsim.RepoOptions{}, files)
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

func (f *fixture) commit(repo string, changes map[string]*string) string {
	f.t.Helper()
	sha, err := f.sim.Commit(repo, "main", "change", changes)
	if err != nil {
		f.t.Fatal(err)
	}
	return sha
}

// run does what the bus does for one message.
func (f *fixture) run(r *githubsim.Repo, change func(*event.Refresh)) (bus.Outcome, error) {
	f.t.Helper()
	owner, name, _ := strings.Cut(r.FullName(), "/")
	req := event.Refresh{Host: f.host, RepositoryID: r.ID(), Owner: owner, Name: name, Discovered: true}
	if change != nil {
		change(&req)
	}
	payload, err := json.Marshal(req)
	if err != nil {
		f.t.Fatal(err)
	}
	f.n++
	msgs := []storage.Message{{ID: int64(f.n), Topic: event.TopicRefresh, Payload: payload, Attempts: f.attempts,
		Cause: storage.Cause{Reason: storage.ReasonPush, Delivery: fmt.Sprint("delivery-", f.n)}}}
	plan, err := f.step.Plan(f.t.Context(), msgs)
	if err != nil {
		return bus.Outcome{}, err
	}
	var out bus.Outcome
	err = f.store.InTx(f.t.Context(), func(ctx context.Context, tx storage.Tx) (err error) {
		out, err = f.step.Apply(ctx, tx, plan)
		return err
	})
	return out, err
}

func (f *fixture) mustRun(r *githubsim.Repo, change func(*event.Refresh)) bus.Outcome {
	f.t.Helper()
	out, err := f.run(r, change)
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}

func (f *fixture) requests() (list []string) {
	for route, n := range f.sim.Requests() {
		for range n.Total {
			list = append(list, route)
		}
	}
	slices.Sort(list)
	return list
}

func (f *fixture) refs(r *githubsim.Repo) (refs []string) {
	f.t.Helper()
	entities, err := f.store.RepositoryEntities(f.t.Context(), r.ID())
	if err != nil {
		f.t.Fatal(err)
	}
	for _, e := range entities {
		if !strings.HasPrefix(e.Ref, "location:default/generated-") {
			refs = append(refs, e.Ref)
		}
	}
	return refs
}

// diagnostics of a repository's files, by rule.
func (f *fixture) diagnostics(r *githubsim.Repo) map[string][]entity.Diagnostic {
	f.t.Helper()
	files, err := f.store.Files(f.t.Context(), r.ID())
	if err != nil {
		f.t.Fatal(err)
	}
	byRule := map[string][]entity.Diagnostic{}
	for _, file := range files {
		for _, d := range file.Diagnostics {
			byRule[d.Rule] = append(byRule[d.Rule], d)
		}
	}
	return byRule
}

func component(name string) string {
	return "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: " + name +
		"\nspec:\n  type: service\n  lifecycle: production\n  owner: a\n"
}

// A push to a plain repository costs one request; a repeated refresh one
// conditional request.
func TestRequests(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	r := f.create("acme/one", map[string]string{"catalog-info.yaml": component("one")})
	f.mustRun(r, nil)
	if n, _, err := f.store.MessageBacklog(t.Context()); err != nil || n != 0 {
		t.Errorf("the first look asked for %d more, %v", n, err)
	}
	sha := f.commit("acme/one", map[string]*string{"catalog-info.yaml": new(component("two"))})

	f.sim.ResetRequests()
	out := f.mustRun(r, func(req *event.Refresh) { req.Head = sha })
	if got := f.requests(); len(got) != 1 {
		t.Errorf("a push cost %v, want one request", got)
	}
	if out.State != storage.DeliveryApplied || out.Commit != sha {
		t.Errorf("outcome is %+v", out)
	}
	if diff := f.refs(r); !slices.Equal(diff, []string{"component:default/two"}) {
		t.Errorf("refs are %v", diff)
	}

	f.sim.ResetRequests()
	out = f.mustRun(r, nil)
	count := 0
	for _, n := range f.sim.Requests() {
		count += n.Total
		if n.NotModified != n.Total {
			t.Errorf("not all were answered 304: %+v", f.sim.Requests())
		}
	}
	if count != 1 || out.State != storage.DeliveryUnchanged {
		t.Errorf("%d requests, outcome %+v", count, out)
	}
}

func TestGlobPattern(t *testing.T) {
	f := setup(t, "/**/catalog-info.{yaml,yml}")
	r := f.create("acme/mono", map[string]string{
		"catalog-info.yaml": component("root"), "a/b/catalog-info.yml": component("deep"),
		"vendor/x/catalog-info.yaml": component("vendored"), "node_modules/x/catalog-info.yaml": component("installed"),
		"template/skeleton/catalog-info.yaml": strings.Replace(component("x"), "name: x", "name: ${{ values.name }}", 1),
		"t/catalog-info.yaml":                 strings.Replace(component("x"), "name: x", "name: ${{ values.name }}", 1),
	})
	f.mustRun(r, nil)
	if got := f.refs(r); !slices.Equal(got, []string{"component:default/deep", "component:default/root"}) {
		t.Errorf("refs are %v", got)
	}
	files, err := f.store.Files(t.Context(), r.ID())
	if err != nil {
		t.Fatal(err)
	}
	ignored := 0
	for _, file := range files {
		if file.Status == storage.FileIgnored {
			ignored++
			if len(file.Diagnostics) != 1 || file.Diagnostics[0].Severity != "info" {
				t.Errorf("%s: diagnostics are %+v, want one quiet one", file.Path, file.Diagnostics)
			}
		}
	}
	if ignored != 4 {
		t.Errorf("%d files are ignored, want 4: %+v", ignored, files)
	}
}

func TestTruncatedTree(t *testing.T) {
	f := setup(t, "**/catalog-info.yaml", githubsim.WithTreeLimit(10))
	files := map[string]string{}
	for i := range 30 {
		files[fmt.Sprintf("d%d/e%d/catalog-info.yaml", i%5, i)] = component(fmt.Sprint("c", i))
	}
	r := f.create("acme/big", files)
	f.mustRun(r, nil)
	if got := len(f.refs(r)); got != 30 {
		t.Errorf("%d entities, want 30", got)
	}
}

func TestTooManyFilesKeepTheOthers(t *testing.T) {
	f := setup(t, "**/catalog-info.yaml")
	files := map[string]string{}
	for i := range 60 {
		files[fmt.Sprintf("d%02d/catalog-info.yaml", i)] = component(fmt.Sprint("c", i))
	}
	r := f.create("acme/big", files)
	f.mustRun(r, nil)
	if got := len(f.refs(r)); got != 50 {
		t.Errorf("%d entities, want the 50 that are allowed", got)
	}
	if d := f.diagnostics(r)["too-many-files"]; len(d) != 1 || !strings.Contains(d[0].Hint, "callboard.catalog.maxFiles") {
		t.Errorf("diagnostics are %+v", d)
	}
}

// What cannot be read for the moment keeps what it declared and reached.
func TestWhatIsNotReadKeepsItsLastGoodVersion(t *testing.T) {
	locations := func(n int) string {
		return fmt.Sprintf("apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: l%d}\nspec: {target: ./l%d.yaml}\n", n, n+1)
	}
	tests := []struct {
		name, rule string
		files      map[string]string
		change     map[string]*string
	}{
		{
			"a Location grows too large", "file-too-large",
			map[string]string{"catalog-info.yaml": strings.Replace(locations(0), "l1.yaml", "a.yaml", 1), "a.yaml": component("a")},
			map[string]*string{"catalog-info.yaml": new(locations(0) + "# " + strings.Repeat("x", 6<<20))},
		},
		{
			"a Location breaks", "yaml-syntax",
			map[string]string{"catalog-info.yaml": strings.Replace(locations(0), "l1.yaml", "a.yaml", 1), "a.yaml": component("a")},
			map[string]*string{"catalog-info.yaml": new("kind: [")},
		},
		{
			"Locations nest too deeply", "location-depth",
			map[string]string{"catalog-info.yaml": strings.Replace(locations(0), "l1.yaml", "a.yaml", 1), "a.yaml": component("a")},
			func() map[string]*string {
				changes := map[string]*string{"catalog-info.yaml": new(locations(0))}
				for i := 1; i < 11; i++ {
					changes[fmt.Sprintf("l%d.yaml", i)] = new(locations(i))
				}
				changes["l10.yaml"] = new(strings.Replace(locations(10), "l11.yaml", "a.yaml", 1))
				return changes
			}(),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := setup(t, "catalog-info.yaml")
			r := f.create("acme/one", tt.files)
			f.mustRun(r, nil)
			f.commit("acme/one", tt.change)
			f.mustRun(r, nil)
			if !slices.Contains(f.refs(r), "component:default/a") {
				t.Errorf("refs are %v", f.refs(r))
			}
			if len(f.diagnostics(r)[tt.rule]) != 1 {
				t.Errorf("diagnostics are %+v, want one %s", f.diagnostics(r), tt.rule)
			}
		})
	}
}

// A registered file stays when the default branch moves away from the one that
// its location names.
func TestRegisteredFileOfAnotherBranch(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	r := f.create("acme/one", map[string]string{"deep/x.yaml": component("x")})
	target := f.sim.URL() + "/acme/one/blob/main/deep/x.yaml"
	loc, ok := location.Parse(target)
	if !ok {
		t.Fatal("not a file URL")
	}
	loc.Source, loc.Origin = "config", "url:"+target
	if err := f.store.InTx(t.Context(), func(ctx context.Context, tx storage.Tx) error {
		return tx.ReplaceLocations(ctx, "config", []storage.Location{loc})
	}); err != nil {
		t.Fatal(err)
	}
	look := func(req *event.Refresh) { req.Look, req.Discovered = true, false }
	f.mustRun(r, look)
	if got := f.refs(r); len(got) != 1 {
		t.Fatalf("refs are %v", got)
	}
	if err := errors.Join(f.sim.CreateBranch("acme/one", "trunk", "main"), f.sim.SetDefaultBranch("acme/one", "trunk")); err != nil {
		t.Fatal(err)
	}
	f.mustRun(r, look)
	if got := f.refs(r); len(got) != 1 || len(f.diagnostics(r)["other-branch"]) != 1 {
		t.Errorf("refs are %v, diagnostics %+v", got, f.diagnostics(r))
	}
}

// A push is not done while GitHub still shows what was before it.
func TestGitHubShowsTheOldHead(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	r := f.create("acme/one", map[string]string{"catalog-info.yaml": component("one")})
	f.mustRun(r, nil)
	old := f.sim.Head("acme/one", "main")
	hint := func(req *event.Refresh) { req.Head, req.Before = strings.Repeat("b", 40), old }
	if out, err := f.run(r, hint); err == nil {
		t.Errorf("the outcome is %+v, want it tried again", out)
	}
	f.attempts = 3 // it may also be true
	if out := f.mustRun(r, hint); out.State != storage.DeliveryUnchanged {
		t.Errorf("outcome is %+v", out)
	}
}

// A claim that lost and then broke is still there when the winner goes.
func TestBrokenLoserIsPromoted(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	winner := f.create("acme/one", map[string]string{"catalog-info.yaml": component("x")})
	loser := f.create("acme/two", map[string]string{"catalog-info.yaml": component("x")})
	f.mustRun(winner, nil)
	f.mustRun(loser, nil)
	f.commit("acme/two", map[string]*string{"catalog-info.yaml": new("kind: [")})
	f.mustRun(loser, nil)
	f.commit("acme/one", map[string]*string{"catalog-info.yaml": new(component("y"))})
	f.mustRun(winner, nil)
	if got := f.refs(loser); !slices.Equal(got, []string{"component:default/x"}) {
		t.Errorf("the loser serves %v", got)
	}
}

// A 404 alone deletes nothing; GitHub's word and a 404 together do.
func TestGone(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	r := f.create("acme/one", map[string]string{"catalog-info.yaml": component("one")})
	f.mustRun(r, nil)
	if out := f.mustRun(r, func(req *event.Refresh) { req.Gone = "deleted" }); out.State == storage.DeliveryApplied {
		t.Errorf("a claim that GitHub does not confirm led to %+v", out)
	}
	if err := f.sim.DeleteRepo("acme/one"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.run(r, func(req *event.Refresh) { req.Look = true }); !errors.Is(err, githubapp.ErrNotFound) {
		t.Errorf("error is %v, want it tried again", err)
	}
	if got := f.refs(r); len(got) != 1 {
		t.Errorf("refs are %v after a 404", got)
	}
	out := f.mustRun(r, func(req *event.Refresh) { req.Gone = "deleted" })
	if got := f.refs(r); len(got) != 0 || out.State != storage.DeliveryApplied {
		t.Errorf("refs are %v, outcome %+v", got, out)
	}
	repo, err := f.store.Repository(t.Context(), r.ID())
	if err != nil || repo.State != storage.RepositoryRemoved {
		t.Errorf("repository is %+v, %v", repo, err)
	}
}

// Two plans of the same repository cannot both be applied.
func TestStalePlanIsRefused(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	r := f.create("acme/one", map[string]string{"catalog-info.yaml": component("one")})
	payload, _ := json.Marshal(event.Refresh{Host: f.host, RepositoryID: r.ID(), Owner: "acme", Name: "one", Discovered: true})
	plan, err := f.step.Plan(t.Context(), []storage.Message{{ID: 1, Payload: payload}})
	if err != nil {
		t.Fatal(err)
	}
	f.mustRun(r, nil)
	err = f.store.InTx(t.Context(), func(ctx context.Context, tx storage.Tx) error {
		_, err := f.step.Apply(ctx, tx, plan)
		return err
	})
	if !errors.Is(err, storage.ErrStale) {
		t.Errorf("error is %v, want ErrStale", err)
	}
}

func TestLimitsPostpone(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	r := f.create("acme/one", map[string]string{"catalog-info.yaml": component("one")})
	f.sim.Inject(githubsim.SecondaryLimit("*", http.StatusTooManyRequests, 7e9))
	_, err := f.run(r, nil)
	if err == nil || !strings.Contains(err.Error(), "rate limit") {
		t.Fatalf("error is %v", err)
	}
	f.sim.ClearFaults()
	f.sim.ResetRequests()
	if _, err := f.run(r, nil); err == nil || len(f.requests()) != 0 {
		t.Errorf("GitHub was asked before the time it gave: %v, %v", f.requests(), err)
	}
}
