package e2e

import (
	"fmt"
	"testing"

	"github.com/callboard/callboard/cmd/config"
	"github.com/callboard/callboard/test/githubsim"
	"github.com/callboard/callboard/test/harness"
)

// A repository that was deleted, or went to an account that is not covered, and
// another one of its name and with its entity, with the webhooks lost: one scan
// makes the other one serve.
func TestASuccessorServes(t *testing.T) {
	for _, how := range []string{"deleted", "transferred"} {
		for _, setup := range harness.Setups[:2] {
			t.Run(how+" "+setup.Name, func(t *testing.T) {
				t.Parallel()
				w := harness.New(t, setup)
				silent(t, w, 5, 100)
				scan(t, w)
				if how == "deleted" {
					must(t, w.GitHub.DeleteRepo("acme/r1"))
				} else {
					w.GitHub.AddOrg("outside", "outside")
					must(t, w.GitHub.TransferRepo("acme/r1", "outside"))
				}
				create(t, w, "acme/r1", map[string]string{"catalog-info.yaml": component("c1", "of the successor")})
				if s := scan(t, w); s.State != "done" || s.Error != "" {
					t.Errorf("the scan ends as %+v", s)
				}
				w.Settled()
				e, err := w.Entity("component", "c1")
				if err != nil || e.Metadata["description"] != "of the successor" {
					t.Errorf("served is %v, %v", e.Metadata, err)
				}
				if n := len(w.Written()); n != 5 {
					t.Errorf("%d entities", n)
				}
				var list struct{ Items []any }
				if err := w.Get("/api/callboard/conflicts", &list); err != nil || len(list.Items) != 0 {
					t.Errorf("conflicts: %v, %v", list.Items, err)
				}
			})
		}
	}
}

// Repositories that are deleted between the page of a scan that shows them and
// the refreshes that it asks for do not come in.
func TestDeletedBehindAScan(t *testing.T) {
	w := embedded(t)
	w.Prepare()
	w.Config.Workers = 2
	w.Config.Undirected.CatalogPath = "catalog-info.yaml"
	const n = 60
	for i := range n {
		create(t, w, fmt.Sprintf("acme/r%d", i), map[string]string{"catalog-info.yaml": component(fmt.Sprintf("c%d", i), "x")})
	}
	w.App.SetWebhook("", harness.Secret)
	_, err := w.GitHub.Install(w.App, "acme", nil)
	must(t, err)
	w.Start()
	w.App.SetWebhook("http://"+w.Config.Listen+"/api/events/http/github", harness.Secret)
	askScan(t, w)
	w.Eventually("a page was asked for", func() error {
		if w.GitHub.Requests()["POST /graphql"].Total == 0 {
			return fmt.Errorf("requests: %v", w.GitHub.Requests())
		}
		return nil
	})
	for i := range n {
		must(t, w.GitHub.DeleteRepo(fmt.Sprintf("acme/r%d", i)))
	}
	w.Settled()
	for ref := range w.Written() {
		t.Errorf("ghost %s", ref)
	}
}

// Where the App is gone from an account, GitHub is asked about the account and
// not about each of its repositories.
func TestAnUninstalledAccountCostsLittle(t *testing.T) {
	w := embedded(t)
	_, in := silent(t, w, 60, 100)
	scan(t, w)
	in.Uninstall()
	for range 2 {
		w.GitHub.ResetRequests()
		s := scanUntil(w, askScan(t, w).ID, "paused", func(s scanned) bool { return s.State == "paused" })
		n := 0
		for _, count := range w.GitHub.Requests() {
			n += count.Total
		}
		if s.Removing != 60 || n > 15 {
			t.Errorf("would remove %d, for %d requests: %v", s.Removing, n, w.GitHub.Requests())
		}
	}
}

// Two Apps on one account, each with a part of its repositories.
func TestTwoAppsShareAnAccount(t *testing.T) {
	w := embedded(t)
	w.Prepare()
	w.App.SetWebhook("", harness.Secret)
	second, err := w.GitHub.AddApp("second", githubsim.AppOptions{})
	must(t, err)
	w.Config.GitHub[0].Apps = append(w.Config.GitHub[0].Apps, config.App{ID: second.ID(), PrivateKey: config.Secret(second.KeyPEM())})
	for i := range 5 {
		create(t, w, fmt.Sprintf("acme/r%d", i), map[string]string{"catalog-info.yaml": component(fmt.Sprintf("c%d", i), "x")})
	}
	_, err = w.GitHub.Install(w.App, "acme", []string{"acme/r0", "acme/r1"})
	must(t, err)
	_, err = w.GitHub.Install(second, "acme", []string{"acme/r2", "acme/r3", "acme/r4"})
	must(t, err)
	w.Start()
	reconciled := func(want int) {
		t.Helper()
		if status := ask(t, w, "POST", "/api/callboard/scans", ""); status != 202 {
			t.Fatalf("a scan is answered with %d", status)
		}
		w.Settled()
		if n := len(w.Written()); n != want {
			t.Errorf("%d entities, want %d", n, want)
		}
	}
	reconciled(5)
	must(t, w.GitHub.DeleteRepo("acme/r1"))
	must(t, w.GitHub.DeleteRepo("acme/r4"))
	reconciled(3)
}
