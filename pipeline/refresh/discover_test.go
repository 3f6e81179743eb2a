package refresh_test

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/callboard/callboard/pipeline/bus"
	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/refresh"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
	"github.com/callboard/callboard/test/githubsim"
)

// scanned does what the bus does for one message of a scan.
func (f *fixture) scanned(r *githubsim.Repo, change func(*event.Refresh)) bus.Outcome {
	f.t.Helper()
	owner, name, _ := strings.Cut(r.FullName(), "/")
	req := event.Refresh{Host: f.host, RepositoryID: r.ID(), Owner: owner, Name: name, Discovered: true}
	if change != nil {
		change(&req)
	}
	return f.deliver(event.TopicScanned, req, storage.Cause{Reason: storage.ReasonScan, Scan: "scan-1"})
}

func (f *fixture) deliver(topic string, req event.Refresh, cause storage.Cause) bus.Outcome {
	f.t.Helper()
	payload, err := json.Marshal(req)
	if err != nil {
		f.t.Fatal(err)
	}
	plan, err := f.step.Plan(f.t.Context(), []storage.Message{{ID: 1, Topic: topic, Payload: payload, Cause: cause}})
	if err != nil {
		f.t.Fatal(err)
	}
	return f.apply(plan)
}

func (f *fixture) apply(plan refresh.Plan) (out bus.Outcome) {
	f.t.Helper()
	err := f.store.InTx(f.t.Context(), func(ctx context.Context, tx storage.Tx) (err error) {
		out, err = f.step.Apply(ctx, tx, plan)
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}

// What a scan saw of an unknown repository is enough; of a known one it is not.
func TestSeenSparesRequests(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	text := component("one")
	r := f.create("acme/one", map[string]string{"catalog-info.yaml": text})
	head := f.commit("acme/one", map[string]*string{"README.md": new("hello")})
	seen := func(req *event.Refresh) {
		req.Seen = &event.Seen{
			ID: r.ID(), Owner: "acme", Name: "one", URL: f.sim.URL() + "/acme/one", DefaultBranch: "main", Visibility: "public",
			Head: head, Path: "catalog-info.yaml", BlobSHA: "b1", Size: int64(len(text)), Text: &text,
		}
	}
	f.sim.ResetRequests()
	out := f.scanned(r, seen)
	if got := f.requests(); len(got) != 0 {
		t.Errorf("it cost %v", got)
	}
	if got := f.refs(r); !slices.Equal(got, []string{"component:default/one"}) || out.Commit != head {
		t.Errorf("refs %v, outcome %+v", got, out)
	}
	// An older answer must not overwrite what came since.
	sha := f.commit("acme/one", map[string]*string{"catalog-info.yaml": new(component("two"))})
	f.mustRun(r, func(req *event.Refresh) { req.Head = sha })
	f.scanned(r, func(req *event.Refresh) { seen(req); req.Look = true; req.Released = 1 })
	if got := f.refs(r); !slices.Equal(got, []string{"component:default/two"}) {
		t.Errorf("refs %v", got)
	}
}

// A Location needs more than the scan saw: GitHub is asked for the rest, and
// from the beginning if the head moved meanwhile.
func TestSeenAndMore(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	location := "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: all}\nspec: {targets: [./other.yaml]}\n"
	r := f.create("acme/one", map[string]string{"catalog-info.yaml": location, "other.yaml": component("old")})
	head := f.commit("acme/one", map[string]*string{"README.md": new("hello")})
	moved := f.commit("acme/one", map[string]*string{"other.yaml": new(component("new"))})
	out := f.scanned(r, func(req *event.Refresh) {
		req.Seen = &event.Seen{
			ID: r.ID(), Owner: "acme", Name: "one", URL: f.sim.URL() + "/acme/one", DefaultBranch: "main", Visibility: "public",
			Head: head, Path: "catalog-info.yaml", BlobSHA: "b1", Size: int64(len(location)), Text: &location,
		}
	})
	if got := f.refs(r); !slices.Equal(got, []string{"component:default/new", "location:default/all"}) || out.Commit != moved {
		t.Errorf("refs %v, outcome %+v", got, out)
	}
}

// What a scan would remove is held, and applied when it is released.
func TestScanHoldsRemovals(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	r := f.create("acme/one", map[string]string{"catalog-info.yaml": component("one") + "---\n" + component("two")})
	f.mustRun(r, nil)
	f.commit("acme/one", map[string]*string{"catalog-info.yaml": new(component("one"))})
	out := f.scanned(r, nil)
	if got := f.refs(r); len(got) != 2 || !strings.Contains(out.Reason, "would remove 1 entities") || out.Summary != "held: 1 would go" {
		t.Errorf("refs %v, outcome %+v", got, out)
	}
	holds, err := f.store.Holds(t.Context(), "scan-1")
	if err != nil || len(holds) != 1 || holds[0].Entities != 1 || !slices.Equal(holds[0].Refs, []string{"component:default/two"}) {
		t.Fatalf("holds %+v %v", holds, err)
	}
	var again event.Refresh
	if err := json.Unmarshal(holds[0].Payload, &again); err != nil {
		t.Fatal(err)
	}
	// More than was counted does not go.
	f.commit("acme/one", map[string]*string{"catalog-info.yaml": new("# nothing")})
	f.deliver(event.TopicScanned, again, storage.Cause{Reason: storage.ReasonScan, Scan: "scan-1"})
	if holds, err = f.store.Holds(t.Context(), "scan-1"); err != nil || len(holds) != 1 || holds[0].Entities != 2 || len(f.refs(r)) != 2 {
		t.Errorf("holds %+v %v, refs %v", holds, err, f.refs(r))
	}
	f.commit("acme/one", map[string]*string{"catalog-info.yaml": new(component("one"))})
	f.deliver(event.TopicScanned, again, storage.Cause{Reason: storage.ReasonScan, Scan: "scan-1"})
	if got := f.refs(r); !slices.Equal(got, []string{"component:default/one"}) {
		t.Errorf("refs after the release %v", got)
	}
	// What removes nothing is not held.
	f.commit("acme/one", map[string]*string{"catalog-info.yaml": new(component("one") + "---\n" + component("three"))})
	f.scanned(r, nil)
	if got := f.refs(r); len(got) != 2 {
		t.Errorf("refs %v", got)
	}
}

// A repository that a listing lacks and that answers 404 is not gone: only the
// App's own word is evidence, and a token has none.
func TestAbsenceIsNoEvidence(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	r := f.create("acme/one", map[string]string{"catalog-info.yaml": component("one")})
	f.mustRun(r, nil)
	f.sim.Inject(githubsim.Fault{Match: "*", Status: 404})
	f.attempts = 5
	owner, name, _ := strings.Cut(r.FullName(), "/")
	payload, err := json.Marshal(event.Refresh{Host: f.host, RepositoryID: r.ID(), Owner: owner, Name: name, Discovered: true, Gone: "removed"})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := f.step.Plan(t.Context(), []storage.Message{{ID: 1, Topic: event.TopicScanned, Payload: payload, Attempts: 5,
		Cause: storage.Cause{Reason: storage.ReasonScan, Scan: "scan-1"}}})
	if err != nil {
		t.Fatal(err)
	}
	f.apply(plan)
	if got := f.refs(r); !slices.Equal(got, []string{"component:default/one"}) {
		t.Errorf("refs %v", got)
	}
}

// The filters of a provider take repositories in and out as their facts change.
func TestFilters(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	f.configure(func(c *refresh.Config) {
		c.Policy = discovery.Policy{Providers: []discovery.Provider{{
			Host: f.host, Organization: "ACME", CatalogPath: "catalog-info.yaml",
			Filter: discovery.Filter{Repository: regexp.MustCompile("^(?:svc-.*)$"), AllowForks: true},
		}}}
	})
	in := f.create("acme/svc-a", map[string]string{"catalog-info.yaml": component("a")})
	out := f.create("acme/lib-b", map[string]string{"catalog-info.yaml": component("b")})
	other := f.create("umbrella/svc-c", map[string]string{"catalog-info.yaml": component("c")})
	for _, r := range []*githubsim.Repo{in, out, other} {
		f.mustRun(r, nil)
	}
	if len(f.refs(in)) != 1 || len(f.refs(out)) != 0 || len(f.refs(other)) != 0 {
		t.Errorf("refs %v %v %v", f.refs(in), f.refs(out), f.refs(other))
	}
	look := func(req *event.Refresh) { req.Look = true }
	for _, archived := range []bool{true, false} {
		if err := f.sim.ArchiveRepo("acme/svc-a", archived); err != nil {
			t.Fatal(err)
		}
		f.mustRun(in, look)
		if got := len(f.refs(in)); (got == 0) != archived {
			t.Errorf("archived %v: %d entities", archived, got)
		}
	}
}

// Of an abandoned repository only what locations name is read; what it declared
// itself stays as it was.
func TestAbandoned(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	location := "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: all}\nspec: {targets: [./target.yaml]}\n"
	r := f.create("acme/one", map[string]string{
		"catalog-info.yaml": location, "target.yaml": component("target"), "named.yaml": component("named"),
	})
	f.mustRun(r, nil)
	f.configure(func(c *refresh.Config) {
		c.KeepAbandoned = true
		c.Policy = discovery.Policy{Providers: []discovery.Provider{{Host: f.host, Organization: "other"}}}
	})
	f.locate("acme/one/blob/main", "named.yaml")
	f.commit("acme/one", map[string]*string{"catalog-info.yaml": nil, "target.yaml": nil, "named.yaml": new(component("named2"))})
	f.mustRun(r, func(req *event.Refresh) { req.Discovered = false })
	want := []string{"component:default/named2", "component:default/target", "location:default/all"}
	if got := f.refs(r); !slices.Equal(got, want) {
		t.Errorf("kept %v", got)
	}
	f.configure(func(c *refresh.Config) { c.KeepAbandoned = false })
	f.mustRun(r, func(req *event.Refresh) { req.Discovered, req.Look = false, true })
	if got := f.refs(r); !slices.Equal(got, want[:1]) {
		t.Errorf("without keep: %v", got)
	}
}

// filters.branch reads another branch, also when it comes and goes.
func TestBranch(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	f.configure(func(c *refresh.Config) {
		c.Policy = discovery.Policy{Undirected: discovery.Provider{
			CatalogPath: "catalog-info.yaml", Branch: "develop", Filter: discovery.Filter{AllowForks: true},
		}}
	})
	r := f.create("acme/one", map[string]string{"catalog-info.yaml": component("main")})
	f.mustRun(r, nil)
	if got := f.refs(r); len(got) != 0 {
		t.Errorf("without the branch: %v", got)
	}
	if _, err := f.sim.Commit("acme/one", "develop", "begin", map[string]*string{"catalog-info.yaml": new(component("dev"))}); err != nil {
		t.Fatal(err)
	}
	f.mustRun(r, func(req *event.Refresh) { req.Look = true })
	if got := f.refs(r); !slices.Equal(got, []string{"component:default/dev"}) {
		t.Fatalf("refs %v", got)
	}
	all, err := f.store.Entities(t.Context(), []string{"component:default/dev"})
	if err != nil || !strings.Contains(string(all[0].JSON), "/acme/one/tree/develop/catalog-info.yaml") {
		t.Errorf("%v %s", err, all[0].JSON)
	}
}

// Entries are to a source what files are to a repository.
func TestPlanEntries(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	source := storage.Repository{ID: refresh.SourceID(f.host, "acme", "~people"), Host: f.host, Owner: "acme", Name: "~people", AppliedSHA: "1"}
	entry := func(name, sha string) refresh.Entry {
		ref := "user:default/" + name
		return refresh.Entry{Path: "members/" + name, SHA: sha, Origin: "url:https://github.com/" + name, Declarations: []entity.Declaration{{
			Ref: ref, JSON: json.RawMessage(`{"kind":"User","metadata":{"name":"` + name + `","title":"` + sha + `"}}`),
		}}}
	}
	sync := func(sha string, entries ...refresh.Entry) bus.Outcome {
		t.Helper()
		source.AppliedSHA = sha
		plan, err := f.step.PlanEntries(t.Context(), source, entries, false, storage.Cause{Reason: storage.ReasonPeople})
		if err != nil {
			t.Fatal(err)
		}
		return f.apply(plan)
	}
	if out := sync("1", entry("ann", "a"), entry("bob", "b")); out.Changes != 2 {
		t.Errorf("first %+v", out)
	}
	if out := sync("1", entry("ann", "a"), entry("bob", "b")); out.State != storage.DeliveryUnchanged {
		t.Errorf("again %+v", out)
	}
	if out := sync("2", entry("bob", "b2")); out.Changes != 2 || !strings.Contains(out.Summary, "1 deleted: user:default/ann") {
		t.Errorf("changed %+v", out)
	}
}

// An approval that waits is not lost to the next scan, and a plan that a push
// made void holds nothing.
func TestHoldsAndOthers(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	both := component("one") + "---\n" + component("two")
	r := f.create("acme/one", map[string]string{"catalog-info.yaml": both})
	f.mustRun(r, nil)
	f.commit("acme/one", map[string]*string{"catalog-info.yaml": new(component("one"))})
	req := event.Refresh{Host: f.host, RepositoryID: r.ID(), Owner: "acme", Name: "one", Discovered: true}
	message := func(id int64, scan string, released int) storage.Message {
		req.Released = released
		payload, err := json.Marshal(req)
		if err != nil {
			t.Fatal(err)
		}
		return storage.Message{ID: id, Topic: event.TopicScanned, Payload: payload, Cause: storage.Cause{Reason: storage.ReasonScan, Scan: scan}}
	}
	plan := func(msgs ...storage.Message) refresh.Plan {
		t.Helper()
		p, err := f.step.Plan(t.Context(), msgs)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	void := plan(message(1, "scan-1", 0))
	sha := f.commit("acme/one", map[string]*string{"catalog-info.yaml": new(both + "# back")})
	f.mustRun(r, func(req *event.Refresh) { req.Head = sha })
	err := f.store.InTx(t.Context(), func(ctx context.Context, tx storage.Tx) error {
		_, err := f.step.Apply(ctx, tx, void)
		return err
	})
	if !errors.Is(err, storage.ErrStale) {
		t.Errorf("a void plan: %v", err)
	}
	f.commit("acme/one", map[string]*string{"catalog-info.yaml": new(component("two"))})
	f.apply(plan(message(2, "scan-1", 1), message(3, "scan-2", 0)))
	if got := f.refs(r); !slices.Equal(got, []string{"component:default/two"}) {
		t.Errorf("approved, and served: %v", got)
	}
}
