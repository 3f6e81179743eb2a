package githubapp_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/test/githubsim"
)

// An App that was uninstalled and installed again has another installation, which
// is found without a restart, whatever id the caller remembers.
func TestInstalledAgain(t *testing.T) {
	f := simulator(t)
	f.repo(t, "acme/one", map[string]string{"a": "b"})
	in, err := f.Install(f.app, "acme", nil)
	if err != nil {
		t.Fatal(err)
	}
	c := f.clients(t)
	n := f.name("acme", "one")
	n.InstallationID = in.ID()
	open := func() error { _, err := c.Open(t.Context(), n, nil); return err }
	if err := open(); err != nil {
		t.Fatal(err)
	}
	in.Uninstall()
	f.ExpireTokens() // GitHub revokes them
	if err := open(); !errors.Is(err, githubapp.ErrNotFound) {
		t.Errorf("without an installation: %v", err)
	}
	remove := f.Inject(githubsim.Fault{Match: "*", Status: http.StatusNotFound})
	_, err = c.Covered(t.Context(), n)
	if _, unavailable := fault.Of(err); !unavailable {
		t.Errorf("a 404 for everything is taken for evidence: %v", err)
	}
	remove()
	if ok, err := c.Covered(t.Context(), n); ok || err != nil {
		t.Errorf("covered: %v, %v", ok, err)
	}
	f.install(t, "acme")
	if err := open(); err != nil {
		t.Errorf("installed again: %v", err)
	}
	if ok, err := c.Covered(t.Context(), n); !ok || err != nil {
		t.Errorf("covered again: %v, %v", ok, err)
	}
	if moved, err := c.Moved(t.Context(), n, "main", f.Head("acme/one", "main")); moved || err != nil {
		t.Errorf("moved: %v, %v", moved, err)
	}
}

func TestInstallations(t *testing.T) {
	f := simulator(t)
	second, err := f.AddApp("second", githubsim.AppOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 120 { // more than a page
		f.AddOrg(fmt.Sprintf("org%03d", i), "")
		f.install(t, fmt.Sprintf("org%03d", i))
	}
	f.repo(t, "beta/one", map[string]string{"a": "b"})
	f.repo(t, "beta/two", nil)
	in, err := f.Install(second, "beta", []string{"beta/one"})
	if err != nil {
		t.Fatal(err)
	}
	f.AddUser(githubsim.User{Login: "ann"})
	other, err := f.Install(second, "ann", nil)
	if err != nil {
		t.Fatal(err)
	}
	other.Suspend(true)
	c := f.clients(t, githubapp.App{ID: f.app.ID(), PrivateKey: f.app.KeyPEM()}, githubapp.App{ID: second.ID(), PrivateKey: second.KeyPEM()})
	if ids := c.Apps(f.host); !slices.Equal(ids, []int64{f.app.ID(), second.ID()}) || !c.HasApps(f.host) || c.HasApps("elsewhere") {
		t.Errorf("the Apps are %v", ids)
	}
	list, err := c.Installations(t.Context(), f.host)
	if err != nil || len(list) != 122 {
		t.Fatalf("%d installations, %v", len(list), err)
	}
	byAccount := map[string]githubapp.Installation{}
	for _, i := range list {
		byAccount[i.Account] = i
	}
	if b := byAccount["beta"]; b.ID != in.ID() || b.AppID != second.ID() || !b.Selected || b.Suspended || b.AccountType != "Organization" ||
		b.Host != f.host || b.Permissions["contents"] != "write" || !slices.Contains(b.Events, "push") {
		t.Errorf("beta is %+v", b)
	}
	if a := byAccount["ann"]; a.Selected || !a.Suspended || a.AccountType != "User" {
		t.Errorf("ann is %+v", a)
	}
	for owner, want := range map[string][]int64{"ORG001": {f.app.ID()}, "beta": {second.ID()}, "ann": {}, "nobody": nil} {
		if got := c.AppsOn(f.host, owner); !slices.Equal(got, want) || (got == nil) != (want == nil) {
			t.Errorf("the Apps on %s are %v, want %v", owner, got, want)
		}
	}
	f.ResetRequests()
	if err := c.LearnApps(t.Context(), f.host); err != nil || len(f.Requests()) != 0 {
		t.Errorf("what is known is asked for: %v, %v", err, f.Requests())
	}
	defer f.Inject(githubsim.Fault{Match: "GET /app/installations", Status: http.StatusBadGateway, Skip: 2})()
	if list, err := c.Installations(t.Context(), f.host); err == nil {
		t.Errorf("half a list passes for a whole one: %d", len(list))
	}
}

func TestAppTokenAndClock(t *testing.T) {
	f := simulator(t)
	f.app.SetWebhook("https://callboard.test/webhooks/github", "secret")
	c := f.clients(t)
	a, err := c.App(t.Context(), f.host, f.app.ID())
	if err != nil {
		t.Fatal(err)
	}
	if a.Slug != "callboard" || a.Owner == "" || a.OwnerType != "User" || a.Permissions["members"] != "read" || !slices.Contains(a.Events, "push") ||
		a.Hook.URL != "https://callboard.test/webhooks/github" || a.Hook.ContentType != "json" || a.Hook.InsecureSSL || !a.Hook.HasSecret || a.Date.IsZero() {
		t.Errorf("the App is %+v", a)
	}
	if _, err := c.App(t.Context(), f.host, 99); err == nil {
		t.Error("an unknown App is no error")
	}
	if skew, err := c.ClockSkew(t.Context(), f.host); err != nil || skew.Abs() > 2*time.Second {
		t.Errorf("the clock is off by %s, %v", skew, err)
	}
	f.AddToken("secret", "repo", "read:org")
	plain, err := githubapp.New([]githubapp.Host{{Host: f.host, BaseURL: f.URL(), Token: "secret"}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	token, err := plain.Token(t.Context(), f.host)
	if err != nil || !slices.Equal(token.Scopes, []string{"repo", "read:org"}) || token.Limit == 0 || token.Reset.IsZero() {
		t.Errorf("the token is %+v, %v", token, err)
	}
}

func TestDeliveries(t *testing.T) {
	f := simulator(t)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }))
	defer receiver.Close()
	f.app.SetWebhook(receiver.URL, "secret")
	f.repo(t, "acme/one", nil)
	f.install(t, "acme")
	for i := range 130 {
		if _, err := f.Commit("acme/one", "main", "c", map[string]*string{"a": new(fmt.Sprint(i))}); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.WaitDeliveries(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := f.clients(t)
	first, next, err := c.Deliveries(t.Context(), f.host, f.app.ID(), "")
	if err != nil || len(first) != 100 || next == "" {
		t.Fatalf("%d deliveries, then %q, %v", len(first), next, err)
	}
	rest, end, err := c.Deliveries(t.Context(), f.host, f.app.ID(), next)
	if err != nil || len(rest) < 30 || end != "" {
		t.Fatalf("%d deliveries, then %q, %v", len(rest), end, err)
	}
	d := first[0]
	if d.GUID == "" || d.Event != "push" || d.StatusCode != http.StatusAccepted || d.DeliveredAt.IsZero() || d.RepositoryID == 0 || d.InstallationID == 0 ||
		!d.DeliveredAt.After(rest[len(rest)-1].DeliveredAt) {
		t.Errorf("the newest is %+v", d)
	}
	if err := c.Redeliver(t.Context(), f.host, f.app.ID(), d.ID); err != nil {
		t.Error(err)
	}
	if err := c.Redeliver(t.Context(), f.host, f.app.ID(), 1<<40); !errors.Is(err, githubapp.ErrTooOld) {
		t.Errorf("one that is not there: %v", err)
	}
	if err := f.WaitDeliveries(t.Context()); err != nil {
		t.Fatal(err)
	}
	again, _, err := c.Deliveries(t.Context(), f.host, f.app.ID(), "")
	if err != nil || again[0].GUID != d.GUID || !again[0].Redelivery {
		t.Errorf("after that the newest is %+v, %v", again[0], err)
	}
}
