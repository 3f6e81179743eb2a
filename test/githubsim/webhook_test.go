package githubsim_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v60/github"
	"github.com/google/uuid"

	"github.com/callboard/callboard/test/githubsim"
	"github.com/callboard/callboard/test/githubsim/gitrepo"
)

func TestWebhookHeadersAndSignature(t *testing.T) {
	t.Parallel()
	s, rc := open(t), listen(t)
	app, _ := withApp(t, s, rc)
	create(t, s, "a", githubsim.RepoOptions{}, nil)
	if err := app.Ping(); err != nil {
		t.Fatal(err)
	}
	got := rc.take(t, s)
	if diff := cmp.Diff([]string{"repository.created", "ping"}, events(got)); diff != "" {
		t.Fatal(diff)
	}
	for _, g := range got {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(g.Raw)
		old := hmac.New(sha1.New, []byte(secret))
		old.Write(g.Raw)
		want := map[string]string{
			"Content-Type":                           "application/json",
			"X-Hub-Signature-256":                    "sha256=" + hex.EncodeToString(mac.Sum(nil)),
			"X-Hub-Signature":                        "sha1=" + hex.EncodeToString(old.Sum(nil)),
			"X-GitHub-Hook-Installation-Target-Type": "integration",
			"X-GitHub-Hook-Installation-Target-ID":   itoa(app.ID()),
		}
		for k, v := range want {
			if g.Header.Get(k) != v {
				t.Errorf("%s is %q, want %q", k, g.Header.Get(k), v)
			}
		}
		if _, err := uuid.Parse(g.Header.Get("X-GitHub-Delivery")); err != nil {
			t.Errorf("delivery id: %v", err)
		}
		if !strings.HasPrefix(g.Header.Get("User-Agent"), "GitHub-Hookshot/") || g.Header.Get("X-GitHub-Hook-ID") == "" {
			t.Errorf("headers %v", g.Header)
		}
	}
}

// TestRepositoryEvents makes every change and reads the events with the types
// of a client that others wrote.
func TestRepositoryEvents(t *testing.T) {
	t.Parallel()
	s, rc := open(t), listen(t)
	app, in := withApp(t, s, rc)
	if _, err := s.Install(app, "other", nil, githubsim.Quiet()); err != nil {
		t.Fatal(err)
	}
	repo := create(t, s, "a", githubsim.RepoOptions{}, map[string]string{"f": "1"}, githubsim.Quiet())
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	next := func(want string) *github.RepositoryEvent {
		t.Helper()
		got := rc.take(t, s)
		if diff := cmp.Diff([]string{"repository." + want}, events(got)); diff != "" {
			t.Fatal(diff)
		}
		e, err := github.ParseWebHook("repository", got[0].Raw)
		must(err)
		ev := e.(*github.RepositoryEvent)
		if ev.Repo.GetID() != repo.ID() || ev.Sender.GetLogin() == "" || ev.Installation.GetID() == 0 || ev.Org.GetLogin() == "" {
			t.Errorf("incomplete: %s", got[0].Raw)
		}
		return ev
	}
	must(s.CreateBranch("acme/a", "trunk", "main", githubsim.Quiet()))
	must(s.SetDefaultBranch("acme/a", "trunk"))
	if ev := next("edited"); ev.Changes.DefaultBranch.GetFrom() != "main" || ev.Repo.GetDefaultBranch() != "trunk" {
		t.Errorf("changes %v", ev.Changes)
	}
	must(s.RenameRepo("acme/a", "b"))
	if ev := next("renamed"); ev.Changes.Repo.Name.GetFrom() != "a" || ev.Repo.GetName() != "b" {
		t.Errorf("changes %v", ev.Changes)
	}
	must(s.ArchiveRepo("acme/a", true)) // by its old name
	if ev := next("archived"); !ev.Repo.GetArchived() {
		t.Error("not archived")
	}
	if _, err := s.Commit("acme/b", "trunk", "no", map[string]*string{"f": new("2")}); err == nil {
		t.Error("an archived repository took a commit")
	}
	must(s.ArchiveRepo("acme/b", false))
	next("unarchived")
	must(s.SetPrivate("acme/b", true))
	if ev := next("privatized"); !ev.Repo.GetPrivate() || ev.Repo.GetVisibility() != "private" {
		t.Error("not private")
	}
	must(s.SetPrivate("acme/b", false))
	next("publicized")
	must(s.SetTopics("acme/b", []string{"go"}, githubsim.As("ada")))
	if ev := next("edited"); ev.Sender.GetLogin() != "ada" || ev.Repo.Topics[0] != "go" {
		t.Errorf("sender %s", ev.Sender.GetLogin())
	}
	must(s.TransferRepo("acme/b", "other"))
	ev := next("transferred")
	if ev.Changes.Owner.OwnerInfo.Org.GetLogin() != "acme" || ev.Repo.Owner.GetLogin() != "other" || ev.Installation.GetID() == in.ID() {
		t.Errorf("changes %v", ev.Changes)
	}
	must(s.DeleteRepo("other/b"))
	if ev := next("deleted"); ev.Repo.GetFullName() != "other/b" {
		t.Errorf("deleted %s", ev.Repo.GetFullName())
	}
}

// TestPushShapes follows one branch through everything that a push can be.
func TestPushShapes(t *testing.T) {
	t.Parallel()
	s, rc := open(t), listen(t)
	withApp(t, s, rc)
	create(t, s, "a", githubsim.RepoOptions{}, map[string]string{"f": "1"}, githubsim.Quiet())
	first := s.Head("acme/a", "main")
	push := func(want ...string) *github.PushEvent {
		t.Helper()
		got := rc.take(t, s)
		if diff := cmp.Diff(want, events(got)); diff != "" {
			t.Fatal(diff)
		}
		last := got[len(got)-1]
		e, err := github.ParseWebHook("push", last.Raw)
		if err != nil {
			t.Fatal(err)
		}
		p := e.(*github.PushEvent)
		// Times are numbers in a push's repository, and the owner has a name.
		if repo := last.Body["repository"].(map[string]any); repo["owner"].(map[string]any)["name"] != "acme" {
			t.Errorf("owner %v", repo["owner"])
		} else if _, number := repo["pushed_at"].(float64); !number {
			t.Errorf("pushed_at is %T", repo["pushed_at"])
		}
		return p
	}
	second := commit(t, s, "acme/a", "main", "Two\n\nBecause.", map[string]*string{"f": new("2"), "g": new("")},
		githubsim.As("ada"), githubsim.Author("Ada", "ada@acme.example"))
	p := push("push")
	if p.GetBefore() != first || p.GetAfter() != second || p.GetForced() || p.Pusher.GetName() != "ada" ||
		p.HeadCommit.GetID() != second || p.HeadCommit.GetMessage() != "Two\n\nBecause." ||
		cmp.Diff([]string{"g"}, p.Commits[0].Added) != "" || cmp.Diff([]string{"f"}, p.Commits[0].Modified) != "" {
		t.Errorf("second commit: %v", p)
	}
	if err := s.ForcePush("acme/a", "main", first); err != nil {
		t.Fatal(err)
	}
	if p = push("push"); !p.GetForced() || len(p.Commits) != 0 || p.HeadCommit.GetID() != first {
		t.Errorf("force push back: forced %v, %d commits", p.GetForced(), len(p.Commits))
	}
	if err := s.CreateBranch("acme/a", "side", "main"); err != nil {
		t.Fatal(err)
	}
	if p = push("create", "push"); !p.GetCreated() || p.GetBefore() != gitrepo.ZeroSHA || p.GetBaseRef() != "refs/heads/main" || len(p.Commits) != 0 {
		t.Errorf("new branch: %v", p)
	}
	commit(t, s, "acme/a", "side", "Side", map[string]*string{"s": new("1")})
	if p = push("push"); p.GetRef() != "refs/heads/side" || !p.Commits[0].GetDistinct() {
		t.Errorf("side: %v", p)
	}
	merged, err := s.Merge("acme/a", "main", "side", "Merge side")
	if err != nil {
		t.Fatal(err)
	}
	p = push("push")
	if len(p.Commits) != 2 || p.Commits[0].GetDistinct() || !p.Commits[1].GetDistinct() || p.Commits[1].GetID() != merged {
		t.Errorf("merge: %v", p.Commits)
	}
	if err := s.DeleteBranch("acme/a", "side"); err != nil {
		t.Fatal(err)
	}
	if p = push("delete", "push"); !p.GetDeleted() || p.GetAfter() != gitrepo.ZeroSHA || p.HeadCommit != nil {
		t.Errorf("deleted branch: %v", p)
	}
	if err := s.CreateTag("acme/a", "v1", "main"); err != nil {
		t.Fatal(err)
	}
	if p = push("create", "push"); p.GetRef() != "refs/tags/v1" {
		t.Errorf("tag: %v", p)
	}
	if err := s.DeleteBranch("acme/a", "main"); err == nil {
		t.Error("the default branch could be deleted")
	}
}

func TestOrganizationHookNeedsNoApp(t *testing.T) {
	t.Parallel()
	s, rc := open(t), listen(t)
	s.AddWebhook("acme", rc.URL, secret, "push")
	create(t, s, "a", githubsim.RepoOptions{}, map[string]string{"f": "1"})
	got := rc.take(t, s)
	if diff := cmp.Diff([]string{"push"}, events(got)); diff != "" {
		t.Fatal(diff)
	}
	if _, has := got[0].Body["installation"]; has || got[0].Header.Get("X-GitHub-Hook-Installation-Target-Type") != "organization" {
		t.Errorf("looks like an App's: %v", got[0].Header)
	}
}

func TestOversizedPayloadIsNotSent(t *testing.T) {
	t.Parallel()
	s, rc := open(t, githubsim.WithMaxPayload(20_000)), listen(t)
	withApp(t, s, rc)
	create(t, s, "a", githubsim.RepoOptions{}, nil, githubsim.Quiet())
	commit(t, s, "acme/a", "main", strings.Repeat("long ", 5000), map[string]*string{"f": new("1")})
	commit(t, s, "acme/a", "main", "short", map[string]*string{"f": new("2")})
	if diff := cmp.Diff([]string{"create", "push"}, events(rc.take(t, s))); diff != "" {
		t.Error(diff)
	}
}

func TestFailedDeliveryIsLoggedAndRedelivered(t *testing.T) {
	t.Parallel()
	ck := &clock{now: time.Now()}
	s, rc := open(t, githubsim.WithClock(ck.Now)), listen(t)
	app, _ := withApp(t, s, rc)
	rc.answer(http.StatusServiceUnavailable)
	for _, name := range []string{"a", "b", "c"} {
		create(t, s, name, githubsim.RepoOptions{}, nil)
	}
	first := rc.take(t, s)
	if len(first) != 3 {
		t.Fatalf("%d deliveries, want 3: GitHub tries once", len(first))
	}
	c := appClient(t, s, app, ck.Now)
	ctx := t.Context()
	page, resp, err := c.Apps.ListHookDeliveries(ctx, &github.ListCursorOptions{PerPage: 2})
	if err != nil || len(page) != 2 || resp.Cursor == "" {
		t.Fatalf("page %v, cursor %q, %v", page, resp.Cursor, err)
	}
	rest, resp, err := c.Apps.ListHookDeliveries(ctx, &github.ListCursorOptions{PerPage: 2, Cursor: resp.Cursor})
	if err != nil || len(rest) != 1 || resp.Cursor != "" {
		t.Fatalf("rest %v, cursor %q, %v", rest, resp.Cursor, err)
	}
	d := rest[0] // the oldest
	if d.GetStatusCode() != 503 || d.GetStatus() != "Invalid HTTP Response: 503" || d.GetGUID() != first[0].Header.Get("X-GitHub-Delivery") {
		t.Errorf("logged %v", d)
	}
	full, _, err := c.Apps.GetHookDelivery(ctx, d.GetID())
	if err != nil {
		t.Fatal(err)
	}
	if full.Request.Headers["X-GitHub-Event"] != "repository" || !cmp.Equal(rawEvent(t, full), first[0].Body) {
		t.Errorf("request %v", full.Request.Headers)
	}
	rc.answer(http.StatusAccepted)
	// The real endpoint answers 202 with an empty object, which go-github v60
	// reports as an accepted, not as a failed call.
	if _, _, err := c.Apps.RedeliverHookDelivery(ctx, d.GetID()); err != nil && !strings.Contains(err.Error(), "scheduled") {
		t.Fatal(err)
	}
	again := rc.take(t, s)
	if len(again) != 1 || again[0].Header.Get("X-GitHub-Delivery") != d.GetGUID() || string(again[0].Raw) != string(first[0].Raw) {
		t.Fatalf("redelivered %v", events(again))
	}
	page, _, err = c.Apps.ListHookDeliveries(ctx, nil)
	if err != nil || len(page) != 4 || !page[0].GetRedelivery() || page[0].GetStatusCode() != 202 {
		t.Errorf("log %v, %v", page, err)
	}
	for status, want := range map[string]int{"success": 1, "failure": 3} {
		a := request(t, "GET", s.APIURL()+"/app/hook/deliveries?status="+status, jwt(t, app, ck.Now(), time.Minute), "")
		if got := strings.Count(a.Text, `"guid"`); got != want {
			t.Errorf("%d of status %s, want %d", got, status, want)
		}
	}
	attempts := s.APIURL() + "/app/hook/deliveries/" + itoa(d.GetID()) + "/attempts"
	ck.add(71 * time.Hour)
	if a := request(t, "POST", attempts, jwt(t, app, ck.Now(), time.Minute), ""); a.Status != http.StatusAccepted {
		t.Errorf("after 71 hours: %d %s", a.Status, a.Text)
	}
	if got := rc.take(t, s); len(got) != 1 {
		t.Errorf("after 71 hours %v came again", events(got))
	}
	ck.add(73 * time.Hour)
	if a := request(t, "POST", attempts, jwt(t, app, ck.Now(), time.Minute), ""); a.Status != http.StatusNotFound {
		t.Errorf("after three days: %d %s", a.Status, a.Text)
	}
	if page, _, err = c.Apps.ListHookDeliveries(ctx, nil); err != nil || len(page) != 0 {
		t.Errorf("after three days the log still has %d, %v", len(page), err)
	}
}

func rawEvent(t *testing.T, d *github.HookDelivery) map[string]any {
	t.Helper()
	var out map[string]any
	answer{Text: string(*d.Request.RawPayload)}.decode(t, &out)
	return out
}

func TestUnreachableReceiver(t *testing.T) {
	t.Parallel()
	s := open(t)
	app, _ := withApp(t, s, nil)
	app.SetWebhook("http://127.0.0.1:1/", secret)
	create(t, s, "a", githubsim.RepoOptions{}, nil)
	if err := s.WaitDeliveries(t.Context()); err != nil {
		t.Fatal(err)
	}
	if log := s.Deliveries(); len(log) != 1 || log[0].StatusCode != 502 || log[0].Status != "failed to connect" || log[0].OK() {
		t.Errorf("log %+v", log)
	}
}

func TestDeliveryFaults(t *testing.T) {
	t.Parallel()
	const n = 40
	count := func(f githubsim.DeliveryFaults) (order []string, logged int) {
		s, rc := open(t, githubsim.WithSeed(7)), listen(t)
		withApp(t, s, rc)
		s.SetDeliveryFaults(f)
		s.PauseDeliveries()
		for i := range n {
			create(t, s, "r"+itoa(int64(i)), githubsim.RepoOptions{}, nil)
		}
		s.ResumeDeliveries()
		for _, g := range rc.take(t, s) {
			order = append(order, g.Body["repository"].(map[string]any)["name"].(string))
		}
		return order, len(s.Deliveries())
	}
	straight, _ := count(githubsim.DeliveryFaults{})
	if len(straight) != n {
		t.Fatalf("%d of %d arrived", len(straight), n)
	}
	for i, name := range straight {
		if name != "r"+itoa(int64(i)) {
			t.Fatalf("out of order by default: %v", straight)
		}
	}
	dropped, logged := count(githubsim.DeliveryFaults{Drop: 0.5})
	if len(dropped) == 0 || len(dropped) == n || logged != n {
		t.Errorf("drop: %d arrived, %d logged", len(dropped), logged)
	}
	lost, logged := count(githubsim.DeliveryFaults{Lose: 0.5})
	if len(lost) == n || logged != len(lost) {
		t.Errorf("lose: %d arrived, %d logged", len(lost), logged)
	}
	if doubled, _ := count(githubsim.DeliveryFaults{Double: 0.5}); len(doubled) <= n {
		t.Errorf("double: %d arrived", len(doubled))
	}
	mixed := githubsim.DeliveryFaults{Reorder: 5, Drop: 0.1, Double: 0.2, Delay: time.Millisecond}
	one, _ := count(mixed)
	two, _ := count(mixed)
	if diff := cmp.Diff(one, two); diff != "" {
		t.Errorf("the same seed gave another order: %s", diff)
	}
	if cmp.Equal(one, straight) {
		t.Error("nothing was reordered")
	}
}
