package people_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/storage"
)

// approval is the message that says that a scan was approved.
func (f *fixture) approval(scan string) storage.Message {
	f.t.Helper()
	return f.message(provider(""), "acme", func(p *event.People, _ *storage.Message) { p.Scan, p.Released = scan, true })
}

// approve does what scan.Step.Approve does, and answers the message.
func (f *fixture) approve(id string) storage.Message {
	f.t.Helper()
	scan, err := f.store.Scan(f.t.Context(), id)
	if err != nil {
		f.t.Fatal(err)
	}
	scan.State, scan.ApprovedBy = storage.ScanRunning, "ann"
	if err := f.store.InTx(f.t.Context(), func(ctx context.Context, tx storage.Tx) error { return tx.PutScan(ctx, scan) }); err != nil {
		f.t.Fatal(err)
	}
	return f.approval(id)
}

// expectShown checks what a scan shows that would go.
func expectShown(t *testing.T, f *fixture, scan string, entities int, ref string) {
	t.Helper()
	holds, err := f.store.Holds(t.Context(), scan)
	switch {
	case err != nil:
		t.Fatal(err)
	case entities == 0 && len(holds) == 0:
	case len(holds) != 1 || holds[0].Entities != entities || len(holds[0].Refs) != entities || !slices.Contains(holds[0].Refs, ref):
		t.Errorf("it shows %+v, want %d entities and %s", holds, entities, ref)
	}
}

// without is an organization as a list shows it that lacks some.
func without(p githubapp.People, names ...string) githubapp.People {
	p.Members = slices.DeleteFunc(slices.Clone(p.Members), func(m githubapp.Member) bool { return slices.Contains(names, m.Login) })
	p.Teams = slices.DeleteFunc(slices.Clone(p.Teams), func(t githubapp.Team) bool { return slices.Contains(names, t.Slug) })
	return p
}

// Whoever the lists lack is asked for alone before anybody is believed to have gone.
func TestListsAreDoubted(t *testing.T) {
	tests := []struct {
		name   string
		listed githubapp.People
		hidden []string // what GitHub has all the same
		err    error
		want   string // the row says; "" where they go
		asked  int
	}{
		{name: "gone", listed: without(acme, "cy", "cart"), asked: 3},
		{name: "a hidden member", listed: without(acme, "cy"), hidden: []string{"members/cy"}, want: "disagree about members/cy", asked: 2},
		{name: "a hidden team", listed: without(acme, "cart"), hidden: []string{"teams/cart"}, want: "disagree about teams/cart", asked: 2},
		{name: "nobody is listed", listed: without(acme, "Amara", "bo", "cy"), want: "lists no member"},
		{name: "no answer", listed: without(acme, "cy"), err: githubapp.ErrForbidden, want: "members: read", asked: 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := setup(t)
			f.hub.orgs["acme"] = acme
			f.must(f.look("acme"))
			before := len(f.uids())
			f.hub.orgs["acme"], f.hub.hidden, f.hub.refused = tt.listed, tt.hidden, tt.err
			out := f.must(f.lastTry("acme"))
			if gone := before - len(f.uids()); (gone == 0) != (tt.want != "") || !strings.Contains(f.row("acme").Error, tt.want) {
				t.Errorf("%d of %d are gone, the row says %q, the look %+v", gone, before, f.row("acme").Error, out)
			}
			if f.hub.asked != tt.asked {
				t.Errorf("%d questions, want %d", f.hub.asked, tt.asked)
			}
		})
	}
}

// A GitHub that says no to everything has not lost anybody.
func TestANoMeansSomething(t *testing.T) {
	f := setup(t)
	f.hub.orgs["acme"] = acme
	f.must(f.look("acme"))
	f.step = f.start(mute{f.hub})
	f.hub.orgs["acme"] = without(acme, "cy")
	f.must(f.lastTry("acme"))
	if got := f.row("acme").Error; f.uids()["user:default/cy"] == "" || !strings.Contains(got, "disagree about members/amara") {
		t.Errorf("the row says %q, and there is %v", got, f.uids())
	}
}

// mute is a GitHub that has nobody when it is asked for one.
type mute struct{ *office }

func (mute) Present(context.Context, string, string, []string) (map[string]bool, error) {
	return nil, nil
}

// More than can be asked for one by one waits, however small a share it is.
func TestTooManyToAsk(t *testing.T) {
	f := setup(t)
	f.hub.orgs["acme"] = crowd("acme", 400)
	f.must(f.look("acme"))
	f.hub.orgs["acme"] = crowd("acme", 379)
	f.must(f.look("acme"))
	if len(f.uids()) != 400 || f.hub.asked != 0 || len(f.scans()) != 1 {
		t.Errorf("%d users are left after %d questions, scans are %+v", len(f.uids()), f.hub.asked, f.scans())
	}
	f.hub.orgs["acme"] = crowd("acme", 380)
	f.must(f.look("acme"))
	if len(f.uids()) != 380 || f.hub.asked != 21 {
		t.Errorf("%d users are left after %d questions", len(f.uids()), f.hub.asked)
	}
}

// Who is left out because of a suspension is listed, so nobody asks for them.
func TestTheSuspendedGoUnasked(t *testing.T) {
	f := setup(t)
	p := provider("main", "acme")
	p.Query.Suspended = true
	f.configure(p)
	f.hub.orgs["acme"] = acme
	f.must(f.look("acme"))
	suspended := without(acme)
	for i := range suspended.Members {
		if suspended.Members[i].Login == "bo" {
			suspended.Members[i].SuspendedAt = f.now
		}
	}
	f.hub.orgs["acme"] = suspended
	f.must(f.look("acme"))
	if f.uids()["user:default/bo"] != "" || f.hub.asked != 0 {
		t.Errorf("there is %v after %d questions", f.uids(), f.hub.asked)
	}
}

// An approval is of what was shown, not of as many others.
func TestAnApprovalIsOfAList(t *testing.T) {
	f := setup(t)
	f.hub.orgs["acme"] = crowd("acme", 30)
	f.must(f.look("acme"))
	f.hub.orgs["acme"] = crowd("acme", 20)
	f.must(f.look("acme"))
	scan := f.scans()[0]
	others := crowd("acme", 30)
	others.Members = others.Members[10:]
	f.hub.orgs["acme"] = others
	f.now = f.now.Add(time.Hour)
	f.must(f.run(f.approve(scan.ID)))
	again := f.scans()
	if len(f.uids()) != 30 || len(again) != 1 || again[0].ID != scan.ID || again[0].State != storage.ScanPaused || again[0].ApprovedBy != "" {
		t.Fatalf("%d users are left, scans are %+v", len(f.uids()), again)
	}
	expectShown(t, f, scan.ID, 10, "user:default/u00")
	if holds, err := f.store.Holds(t.Context(), scan.ID); err != nil || slices.Contains(holds[0].Refs, "user:default/u25") {
		t.Errorf("it shows %+v, %v", holds, err)
	}
	others.Members = append(others.Members, crowd("acme", 2).Members...) // fewer than were shown
	f.hub.orgs["acme"] = others
	f.now = f.now.Add(time.Hour)
	f.must(f.run(f.approve(scan.ID)))
	if done := f.scans(); len(f.uids()) != 22 || done[0].State != storage.ScanDone || done[0].Removing != 8 {
		t.Errorf("%d users are left, scans are %+v", len(f.uids()), done)
	}
}

// A look that many wait for names groups as they are called in the catalog.
func TestShownGroups(t *testing.T) {
	f := setup(t)
	f.configure(provider("main"))
	f.hub.installed = []githubapp.Installation{{ID: 1, Account: "acme", AccountType: "Organization"}}
	f.hub.orgs["acme"] = acme
	f.must(f.look("acme")) // asks for a look at all
	f.must(f.look("~main"))
	f.hub.orgs["acme"] = without(acme, "cart", "shop", "bo", "cy")
	f.must(f.look("~main"))
	scans := f.scans()
	if len(scans) != 1 {
		t.Fatalf("scans are %+v", scans)
	}
	expectShown(t, f, scans[0].ID, 4, "group:acme/cart")
}
