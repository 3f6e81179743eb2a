package refresh_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/pipeline/refresh"
	"github.com/callboard/callboard/pipeline/rule"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/test/githubsim"
)

func crew(name string) string {
	return "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {name: " + name + "}\nspec: {type: team, children: []}\n"
}

func leading(name string, targets ...string) string {
	return fmt.Sprintf("apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: %s}\nspec:\n  targets: [%s]\n", name, strings.Join(targets, ", "))
}

// from makes these the locations of a source.
func (f *fixture) from(source string, targets ...string) {
	f.t.Helper()
	var all []storage.Location
	for _, target := range targets {
		l, ok := location.Parse(f.sim.URL() + "/" + target)
		if !ok {
			f.t.Fatalf("%s is no target", target)
		}
		l.ID, l.Source = uuid.NewString(), source
		if location.Foreign(l) {
			id, _, _ := strings.Cut(strings.TrimPrefix(source, "entity:"), ":")
			l.Origin = "url:" + f.sim.URL() + "/acme/evil-" + id + "/blob/main/catalog-info.yaml"
		}
		all = append(all, l)
	}
	if err := f.store.InTx(f.t.Context(), func(ctx context.Context, tx storage.Tx) error {
		return tx.ReplaceLocations(ctx, source, all)
	}); err != nil {
		f.t.Fatal(err)
	}
}

// organisation is a repository whose groups only its own Location may bring in.
func (f *fixture) organisation() *githubsim.Repo {
	f.t.Helper()
	r := f.create("acme/org", map[string]string{
		"catalog-info.yaml": component("own") + "---\n" + leading("own", "./own.yaml"),
		"own.yaml":          component("nested"),
		"org.yaml":          leading("org", "./groups.yaml", "./teams/*.yaml"),
		"groups.yaml":       crew("admins"),
		"teams/a.yaml":      crew("a"),
		"a/copy.yaml":       component("own") + "  system: another\n---\n" + component("nested") + "  system: another\n",
		"evil.yaml":         leading("evil", "./groups.yaml", "./own.yaml", "./nothing.yaml", "./a/*.yaml"),
	})
	exact, err := rule.NewLocation("url", f.sim.URL()+"/acme/org/blob/main/org.yaml", "")
	if err != nil {
		f.t.Fatal(err)
	}
	f.configure(func(c *refresh.Config) {
		c.MaxFiles = 6 // one more than there are
		c.Rules = append(rule.Default(), rule.Rule{Allow: []rule.Kind{{Kind: "Group"}}, Locations: []rule.Location{exact}})
	})
	f.from("config", "acme/org/blob/main/org.yaml")
	f.mustRun(r, nil)
	return r
}

// state is what is served of a repository: of generated Locations, which
// registrations do change, the uid only.
func (f *fixture) state(r *githubsim.Repo) map[string]string {
	f.t.Helper()
	all, err := f.store.RepositoryEntities(f.t.Context(), r.ID())
	if err != nil {
		f.t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range all {
		out[e.Ref] = e.UID
		if !strings.Contains(e.Ref, "generated-") {
			out[e.Ref] += fmt.Sprintf(" %s %s %v", e.Path, e.JSON, e.Errors)
		}
	}
	return out
}

// Whatever others name and register, and take back, what a repository itself
// and the configuration declare is served as before.
func TestOthersTakeNothingAway(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	r := f.organisation()
	want := f.state(r)
	for _, ref := range []string{"component:default/own", "component:default/nested", "group:default/admins", "group:default/a"} {
		if want[ref] == "" {
			t.Fatalf("%s is missing in %v", ref, want)
		}
	}
	targets := rapid.SliceOfN(rapid.Map(rapid.Custom(func(t *rapid.T) string {
		return rapid.SampledFrom([]string{"blob/main/", "tree/main/", "blob/HEAD/", "blob/other/"}).Draw(t, "branch") +
			rapid.SampledFrom([]string{
				"catalog-info.yaml", "own.yaml", "org.yaml", "groups.yaml", "teams/a.yaml", "a/copy.yaml", "evil.yaml", "none.yaml",
				"*.yaml", "**/*.yaml", "{own,groups,none}.yaml", "teams/**", "**/" + strings.Repeat("*a*", 300) + "/**",
			}).Draw(t, "path")
	}), func(file string) string { return "acme/org/" + file }), 0, 8)
	rapid.Check(t, func(t *rapid.T) {
		f.from("api:x", targets.Draw(t, "registered")...)
		f.from("entity:7:catalog-info.yaml", targets.Draw(t, "foreign")...)
		forget, force := func() {}, rapid.Bool().Draw(t, "force")
		if rapid.IntRange(0, 3).Draw(t, "unreadable") == 0 {
			forget = f.sim.Inject(githubsim.Fault{Status: 404})
		}
		f.attempts = 3
		_, err := f.run(r, func(req *event.Refresh) { req.Look, req.Force = true, force })
		forget()
		if err != nil {
			t.Fatal(err)
		}
		got := f.state(r)
		for ref, is := range want {
			if got[ref] != is {
				t.Errorf("%s is\n%s, was\n%s", ref, got[ref], is)
			}
		}
	})
}

// What others name is theirs to explain, is bounded, and the first that came stay.
func TestGuests(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	files := map[string]string{"catalog-info.yaml": component("own")}
	for i := range 120 {
		files[fmt.Sprintf("more/%03d.yaml", i)] = component(fmt.Sprintf("more-%03d", i))
	}
	r := f.create("acme/many", files)
	f.from("entity:7:a.yaml", "acme/many/blob/main/more/119.yaml", "acme/many/blob/main/none.yaml", "acme/many/blob/other/none.yaml")
	f.mustRun(r, nil)
	f.from("entity:8:a.yaml", "acme/many/blob/main/more/*.yaml")
	f.mustRun(r, func(req *event.Refresh) { req.Look = true })
	refs := f.refs(r)
	if n := len(refs); n != 101 {
		t.Errorf("%d entities are served", n)
	}
	if !slices.Contains(refs, "component:default/own") || !slices.Contains(refs, "component:default/more-119") {
		t.Errorf("the first are gone: %v", refs)
	}
	if d := f.diagnostics(r); len(d) != 0 {
		t.Errorf("the repository is blamed: %v", d)
	}
	// Another comes to its share, however many the glob has taken.
	f.from("entity:9:a.yaml", "acme/many/blob/main/more/118.yaml")
	f.mustRun(r, func(req *event.Refresh) { req.Look = true })
	if refs := f.refs(r); len(refs) != 101 || !slices.Contains(refs, "component:default/more-118") || !slices.Contains(refs, "component:default/more-119") {
		t.Errorf("%d entities are served, and a single file has no place among them: %v", len(refs), refs[len(refs)-5:])
	}
}

// A file that two locations name holds what either of them may bring in.
func TestAnyLocationThatNamesAFileAllows(t *testing.T) {
	f := setup(t, "*.yaml")
	r := f.organisation()
	f.from("config", "acme/org/blob/main/evil.yaml", "acme/org/blob/HEAD/groups.yaml")
	pattern, err := rule.NewLocation("url", "", f.sim.URL()+"/acme/org/blob/main/groups.yaml")
	if err != nil {
		t.Fatal(err)
	}
	f.configure(func(c *refresh.Config) {
		c.MaxFiles = 50
		c.Rules = append(rule.Default(), rule.Rule{Allow: []rule.Kind{{Kind: "Group"}}, Locations: []rule.Location{pattern}})
	})
	f.mustRun(r, func(req *event.Refresh) { req.Look = true })
	if refs := f.refs(r); !slices.Contains(refs, "group:default/admins") || slices.Contains(refs, "group:default/a") {
		t.Errorf("served are %v", refs)
	}
}

// Globs that take too much work stop the refresh, and nothing goes.
func TestCostlyGlobs(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	files := map[string]string{"catalog-info.yaml": component("own")}
	for i := range 300 {
		files[fmt.Sprintf("%s%d.txt", strings.Repeat("aaaaaaaaaa/", 20), i)] = "x"
	}
	r := f.create("acme/one", files)
	f.mustRun(r, nil)
	var globs []string
	for i := range 40 {
		globs = append(globs, fmt.Sprintf(`"./**/%s**/%d/**"`, strings.Repeat("*a*a*/", 600), i))
	}
	f.commit("acme/one", map[string]*string{"catalog-info.yaml": new(component("own") + "---\n" + leading("globs", globs...))})
	_, err := f.run(r, nil)
	if err == nil || !strings.Contains(err.Error(), "use fewer globs") {
		t.Errorf("the refresh ended with %v", err)
	}
	if refs := f.refs(r); !slices.Contains(refs, "component:default/own") {
		t.Errorf("served are %v", refs)
	}
}

// A repository names so many others and no more, and is told.
func TestTooManyRepositories(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	name := func(from, to int) string {
		var all []string
		for i := from; i < to; i++ {
			all = append(all, fmt.Sprintf(`"%s/other/r%d/blob/main/a.yaml?%d"`, f.sim.URL(), i, i), fmt.Sprintf(`"%s/other/r%d/blob/main/a.yaml#x"`, f.sim.URL(), i))
		}
		return leading("all", all...)
	}
	r := f.create("acme/one", map[string]string{"catalog-info.yaml": name(0, 150) + "---\n" + leading("own", "./b.yaml"), "b.yaml": name(150, 250)})
	f.mustRun(r, nil)
	count := func() int {
		t.Helper()
		all, err := f.store.Locations(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range all {
			if strings.ContainsAny(l.Target, "?#") {
				t.Errorf("the target %s was kept", l.Target)
			}
		}
		return len(all)
	}
	asked, err := f.store.Locations(t.Context())
	if err != nil || len(asked) != 200 {
		t.Errorf("%d locations, %v", len(asked), err)
	}
	if d := f.diagnostics(r)["too-many-repositories"]; len(d) != 1 || d[0].Path != "b.yaml" || !strings.HasPrefix(d[0].Message, "100 target(s)") {
		t.Errorf("diagnostics %+v", f.diagnostics(r))
	}
	// When there is room again the file that was cut is read again, though it did not change.
	f.commit("acme/one", map[string]*string{"catalog-info.yaml": new(name(0, 10) + "---\n" + leading("own", "./b.yaml"))})
	f.mustRun(r, nil)
	if n := count(); n != 110 || len(f.diagnostics(r)) != 0 {
		t.Errorf("%d locations, diagnostics %v", n, f.diagnostics(r))
	}
}
