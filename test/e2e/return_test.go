package e2e

import (
	"fmt"
	"testing"

	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/schedule"
	"github.com/callboard/callboard/test/harness"
)

// A repository that a token reads is transferred to an account that a token
// reads, or one of an installation is: both are configured, so it stays.
func TestTransfersBetweenCoveredAccounts(t *testing.T) {
	t.Parallel()
	for _, back := range []bool{false, true} {
		t.Run(fmt.Sprint(back), func(t *testing.T) {
			w := harness.New(t, harness.Setups[0])
			w.Prepare()
			w.GitHub.AddOrg("puba", "a")
			w.GitHub.AddOrg("pubb", "b")
			w.GitHub.AddToken("personal", "repo")
			w.Config.GitHub[0].Token = "personal"
			for _, o := range []string{"acme", "puba", "pubb"} {
				w.Config.Providers = append(w.Config.Providers, discovery.Provider{
					ID: o, Host: w.Config.GitHub[0].Host, Organization: o, CatalogPath: discovery.DefaultPath,
					Schedule: schedule.Schedule{Manual: true}, Filter: discovery.Filter{AllowForks: true, AllowArchived: true},
				})
			}
			create(t, w, "acme/r0", map[string]string{"catalog-info.yaml": component("c0", "x")})
			create(t, w, "puba/r1", map[string]string{"catalog-info.yaml": component("c1", "x")})
			create(t, w, "puba/r9", map[string]string{"catalog-info.yaml": component("c9", "x")})
			create(t, w, "pubb/r2", map[string]string{"catalog-info.yaml": component("c2", "x")})
			w.App.SetWebhook("", harness.Secret)
			_, err := w.GitHub.Install(w.App, "acme", nil)
			must(t, err)
			w.Start()
			scanAll(t, w)
			expectRefs(t, w, components(0, 1, 2, 9)...)
			if back {
				must(t, w.GitHub.TransferRepo("acme/r0", "pubb"))
			} else {
				must(t, w.GitHub.TransferRepo("puba/r1", "pubb"))
			}
			scanAll(t, w)
			expectRefs(t, w, components(0, 1, 2, 9)...)
			scanAll(t, w)
			expectRefs(t, w, components(0, 1, 2, 9)...)
		})
	}
}

// scanAll scans every account, one after the other.
func scanAll(t *testing.T, w *harness.World) {
	t.Helper()
	for _, o := range []string{"acme", "puba", "pubb"} {
		must(t, w.Post("/api/callboard/scans?owner="+o))
	}
	w.Eventually("scans end", func() error {
		var list struct{ Items []scanned }
		if err := w.Get("/api/callboard/scans?state=running", &list); err != nil {
			return err
		}
		if len(list.Items) > 0 {
			return fmt.Errorf("%+v", list.Items)
		}
		return nil
	})
	w.Settled()
}

// Taken from the installation, given back, and nobody told: asking for it is enough.
func TestARepositoryThatIsGivenBack(t *testing.T) {
	t.Parallel()
	w := harness.New(t, harness.Setups[0])
	w.Prepare()
	w.App.SetWebhook("", harness.Secret)
	for i := range 3 {
		create(t, w, fmt.Sprintf("acme/r%d", i), map[string]string{"catalog-info.yaml": component(fmt.Sprintf("c%d", i), "x")})
	}
	in, err := w.GitHub.Install(w.App, "acme", []string{"acme/r0", "acme/r1", "acme/r2"})
	must(t, err)
	w.Start()
	scan(t, w)
	must(t, in.RemoveRepos([]string{"acme/r1"}))
	scan(t, w)
	expectRefs(t, w, components(0, 2)...)
	must(t, in.AddRepos([]string{"acme/r1"}))
	must(t, w.Post("/api/callboard/repositories/acme/r1/refresh"))
	w.Settled()
	expectRefs(t, w, components(0, 1, 2)...)
}

// What a scan holds is held no more when its reason has gone.
func TestAHoldEndsWithItsReason(t *testing.T) {
	t.Parallel()
	w := harness.New(t, harness.Setups[0])
	hub(t, w, 30)
	must(t, w.GitHub.DeleteRepo("acme/hub"))
	scanUntil(w, askScan(t, w).ID, "is paused", func(s scanned) bool { return s.State == "paused" })
	var targets []string
	for i := range 30 {
		targets = append(targets, fmt.Sprintf("%s/acme/t%d/blob/main/meta.yaml", w.GitHub.URL(), i))
	}
	create(t, w, "acme/hub", map[string]string{"catalog-info.yaml": location("hub", targets...)})
	if s := scan(t, w); s.State != "done" || s.Removing != 0 {
		t.Errorf("the next scan ends as %+v", s)
	}
	if n := len(w.Written()); n != 31 {
		t.Errorf("%d entities", n)
	}
}
