package e2e

import (
	"fmt"
	"testing"

	"github.com/callboard/callboard/pipeline/rule"
	"github.com/callboard/callboard/test/githubsim"
	"github.com/callboard/callboard/test/harness"
)

// Rules of the configuration hold from the next start, also for what was read
// long before: more is let in, and what is no longer allowed goes.
func TestRulesHoldFromTheNextStart(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		const text = "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {name: crew}\nspec: {type: team, children: []}\n---\n" +
			"apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: cart}\nspec: {type: service, lifecycle: production, owner: crew}\n"
		if _, err := w.GitHub.CreateRepo("acme", "cart", githubsim.RepoOptions{}, map[string]string{"catalog-info.yaml": text}); err != nil {
			t.Fatal(err)
		}
		steps := []struct {
			rules rule.Rules
			want  int
		}{{rule.Default(), 1}, {rule.Everything(), 2}, {rule.Default(), 1}, {rule.Rules{}, 0}}
		for i, step := range steps {
			w.Config.Catalog.Rules = step.rules
			w.Start()
			if i == 0 {
				w.Install("acme")
			}
			w.Settled()
			if got := w.Written(); len(got) != step.want {
				t.Errorf("start %d: %d entities, want %d: %v", i, len(got), step.want, got)
			}
			w.Stop()
		}
	})
}

// trusted starts a world in which one file of acme/org may bring in groups, as
// the rules of a location allow.
func trusted(t *testing.T, w *harness.World, file string) {
	t.Helper()
	w.Prepare()
	target := w.GitHub.URL() + "/acme/org/blob/main/" + file
	exact, err := rule.NewLocation("url", target, "")
	if err != nil {
		t.Fatal(err)
	}
	create(t, w, "acme/org", map[string]string{"org.yaml": location("org", "./groups.yaml"), "groups.yaml": crew("admins")})
	create(t, w, "acme/evil", map[string]string{"README.md": "x"})
	w.Config.Locations = append(w.Config.Locations, harness.Location(target))
	w.Config.Catalog.Rules = append(rule.Default(), rule.Rule{Allow: []rule.Kind{{Kind: "Group"}}, Locations: []rule.Location{exact}})
	w.Start().Install("acme")
}

func crew(name string) string {
	return fmt.Sprintf("apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {name: %s}\nspec: {type: team, children: []}\n", name)
}

// Another repository that names a file which the operator's Location leads to
// changes nothing, and neither does taking it back.
func TestForeignLocationTakesNothingOver(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		trusted(t, w, "org.yaml")
		eventually(w, "location:default/org", "group:default/admins")
		before := w.Written()["group:default/admins"]
		commit(t, w, "acme/evil", map[string]*string{"catalog-info.yaml": new(location("evil", w.GitHub.URL()+"/acme/org/blob/main/groups.yaml"))})
		eventually(w, "location:default/org", "group:default/admins", "location:default/evil")
		w.Settled()
		check := func(when string) {
			t.Helper()
			after := w.Written()["group:default/admins"]
			const origin = "backstage.io/managed-by-origin-location"
			if after.Metadata["uid"] != before.Metadata["uid"] || after.Annotation(origin) != before.Annotation(origin) {
				t.Errorf("%s: %+v, before %+v", when, after.Metadata, before.Metadata)
			}
		}
		check("named by another")
		commit(t, w, "acme/evil", map[string]*string{"catalog-info.yaml": nil})
		eventually(w, "location:default/org", "group:default/admins")
		w.Settled()
		check("taken back")
	})
}

// Registering what the operator's Location names, however it is spelt, takes
// nothing away either; and what does not pass for a trusted file is not let in.
func TestRegistrationTakesNothingOver(t *testing.T) {
	w := embedded(t)
	trusted(t, w, "groups.yaml")
	commit(t, w, "acme/evil", map[string]*string{"x/users.yaml": new(crew("intruders"))})
	eventually(w, "group:default/admins")
	before := w.Written()["group:default/admins"]
	var all []registered
	for _, path := range []string{"tree/main/groups.yaml", "blob/HEAD/groups.yaml", "blob/main/*.yaml", "blob/main/org.yaml"} {
		all = append(all, register(t, w, "acme/org/"+path))
		w.Settled()
		if after := w.Written()["group:default/admins"]; after.Metadata["uid"] != before.Metadata["uid"] {
			t.Errorf("after %s: %+v, before %+v", path, after.Metadata, before.Metadata)
		}
	}
	for _, l := range all {
		call(t, w, "DELETE", "/locations/"+l.ID, "", 204, nil)
	}
	eventually(w, "group:default/admins")
	if after := w.Written()["group:default/admins"]; after.Metadata["uid"] != before.Metadata["uid"] {
		t.Errorf("after all: %+v, before %+v", after.Metadata, before.Metadata)
	}
	for _, target := range []string{
		"acme/evil/blob/main/x/users.yaml#/acme/org/blob/main/groups.yaml", "acme/evil/blob/main/x/users.yaml?/groups.yaml",
		"acme/evil%2Fblob%2Fmain%2Fx/blob/main/groups.yaml",
	} {
		call(t, w, "POST", "/locations", located(w, target), 400, nil)
	}
	register(t, w, "acme/evil/blob/main/x/users.yaml")
	w.Settled()
	expectRefs(t, w, "group:default/admins")
}
