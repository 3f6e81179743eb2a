package githubsim_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/test/githubsim"
)

// TestCloneEditPush is the newcomer's first minute, with the ordinary client.
func TestCloneEditPush(t *testing.T) {
	t.Parallel()
	s, rc := open(t), listen(t)
	withApp(t, s, rc)
	repo := create(t, s, "shop", githubsim.RepoOptions{}, map[string]string{"README.md": "shop\n", "src/a.txt": "a\n"}, githubsim.Quiet())

	work := filepath.Join(t.TempDir(), "shop")
	git(t, "", "clone", "-q", repo.CloneURL(), work)
	if got := git(t, work, "rev-parse", "HEAD"); got != s.Head("acme/shop", "main") {
		t.Errorf("cloned %s, head is %s", got, s.Head("acme/shop", "main"))
	}
	before := s.Head("acme/shop", "")
	write(t, work, "catalog-info.yaml", "kind: Component\n")
	write(t, work, "src/a.txt", "b\n")
	git(t, work, "rm", "-q", "README.md")
	git(t, work, "add", ".")
	git(t, work, "commit", "-q", "-m", "Describe the shop")
	git(t, work, "push", "-q")
	head := git(t, work, "rev-parse", "HEAD")
	if got := s.Head("acme/shop", ""); got != head {
		t.Errorf("head is %s after pushing %s", got, head)
	}
	text, err := s.ReadFile("acme/shop", "main", "src/a.txt")
	if err != nil || text != "b\n" {
		t.Errorf("file is %q, %v", text, err)
	}

	got := rc.take(t, s)
	if diff := cmp.Diff([]string{"push"}, events(got)); diff != "" {
		t.Fatal(diff)
	}
	p := got[0].Body
	if p["before"] != before || p["after"] != head || p["ref"] != "refs/heads/main" || p["forced"] != false {
		t.Errorf("push says %v..%v of %v, forced %v", p["before"], p["after"], p["ref"], p["forced"])
	}
	c := p["commits"].([]any)[0].(map[string]any)
	want := map[string]any{
		"added": []any{"catalog-info.yaml"}, "removed": []any{"README.md"}, "modified": []any{"src/a.txt"},
	}
	for k, v := range want {
		if diff := cmp.Diff(v, c[k]); diff != "" {
			t.Errorf("%s: %s", k, diff)
		}
	}
	// What in-process commits write must be good Git for the client too.
	commit(t, s, "acme/shop", "main", "Later", map[string]*string{"src/deep/b.txt": new("x")})
	git(t, work, "pull", "-q")
	git(t, work, "fsck", "--strict")
	if got := git(t, work, "show", "HEAD:src/deep/b.txt"); got != "x" {
		t.Errorf("pulled %q", got)
	}
}

func TestPushToEmptyRepositorySetsDefaultBranch(t *testing.T) {
	t.Parallel()
	s, rc := open(t), listen(t)
	withApp(t, s, rc)
	repo := create(t, s, "fresh", githubsim.RepoOptions{}, nil)
	work := t.TempDir()
	git(t, work, "init", "-q", "-b", "trunk")
	write(t, work, "a", "1")
	git(t, work, "add", ".")
	git(t, work, "commit", "-q", "-m", "one")
	git(t, work, "push", "-q", repo.CloneURL(), "trunk")
	got := rc.take(t, s)
	if diff := cmp.Diff([]string{"repository.created", "create", "push"}, events(got)); diff != "" {
		t.Fatal(diff)
	}
	if b := got[2].Body["repository"].(map[string]any)["default_branch"]; b != "trunk" {
		t.Errorf("default branch is %v", b)
	}
	if got[2].Body["created"] != true {
		t.Error("push does not say created")
	}
}

func TestGitAuth(t *testing.T) {
	t.Parallel()
	s := open(t, githubsim.WithGitAuth())
	_, in := withApp(t, s, nil)
	create(t, s, "open", githubsim.RepoOptions{}, map[string]string{"a": "1"})
	create(t, s, "closed", githubsim.RepoOptions{Private: true}, map[string]string{"a": "1"})
	create(t, s, "old", githubsim.RepoOptions{Archived: true}, map[string]string{"a": "1"})
	s.AddToken("reader")
	url := func(user, repo string) string {
		return strings.Replace(s.URL(), "http://", "http://"+user, 1) + "/acme/" + repo + ".git"
	}
	tests := []struct {
		name, user, repo string
		push, wantOK     bool
	}{
		{"public without token", "", "open", false, true},
		{"public push without token", "", "open", true, false},
		{"private without token", "", "closed", false, false},
		{"private with installation token", "x-access-token:" + in.Token() + "@", "closed", true, true},
		{"private with a token of no scope", "reader:reader@", "closed", false, false},
		{"wrong token", "x:nonsense@", "closed", false, false},
		{"archived is read-only", "x-access-token:" + in.Token() + "@", "old", true, false},
		{"archived can be read", "", "old", false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			work := filepath.Join(t.TempDir(), "w")
			out, err := tryGit(t, "", "clone", "-q", url(tt.user, tt.repo), work)
			if tt.push && err == nil {
				git(t, work, "checkout", "-q", "-b", "side")
				git(t, work, "commit", "-q", "--allow-empty", "-m", "x")
				out, err = tryGit(t, work, "push", "-q", "origin", "side")
			}
			if (err == nil) != tt.wantOK {
				t.Errorf("worked: %v, want %v\n%s", err == nil, tt.wantOK, out)
			}
		})
	}
}
