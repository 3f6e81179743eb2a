package e2e

import (
	"fmt"
	"testing"

	"github.com/callboard/callboard/test/harness"
)

// What one replica accepts, all of them show; when one goes, the others go on.
func TestReplicas(t *testing.T) {
	t.Parallel()
	for _, setup := range harness.Setups[1:] {
		t.Run(setup.Name, func(t *testing.T) {
			t.Parallel()
			w := harness.New(t, setup)
			for i := range 6 {
				create(t, w, fmt.Sprintf("acme/r%d", i), map[string]string{"catalog-info.yaml": component(fmt.Sprintf("c%d", i), "0")})
			}
			w.Start()
			second := w.Replica()
			w.Install("acme")
			push := func(n int) {
				t.Helper()
				for i := range 6 {
					commit(t, w, fmt.Sprintf("acme/r%d", i), map[string]*string{"catalog-info.yaml": new(component(fmt.Sprintf("c%d", i), fmt.Sprint(n)))})
				}
			}
			for n := 1; n < 6; n++ {
				push(n)
			}
			shows := func(r *harness.World, n int) {
				t.Helper()
				r.Settled()
				for i := range 6 {
					e, err := r.Entity("component", fmt.Sprintf("c%d", i))
					if err != nil || e.Metadata["description"] != fmt.Sprint(n) {
						t.Errorf("c%d is %v, %v; want %d", i, e.Metadata["description"], err, n)
					}
				}
			}
			shows(w, 5)
			shows(second, 5)
			first, again := w.Written(), second.Written()
			for ref, e := range first {
				if e.Metadata["etag"] != again[ref].Metadata["etag"] {
					t.Errorf("%s has another etag on the second replica", ref)
				}
			}
			w.App.SetWebhook(second.URL+"/webhooks/github", harness.Secret)
			w.Stop()
			push(6)
			shows(second, 6)
		})
	}
}
