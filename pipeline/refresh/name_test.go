package refresh_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/test/githubsim"
)

// asked is a look at a repository by a name.
func (f *fixture) asked(name string) func(*event.Refresh) {
	return func(req *event.Refresh) {
		req.RepositoryID, req.Owner, req.Name, req.Look, req.Discovered = 0, "acme", name, true, false
	}
}

func (f *fixture) rename(from, to string) {
	f.t.Helper()
	if err := f.sim.RenameRepo("acme/"+from, to); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) former(id int64) []string {
	f.t.Helper()
	r, err := f.store.Repository(f.t.Context(), id)
	if err != nil {
		f.t.Fatal(err)
	}
	return r.Former
}

// follow does what messages ask for, as long as there are any.
func (f *fixture) follow() {
	f.t.Helper()
	(&history{fixture: f}).drain(f.store, f.step)
}

// A location leads to a repository however often it is renamed, also when it was
// registered under a name of long ago; nothing is remembered that nobody names.
func TestLocationFollowsARenamedRepository(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	r := f.create("acme/one", map[string]string{"b.yaml": component("b"), "c.yaml": component("c")})
	f.locate("acme/one", "blob/main/b.yaml")
	f.mustRun(r, look)
	uids := f.uids(r.ID())
	for _, name := range []string{"uno", "un", "eins"} {
		_, old, _ := strings.Cut(r.FullName(), "/")
		f.rename(old, name)
		f.mustRun(r, look)
		f.follow()
		f.mustRun(r, look)
		f.expectServed(r.ID(), "component:default/b", "generated")
	}
	if got := f.former(r.ID()); !slices.Equal(got, []string{"acme/one"}) {
		t.Errorf("former names are %q", got)
	}
	if got := f.uids(r.ID()); !slices.Equal(got, uids) {
		t.Errorf("uids are %q, were %q", got, uids)
	}
	f.locate("acme/uno", "blob/main/c.yaml")
	f.mustRun(r, f.asked("uno"))
	f.expectServed(r.ID(), "component:default/c", "generated")
	if got := f.former(r.ID()); !slices.Equal(got, []string{"acme/uno"}) {
		t.Errorf("former names are %q", got)
	}
	if out := f.mustRun(r, look); out.State != storage.DeliveryUnchanged {
		t.Errorf("a second look found %+v", out)
	}
	lost := f.sim.Inject(githubsim.Fault{Status: 404})
	f.attempts = 3
	f.mustRun(r, f.asked("uno"))
	f.expectServed(r.ID(), "component:default/c", "generated")
	lost()
	f.locate("acme/uno")
	f.mustRun(r, f.asked("uno"))
	f.expectServed(r.ID())
}

// A name leads to the repository that GitHub shows under it, whoever had it before.
func TestNameIsTaken(t *testing.T) {
	tests := []struct {
		name string
		// take gives the name to another repository, and says who was heard of.
		take func(f *fixture, first *githubsim.Repo) (second *githubsim.Repo)
	}{
		{"after the rename was heard of", func(f *fixture, first *githubsim.Repo) *githubsim.Repo {
			f.rename("one", "uno")
			f.mustRun(first, look)
			f.follow()
			second := f.create("acme/one", map[string]string{"b.yaml": component("second")})
			f.mustRun(second, f.asked("one"))
			return second
		}},
		{"before it was", func(f *fixture, first *githubsim.Repo) *githubsim.Repo {
			f.rename("one", "uno")
			second := f.create("acme/one", map[string]string{"b.yaml": component("second")})
			f.mustRun(first, look)
			return second
		}},
		{"and given up again", func(f *fixture, first *githubsim.Repo) *githubsim.Repo {
			f.rename("one", "uno")
			f.mustRun(first, look)
			f.follow()
			second := f.create("acme/one", map[string]string{"b.yaml": component("second")})
			f.rename("one", "dos")
			f.mustRun(second, f.asked("one"))
			return second
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := setup(t, "catalog-info.yaml")
			first := f.create("acme/one", map[string]string{"b.yaml": component("first")})
			f.locate("acme/one", "blob/main/b.yaml")
			f.mustRun(first, look)
			uid := f.generated(first.ID())
			second := tt.take(f, first)
			f.follow()
			f.mustRun(first, look)
			f.expectServed(first.ID())
			f.expectServed(second.ID(), "component:default/second", "generated")
			if got := f.generated(second.ID()); got != uid {
				t.Errorf("the Location entity is another: %s, was %s", got, uid)
			}
			if got := f.former(first.ID()); len(got) != 0 {
				t.Errorf("the first still has the names %q", got)
			}
		})
	}
}

// at is the location of a file.
func (f *fixture) at(target string) storage.Location {
	f.t.Helper()
	l, err := location.Check("url", f.sim.URL()+"/acme/"+target, []string{f.host})
	if err != nil {
		f.t.Fatal(err)
	}
	return l
}

// generated is the uid of the one generated Location of a repository.
func (f *fixture) generated(id int64) (uid string) {
	f.t.Helper()
	all, err := f.store.RepositoryEntities(f.t.Context(), id)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, e := range all {
		if strings.Contains(e.Ref, "generated-") {
			uid += e.UID
		}
	}
	return uid
}

// A repository that is deleted and created again is another one of that name.
func TestLocationOfARecreatedRepository(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	f.attempts = 3
	first := f.create("acme/one", map[string]string{"b.yaml": component("b")})
	f.locate("acme/one", "blob/main/b.yaml")
	f.mustRun(first, look)
	if err := f.sim.DeleteRepo("acme/one"); err != nil {
		t.Fatal(err)
	}
	f.mustRun(first, func(req *event.Refresh) { req.Gone = "deleted" })
	f.expectServed(first.ID(), "generated NotFoundError: Unable to read url, GitHub")
	second := f.create("acme/one", map[string]string{"b.yaml": component("b")})
	f.mustRun(second, look)
	f.follow()
	f.expectServed(first.ID())
	f.expectServed(second.ID(), "component:default/b", "generated")
	f.locate("acme/one")
	f.mustRun(second, look)
	f.expectServed(second.ID())
}

// What a repository declares that takes over shows what is wrong with it.
func TestHeirShowsItsErrors(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	f.attempts = 3
	from := f.create("acme/from", map[string]string{"catalog-info.yaml": component("x"), "b.yaml": component("b")})
	to := f.create("acme/to", map[string]string{"catalog-info.yaml": component("x")})
	registry := location.Registry{Store: f.store}
	l, err := registry.Create(t.Context(), f.at("from/blob/main/b.yaml"), location.Reject, "ann")
	if err != nil {
		t.Fatal(err)
	}
	f.mustRun(from, nil)
	f.mustRun(to, nil)
	f.commit("acme/to", map[string]*string{"catalog-info.yaml": new("a: [")})
	if _, err := registry.Update(t.Context(), l.ID, f.at("to/blob/main/none.yaml"), "ann"); err != nil {
		t.Fatal(err)
	}
	f.mustRun(to, nil) // loses both
	f.commit("acme/from", map[string]*string{"catalog-info.yaml": nil})
	f.mustRun(from, nil)
	f.follow()
	f.expectServed(from.ID())
	broken := fmt.Sprintf("Error: YAML error at url:%s/acme/to/tree/main/catalog-info.yaml, YAMLParseError:", f.sim.URL())
	f.expectServed(to.ID(), "component:default/x "+broken, "generated "+broken, "generated NotFoundError: Unable to read url, no")
}

// So does one that cannot be read.
func TestLostHeirShowsWhy(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	f.attempts = 3
	from := f.create("acme/from", map[string]string{"b.yaml": component("b")})
	to := f.create("acme/to", map[string]string{"catalog-info.yaml": component("x")})
	registry := location.Registry{Store: f.store}
	l, err := registry.Create(t.Context(), f.at("from/blob/main/b.yaml"), location.Reject, "ann")
	if err != nil {
		t.Fatal(err)
	}
	f.mustRun(from, nil)
	f.mustRun(to, nil)
	if err := f.sim.DeleteRepo("acme/to"); err != nil {
		t.Fatal(err)
	}
	if _, err := registry.Update(t.Context(), l.ID, f.at("to/blob/main/b.yaml"), "ann"); err != nil {
		t.Fatal(err)
	}
	f.mustRun(to, look)
	f.mustRun(from, look)
	f.follow()
	f.expectServed(to.ID(), "component:default/x", "generated", "generated NotFoundError: Unable to read url, GitHub")
}

// The name of a registered location is its own, also when discovery gives
// another the same.
func TestMovedLocationKeepsItsName(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	a := f.create("acme/a", map[string]string{"catalog-info.yaml": component("a")})
	b := f.create("acme/b", map[string]string{"b.yaml": component("b")})
	f.mustRun(a, nil)
	l := f.at("b/blob/main/b.yaml")
	l.ID, l.Source = "x", "api:x"
	l.Name = location.Name(storage.Location{Type: "url", Target: f.sim.URL() + "/acme/a/blob/main/catalog-info.yaml"})
	if err := f.store.InTx(t.Context(), func(ctx context.Context, tx storage.Tx) error {
		return tx.ReplaceLocations(ctx, l.Source, []storage.Location{l})
	}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		f.mustRun(b, look)
		f.mustRun(a, func(req *event.Refresh) { req.Force = true })
		f.expectServed(a.ID(), "component:default/a")
		f.expectServed(b.ID(), "component:default/b", "generated")
	}
	if err := f.store.InTx(t.Context(), func(ctx context.Context, tx storage.Tx) error {
		return tx.ReplaceLocations(ctx, l.Source, nil)
	}); err != nil {
		t.Fatal(err)
	}
	f.mustRun(b, look)
	f.expectServed(a.ID(), "component:default/a", "generated")
}

// A former name that leads nowhere is no evidence that the repository is gone.
func TestFormerNameIsNotFound(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	f.attempts = 3
	r := f.create("acme/one", map[string]string{"b.yaml": component("b")})
	f.locate("acme/one", "blob/main/b.yaml")
	f.mustRun(r, look)
	f.rename("one", "uno")
	f.mustRun(r, look)
	f.create("acme/one", nil)
	if err := f.sim.DeleteRepo("acme/one"); err != nil {
		t.Fatal(err)
	}
	f.follow()
	f.mustRun(r, f.asked("one"))
	f.expectServed(r.ID(), "component:default/b", "generated")
	if repo, err := f.store.Repository(t.Context(), r.ID()); err != nil || repo.State != storage.RepositoryActive {
		t.Errorf("the repository is %+v, %v", repo, err)
	}
}
