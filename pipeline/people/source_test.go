package people_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/storage"
)

// Two organizations are one look, whichever of them asks.
func TestSeveralOrganizations(t *testing.T) {
	f := setup(t)
	f.configure(provider("main", "acme", "beta"))
	f.hub.orgs["acme"], f.hub.orgs["beta"] = acme, beta
	if out := f.must(f.look("beta")); out.State != "" || f.undone("~main") != 1 || f.hub.looks != 0 {
		t.Fatalf("an event of beta: %+v, want it handed over", out)
	}
	f.must(f.look("~main"))
	f.expect("user:default/amara", "user:default/bo", "user:default/cy", "user:default/dee",
		"group:acme/engineering", "group:acme/shop", "group:acme/cart", "group:acme/hidden-child", "group:beta/shop")
	if losers, err := f.store.Conflicts(t.Context(), storage.ConflictFilter{}); err != nil || len(losers) != 0 {
		t.Errorf("conflicts %+v, %v: a user of two organizations is one", losers, err)
	}
	// One that cannot be read is no reason to believe that its users are gone.
	delete(f.hub.orgs, "beta")
	before := f.uids()
	f.must(f.lastTry("~main"))
	if diff := cmp.Diff(before, f.uids()); diff != "" || !strings.Contains(f.row("~main").Error, "beta") {
		t.Errorf("row says %q, entities\n%s", f.row("~main").Error, diff)
	}
}

func TestAllInstallations(t *testing.T) {
	f := setup(t)
	f.configure(provider("main"))
	f.hub.orgs["acme"], f.hub.orgs["beta"] = acme, beta
	f.must(f.lastTry("~main"))
	if row := f.row("~main"); !strings.Contains(row.Error, "no App is installed") {
		t.Errorf("the row says %q", row.Error)
	}
	f.hub.installed = []githubapp.Installation{
		{ID: 2, Account: "beta", AccountType: "Organization"}, {ID: 1, Account: "acme", AccountType: "Organization"},
		{ID: 3, Account: "somebody", AccountType: "User"},
	}
	f.must(f.look("~main"))
	if uids := f.uids(); len(uids) != 9 || uids["group:acme/cart"] == "" {
		t.Errorf("entities are %v", uids)
	}
	f.hub.installed[0].Suspended = true
	f.must(f.lastTry("~main"))
	if row := f.row("~main"); len(f.uids()) != 9 || !strings.Contains(row.Error, "suspended on beta") {
		t.Errorf("%d entities, the row says %q", len(f.uids()), row.Error)
	}
	if !f.step.Covers("GitHub.com", "whoever") || f.step.Covers("other.example", "acme") {
		t.Error("all organizations of the host are covered, and none of another")
	}
}

// What nobody configures any more goes; what somebody else declares as well is
// his before, and stays the same entity.
func TestAbandonedSources(t *testing.T) {
	f := setup(t)
	f.hub.orgs["acme"], f.hub.orgs["beta"] = acme, beta
	f.must(f.look("acme"))
	before := f.uids()

	f.configure(provider("main", "acme", "beta"))
	if err := f.step.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if f.undone("~main") != 1 || f.undone("acme") != 1 {
		t.Fatalf("%d and %d looks are asked for, want one each", f.undone("~main"), f.undone("acme"))
	}
	if _, err := f.look("acme"); err == nil {
		t.Fatal("the old source goes before the new one was read")
	} else if fate, ok := fault.Of(err); !ok || fate.After <= 0 {
		t.Fatalf("%v is not postponed", err)
	}
	f.must(f.look("~main"))
	f.must(f.look("acme"))
	for _, ref := range []string{"user:default/amara", "user:default/bo"} {
		if f.uids()[ref] != before[ref] {
			t.Errorf("%s is another entity now", ref)
		}
	}
	if f.uids()["group:default/cart"] != "" || f.uids()["group:acme/cart"] == "" {
		t.Errorf("groups are %v", f.uids())
	}
	if n, err := f.store.Repositories(t.Context()); err != nil || len(n) != 1 {
		t.Errorf("rows are %+v, %v", n, err)
	}

	f.cfg.KeepAbandoned = true
	f.configure()
	if out := f.must(f.look("~main")); out.State != storage.DeliveryIgnored || len(f.uids()) == 0 {
		t.Errorf("kept sources: %+v, %d entities", out, len(f.uids()))
	}
	f.cfg.KeepAbandoned = false
	f.configure()
	if out := f.must(f.look("~main")); out.Changes == 0 {
		t.Errorf("abandoned: %+v", out)
	}
	f.expect()
	if out := f.must(f.look("acme")); !strings.Contains(out.Reason, "no entry of catalog.providers.githubOrg covers acme") {
		t.Errorf("an event that nobody wants: %+v", out)
	}
}

func TestBeginAsksOnlyForWhatChanged(t *testing.T) {
	f := setup(t)
	begin := func() int {
		t.Helper()
		if err := f.step.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		return f.undone("acme")
	}
	f.hub.orgs["acme"] = acme
	f.must(f.look("acme"))
	if n := begin(); n != 0 {
		t.Errorf("%d looks at a source that is as it was", n)
	}
	p := provider("main", "acme")
	p.Query.VerifiedEmails = true
	f.configure(p)
	if n := begin(); n != 1 {
		t.Errorf("%d looks after a change, want 1", n)
	}
	if n := begin(); n != 1 {
		t.Errorf("%d looks after two starts, want 1", n)
	}
	jobs, err := f.step.Jobs(t.Context())
	if err != nil || len(jobs) != 1 || jobs[0].Name != "people/main" {
		t.Fatalf("jobs are %+v, %v", jobs, err)
	}
	if err := jobs[0].Run(t.Context()); err != nil || f.undone("acme") != 1 {
		t.Errorf("%v, %d looks: a job asks for none that waits already", err, f.undone("acme"))
	}
}
