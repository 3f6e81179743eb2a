package e2e

import (
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
