package e2e

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/cmd/config"
	"github.com/callboard/callboard/pipeline/schedule"
	"github.com/callboard/callboard/test/githubsim"
	"github.com/callboard/callboard/test/harness"
)

// org makes an organization of people, and lets Callboard read them.
func org(t *testing.T, w *harness.World) {
	t.Helper()
	w.Prepare()
	w.Config.Orgs = []config.OrgProvider{{
		ID: "main", Host: w.Config.GitHub[0].Host, Orgs: []string{"acme"}, TeamPage: 4, TeamMemberPage: 2, MemberPage: 4,
		Schedule: schedule.Schedule{Manual: true}, Pause: 20 * time.Millisecond,
	}}
	w.GitHub.AddUser(githubsim.User{Login: "amara", Name: "Amara Okafor", Bio: "carts"})
	do(t,
		w.GitHub.AddMember("acme", "amara", "admin"), w.GitHub.AddMember("acme", "bo", "member"), w.GitHub.AddMember("acme", "cy", "member"),
		w.GitHub.AddTeam("acme", githubsim.TeamOptions{Name: "Engineering"}),
		w.GitHub.AddTeam("acme", githubsim.TeamOptions{Name: "Shop", Parent: "engineering"}),
		w.GitHub.AddTeam("acme", githubsim.TeamOptions{Name: "Cart", Parent: "shop"}),
		w.GitHub.AddTeamMember("acme", "cart", "amara"), w.GitHub.AddTeamMember("acme", "cart", "bo"), w.GitHub.AddTeamMember("acme", "cart", "cy"),
	)
}

func do(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

var everybody = []string{
	"user:default/amara", "user:default/bo", "user:default/cy", "group:default/engineering", "group:default/shop", "group:default/cart",
}

// relations are those of an entity, as "type target".
func relations(t *testing.T, w *harness.World, kind, name string) []string {
	t.Helper()
	e, err := w.Entity(kind, name)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range e.Relations {
		out = append(out, r.Type+" "+r.TargetRef)
	}
	return out
}

func expectRelations(t *testing.T, w *harness.World, kind, name string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, relations(t, w, kind, name)); diff != "" {
		t.Errorf("%s %s (-want +got)\n%s", kind, name, diff)
	}
}

func TestPeopleFollowTheOrganization(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		org(t, w)
		w.Start().Install("acme")
		w.Settled()
		expectRefs(t, w, everybody...)
		expectRelations(t, w, "group", "shop", "childOf group:default/engineering", "parentOf group:default/cart")
		expectRelations(t, w, "user", "bo", "memberOf group:default/cart")
		amara, err := w.Entity("user", "amara")
		if err != nil {
			t.Fatal(err)
		}
		if got, want := amara.Annotation("backstage.io/managed-by-location"), "url:"+w.GitHub.URL()+"/amara"; got != want {
			t.Errorf("managed-by-location is %q, want %q", got, want)
		}

		do(t,
			w.GitHub.RemoveMember("acme", "cy"), w.GitHub.AddMember("acme", "dee", "member"),
			w.GitHub.AddTeam("acme", githubsim.TeamOptions{Name: "Payments", Parent: "engineering"}),
			w.GitHub.EditTeam("acme", "cart", githubsim.TeamOptions{Name: "Cart", Description: "sells", Parent: "payments"}),
			w.GitHub.EditTeam("acme", "shop", githubsim.TeamOptions{Name: "Store", Parent: "engineering"}),
			w.GitHub.AddTeamMember("acme", "store", "dee"), w.GitHub.RemoveTeamMember("acme", "cart", "bo"),
		)
		w.Settled()
		expectRefs(t, w, "user:default/amara", "user:default/bo", "user:default/dee", "group:default/engineering",
			"group:default/store", "group:default/cart", "group:default/payments")
		expectRelations(t, w, "group", "engineering", "parentOf group:default/payments", "parentOf group:default/store")
		expectRelations(t, w, "group", "cart", "childOf group:default/payments", "hasMember user:default/amara")
		expectRelations(t, w, "user", "bo")
		do(t, w.GitHub.DeleteTeam("acme", "payments")) // and the team below it
		w.Settled()
		expectRelations(t, w, "group", "engineering", "parentOf group:default/store")
		expectRelations(t, w, "user", "amara")

		again, err := w.Entity("user", "amara")
		if err != nil || again.Metadata["uid"] != amara.Metadata["uid"] {
			t.Errorf("amara is another entity: %v, %v", again.Metadata, err)
		}
	})
}

// Without orgs it is every organization that the App is installed on. A user of
// two is one, and each has a namespace for its groups.
func TestPeopleOfAllOrganizations(t *testing.T) {
	w := embedded(t)
	org(t, w)
	w.Config.Orgs[0].Orgs = nil
	w.GitHub.AddOrg("Beta", "Beta")
	do(t,
		w.GitHub.AddMember("Beta", "amara", "member"), w.GitHub.AddMember("Beta", "zoe", "member"),
		w.GitHub.AddTeam("Beta", githubsim.TeamOptions{Name: "Cart"}), w.GitHub.AddTeamMember("Beta", "cart", "amara"),
	)
	w.Start().Install("acme")
	w.Install("Beta")
	w.Settled()
	expectRefs(t, w, "user:default/amara", "user:default/bo", "user:default/cy", "user:default/zoe",
		"group:acme/engineering", "group:acme/shop", "group:acme/cart", "group:beta/cart")
	expectRelations(t, w, "user", "amara", "memberOf group:acme/cart", "memberOf group:beta/cart")
	amara, err := w.Entity("user", "amara")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]any{"acme/cart", "beta/cart"}, amara.Spec["memberOf"]); diff != "" {
		t.Errorf("memberOf (-want +got)\n%s", diff)
	}
	do(t, w.GitHub.RemoveTeamMember("Beta", "cart", "amara"), w.GitHub.RemoveMember("acme", "bo"))
	w.Settled()
	expectRelations(t, w, "user", "amara", "memberOf group:acme/cart")
	if refs(w)["user:default/bo"] {
		t.Error("bo is still there")
	}
}

// Whoever asks for a user to be read again, or deletes one, asks GitHub for its
// people. Nothing is taken for a repository that is not there.
func TestPeopleAreReadAgain(t *testing.T) {
	w := embedded(t)
	org(t, w)
	w.Start().Install("acme")
	w.Settled()
	quiet := githubsim.Quiet()
	do(t, w.GitHub.AddMember("acme", "dee", "member", quiet))
	if status := ask(t, w, http.MethodPost, "/api/catalog/refresh", `{"entityRef":"user:default/bo"}`); status != http.StatusOK {
		t.Fatalf("refresh answers %d", status)
	}
	w.Settled()
	expectRefs(t, w, append(slices.Clone(everybody), "user:default/dee")...)

	do(t, w.GitHub.AddMember("acme", "eve", "member", quiet), w.Post("/api/callboard/repositories/acme/~people/refresh"))
	w.Settled()
	expectRefs(t, w, append(slices.Clone(everybody), "user:default/dee", "user:default/eve")...)

	bo, err := w.Entity("user", "bo")
	if err != nil {
		t.Fatal(err)
	}
	if status := ask(t, w, http.MethodDelete, fmt.Sprint("/api/catalog/entities/by-uid/", bo.Metadata["uid"]), ""); status != http.StatusNoContent {
		t.Fatalf("delete answers %d", status)
	}
	w.Settled()
	expectRefs(t, w, append(slices.Clone(everybody), "user:default/dee", "user:default/eve")...)
}

// A user whom a file declares as well is one: the older claim serves, both are
// shown, and the loser comes after.
func TestPeopleInFilesToo(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		org(t, w)
		user := func(name, description string) string {
			return "apiVersion: backstage.io/v1alpha1\nkind: User\nmetadata: {name: " + name + ", description: " + description + "}\nspec: {memberOf: []}\n"
		}
		create(t, w, "acme/people", map[string]string{"README.md": "nobody yet"})
		w.Start().Install("acme")
		w.Settled()
		description := func(name string) any {
			t.Helper()
			e, err := w.Entity("user", name)
			if err != nil {
				t.Fatal(err)
			}
			return e.Metadata["description"]
		}
		commit(t, w, "acme/people", map[string]*string{"catalog-info.yaml": new(user("amara", "by hand") + "---\n" + user("dee", "by hand"))})
		w.Settled()
		do(t, w.GitHub.AddMember("acme", "dee", "member"))
		w.Settled()
		if got := []any{description("amara"), description("dee")}; got[0] != "carts" || got[1] != "by hand" {
			t.Errorf("amara and dee are described as %v, want the older claims", got)
		}
		var conflicts struct {
			Items []struct {
				Ref    string
				Served struct{ Repository string }
				Lost   []struct{ Repository string }
			}
		}
		do(t, w.Get("/api/callboard/conflicts", &conflicts))
		got := map[string]string{}
		for _, c := range conflicts.Items {
			got[c.Ref] = c.Served.Repository + " before " + c.Lost[0].Repository
		}
		want := map[string]string{
			"user:default/amara": "acme/~people before acme/people", "user:default/dee": "acme/people before acme/~people",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("conflicts (-want +got)\n%s", diff)
		}
		commit(t, w, "acme/people", map[string]*string{"catalog-info.yaml": new(user("amara", "by hand"))})
		do(t, w.GitHub.RemoveMember("acme", "amara"))
		w.Settled()
		if got := []any{description("amara"), description("dee")}; got[0] != "by hand" || got[1] != nil {
			t.Errorf("amara and dee are described as %v, want the losers promoted", got)
		}
	})
}

// Whatever GitHub answers, nobody is deleted for it.
func TestPeopleSurviveBadAnswers(t *testing.T) {
	t.Parallel()
	all := func(string) bool { return true }
	forbidden := githubsim.GraphQLError("FORBIDDEN", "Resource not accessible by integration")
	tests := []struct {
		name    string
		listing githubsim.ListingFaults
		fault   githubsim.Fault
		want    string // the row or the delivery says; "" for what passes
	}{
		{name: "empty pages", listing: githubsim.ListingFaults{Empty: true}, want: "entries of"},
		{name: "a total that lies", listing: githubsim.ListingFaults{Total: func(n int) int { return n + 1 }}, want: "entries of"},
		{name: "nobody is listed", listing: githubsim.ListingFaults{HideMember: all, HideTeam: all}, want: "lists no member"},
		{name: "some are not listed", listing: githubsim.ListingFaults{HideMember: func(l string) bool { return l == "bo" }}, want: "disagree"},
		{name: "no team is listed", listing: githubsim.ListingFaults{HideTeam: all}, want: "disagree"},
		{name: "no permission", fault: forbidden, want: "members: read"},
		{name: "404", fault: githubsim.Fault{Match: "*graphql*", Status: http.StatusNotFound}, want: "install the App on it"},
		{name: "500", fault: githubsim.Fault{Match: "*graphql*", Status: http.StatusInternalServerError, Times: 2}},
		{name: "cut in the body", fault: githubsim.Fault{Match: "*graphql*", CutAfter: 40, Times: 2}},
		{name: "pages that are too heavy", listing: githubsim.ListingFaults{MaxPage: 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := embedded(t)
			org(t, w)
			w.Start().Install("acme")
			w.Settled()
			before := w.Written()
			w.GitHub.SetListingFaults(tt.listing)
			if tt.fault.Match != "" {
				w.GitHub.Inject(tt.fault)
			}
			do(t, w.GitHub.AddMember("acme", "dee", "member"))
			if tt.want == "" {
				w.Settled()
			} else {
				w.Eventually("told", func() error { return peopleFailed(t, w, tt.want) })
			}
			now := w.Written()
			for ref := range before {
				if _, there := now[ref]; !there {
					t.Errorf("%s is gone", ref)
				}
			}
			if _, came := now["user:default/dee"]; came != (tt.want == "") {
				t.Errorf("dee is there: %v", came)
			}
			w.GitHub.ClearFaults()
			do(t, w.Post("/api/callboard/repositories/acme/~people/refresh"))
			w.Settled()
			expectRefs(t, w, append(slices.Clone(everybody), "user:default/dee")...)
			if row := peopleRow(t, w); row.Error != "" || row.State != "active" {
				t.Errorf("the row still says %+v", row)
			}
		})
	}
}

// row is what the API says of where people come from.
type row struct{ Owner, Name, State, Error string }

func peopleRow(t *testing.T, w *harness.World) row {
	t.Helper()
	var r row
	do(t, w.Get("/api/callboard/repositories/acme/~people", &r))
	return r
}

// peopleFailed checks that the row says why people cannot be read, or the
// delivery that is tried again does.
func peopleFailed(t *testing.T, w *harness.World, want string) error {
	said := peopleRow(t, w).Error
	var page struct {
		Items []struct{ State, Reason string }
	}
	do(t, w.Get("/api/callboard/deliveries?state=failed", &page))
	for _, d := range page.Items {
		said += "; " + d.Reason
	}
	if !strings.Contains(said, want) {
		return fmt.Errorf("%q does not say %q", said, want)
	}
	return nil
}

// An answer that says it is complete and lacks half of the people waits for
// somebody's word.
func TestPeopleWaitForApproval(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		org(t, w)
		w.Config.Scan.MaxRemovedEntities = 1
		w.Start().Install("acme")
		w.Settled()
		w.GitHub.SetListingFaults(githubsim.ListingFaults{HideMember: func(l string) bool { return l != "amara" }})
		do(t, w.Post("/api/callboard/repositories/acme/~people/refresh"))
		w.Settled()
		expectRefs(t, w, everybody...)
		if said := peopleRow(t, w).Error; !strings.Contains(said, "callboard scan approve") {
			t.Errorf("the row says %q", said)
		}
		paused := peopleScan(t, w)
		if paused.State != "paused" || paused.Removing != 2 || !slices.Equal(paused.refs(), []string{"user:default/bo", "user:default/cy"}) {
			t.Fatalf("the scan is %+v", paused)
		}
		// As many others are not what was approved.
		w.GitHub.SetListingFaults(githubsim.ListingFaults{
			HideMember: func(l string) bool { return l == "amara" }, HideTeam: func(slug string) bool { return slug == "cart" },
		})
		do(t, w.Post("/api/callboard/scans/"+paused.ID+"/approve"))
		w.Settled()
		expectRefs(t, w, everybody...)
		again := peopleScan(t, w)
		if again.ID != paused.ID || again.State != "paused" || !slices.Equal(again.refs(), []string{"user:default/amara", "group:default/cart"}) {
			t.Fatalf("the scan is %+v", again)
		}
		w.GitHub.SetListingFaults(githubsim.ListingFaults{HideTeam: func(slug string) bool { return slug == "cart" }})
		do(t, w.Post("/api/callboard/scans/"+paused.ID+"/approve"))
		w.Settled()
		expectRefs(t, w, "user:default/amara", "user:default/bo", "user:default/cy", "group:default/engineering", "group:default/shop")
		if done := peopleScan(t, w); done.State != "done" || done.Removing != 1 || len(done.Holds) != 0 || done.ApprovedBy == "" {
			t.Errorf("the scan is %+v", done)
		}
	})
}

// peopleScan is the scan of people, as the API shows it.
func peopleScan(t *testing.T, w *harness.World) (s waiting) {
	t.Helper()
	var scans struct{ Items []waiting }
	do(t, w.Get("/api/callboard/scans?kind=people", &scans))
	if len(scans.Items) != 1 {
		t.Fatalf("scans are %+v", scans.Items)
	}
	do(t, w.Get("/api/callboard/scans/"+scans.Items[0].ID, &s))
	return s
}

// waiting is a scan and what it would remove.
type waiting struct {
	ID, State, ApprovedBy string
	Removing              int
	Holds                 []struct{ Refs []string }
}

func (s waiting) refs() (refs []string) {
	for _, h := range s.Holds {
		refs = append(refs, h.Refs...)
	}
	return refs
}

// Events may be lost, doubled and out of order: after one look the people are
// what somebody sees who never saw them before.
func TestPeopleConverge(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		org(t, w)
		w.Start().Install("acme")
		w.Settled()
		w.GitHub.SetDeliveryFaults(githubsim.DeliveryFaults{Lose: 0.4, Double: 0.3, Reorder: 4, Delay: 20 * time.Millisecond})
		for i := range 12 {
			login, team := fmt.Sprintf("u%d", i), fmt.Sprintf("Team %d", i)
			do(t,
				w.GitHub.AddMember("acme", login, "member"),
				w.GitHub.AddTeam("acme", githubsim.TeamOptions{Name: team, Parent: []string{"", "cart", "shop"}[i%3]}),
				w.GitHub.AddTeamMember("acme", fmt.Sprintf("team-%d", i), login), w.GitHub.AddTeamMember("acme", "engineering", login),
			)
			switch i % 4 {
			case 1:
				do(t, w.GitHub.RemoveMember("acme", login))
			case 2:
				do(t, w.GitHub.DeleteTeam("acme", fmt.Sprintf("team-%d", i)))
			case 3:
				do(t, w.GitHub.EditTeam("acme", fmt.Sprintf("team-%d", i), githubsim.TeamOptions{Name: "New " + login}))
			}
		}
		do(t, w.Post("/api/callboard/repositories/acme/~people/refresh"))
		w.Settled()

		cfg := *w.Config
		cfg.Listen = harness.FreeAddress(t)
		cfg.Database = config.Database{Client: "better-sqlite3", Path: filepath.Join(t.TempDir(), "fresh.db")}
		cfg.Bus = config.Bus{Kind: "memory"}
		fresh := &harness.World{T: t, GitHub: w.GitHub, App: w.App, Config: &cfg}
		fresh.Start()
		fresh.Settled()
		if diff := cmp.Diff(written(fresh), written(w)); diff != "" {
			t.Errorf("(-fresh +lived)\n%s", diff)
		}
	})
}

// written is what the catalog serves, without what depends on when.
func written(w *harness.World) map[string]harness.Entity {
	all := w.Written()
	for ref, e := range all {
		e.Metadata = maps.Clone(e.Metadata)
		delete(e.Metadata, "uid")
		delete(e.Metadata, "etag")
		all[ref] = e
	}
	return all
}
