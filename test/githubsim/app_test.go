package githubsim_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"

	"github.com/callboard/callboard/test/githubsim"
)

// client is a client that others wrote, as an App's installation.
func client(t testing.TB, s *githubsim.Server, app *githubsim.App, in *githubsim.Installation) *github.Client {
	t.Helper()
	tr, err := ghinstallation.New(http.DefaultTransport, app.ID(), in.ID(), app.KeyPEM())
	if err != nil {
		t.Fatal(err)
	}
	tr.BaseURL = s.APIURL()
	c, err := github.NewClient(&http.Client{Transport: tr}).WithEnterpriseURLs(s.URL(), s.URL())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestInstallationClientReadsARepository(t *testing.T) {
	t.Parallel()
	s := open(t)
	app, in := withApp(t, s, nil)
	repo := create(t, s, "shop", githubsim.RepoOptions{Private: true, Description: "The shop", Topics: []string{"go"}},
		map[string]string{"catalog-info.yaml": "kind: Component\n", "docs/index.md": "# Shop\n"})
	c := client(t, s, app, in)
	ctx := t.Context()

	r, _, err := c.Repositories.Get(ctx, "acme", "shop")
	if err != nil {
		t.Fatal(err)
	}
	if r.GetID() != repo.ID() || r.GetHTMLURL() != repo.HTMLURL() || !r.GetPrivate() || r.GetDefaultBranch() != "main" {
		t.Errorf("repository is %v", r)
	}
	sha, _, err := c.Repositories.GetCommitSHA1(ctx, "acme", "shop", "main", "")
	if err != nil || sha != s.Head("acme/shop", "main") {
		t.Errorf("sha %s, %v", sha, err)
	}
	tree, _, err := c.Git.GetTree(ctx, "acme", "shop", sha, true)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, e := range tree.Entries {
		paths = append(paths, e.GetType()+" "+e.GetPath())
	}
	if diff := cmp.Diff([]string{"blob catalog-info.yaml", "tree docs", "blob docs/index.md"}, paths); diff != "" {
		t.Error(diff)
	}
	blob, _, err := c.Git.GetBlobRaw(ctx, "acme", "shop", tree.Entries[0].GetSHA())
	if err != nil || string(blob) != "kind: Component\n" {
		t.Errorf("blob %q, %v", blob, err)
	}
	file, dir, _, err := c.Repositories.GetContents(ctx, "acme", "shop", "docs/index.md", nil)
	if err != nil || dir != nil {
		t.Fatalf("contents: %v, %v", dir, err)
	}
	if text, err := file.GetContent(); err != nil || text != "# Shop\n" {
		t.Errorf("content %q, %v", text, err)
	}
	_, dir, _, err = c.Repositories.GetContents(ctx, "acme", "shop", "", nil)
	if err != nil || len(dir) != 2 {
		t.Errorf("directory %v, %v", dir, err)
	}
	ref, _, err := c.Git.GetRef(ctx, "acme", "shop", "heads/main")
	if err != nil || ref.GetObject().GetSHA() != sha {
		t.Errorf("ref %v, %v", ref, err)
	}
	list, _, err := c.Apps.ListRepos(ctx, nil)
	if err != nil || list.GetTotalCount() != 1 {
		t.Errorf("installation repositories %v, %v", list, err)
	}
}

func TestAppJWTRules(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := open(t, githubsim.WithClock(func() time.Time { return now }))
	app, _ := withApp(t, s, nil)
	good := jwt(t, app, now.Add(-time.Minute), 10*time.Minute)
	forged := good[:len(good)-8] + strings.Repeat("A", 8)
	tests := []struct {
		name, token string
		want        int
	}{
		{"good", good, http.StatusOK},
		{"signature of another", forged, http.StatusUnauthorized},
		{"expired", jwt(t, app, now.Add(-20*time.Minute), 10*time.Minute), http.StatusUnauthorized},
		{"lives too long", jwt(t, app, now, 20*time.Minute), http.StatusUnauthorized},
		{"from the future", jwt(t, app, now.Add(5*time.Minute), 5*time.Minute), http.StatusUnauthorized},
		{"no token", "", http.StatusUnauthorized},
		{"no JWT", "abc", http.StatusUnauthorized},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := request(t, "GET", s.APIURL()+"/app", tt.token, "")
			if date := now.UTC().Format(http.TimeFormat); a.Header.Get("Date") != date {
				t.Errorf("date %s, want %s", a.Header.Get("Date"), date)
			}
			if a.Status != tt.want {
				t.Errorf("status %d, want %d: %s", a.Status, tt.want, a.Text)
			}
		})
	}
}

// clock is a clock that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func TestInstallationTokenExpiresAndIsConfined(t *testing.T) {
	t.Parallel()
	ck := &clock{now: time.Now()}
	s := open(t, githubsim.WithClock(ck.Now))
	app, in := withApp(t, s, nil)
	create(t, s, "a", githubsim.RepoOptions{Private: true}, map[string]string{"f": "1"})
	create(t, s, "b", githubsim.RepoOptions{Private: true}, map[string]string{"f": "1"})
	created := request(t, "POST", s.APIURL()+"/app/installations/"+itoa(in.ID())+"/access_tokens",
		jwt(t, app, ck.Now(), time.Minute), `{"repositories":["a"]}`)
	var body struct {
		Token     string    `json:"token"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	created.decode(t, &body)
	if created.Status != http.StatusCreated || body.ExpiresAt.Sub(ck.Now()) > time.Hour {
		t.Fatalf("%d %s", created.Status, created.Text)
	}
	if got := request(t, "GET", s.APIURL()+"/repos/acme/a", body.Token, "").Status; got != http.StatusOK {
		t.Errorf("chosen repository: %d", got)
	}
	if got := request(t, "GET", s.APIURL()+"/repos/acme/b", body.Token, "").Status; got != http.StatusNotFound {
		t.Errorf("other repository: %d", got)
	}
	ck.add(time.Hour)
	if got := request(t, "GET", s.APIURL()+"/repos/acme/a", body.Token, ""); got.Status != http.StatusUnauthorized || !strings.Contains(got.Text, "Bad credentials") {
		t.Errorf("after an hour: %d %s", got.Status, got.Text)
	}
}

// TestInstallationEvents follows an App from its installation to its end.
func TestInstallationEvents(t *testing.T) {
	t.Parallel()
	s, rc := open(t), listen(t)
	a := create(t, s, "a", githubsim.RepoOptions{}, nil)
	create(t, s, "b", githubsim.RepoOptions{}, nil)
	app, err := s.AddApp("callboard", githubsim.AppOptions{WebhookURL: rc.URL, WebhookSecret: secret})
	if err != nil {
		t.Fatal(err)
	}
	in, err := s.Install(app, "acme", []string{"acme/a"})
	if err != nil {
		t.Fatal(err)
	}
	if err := in.AddRepos([]string{"acme/b"}); err != nil {
		t.Fatal(err)
	}
	if err := in.RemoveRepos([]string{"acme/a"}); err != nil {
		t.Fatal(err)
	}
	commit(t, s, "acme/a", "main", "not seen", map[string]*string{"f": new("1")})
	in.Suspend(true)
	commit(t, s, "acme/b", "main", "not seen either", map[string]*string{"f": new("1")})
	in.Suspend(false)
	in.Uninstall()
	got := rc.take(t, s)
	want := []string{
		"installation.created", "installation_repositories.added", "installation_repositories.removed",
		"installation.suspend", "installation.unsuspend", "installation.deleted",
	}
	if diff := cmp.Diff(want, events(got)); diff != "" {
		t.Fatal(diff)
	}
	event, err := github.ParseWebHook("installation", got[0].Raw)
	if err != nil {
		t.Fatal(err)
	}
	created := event.(*github.InstallationEvent)
	if created.Installation.GetID() != in.ID() || created.Installation.GetAppID() != app.ID() ||
		len(created.Repositories) != 1 || created.Repositories[0].GetID() != a.ID() {
		t.Errorf("installation.created is %s", got[0].Raw)
	}
	event, err = github.ParseWebHook("installation_repositories", got[2].Raw)
	if err != nil {
		t.Fatal(err)
	}
	removed := event.(*github.InstallationRepositoriesEvent)
	if len(removed.RepositoriesRemoved) != 1 || removed.RepositoriesRemoved[0].GetFullName() != "acme/a" {
		t.Errorf("removed is %s", got[2].Raw)
	}
}

func TestWaitDeliveriesHonoursItsContext(t *testing.T) {
	t.Parallel()
	s, rc := open(t), listen(t)
	withApp(t, s, rc)
	s.PauseDeliveries()
	create(t, s, "a", githubsim.RepoOptions{}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.WaitDeliveries(ctx); err == nil {
		t.Error("waited for nothing although a delivery is held back")
	}
	s.ResumeDeliveries()
	if got := events(rc.take(t, s)); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}

// appClient is a client with the App's own JWT.
func appClient(t testing.TB, s *githubsim.Server, app *githubsim.App, now func() time.Time) *github.Client {
	t.Helper()
	c, err := github.NewClient(&http.Client{Transport: jwtTransport{t, app, now}}).WithEnterpriseURLs(s.URL(), s.URL())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

type jwtTransport struct {
	t   testing.TB
	app *githubsim.App
	now func() time.Time
}

func (j jwtTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+jwt(j.t, j.app, j.now(), time.Minute))
	return http.DefaultTransport.RoundTrip(r)
}
