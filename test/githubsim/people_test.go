package githubsim_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/callboard/callboard/test/githubsim"
)

func TestPeopleEvents(t *testing.T) {
	t.Parallel()
	s, rc := open(t), listen(t)
	_, in := withApp(t, s, rc)
	steps := []func() error{
		func() error { return s.AddMember("acme", "ada", "member") },
		func() error { return s.AddTeam("acme", githubsim.TeamOptions{Name: "Back End"}) },
		func() error { return s.AddTeam("acme", githubsim.TeamOptions{Name: "Data", Parent: "back-end"}) },
		func() error { return s.AddTeamMember("acme", "data", "ada") },
		func() error { return s.EditTeam("acme", "back-end", githubsim.TeamOptions{Name: "Core"}) },
		func() error { return s.RemoveTeamMember("acme", "data", "ada") },
		func() error { return s.AddTeamMember("acme", "data", "ada") },
	}
	for i, step := range steps {
		if err := step(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	got := rc.take(t, s)
	want := []string{
		"organization.member_added", "team.created", "team.created", "membership.added", "team.edited",
		"membership.removed", "membership.added",
	}
	if diff := cmp.Diff(want, events(got)); diff != "" {
		t.Fatal(diff)
	}
	if from := got[4].Body["changes"].(map[string]any)["name"].(map[string]any)["from"]; from != "Back End" {
		t.Errorf("renamed from %v", from)
	}
	if got[3].Body["installation"].(map[string]any)["id"] != float64(in.ID()) {
		t.Errorf("membership has installation %v", got[3].Body["installation"])
	}
	same(t, ask(t, s, in.Token(), `{organization(login:"acme"){membersWithRole(first:5){nodes{login}} teams(first:5){nodes{combinedSlug parentTeam{slug} members(first:5,membership:IMMEDIATE){nodes{login}}}}}}`, nil),
		`{"data":{"organization":{"membersWithRole":{"nodes":[{"login":"ada"}]},"teams":{"nodes":[{"combinedSlug":"acme/core","parentTeam":null,"members":{"nodes":[]}},{"combinedSlug":"acme/data","parentTeam":{"slug":"core"},"members":{"nodes":[{"login":"ada"}]}}]}}}}`)
	if a := request(t, "GET", s.APIURL()+"/orgs/acme/teams/data/members", in.Token(), ""); !strings.Contains(a.Text, `"login":"ada"`) {
		t.Errorf("members: %s", a.Text)
	}
	// A team goes with all that is below it.
	if err := s.DeleteTeam("acme", "core"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"team.deleted", "team.deleted"}, events(rc.take(t, s))); diff != "" {
		t.Error(diff)
	}
	same(t, ask(t, s, in.Token(), `{organization(login:"acme"){teams(first:5){totalCount}}}`, nil), `{"data":{"organization":{"teams":{"totalCount":0}}}}`)
}

func TestTeamRules(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, to := range []githubsim.TeamOptions{{Name: "a"}, {Name: "b", Parent: "a"}, {Name: "c", Parent: "b"}} {
		if err := s.AddTeam("acme", to); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.EditTeam("acme", "a", githubsim.TeamOptions{Name: "a", Parent: "c"}); err == nil {
		t.Error("a team is below itself")
	}
	if err := s.EditTeam("acme", "a", githubsim.TeamOptions{Name: "B"}); err == nil {
		t.Error("two teams have one slug")
	}
}

func TestTeamAndRepositoryEvents(t *testing.T) {
	t.Parallel()
	s, rc := open(t), listen(t)
	app, _ := withApp(t, s, rc)
	repo := create(t, s, "a", githubsim.RepoOptions{Description: "old"}, nil, githubsim.Quiet())
	steps := []error{
		s.AddTeam("acme", githubsim.TeamOptions{Name: "core"}),
		s.AddTeamRepo("acme", "core", "a"),
		s.RemoveTeamRepo("acme", "core", "a"),
		s.SetDescription("acme/a", "new"),
		app.DeleteWebhook(),
		s.ArchiveRepo("acme/a", true), // nobody hears it
	}
	for i, err := range steps {
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	got := rc.take(t, s)
	want := []string{
		"team.created", "team_add", "team.added_to_repository", "team.removed_from_repository",
		"repository.edited", "meta.deleted",
	}
	if diff := cmp.Diff(want, events(got)); diff != "" {
		t.Fatal(diff)
	}
	event, err := github.ParseWebHook("team_add", got[1].Raw)
	if err != nil {
		t.Fatal(err)
	}
	if ev := event.(*github.TeamAddEvent); ev.Team.GetSlug() != "core" || ev.Repo.GetID() != repo.ID() || ev.Org.GetLogin() != "acme" {
		t.Errorf("team_add is %s", got[1].Raw)
	}
	event, err = github.ParseWebHook("repository", got[4].Raw)
	if err != nil {
		t.Fatal(err)
	}
	if ev := event.(*github.RepositoryEvent); ev.Repo.GetDescription() != "new" || dig(got[4].Body, "changes", "description", "from") != "old" {
		t.Errorf("edited is %s", got[4].Raw)
	}
	if dig(got[5].Body, "hook", "app_id") != float64(app.ID()) {
		t.Errorf("meta is %s", got[5].Raw)
	}
}

// TestPeopleFields reads what an organisation's people are made of.
func TestPeopleFields(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, in := withApp(t, s, nil)
	s.AddToken("personal", "repo", "read:org")
	s.AddUser(githubsim.User{Login: "ada", Name: "Ada", Email: "ada@home.example", Bio: "Counts", VerifiedEmails: []string{"ada+git@acme.example"}})
	s.AddUser(githubsim.User{Login: "bo", Suspended: true})
	for _, err := range []error{
		s.AddMember("acme", "ada", "admin"), s.AddMember("acme", "bo", "member"),
		s.AddTeam("acme", githubsim.TeamOptions{Name: "one"}),
		s.AddTeam("acme", githubsim.TeamOptions{Name: "two", Parent: "one", Description: "Second"}),
		s.AddTeam("acme", githubsim.TeamOptions{Name: "three", Parent: "two"}),
		s.AddTeamMember("acme", "three", "ada"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	const members = `{organization(login:"acme"){membersWithRole(first:5){totalCount pageInfo{hasNextPage} edges{node{login}} nodes{login name bio suspendedAt organizationVerifiedDomainEmails(login:"acme")}}}}`
	got := ask(t, s, in.Token(), members, nil)
	nodes := dig(got, "data", "organization", "membersWithRole", "nodes").([]any)
	same(t, nodes[0], `{"login":"ada","name":"Ada","bio":"Counts","suspendedAt":null,"organizationVerifiedDomainEmails":["ada+git@acme.example"]}`)
	if bo := nodes[1]; dig(bo, "suspendedAt") == nil || dig(bo, "bio") != nil {
		t.Errorf("bo is %v", bo)
	}
	same(t, ask(t, s, in.Token(), `{organization(login:"acme"){teams(first:5){totalCount nodes{combinedSlug description privacy parentTeam{slug} members(membership:IMMEDIATE,first:5){totalCount nodes{login}}}}}}`, nil),
		`{"data":{"organization":{"teams":{"totalCount":3,"nodes":[
		  {"combinedSlug":"acme/one","description":null,"privacy":"VISIBLE","parentTeam":null,"members":{"totalCount":0,"nodes":[]}},
		  {"combinedSlug":"acme/two","description":"Second","privacy":"VISIBLE","parentTeam":{"slug":"one"},"members":{"totalCount":0,"nodes":[]}},
		  {"combinedSlug":"acme/three","description":null,"privacy":"VISIBLE","parentTeam":{"slug":"two"},"members":{"totalCount":1,"nodes":[{"login":"ada"}]}}]}}}}`)
	// The address on the profile is for people, not for Apps.
	same(t, ask(t, s, "personal", `{user(login:"ada"){email}}`, nil), `{"data":{"user":{"email":"ada@home.example"}}}`)
	same(t, ask(t, s, in.Token(), `{user(login:"ada"){email}}`, nil),
		`{"data":{"user":{"email":null}},"errors":[{"type":"FORBIDDEN","path":["user","email"],"locations":[{"line":1,"column":20}],"message":"Resource not accessible by integration"}]}`)
	same(t, ask(t, s, in.Token(), `{user(login:"ada"){organizationVerifiedDomainEmails(login:"other")}}`, nil),
		`{"data":{"user":{"organizationVerifiedDomainEmails":[]}}}`)
}
