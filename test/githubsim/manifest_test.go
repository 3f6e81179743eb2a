package githubsim_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/test/githubsim"
)

// submit posts a form.
func submit(t *testing.T, address string, form url.Values) answer {
	t.Helper()
	return request(t, "POST", address, "", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

func manifestOf(hook string) string {
	return `{"name":"Callboard acme","url":"https://portal.example","hook_attributes":{"url":"` + hook + `"},
	  "redirect_url":"http://127.0.0.1:1/callback?keep=1","default_permissions":{"contents":"read","metadata":"read"},
	  "default_events":["push","repository","meta"]}`
}

// TestManifestFlow makes an App as a person would: look, agree, take the code,
// exchange it, install.
func TestManifestFlow(t *testing.T) {
	t.Parallel()
	s, rc := open(t), listen(t)
	create(t, s, "a", githubsim.RepoOptions{}, nil)
	page := s.URL() + "/organizations/acme/settings/apps/new"
	shown := submit(t, page+"?state=st%26ate", url.Values{"manifest": {manifestOf(rc.URL)}})
	if shown.Status != 200 || !strings.Contains(shown.Text, "contents: read") || !strings.Contains(shown.Text, `name="state" value="st&amp;ate"`) {
		t.Fatalf("%d %s", shown.Status, shown.Text)
	}
	agreed := submit(t, page, url.Values{"manifest": {manifestOf(rc.URL)}, "state": {"st&ate"}, "confirm": {"yes"}})
	back, err := url.Parse(agreed.Header.Get("Location"))
	if err != nil || agreed.Status != http.StatusFound || back.Path != "/callback" || back.Query().Get("state") != "st&ate" || back.Query().Get("keep") != "1" {
		t.Fatalf("%d to %v", agreed.Status, back)
	}
	conversion := s.APIURL() + "/app-manifests/" + back.Query().Get("code") + "/conversions"
	got := request(t, "POST", conversion, "", "")
	app := map[string]any{}
	got.decode(t, &app)
	if got.Status != http.StatusCreated || app["slug"] != "callboard-acme" || dig(app, "owner", "login") != "acme" ||
		!strings.HasPrefix(app["pem"].(string), "-----BEGIN RSA PRIVATE KEY-----") {
		t.Fatalf("%d %s", got.Status, got.Text)
	}
	for _, name := range []string{"client_id", "client_secret", "webhook_secret", "html_url", "node_id"} {
		if text, _ := app[name].(string); text == "" {
			t.Errorf("no %s in %s", name, got.Text)
		}
	}
	if diff := cmp.Diff(map[string]any{"contents": "read", "metadata": "read"}, app["permissions"]); diff != "" {
		t.Error(diff)
	}
	if again := request(t, "POST", conversion, "", ""); again.Status != http.StatusNotFound {
		t.Errorf("the code works twice: %d", again.Status)
	}
	install := s.URL() + "/apps/callboard-acme/installations/new"
	if a := request(t, "GET", install, "", ""); a.Status != 200 || !strings.Contains(a.Text, "<option selected>acme") {
		t.Errorf("%d %s", a.Status, a.Text)
	}
	if a := submit(t, install, url.Values{"account": {"acme"}}); a.Status != 200 {
		t.Errorf("%d %s", a.Status, a.Text)
	}
	if a := submit(t, install, url.Values{"account": {"acme"}}); a.Status != http.StatusUnprocessableEntity {
		t.Errorf("installed twice: %d %s", a.Status, a.Text)
	}
	if diff := cmp.Diff([]string{"ping", "installation.created"}, events(rc.take(t, s))); diff != "" {
		t.Error(diff)
	}
}

func TestManifestCodeExpires(t *testing.T) {
	t.Parallel()
	ck := &clock{now: time.Now()}
	s := open(t, githubsim.WithClock(ck.Now))
	a := submit(t, s.URL()+"/settings/apps/new", url.Values{"manifest": {manifestOf("http://127.0.0.1:1/")}, "confirm": {"yes"}})
	back, err := url.Parse(a.Header.Get("Location"))
	if err != nil || back.Query().Has("state") {
		t.Fatalf("%d to %v", a.Status, back)
	}
	ck.add(time.Hour)
	if a := request(t, "POST", s.APIURL()+"/app-manifests/"+back.Query().Get("code")+"/conversions", "", ""); a.Status != http.StatusNotFound {
		t.Errorf("after an hour: %d %s", a.Status, a.Text)
	}
}

func TestManifestProblems(t *testing.T) {
	t.Parallel()
	s := open(t)
	if _, err := s.AddApp("taken", githubsim.AppOptions{}); err != nil {
		t.Fatal(err)
	}
	with := func(from, to string) string { return strings.Replace(manifestOf("http://h.example/"), from, to, 1) }
	tests := []struct {
		name, path, manifest string
		status               int
		want                 string
	}{
		{"no manifest", "/settings/apps/new", "", 200, "form field manifest"},
		{"unknown organization", "/organizations/nobody/settings/apps/new", manifestOf("http://h.example/"), 404, "Not Found"},
		{"no JSON", "/settings/apps/new", "{", 422, "not valid JSON"},
		{"no name", "/settings/apps/new", with("Callboard acme", ""), 422, "Name can&#39;t be blank"},
		{"long name", "/settings/apps/new", with("Callboard acme", strings.Repeat("é", 35)), 422, "maximum is 34 characters"},
		{"taken name", "/settings/apps/new", with("Callboard acme", "Taken"), 422, "Name is already taken"},
		{"no address", "/settings/apps/new", with("https://portal.example", "portal"), 422, "Url must be a valid URL"},
		{"no hook address", "/settings/apps/new", with("http://h.example/", "javascript:alert(1)"), 422, "Hook url must be a valid URL"},
		{"unknown permission", "/settings/apps/new", with(`"contents"`, `"<b>"`), 422, "not included in the list: &lt;b&gt;"},
		{"unknown level", "/settings/apps/new", with(`"contents":"read"`, `"contents":"all"`), 422, "action is not included in the list: contents"},
		{"event of every App", "/settings/apps/new", with(`"push"`, `"installation"`), 422, "Default events unsupported: installation"},
		{"event without its permission", "/settings/apps/new", with(`"push"`, `"team"`), 422, "not supported by permissions: team"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := submit(t, s.URL()+tt.path, url.Values{"manifest": {tt.manifest}, "confirm": {"yes"}})
			if a.Status != tt.status || !strings.Contains(a.Text, tt.want) {
				t.Errorf("%d %s, want %d with %s", a.Status, a.Text, tt.status, tt.want)
			}
		})
	}
	if a := request(t, "GET", s.URL()+"/apps/nobody/installations/new", "", ""); a.Status != 404 {
		t.Errorf("install page of no App: %d", a.Status)
	}
}
