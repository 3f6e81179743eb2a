package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/callboard/callboard/test/githubsim"
	"github.com/callboard/callboard/test/harness"
)

// The story of the product: a developer clones, edits and pushes with git, and
// the API has it.
func TestGitPushIsInTheAPI(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		repo := create(t, w, "acme/cart", map[string]string{
			"catalog-info.yaml": component("cart", "before", "dependsOn: [component:default/web]"),
		})
		create(t, w, "acme/web", map[string]string{"catalog-info.yaml": component("web", "the shop")})
		create(t, w, "acme/empty", map[string]string{"README.md": "no descriptor here"})
		w.Start().Install("acme")
		w.Settled()
		expectRefs(t, w, "component:default/cart", "component:default/web")

		before, err := w.Entity("component", "cart")
		if err != nil {
			t.Fatal(err)
		}
		dir := clone(t, repo)
		if err := os.WriteFile(filepath.Join(dir, "catalog-info.yaml"), []byte(component("cart", "after")), 0o600); err != nil {
			t.Fatal(err)
		}
		git(t, dir, "commit", "-q", "-am", "change the description")
		git(t, dir, "push", "-q", "origin", "main")

		var after harness.Entity
		w.Eventually("the push is visible", func() error {
			after, err = w.Entity("component", "cart")
			if err == nil && after.Metadata["description"] != "after" {
				err = fmt.Errorf("description is %v", after.Metadata["description"])
			}
			return err
		})
		if before.Metadata["uid"] != after.Metadata["uid"] {
			t.Errorf("uid changed from %v to %v", before.Metadata["uid"], after.Metadata["uid"])
		}
		if before.Metadata["etag"] == after.Metadata["etag"] {
			t.Error("etag did not change")
		}
		web, err := w.Entity("component", "web")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range web.Relations {
			if r.Type == "dependencyOf" {
				t.Errorf("web still has %+v after cart dropped it", r)
			}
		}
		base := repo.HTMLURL()
		for key, want := range map[string]string{
			"backstage.io/managed-by-location":        "url:" + base + "/tree/main/catalog-info.yaml",
			"backstage.io/managed-by-origin-location": "url:" + base + "/blob/main/catalog-info.yaml",
			"backstage.io/view-url":                   base + "/tree/main/catalog-info.yaml",
			"backstage.io/edit-url":                   base + "/edit/main/catalog-info.yaml",
			"backstage.io/source-location":            "url:" + base + "/tree/main/",
		} {
			if got := after.Annotation(key); got != want {
				t.Errorf("%s is %q, want %q", key, got, want)
			}
		}
		historyNames(t, w, w.GitHub.Head("acme/cart", "main"))
	})
}

// historyNames checks that the change says which delivery, commit and pusher caused it.
func historyNames(t *testing.T, w *harness.World, sha string) {
	t.Helper()
	var history struct {
		Items []struct {
			What   string `json:"what"`
			Cause  struct{ Reason, Delivery, Commit, Pusher string }
			Fields []struct{ Path string }
		} `json:"items"`
	}
	if err := w.Get("/api/callboard/entities/component/default/cart/history", &history); err != nil {
		t.Fatal(err)
	}
	if len(history.Items) != 2 {
		t.Fatalf("history has %d items, want created and updated", len(history.Items))
	}
	got := history.Items[0]
	if got.What != "updated" || got.Cause.Commit != sha || got.Cause.Delivery == "" || got.Cause.Pusher == "" {
		t.Errorf("the last change is %+v, want it caused by a delivery of %s", got, sha)
	}
	if len(got.Fields) == 0 || got.Fields[0].Path != "/metadata/description" {
		t.Errorf("fields are %+v, want the description first", got.Fields)
	}
}

func TestRepositoryLife(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		create(t, w, "acme/one", map[string]string{"catalog-info.yaml": component("one", "x")})
		w.Start().Install("acme")
		w.Settled()
		uid := func() any {
			e, err := w.Entity("component", "one")
			if err != nil {
				t.Fatal(err)
			}
			return e.Metadata["uid"]
		}
		first := uid()

		steps := []struct {
			name string
			do   func() error
			url  string
		}{
			{"renamed", func() error { return w.GitHub.RenameRepo("acme/one", "uno") }, "/acme/uno/tree/main/"},
			{"default branch changed", func() error {
				return errors.Join(w.GitHub.CreateBranch("acme/uno", "trunk", "main"), w.GitHub.SetDefaultBranch("acme/uno", "trunk"))
			}, "/acme/uno/tree/trunk/"},
			{"old branch deleted", func() error { return w.GitHub.DeleteBranch("acme/uno", "main") }, "/acme/uno/tree/trunk/"},
			{"archived", func() error { return w.GitHub.ArchiveRepo("acme/uno", true) }, "/acme/uno/tree/trunk/"},
		}
		for _, step := range steps {
			if err := step.do(); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			w.Settled()
			e, err := w.Entity("component", "one")
			if err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			if got, want := e.Annotation("backstage.io/source-location"), "url:"+w.GitHub.URL()+step.url; got != want {
				t.Errorf("%s: source-location is %q, want %q", step.name, got, want)
			}
		}
		if uid() != first {
			t.Error("the uid did not survive")
		}
		if err := w.GitHub.DeleteRepo("acme/uno"); err != nil {
			t.Fatal(err)
		}
		w.Settled()
		expectRefs(t, w)
	})
}

// What GitHub says and the App confirms goes; what nobody confirms stays.
func TestTakenAwayRepositories(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		for _, name := range []string{"one", "two", "three"} {
			create(t, w, "acme/"+name, map[string]string{"catalog-info.yaml": component(name, "x")})
		}
		w.Start()
		in, err := w.GitHub.Install(w.App, "acme", []string{"acme/one", "acme/two", "acme/three"})
		if err != nil {
			t.Fatal(err)
		}
		w.Settled()
		expectRefs(t, w, "component:default/one", "component:default/two", "component:default/three")

		// Public repositories stay readable: that they were taken away is the App's to say.
		if err := in.RemoveRepos([]string{"acme/one"}); err != nil {
			t.Fatal(err)
		}
		w.Settled()
		expectRefs(t, w, "component:default/two", "component:default/three")
		if err := in.AddRepos([]string{"acme/one"}); err != nil {
			t.Fatal(err)
		}
		w.Settled()
		expectRefs(t, w, "component:default/one", "component:default/two", "component:default/three")

		in.Suspend(true)
		w.Settled()
		expectRefs(t, w, "component:default/one", "component:default/two", "component:default/three")
		in.Suspend(false)
		w.Settled()

		in.Uninstall()
		w.Settled()
		expectRefs(t, w)
	})
}

// A token that is revoked before its time is renewed.
func TestRevokedToken(t *testing.T) {
	w := embedded(t)
	create(t, w, "acme/one", map[string]string{"catalog-info.yaml": component("one", "1")})
	w.Start().Install("acme")
	w.Settled()
	w.GitHub.ExpireTokens()
	commit(t, w, "acme/one", map[string]*string{"catalog-info.yaml": new(component("one", "2"))})
	w.Settled()
	if e, err := w.Entity("component", "one"); err != nil || e.Metadata["description"] != "2" {
		t.Errorf("%+v, %v", e.Metadata, err)
	}
}

func TestPushesThatMeanNothing(t *testing.T) {
	w := embedded(t)
	create(t, w, "acme/one", map[string]string{"catalog-info.yaml": component("one", "x")})
	w.Start().Install("acme")
	w.Settled()
	if err := errors.Join(
		w.GitHub.CreateBranch("acme/one", "feature", "main"),
		w.GitHub.CreateTag("acme/one", "v1", "main"),
	); err != nil {
		t.Fatal(err)
	}
	if _, err := w.GitHub.Commit("acme/one", "feature", "elsewhere", map[string]*string{"catalog-info.yaml": new(component("two", "x"))}); err != nil {
		t.Fatal(err)
	}
	if err := w.GitHub.DeleteBranch("acme/one", "feature"); err != nil {
		t.Fatal(err)
	}
	w.Settled()
	expectRefs(t, w, "component:default/one")
}

func TestForcePushBackHasNoCommitsAndCounts(t *testing.T) {
	w := embedded(t)
	create(t, w, "acme/one", map[string]string{"catalog-info.yaml": component("one", "first")})
	first := w.GitHub.Head("acme/one", "main")
	w.Start().Install("acme")
	commit(t, w, "acme/one", map[string]*string{"catalog-info.yaml": new(component("one", "second")), "sub/x.yaml": new("a: b")})
	w.Settled()
	if err := w.GitHub.ForcePush("acme/one", "main", first); err != nil {
		t.Fatal(err)
	}
	w.Settled()
	e, err := w.Entity("component", "one")
	if err != nil {
		t.Fatal(err)
	}
	if e.Metadata["description"] != "first" {
		t.Errorf("description is %v, want first", e.Metadata["description"])
	}
}

// A repeated refresh of an unchanged repository costs one conditional request
// and writes nothing to the catalog.
func TestUnchangedCostsOneConditionalRequest(t *testing.T) {
	w := embedded(t)
	create(t, w, "acme/one", map[string]string{"catalog-info.yaml": component("one", "x")})
	w.Start().Install("acme")
	w.Settled()
	var before, after struct{ Revision int64 }
	if err := w.Get("/api/callboard/status", &before); err != nil {
		t.Fatal(err)
	}
	w.GitHub.ResetRequests()
	if err := w.Post("/api/callboard/repositories/acme/one/refresh"); err != nil {
		t.Fatal(err)
	}
	w.Settled()
	if err := w.Get("/api/callboard/status", &after); err != nil {
		t.Fatal(err)
	}
	if before.Revision != after.Revision {
		t.Errorf("revision went from %d to %d", before.Revision, after.Revision)
	}
	total, notModified := 0, 0
	for _, n := range w.GitHub.Requests() {
		total += n.Total
		notModified += n.NotModified
	}
	if total != 1 || notModified != 1 {
		t.Errorf("%d requests, %d of them 304; want 1 and 1: %+v", total, notModified, w.GitHub.Requests())
	}
}

func clone(t *testing.T, repo *githubsim.Repo) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "clone")
	git(t, t.TempDir(), "clone", "-q", repo.CloneURL(), dir)
	return dir
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=Dev", "GIT_AUTHOR_EMAIL=dev@example.com",
		"GIT_COMMITTER_NAME=Dev", "GIT_COMMITTER_EMAIL=dev@example.com", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}
