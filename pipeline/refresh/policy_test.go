package refresh_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/pipeline/refresh"
	"github.com/callboard/callboard/pipeline/rule"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

const group = "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {name: crew}\nspec: {type: team, children: []}\n"

const template = `apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: service}
spec: {type: service, steps: []}
`

// root is the generated Location of a repository with one root file.
func (f *fixture) root(repository int64) storage.Entity {
	f.t.Helper()
	entities, err := f.store.RepositoryEntities(f.t.Context(), repository)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, e := range entities {
		if e.Document < 0 {
			return e
		}
	}
	f.t.Fatal("there is no generated Location")
	return storage.Entity{}
}

// A kind that is not allowed is refused alone, and both the file and its
// Location say so.
func TestRules(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	r := f.create("acme/cart", map[string]string{"catalog-info.yaml": component("cart") + "---\n" + group})
	f.configure(func(c *refresh.Config) { c.Rules = rule.Default() })
	f.mustRun(r, nil)
	if diff := cmp.Diff([]string{"component:default/cart"}, f.refs(r)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	got := f.diagnostics(r)["kind-not-allowed"]
	if len(got) != 1 || got[0].Rule != "kind-not-allowed" || got[0].Line != 10 || got[0].Ref != "group:default/crew" || got[0].Severity != entity.SeverityError {
		t.Errorf("%+v", got)
	}
	errs := f.root(r.ID()).Errors
	if len(errs) != 1 || !strings.HasPrefix(errs[0].Message, "NotAllowedError: Entity group:default/crew at url:") ||
		!strings.HasSuffix(errs[0].Message, "is not of an allowed kind for that location") {
		t.Errorf("the Location shows %+v", errs)
	}

	// Other rules: what was read under the old ones is read again.
	f.configure(func(c *refresh.Config) { c.Rules = rule.Everything() })
	old, err := f.step.Outdated(t.Context())
	if err != nil || len(old) != 1 || old[0].ID != r.ID() {
		t.Fatalf("%+v, %v", old, err)
	}
	f.mustRun(r, nil)
	if diff := cmp.Diff([]string{"component:default/cart", "group:default/crew"}, f.refs(r)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if errs := f.root(r.ID()).Errors; len(errs) != 0 {
		t.Errorf("the Location still shows %+v", errs)
	}
	if old, err := f.step.Outdated(t.Context()); err != nil || len(old) != 0 {
		t.Errorf("nothing is outdated, yet %+v, %v", old, err)
	}

	// Tighter rules take away what they do not allow.
	f.configure(func(c *refresh.Config) { c.Rules = rule.Rules{} })
	f.mustRun(r, nil)
	if refs := f.refs(r); len(refs) != 0 {
		t.Errorf("no rule allows anything, yet %v is served", refs)
	}
}

func TestOwnerPolicy(t *testing.T) {
	tests := []struct {
		policy refresh.OwnerPolicy
		want   []string
		rules  string
	}{
		{refresh.OwnerOff, []string{"component:default/cart", "template:default/service"}, ""},
		{refresh.OwnerWarn, []string{"component:default/cart", "template:default/service"}, "owner-missing warning"},
		{refresh.OwnerEnforce, []string{"component:default/cart"}, "owner-missing error"},
	}
	for _, tt := range tests {
		t.Run(string(tt.policy), func(t *testing.T) {
			f := setup(t, "catalog-info.yaml")
			f.configure(func(c *refresh.Config) { c.Owner = tt.policy })
			r := f.create("acme/cart", map[string]string{"catalog-info.yaml": component("cart") + "---\n" + template + "---\n" + group})
			f.mustRun(r, nil)
			want := append([]string{}, tt.want[0], "group:default/crew") // a group needs no owner
			want = append(want, tt.want[1:]...)
			if diff := cmp.Diff(want, f.refs(r)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			var rules []string
			for rule, ds := range f.diagnostics(r) {
				rules = append(rules, rule+" "+string(ds[0].Severity))
			}
			if got := strings.Join(rules, ", "); got != tt.rules {
				t.Errorf("diagnostics %q, want %q", got, tt.rules)
			}
		})
	}
}

// An entity that loses its owner stays as it was last good, with the error.
func TestOwnerIsTakenAway(t *testing.T) {
	f := setup(t, "catalog-info.yaml")
	f.configure(func(c *refresh.Config) { c.Owner = refresh.OwnerEnforce })
	owned := strings.Replace(template, "steps:", "owner: crew, steps:", 1)
	r := f.create("acme/cart", map[string]string{"catalog-info.yaml": owned})
	f.mustRun(r, nil)
	text := template
	f.commit("acme/cart", map[string]*string{"catalog-info.yaml": &text})
	f.mustRun(r, nil)
	entities, err := f.store.Entities(t.Context(), []string{"template:default/service"})
	if err != nil || len(entities) != 1 || len(entities[0].Errors) != 1 || !strings.Contains(entities[0].Errors[0].Message, "spec.owner is required") {
		t.Errorf("%+v, %v", entities, err)
	}
}
