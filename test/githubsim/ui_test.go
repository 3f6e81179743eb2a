package githubsim_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/test/githubsim"
)

// TestAdminPage presses each button once and looks at what came of it.
func TestAdminPage(t *testing.T) {
	t.Parallel()
	s, rc := open(t), listen(t)
	_, in := withApp(t, s, rc)
	s.AddOrg("other", "Other")
	create(t, s, "a", githubsim.RepoOptions{}, map[string]string{"f": "1"}, githubsim.Quiet())
	press := func(do string, fields ...string) {
		t.Helper()
		f := url.Values{"do": {do}}
		for i := 0; i < len(fields); i += 2 {
			f.Set(fields[i], fields[i+1])
		}
		a := submit(t, s.URL()+"/_sim/ui", f)
		if a.Status != http.StatusSeeOther || strings.Contains(a.Header.Get("Location"), "error=") {
			t.Fatalf("%s: %d to %s", do, a.Status, a.Header.Get("Location"))
		}
	}
	id := itoa(in.ID())
	press("repo.create", "owner", "acme", "name", "new", "text", "kind: Component\n")
	press("repo.rename", "repo", "acme/new", "name", "newer")
	press("repo.archive", "repo", "acme/newer")
	press("repo.unarchive", "repo", "acme/newer")
	press("repo.private", "repo", "acme/newer")
	press("repo.public", "repo", "acme/newer")
	press("repo.branch", "repo", "acme/newer", "branch", "trunk")
	press("repo.topics", "repo", "acme/newer", "topics", "go web")
	press("repo.transfer", "repo", "acme/newer", "owner", "other")
	press("repo.delete", "repo", "acme/a")
	press("people.add", "org", "acme", "login", "ada")
	press("team.add", "org", "acme", "name", "Core")
	press("team.add", "org", "acme", "name", "Web", "parent", "core")
	press("team.join", "org", "acme", "team", "web", "login", "ada")
	press("team.leave", "org", "acme", "team", "web", "login", "ada")
	press("team.edit", "org", "acme", "team", "web", "name", "Shop", "parent", "")
	press("team.delete", "org", "acme", "team", "core")
	press("people.remove", "org", "acme", "login", "ada")
	press("app.suspend", "installation", id)
	press("app.unsuspend", "installation", id)
	press("app.uninstall", "installation", id)
	press("app.install", "app", "callboard", "account", "acme")
	want := []string{
		"repository.created", "create", "push", "repository.renamed", "repository.archived", "repository.unarchived",
		"repository.privatized", "repository.publicized", "create", "push", "repository.edited", "repository.edited",
		"repository.deleted", "organization.member_added", "team.created", "team.created",
		"membership.added", "membership.removed", "team.edited", "team.deleted", "organization.member_removed",
		"installation.suspend", "installation.unsuspend", "installation.deleted", "installation.created",
	}
	if diff := cmp.Diff(want, events(rc.take(t, s))); diff != "" {
		t.Error(diff)
	}
	press("delivery.redeliver", "id", itoa(s.Deliveries()[0].ID))
	if got := events(rc.take(t, s)); len(got) != 1 || got[0] != "repository.created" {
		t.Errorf("redelivered %v", got)
	}
	press("delivery.lose")
	press("team.add", "org", "acme", "name", "lost")
	press("delivery.keep")
	press("delivery.pause")
	press("team.add", "org", "acme", "name", "held")
	a := request(t, "GET", s.URL()+"/_sim/ui?q=newer", "", "")
	for _, text := range []string{"Send what is held back", " 1 wait.", "other/newer", "repository.created, once more", "202 OK"} {
		if !strings.Contains(a.Text, text) {
			t.Errorf("the page has no %q", text)
		}
	}
	if strings.Contains(a.Text, "<script") || !strings.Contains(a.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("headers %v", a.Header)
	}
	press("delivery.resume")
	if got := events(rc.take(t, s)); !cmp.Equal(got, []string{"team.created"}) {
		t.Errorf("what was held back: %v", got)
	}
}

func TestAdminPageFaults(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, in := withApp(t, s, nil)
	for _, name := range []string{"a", "b", "c", "d"} {
		create(t, s, name, githubsim.RepoOptions{}, nil)
	}
	token := in.Token()
	press := func(do string) { submit(t, s.URL()+"/_sim/ui", url.Values{"do": {do}}) }
	list := func() answer { return request(t, "GET", s.APIURL()+"/orgs/acme/repos", token, "") }
	count := func() int { return strings.Count(list().Text, `"archive_url"`) }
	press("fault.half")
	if n := count(); n == 0 || n == 4 {
		t.Errorf("half of four is %d", n)
	}
	if a := request(t, "GET", s.URL()+"/_sim/ui", "", ""); !strings.Contains(a.Text, "lists are spoiled") {
		t.Error("the page does not say that lists are spoiled")
	}
	press("fault.empty")
	if n := count(); n != 0 {
		t.Errorf("an empty page has %d", n)
	}
	press("fault.error")
	if a := list(); a.Status != 500 {
		t.Errorf("status %d", a.Status)
	}
	press("fault.clear")
	press("fault.limit")
	if a := list(); a.Status != 200 || a.Header.Get("X-RateLimit-Limit") != "100" {
		t.Errorf("%d %v", a.Status, a.Header)
	}
	press("fault.clear")
	if a := list(); count() != 4 || a.Header.Get("X-RateLimit-Limit") == "100" {
		t.Errorf("after all is cleared: %v", a.Header)
	}
}

func TestAdminPageIsCareful(t *testing.T) {
	t.Parallel()
	s := open(t)
	create(t, s, "a", githubsim.RepoOptions{}, nil)
	ui := s.URL() + "/_sim/ui"
	if err := s.AddMember("acme", `<script>alert("1")</script>`, "member"); err != nil {
		t.Fatal(err)
	}
	if a := request(t, "GET", ui+"?error=<script>&done=<script>&q=<script>", "", ""); a.Status != 200 || strings.Contains(a.Text, "<script") {
		t.Errorf("%d %s", a.Status, a.Text)
	}
	if a := submit(t, ui, url.Values{"do": {"<script>"}}); a.Status != http.StatusBadRequest || strings.Contains(a.Text, "<script") {
		t.Errorf("%d %s", a.Status, a.Text)
	}
	if a := submit(t, ui, url.Values{"do": {"repo.delete"}, "repo": {"acme/none"}}); a.Status != http.StatusSeeOther || !strings.Contains(a.Header.Get("Location"), "error=") {
		t.Errorf("%d %v", a.Status, a.Header)
	}
	form := "do=repo.delete&repo=acme/a"
	if a := request(t, "POST", ui, "", form, "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "cross-site"); a.Status != http.StatusForbidden {
		t.Errorf("a page from elsewhere pressed the button: %d", a.Status)
	}
	if _, err := s.Repo("acme/a"); err != nil {
		t.Error(err)
	}
}

// TestAdminInstallations is the JSON side of what else the page can do.
func TestAdminInstallations(t *testing.T) {
	t.Parallel()
	s, rc := open(t), listen(t)
	create(t, s, "a", githubsim.RepoOptions{}, nil)
	if _, err := s.AddApp("callboard", githubsim.AppOptions{WebhookURL: rc.URL, WebhookSecret: secret}); err != nil {
		t.Fatal(err)
	}
	admin := func(method, path, body string) map[string]any {
		t.Helper()
		a := request(t, method, s.URL()+"/_sim"+path, "", body)
		if a.Status != 200 {
			t.Fatalf("%s %s: %d %s", method, path, a.Status, a.Text)
		}
		out := map[string]any{}
		a.decode(t, &out)
		return out
	}
	id := itoa(int64(admin("POST", "/installations", `{"app":"callboard","account":"acme","repositories":["a"]}`)["id"].(float64)))
	if a := request(t, "GET", s.URL()+"/_sim/installations", "", ""); !strings.Contains(a.Text, `"repository_selection":"selected"`) {
		t.Errorf("installations %s", a.Text)
	}
	admin("PUT", "/installations/"+id+"/suspended", "")
	admin("DELETE", "/installations/"+id+"/suspended", "")
	admin("PUT", "/repos/acme/a/topics", `{"names":["go"]}`)
	admin("DELETE", "/installations/"+id, "")
	want := []string{"installation.created", "installation.suspend", "installation.unsuspend", "repository.edited", "installation.deleted"}
	if diff := cmp.Diff(want, events(rc.take(t, s))); diff != "" {
		t.Error(diff)
	}
	admin("PUT", "/secondary-limits", `{"restPoints":1}`)
	admin("PUT", "/listing-faults", `{"hide":["acme/a"]}`)
	if a := request(t, "GET", s.APIURL()+"/orgs/acme/repos", "", ""); a.Text != "[]\n" {
		t.Errorf("hidden, but %s", a.Text)
	}
	if a := request(t, "GET", s.APIURL()+"/orgs/acme/repos", "", ""); a.Status != http.StatusForbidden {
		t.Errorf("one point a minute, but %d", a.Status)
	}
}
