package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/callboard/callboard/test/harness"
)

const openAPI = "openapi: 3.0.0\ninfo: {title: Cart, version: '%d'}\npaths: {}\n"

func api(name, definition string) string {
	return fmt.Sprintf(`apiVersion: backstage.io/v1alpha1
kind: API
metadata:
  name: %s
spec:
  type: openapi
  lifecycle: production
  owner: team-a
  definition:
    $text: %s
`, name, definition)
}

// A push that touches only the referred file refreshes the entity.
func TestPlaceholderFileRefreshesItsEntity(t *testing.T) {
	w := embedded(t)
	create(t, w, "acme/one", map[string]string{
		"catalog-info.yaml": api("cart", "./api/openapi.yaml"), "api/openapi.yaml": fmt.Sprintf(openAPI, 1),
	})
	w.Start().Install("acme")
	w.Settled()
	for version := 2; version < 4; version++ {
		commit(t, w, "acme/one", map[string]*string{"api/openapi.yaml": new(fmt.Sprintf(openAPI, version))})
		w.Settled()
		e, err := w.Entity("api", "cart")
		if err != nil {
			t.Fatal(err)
		}
		if got, want := e.Spec["definition"], fmt.Sprintf(openAPI, version); got != want {
			t.Fatalf("definition is %q, want %q", got, want)
		}
	}
	// Without the file the last good version stays, and says so; with it, all is well again.
	commit(t, w, "acme/one", map[string]*string{"api/openapi.yaml": nil})
	w.Settled()
	e, err := w.Entity("api", "cart")
	if err != nil {
		t.Fatal(err)
	}
	if e.Status == nil || len(e.Status.Items) != 1 || !strings.Contains(e.Status.Items[0].Message, "Placeholder $text could not read location ./api/openapi.yaml, NotFoundError") {
		t.Errorf("status is %+v", e.Status)
	}
	commit(t, w, "acme/one", map[string]*string{"api/openapi.yaml": new(fmt.Sprintf(openAPI, 9))})
	w.Settled()
	if e, err = w.Entity("api", "cart"); err != nil {
		t.Fatal(err)
	}
	if e.Status != nil || e.Spec["definition"] != fmt.Sprintf(openAPI, 9) {
		t.Errorf("after the fix: status %+v, definition %q", e.Status, e.Spec["definition"])
	}
}

func TestLocationsReachFilesAndRepositories(t *testing.T) {
	w := embedded(t)
	create(t, w, "other/lib", map[string]string{"catalog-info.yaml": component("lib-root", "x"), "deep/lib.yaml": component("lib", "x")})
	create(t, w, "acme/mono", map[string]string{
		"catalog-info.yaml": location("all", "./services/*/catalog-info.yaml", "extra/list.yaml",
			w.GitHub.URL()+"/other/lib/blob/main/deep/lib.yaml"),
		"services/a/catalog-info.yaml": component("a", "x"),
		"services/b/catalog-info.yaml": component("b", "x") + "---\n" + component("b2", "x"),
		"extra/list.yaml":              location("more", "../hidden/c.yaml"),
		"hidden/c.yaml":                component("c", "x"),
		"services/a/vendor/d.yaml":     component("d", "x"),
	})
	w.Start()
	if _, err := w.GitHub.Install(w.App, "other", nil, quiet); err != nil {
		t.Fatal(err)
	}
	w.Install("acme")
	w.Settled()
	all := []string{"location:default/all", "location:default/more", "component:default/a", "component:default/b",
		"component:default/b2", "component:default/c", "component:default/lib"}
	expectRefs(t, w, all...)

	// A new file that an old glob matches needs no change of the Location.
	commit(t, w, "acme/mono", map[string]*string{"services/e/catalog-info.yaml": new(component("e", "x")), "services/a/catalog-info.yaml": nil})
	w.Settled()
	expectRefs(t, w, append([]string{"component:default/e"}, without(all, "component:default/a")...)...)

	// Without the Location, everything that only it brought in goes, in both repositories.
	commit(t, w, "acme/mono", map[string]*string{"catalog-info.yaml": new(component("root", "x"))})
	w.Settled()
	expectRefs(t, w, "component:default/root")
}

func without(all []string, drop string) []string {
	var out []string
	for _, s := range all {
		if s != drop {
			out = append(out, s)
		}
	}
	return out
}

func TestConfiguredLocation(t *testing.T) {
	w := embedded(t)
	create(t, w, "other/lib", map[string]string{"catalog-info.yaml": component("root", "x"), "deep/lib.yaml": component("lib", "x")})
	w.Config.Locations = append(w.Config.Locations, harness.Location(w.GitHub.URL()+"/other/lib/blob/main/deep/lib.yaml"),
		harness.Location("https://example.com/not/ours"))
	w.Prepare()
	if _, err := w.GitHub.Install(w.App, "other", nil, quiet); err != nil {
		t.Fatal(err)
	}
	w.Start().Settled()
	expectRefs(t, w, "component:default/lib")
	w.Stop()
	w.Config.Locations = nil
	w.Start().Settled()
	expectRefs(t, w)
}

// One bad document gives one diagnostic and leaves its neighbours alone; the
// last good version of what broke stays, until the file is mended or gone.
func TestBrokenDocumentLeavesItsNeighbours(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		good := component("a", "1") + "---\n" + component("b", "1") + "---\n" + component("c", "1")
		create(t, w, "acme/one", map[string]string{"catalog-info.yaml": good})
		w.Start().Install("acme")
		w.Settled()

		broken := component("a", "2") + "---\n" + strings.Replace(component("b", "2"), "type: service", "type: 7", 1) + "---\nkind: [\n---\n" + component("d", "2")
		commit(t, w, "acme/one", map[string]*string{"catalog-info.yaml": new(broken)})
		w.Settled()
		expectRefs(t, w, "component:default/a", "component:default/b", "component:default/c", "component:default/d")
		for name, want := range map[string]struct {
			description string
			stale       bool
		}{"a": {"2", false}, "b": {"1", true}, "c": {"1", true}, "d": {"2", false}} {
			e, err := w.Entity("component", name)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(e.Metadata["description"]); got != want.description || (e.Status != nil) != want.stale {
				t.Errorf("%s: description %s, stale %v; want %+v", name, got, e.Status != nil, want)
			}
		}
		var repo struct {
			Files []struct {
				Path, Status string
				Diagnostics  []struct {
					Rule, Severity, Message, Hint, Commit string
					Line, Column                          int
				}
			}
		}
		if err := w.Get("/api/callboard/repositories/acme/one", &repo); err != nil {
			t.Fatal(err)
		}
		if len(repo.Files) != 1 || repo.Files[0].Status != "broken" || len(repo.Files[0].Diagnostics) != 2 {
			t.Fatalf("files are %+v, want one broken with two diagnostics", repo.Files)
		}
		for _, d := range repo.Files[0].Diagnostics {
			if d.Line == 0 || d.Column == 0 || d.Rule == "" || d.Hint == "" || d.Commit != w.GitHub.Head("acme/one", "main") {
				t.Errorf("a diagnostic without place, rule, hint or commit: %+v", d)
			}
		}
		commit(t, w, "acme/one", map[string]*string{"catalog-info.yaml": new(component("a", "3"))})
		w.Settled()
		expectRefs(t, w, "component:default/a")
	})
}

// A move inside a repository keeps the entity; two claims are both kept and the
// loser is promoted when the winner goes.
func TestMovesAndConflicts(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		create(t, w, "acme/one", map[string]string{"catalog-info.yaml": location("one", "./a.yaml", "./sub/*.yaml"), "a.yaml": component("x", "from one")})
		create(t, w, "acme/two", map[string]string{"README.md": "later"})
		w.Start().Install("acme")
		w.Settled()
		first, err := w.Entity("component", "x")
		if err != nil {
			t.Fatal(err)
		}
		commit(t, w, "acme/two", map[string]*string{"catalog-info.yaml": new(component("x", "from two"))})
		commit(t, w, "acme/one", map[string]*string{"a.yaml": nil, "sub/b.yaml": new(component("x", "from one"))})
		w.Settled()
		moved, err := w.Entity("component", "x")
		if err != nil {
			t.Fatal(err)
		}
		if moved.Metadata["uid"] != first.Metadata["uid"] || moved.Metadata["description"] != "from one" {
			t.Errorf("after the move: %+v, want the uid and owner of %+v", moved.Metadata, first.Metadata)
		}
		if err := w.GitHub.DeleteRepo("acme/one"); err != nil {
			t.Fatal(err)
		}
		w.Settled()
		promoted, err := w.Entity("component", "x")
		if err != nil {
			t.Fatal(err)
		}
		if promoted.Metadata["description"] != "from two" {
			t.Errorf("after the winner went: %+v", promoted.Metadata)
		}
	})
}
