package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/callboard/callboard/test/githubsim"
	"github.com/callboard/callboard/test/harness"
)

// Whatever GitHub answers in the middle of a refresh, nothing is deleted, and
// when GitHub is well again the push is applied.
func TestGitHubFailsInTheMiddleOfARefresh(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault githubsim.Fault
	}{
		{"500 at the first look", githubsim.Fault{Match: "*graphql*", Status: http.StatusInternalServerError, Times: 2}},
		{"502 while reading", githubsim.Fault{Match: "*graphql*", Status: http.StatusBadGateway, Skip: 1, Times: 1}},
		{"403 for a moment", githubsim.Fault{Match: "*graphql*", Status: http.StatusForbidden, Times: 1}},
		{"404 for a moment", githubsim.Fault{Match: "*graphql*", Status: http.StatusNotFound, Times: 2}},
		{"429 with Retry-After", githubsim.Fault{Match: "*graphql*", Status: http.StatusTooManyRequests, Header: map[string]string{"Retry-After": "1"}, Times: 1}},
		{"secondary limit while reading", withTimes(githubsim.SecondaryLimit("*graphql*", http.StatusForbidden, time.Second), 1, 1)},
		{"GraphQL gives up", withTimes(githubsim.GraphQLError("RESOURCE_LIMITS_EXCEEDED", "too much"), 0, 1)},
		{"cut in the body", githubsim.Fault{Match: "*graphql*", CutAfter: 40, Times: 1}},
		{"time-out while reading", githubsim.Fault{Match: "*graphql*", Hang: true, Skip: 1, Times: 1}},
		{"trees fail", githubsim.Fault{Match: "*/git/trees/*", Status: http.StatusServiceUnavailable, Times: 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := embedded(t)
			create(t, w, "acme/one", map[string]string{
				"catalog-info.yaml": location("all", "./sub/*.yaml") + "---\n" + component("one", "1"),
				"sub/a.yaml":        component("a", "1"), "sub/b.yaml": component("b", "1"),
			})
			w.Config.GitHubTimeout = 1000 * time.Millisecond
			w.Start().Install("acme")
			w.Settled()
			remove := w.GitHub.Inject(tt.fault)
			defer remove()
			commit(t, w, "acme/one", map[string]*string{"sub/a.yaml": new(component("a", "2")), "sub/c.yaml": new(component("c", "2"))})
			w.Eventually("applied", func() error {
				got := refs(w)
				for _, ref := range []string{"component:default/one", "component:default/a", "component:default/b", "location:default/all"} {
					if !got[ref] {
						t.Fatalf("%s is gone", ref)
					}
				}
				if !got["component:default/c"] {
					return fmt.Errorf("not yet: %v", got)
				}
				return nil
			})
			w.Settled()
			e, err := w.Entity("component", "a")
			if err != nil || e.Metadata["description"] != "2" {
				t.Errorf("a is %+v, %v", e.Metadata, err)
			}
		})
	}
}

func withTimes(f githubsim.Fault, skip, times int) githubsim.Fault {
	f.Skip, f.Times = skip, times
	return f
}

// Deliveries that come doubled, late and in another order end in the same catalog.
func TestDeliveriesDoubledReorderedDelayed(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		for i := range 4 {
			create(t, w, fmt.Sprintf("acme/r%d", i), map[string]string{"catalog-info.yaml": component(fmt.Sprintf("c%d", i), "0")})
		}
		w.Start().Install("acme")
		w.Settled()
		w.GitHub.SetDeliveryFaults(githubsim.DeliveryFaults{Double: 0.5, Reorder: 5, Delay: 20 * time.Millisecond})
		for n := 1; n <= 8; n++ {
			for i := range 4 {
				commit(t, w, fmt.Sprintf("acme/r%d", i), map[string]*string{"catalog-info.yaml": new(component(fmt.Sprintf("c%d", i), fmt.Sprint(n)))})
			}
		}
		w.Settled()
		for i := range 4 {
			e, err := w.Entity("component", fmt.Sprintf("c%d", i))
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(e.Metadata["description"]); got != "8" {
				t.Errorf("c%d shows push %s, want 8", i, got)
			}
		}
		var page struct {
			Items []struct{ GUID, State, Reason string }
		}
		if err := w.Get("/api/callboard/deliveries?limit=1000", &page); err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, d := range page.Items {
			if seen[d.GUID] {
				t.Errorf("delivery %s is there twice", d.GUID)
			}
			seen[d.GUID] = true
			if d.State != "applied" && d.State != "unchanged" && d.State != "ignored" {
				t.Errorf("delivery %s is %s: %s", d.GUID, d.State, d.Reason)
			}
		}
	})
}
