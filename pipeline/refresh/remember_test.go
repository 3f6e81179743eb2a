package refresh_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/test/githubsim"
)

// locate makes these files of a repository the registered locations.
func (f *fixture) locate(repo string, files ...string) {
	f.t.Helper()
	var all []storage.Location
	for _, file := range files {
		l, err := location.Check("url", f.sim.URL()+"/"+repo+"/"+file, []string{f.host})
		if err != nil {
			f.t.Fatal(err)
		}
		all = append(all, l)
	}
	if err := f.store.InTx(f.t.Context(), func(ctx context.Context, tx storage.Tx) error {
		return tx.ReplaceLocations(ctx, "api:1", all)
	}); err != nil {
		f.t.Fatal(err)
	}
}

func look(req *event.Refresh) { req.Look, req.Discovered = true, false }

// served are the entities of a repository id; of a generated Location the first
// words of what is wrong with it.
func (f *fixture) served(id int64) (out []string) {
	f.t.Helper()
	all, err := f.store.RepositoryEntities(f.t.Context(), id)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, e := range all {
		s, _, generated := strings.Cut(e.Ref, "generated-")
		if generated {
			s = "generated"
		}
		for _, item := range e.Errors {
			words := strings.Fields(item.Message)
			s += " " + strings.Join(words[:min(len(words), 6)], " ")
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

func (f *fixture) expectServed(id int64, want ...string) {
	f.t.Helper()
	if got := f.served(id); !slices.Equal(got, want) {
		f.t.Errorf("served are %q, want %q", got, want)
	}
}

// Every location that names a file has its entity, however it is spelt, and a
// file that is named twice is read once.
func TestEveryLocationHasItsEntity(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	r := f.create("acme/one", map[string]string{"catalog-info.yaml": component("one"), "b.yaml": component("b"), "c/d.yaml": component("d")})
	f.mustRun(r, nil)
	f.expectServed(r.ID(), "component:default/one", "generated")
	f.locate("acme/one", "blob/main/catalog-info.yaml", "tree/main/catalog-info.yaml", "blob/HEAD/b.yaml", "blob/main/c/*.yaml",
		"blob/main/nothing/*.yaml", "blob/other/b.yaml")
	discovered := func(req *event.Refresh) { req.Look = true }
	f.mustRun(r, discovered)
	missing := "generated NotFoundError: Unable to read url, no"
	f.expectServed(r.ID(), "component:default/b", "component:default/d", "component:default/one",
		"generated", "generated", "generated", "generated",
		`generated InputError: The location names the branch`, missing)
	if out := f.mustRun(r, discovered); out.State != storage.DeliveryUnchanged {
		t.Errorf("a second look found %+v", out)
	}
	f.locate("acme/one")
	f.mustRun(r, discovered)
	f.expectServed(r.ID(), "component:default/one", "generated")
}

// What somebody says of locations counts also while the repository cannot be
// read; all else stays.
func TestLocationsOfALostRepository(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	r := f.create("acme/one", map[string]string{
		"catalog-info.yaml": component("one"), "b.yaml": "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: b}\nspec: {target: ./c.yaml}\n", "c.yaml": component("c"),
	})
	f.locate("acme/one", "blob/main/b.yaml")
	f.mustRun(r, nil)
	all := []string{"component:default/c", "component:default/one", "generated", "generated", "location:default/b"}
	f.expectServed(r.ID(), all...)
	lost := f.sim.Inject(githubsim.Fault{Status: 404})
	f.attempts = 3
	f.mustRun(r, look)
	f.expectServed(r.ID(), all...)
	f.locate("acme/one", "blob/main/b.yaml", "blob/main/new.yaml")
	f.mustRun(r, look)
	f.expectServed(r.ID(), "component:default/c", "component:default/one", "generated", "generated",
		"generated NotFoundError: Unable to read url, GitHub", "location:default/b")
	f.locate("acme/one")
	f.mustRun(r, look)
	f.expectServed(r.ID(), "component:default/one", "generated")
	lost()
	f.locate("acme/one", "blob/main/b.yaml", "blob/main/new.yaml")
	f.mustRun(r, look)
	f.expectServed(r.ID(), "component:default/c", "component:default/one", "generated", "generated",
		"generated NotFoundError: Unable to read url, no", "location:default/b")
}

// What was to be read anew is, as soon as it can be.
func TestForceOfALostRepository(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	r := f.create("acme/one", map[string]string{"catalog-info.yaml": component("one")})
	f.mustRun(r, nil)
	if err := f.step.Remove(t.Context(), "component:default/one", f.uids(r.ID())[0], "ann"); err != nil {
		t.Fatal(err)
	}
	f.expectServed(r.ID(), "generated")
	lost := f.sim.Inject(githubsim.Fault{Status: 404})
	f.attempts = 3
	for range 2 {
		f.mustRun(r, func(req *event.Refresh) { req.Force = true })
		f.expectServed(r.ID(), "generated")
	}
	lost()
	f.mustRun(r, look)
	f.expectServed(r.ID(), "component:default/one", "generated")
}

// A repository that GitHub never showed has a row of its own until it does; its
// Location entity stays the same.
func TestProvisionalRepository(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	f.locate("acme/one", "blob/main/b.yaml")
	named := func(req *event.Refresh) {
		req.RepositoryID, req.Owner, req.Name, req.Look, req.Discovered = 0, "acme", "one", true, false
	}
	f.attempts = 3
	other := f.create("acme/other", nil)
	f.mustRun(other, named)
	before, err := f.store.RepositoryByName(t.Context(), f.host, "acme", "one")
	if err != nil || before.ID >= 0 || before.State != storage.RepositoryUnreachable || before.Error == "" {
		t.Fatalf("repository is %+v, %v", before, err)
	}
	f.expectServed(before.ID, "generated NotFoundError: Unable to read url, GitHub")
	uid := f.uids(before.ID)[0]
	if out := f.mustRun(other, named); out.Changes != 0 {
		t.Errorf("a second look found %+v", out)
	}
	r := f.create("acme/one", map[string]string{"b.yaml": component("b")})
	f.mustRun(r, look)
	f.expectServed(r.ID(), "component:default/b", "generated")
	if !slices.Contains(f.uids(r.ID()), uid) {
		t.Error("the Location entity has another uid")
	}
	f.expectServed(before.ID)
	if repos, err := f.store.Repositories(t.Context()); err != nil || len(repos) != 1 {
		t.Errorf("repositories are %+v, %v", repos, err)
	}
}

func (f *fixture) uids(id int64) (uids []string) {
	f.t.Helper()
	all, err := f.store.RepositoryEntities(f.t.Context(), id)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, e := range all {
		uids = append(uids, e.UID)
	}
	return uids
}

// Without a location nothing of it is left.
func TestProvisionalRepositoryGoes(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	f.locate("acme/one", "blob/main/b.yaml", "blob/main/c.yaml")
	f.attempts = 3
	other := f.create("acme/other", nil)
	for _, left := range [][]string{{"blob/main/b.yaml", "blob/main/c.yaml"}, {"blob/main/c.yaml"}, nil} {
		f.locate("acme/one", left...)
		f.mustRun(other, func(req *event.Refresh) { req.RepositoryID, req.Owner, req.Name, req.Look = 0, "acme", "one", true })
		repos, err := f.store.Repositories(t.Context())
		if err != nil || len(repos) != min(len(left), 1) {
			t.Fatalf("repositories are %+v, %v", repos, err)
		}
		for _, repo := range repos {
			if got := f.served(repo.ID); len(got) != len(left) {
				t.Errorf("served are %q", got)
			}
		}
	}
	if _, err := f.store.EachEntity(t.Context(), func(e storage.Entity) error { t.Errorf("%s is left", e.Ref); return nil }); err != nil {
		t.Fatal(err)
	}
}

// What GitHub says is gone goes, but whoever registered a location sees why.
func TestLocationOfAGoneRepository(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	r := f.create("acme/one", map[string]string{"catalog-info.yaml": component("one"), "b.yaml": component("b")})
	f.locate("acme/one", "blob/main/b.yaml")
	f.mustRun(r, nil)
	if err := f.sim.DeleteRepo("acme/one"); err != nil {
		t.Fatal(err)
	}
	gone := func(req *event.Refresh) { req.Gone = "deleted" }
	f.mustRun(r, gone)
	f.expectServed(r.ID(), "generated NotFoundError: Unable to read url, GitHub")
	f.locate("acme/one")
	f.attempts = 3
	f.mustRun(r, look)
	f.expectServed(r.ID())
}

// A scan saw a repository that was deleted, or taken from the App, before what
// the scan saw is written. Whoever hears of it first leaves a note.
func TestGoneBeforeItCame(t *testing.T) {
	for _, gone := range []string{"deleted", "removed"} {
		t.Run(gone, func(t *testing.T) {
			f := setup(t, "catalog-info.yaml")
			text := component("one")
			r := f.create("acme/one", map[string]string{"catalog-info.yaml": text})
			seen := func(req *event.Refresh) {
				req.Seen = &event.Seen{
					ID: r.ID(), Owner: "acme", Name: "one", URL: f.sim.URL() + "/acme/one", DefaultBranch: "main", Visibility: "public",
					Head: f.sim.Head("acme/one", "main"), Path: "catalog-info.yaml", BlobSHA: "b1", Size: int64(len(text)), Text: &text,
				}
			}
			later := &event.Refresh{}
			seen(later)
			hide := f.sim.SetListingFaults
			if gone == "deleted" {
				if err := f.sim.DeleteRepo("acme/one"); err != nil {
					t.Fatal(err)
				}
			} else {
				hide(githubsim.ListingFaults{Hide: func(string) bool { return true }, Reads: true})
			}
			f.mustRun(r, func(req *event.Refresh) { req.Gone = gone })
			repo, err := f.store.Repository(t.Context(), r.ID())
			if err != nil || repo.State != storage.RepositoryRemoved || repo.FullName() != "acme/one" || repo.Discovered {
				t.Errorf("the note is %+v, %v", repo, err)
			}
			payload, err := json.Marshal(event.Refresh{Host: f.host, RepositoryID: r.ID(), Owner: "acme", Name: "one", Discovered: true, Seen: later.Seen})
			if err != nil {
				t.Fatal(err)
			}
			plan, err := f.step.Plan(t.Context(), []storage.Message{{ID: 1, Topic: event.TopicScanned, Payload: payload, Attempts: 3}})
			if err != nil {
				t.Fatal(err)
			}
			f.apply(plan)
			if got := f.refs(r); len(got) != 0 {
				t.Errorf("a ghost: %v", got)
			}
			if gone == "deleted" {
				return
			}
			hide(githubsim.ListingFaults{})
			f.scanned(r, func(req *event.Refresh) { req.Seen = later.Seen; req.Look = true })
			if got := f.refs(r); !slices.Equal(got, []string{"component:default/one"}) {
				t.Errorf("it came back, and refs are %v", got)
			}
			if repo, err = f.store.Repository(t.Context(), r.ID()); err != nil || repo.State != storage.RepositoryActive || !repo.Discovered || repo.Error != "" {
				t.Errorf("it came back as %+v, %v", repo, err)
			}
		})
	}
}
