package githubapp_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/test/githubsim"
)

// staff makes an organisation of members, and of teams of two members each, every
// one below the one before.
func (f fixture) staff(t *testing.T, members, teams int) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	f.AddOrg("acme", "Acme")
	for i := range members {
		login := fmt.Sprintf("user%03d", i)
		f.AddUser(githubsim.User{Login: login, Name: strings.ToUpper(login), Email: login + "@acme.test", Bio: "bio"})
		must(f.AddMember("acme", login, "member"))
	}
	parent := ""
	for i := range teams {
		name := fmt.Sprintf("team%03d", i)
		must(f.AddTeam("acme", githubsim.TeamOptions{Name: name, Description: "d", Parent: parent}))
		must(f.AddTeamMember("acme", name, fmt.Sprintf("user%03d", i)))
		must(f.AddTeamMember("acme", name, fmt.Sprintf("user%03d", i+1)))
		parent = name
	}
	f.install(t, "acme")
}

func TestPeople(t *testing.T) {
	f := simulator(t)
	f.staff(t, 130, 40)
	for i := range 120 {
		if err := f.AddTeamMember("acme", "team005", fmt.Sprintf("user%03d", i)); err != nil {
			t.Fatal(err)
		}
	}
	c := f.clients(t)
	p, err := c.People(t.Context(), f.host, "ACME", 0, githubapp.PeopleQuery{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Org != "acme" || len(p.Members) != 130 || len(p.Teams) != 40 {
		t.Fatalf("%s has %d members and %d teams", p.Org, len(p.Members), len(p.Teams))
	}
	if m := p.Members[7]; m.Login != "user007" || m.Name != "USER007" || m.Bio != "bio" || m.NodeID == "" || m.ID == 0 ||
		m.AvatarURL == "" || m.Email != "" || m.VerifiedEmails != nil {
		t.Errorf("a member is %+v", m)
	}
	team := p.Teams[5]
	if team.Slug != "team005" || team.CombinedSlug != "acme/team005" || team.Name != "team005" || team.Description != "d" ||
		team.Parent != "team004" || team.AvatarURL == "" || team.EditTeamURL == "" || len(team.Members) != 120 {
		t.Errorf("a team is %+v", team)
	}
	if p.Teams[0].Parent != "" || len(p.Teams[39].Members) != 2 {
		t.Errorf("the first team is below %q, the last has %v", p.Teams[0].Parent, p.Teams[39].Members)
	}
	// 3 pages of members, 2 of teams, 3 of the large team's members.
	if n := f.Requests()["POST /graphql"].Total; n != p.Requests || n != 8 {
		t.Errorf("%d requests, told %d, want 8", n, p.Requests)
	}
}

func TestPeopleWithMore(t *testing.T) {
	f := simulator(t)
	f.staff(t, 2, 0)
	f.AddToken("secret", "repo", "read:org")
	c, err := githubapp.New([]githubapp.Host{{Host: f.host, BaseURL: f.URL(), Token: "secret"}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.People(t.Context(), f.host, "acme", 0, githubapp.PeopleQuery{Members: 1, VerifiedEmails: true, Suspended: true})
	if err != nil {
		t.Fatal(err)
	}
	if m := p.Members[1]; m.Email != "user001@acme.test" || !m.SuspendedAt.IsZero() {
		t.Errorf("a member is %+v", m)
	}
}

// A part is never taken for the whole.
func TestPeopleAreAllOrNone(t *testing.T) {
	odd := func(n int) func(string) bool {
		return func(name string) bool { return strings.HasSuffix(name, fmt.Sprint(n)) }
	}
	tests := []struct {
		name   string
		faults githubsim.ListingFaults
	}{
		{"empty pages", githubsim.ListingFaults{Empty: true}},
		{"half of the members", githubsim.ListingFaults{HideMember: odd(1), Total: func(n int) int { return n + 1 }}},
		{"totals that lie", githubsim.ListingFaults{Total: func(n int) int { return n * 2 }}},
		{"totals that change", githubsim.ListingFaults{Total: func() func(int) int {
			calls := 0
			return func(n int) int { calls++; return n + calls }
		}()}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := simulator(t)
			f.staff(t, 12, 3)
			f.SetListingFaults(tt.faults)
			p, err := f.clients(t).People(t.Context(), f.host, "acme", 0, githubapp.PeopleQuery{Members: 5})
			if _, unavailable := fault.Of(err); !unavailable {
				t.Errorf("read %d members and %d teams: %v", len(p.Members), len(p.Teams), err)
			}
		})
	}
	for _, status := range []int{http.StatusNotFound, http.StatusInternalServerError, http.StatusForbidden} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			f := simulator(t)
			f.staff(t, 3, 1)
			c := f.clients(t)
			defer f.Inject(githubsim.Fault{Match: "*graphql*", Status: status, Skip: 1})()
			if p, err := c.People(t.Context(), f.host, "acme", 0, githubapp.PeopleQuery{}); err == nil {
				t.Errorf("read %+v", p)
			}
		})
	}
}

func TestPeopleInSmallPages(t *testing.T) {
	f := simulator(t)
	f.staff(t, 30, 5)
	f.SetListingFaults(githubsim.ListingFaults{MaxPage: 7})
	p, err := f.clients(t).People(t.Context(), f.host, "acme", 0, githubapp.PeopleQuery{TeamMembers: 7})
	if err != nil || len(p.Members) != 30 || len(p.Teams) != 5 {
		t.Errorf("read %d members and %d teams: %v", len(p.Members), len(p.Teams), err)
	}
}

func TestPeopleNeedPermission(t *testing.T) {
	f := simulator(t)
	f.staff(t, 1, 0)
	c := f.clients(t)
	defer f.Inject(githubsim.Fault{Match: "*graphql*", Status: http.StatusOK, Body: `{"data":{"organization":null},"errors":[` +
		`{"type":"FORBIDDEN","message":"Resource not accessible by integration","path":["organization","membersWithRole"]}]}`})()
	_, err := c.People(t.Context(), f.host, "acme", 0, githubapp.PeopleQuery{})
	if !errors.Is(err, githubapp.ErrForbidden) || !strings.Contains(err.Error(), "members: read") {
		t.Errorf("error is %v", err)
	}
}
