package refresh_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/refresh"
	"github.com/callboard/callboard/pipeline/rule"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/test/githubsim"
)

// What no entity of a file can show, the Location that led to it does, until it
// is mended, and also when only the nested file changes.
func TestLocationShowsErrorsOfNestedFiles(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	f.configure(func(c *refresh.Config) { c.Rules = rule.Default() })
	r := f.create("acme/one", map[string]string{
		"catalog-info.yaml": leading("all", "./deep/l.yaml", "./none.yaml"), "deep/l.yaml": leading("deep", "./c.yaml"), "deep/c.yaml": component("c"),
		"g/a.yaml": component("ga"), "g/b.yaml": component("gb"),
	})
	f.locate("acme/one", "blob/main/g/*.yaml")
	served := func(discovered, registered string) {
		t.Helper()
		f.mustRun(r, func(req *event.Refresh) { req.Look = true })
		want := []string{
			"component:default/c", "component:default/ga", "component:default/gb", "generated" + registered,
			"generated" + discovered + " NotFoundError: Unable to read url, no", "location:default/all", "location:default/deep",
		}
		slices.Sort(want)
		f.expectServed(r.ID(), want...)
	}
	served("", "")
	f.commit("acme/one", map[string]*string{"deep/c.yaml": new(component("c") + "---\njust text\n")})
	served(" Error: Expected object at root, got", "")
	f.commit("acme/one", map[string]*string{"deep/c.yaml": new(component("c") + "---\n" + crew("x"))})
	served(" NotAllowedError: Entity group:default/x at url:"+f.sim.URL()+"/acme/one/tree/main/deep/c.yaml, originated", "")
	f.commit("acme/one", map[string]*string{"deep/c.yaml": new(component("c"))})
	served("", "")
	if out := f.mustRun(r, func(req *event.Refresh) { req.Look = true }); out.State != storage.DeliveryUnchanged {
		t.Errorf("a second look found %+v", out)
	}
	f.commit("acme/one", map[string]*string{"g/b.yaml": new(component("gb") + "---\n[]\n")}) // not the glob's first file
	served("", " Error: Expected object at root, got")
	f.commit("acme/one", map[string]*string{"g/b.yaml": new(component("gb"))})
	served("", "")
}

// Very many errors are counted.
func TestLocationShowsFewErrors(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	r := f.create("acme/one", map[string]string{
		"catalog-info.yaml": leading("all", "./many.yaml"), "many.yaml": strings.Repeat("---\ntext\n", 31),
	})
	f.mustRun(r, nil)
	all, err := f.store.RepositoryEntities(t.Context(), r.ID())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if e.Document >= 0 {
			continue
		}
		if n := len(e.Errors); n != 21 || !strings.Contains(e.Errors[20].Message, "11 more errors") {
			t.Errorf("%d errors are shown, the last is %+v", n, e.Errors[n-1])
		}
	}
}

// A Location entity goes with its registration, also while nothing can be read.
func TestLocationGoesWithItsRegistration(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	r := f.create("acme/one", map[string]string{"catalog-info.yaml": component("one"), "b.yaml": component("b")})
	f.locate("acme/one", "tree/main/catalog-info.yaml", "tree/main/b.yaml", "blob/main/b.yaml")
	f.mustRun(r, nil)
	f.expectServed(r.ID(), "component:default/b", "component:default/one", "generated", "generated", "generated", "generated")
	f.commit("acme/one", map[string]*string{"catalog-info.yaml": new("a: [\n")})
	f.mustRun(r, nil)
	f.locate("acme/one", "tree/main/b.yaml")
	f.mustRun(r, look)
	broken := fmt.Sprintf(" Error: YAML error at url:%s/acme/one/tree/main/catalog-info.yaml, YAMLParseError:", f.sim.URL())
	f.expectServed(r.ID(), "component:default/b", "component:default/one"+broken, "generated", "generated"+broken)
	lost := f.sim.Inject(githubsim.Fault{Status: 404})
	defer lost()
	f.attempts = 3
	f.locate("acme/one")
	f.mustRun(r, look)
	f.expectServed(r.ID(), "component:default/one"+broken, "generated"+broken)
}

// What was read of the default branch is not what a location names that names
// another branch.
func TestOtherBranchKeepsNothingOfTheDefaultOne(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	r := f.create("acme/one", map[string]string{"b.yaml": component("b")})
	wrong := "generated InputError: The location names the branch"
	f.locate("acme/one", "blob/main/b.yaml", "blob/dev/b.yaml")
	f.mustRun(r, look)
	f.expectServed(r.ID(), "component:default/b", "generated", wrong)
	f.locate("acme/one", "blob/dev/b.yaml")
	f.mustRun(r, look)
	f.expectServed(r.ID(), wrong)
}
