package gitrepo_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/callboard/callboard/test/githubsim/gitrepo"
)

// git asks the real one.
func git(t interface {
	Helper()
	Fatalf(string, ...any)
}, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"--git-dir", dir}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func text(s string) *gitrepo.File { return &gitrepo.File{Content: []byte(s)} }

func who(n int) gitrepo.Signature {
	return gitrepo.Signature{Name: "Ada", Email: "ada@acme.example", When: time.Unix(int64(1_700_000_000+n), 0).UTC()}
}

func write(t testing.TB, r *gitrepo.Repo, n int, base string, parents []string, changes map[string]*gitrepo.File) string {
	t.Helper()
	sha, err := r.WriteCommit(gitrepo.CommitSpec{
		Parents: parents, Base: base, Changes: changes, Message: fmt.Sprintf("commit %d\n", n), Author: who(n), Committer: who(n),
	})
	if err != nil {
		t.Fatal(err)
	}
	return sha
}

// TestAgainstGit makes a random history and compares every answer with git's.
func TestAgainstGit(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		dir := filepath.Join(root, fmt.Sprint(run))
		r, err := gitrepo.Init(dir, "main")
		if err != nil {
			rt.Fatal(err)
		}
		names := rapid.SampledFrom([]string{"a", "a.b", "a/b", "a/c/d", "a0", "z", "docs/x.md", "docs-2/y"})
		var commits []string
		for n := range rapid.IntRange(1, 6).Draw(rt, "commits") {
			var parents []string
			base := ""
			if len(commits) > 0 {
				parents = rapid.SliceOfNDistinct(rapid.SampledFrom(commits), 1, min(2, len(slices.Compact(slices.Clone(commits)))), rapid.ID[string]).Draw(rt, "parents")
				c, err := r.Commit(parents[0])
				if err != nil {
					rt.Fatal(err)
				}
				base = c.Tree
			}
			changes := map[string]*gitrepo.File{}
			for range rapid.IntRange(0, 4).Draw(rt, "changes") {
				name := names.Draw(rt, "name")
				if rapid.Bool().Draw(rt, "delete") {
					changes[name] = nil
					continue
				}
				changes[name] = text(rapid.SampledFrom([]string{"", "1", "2"}).Draw(rt, "content"))
			}
			// A file and a directory of one name cannot be in one tree.
			for name := range changes {
				for other := range changes {
					if strings.HasPrefix(other, name+"/") {
						delete(changes, other)
					}
				}
			}
			sha, err := r.WriteCommit(gitrepo.CommitSpec{
				Parents: parents, Base: base, Changes: changes, Message: fmt.Sprint(n), Author: who(n), Committer: who(n),
			})
			if err != nil {
				rt.Fatal(err)
			}
			if !slices.Contains(commits, sha) {
				commits = append(commits, sha)
			}
		}
		for i, sha := range commits {
			if err := r.SetRef(fmt.Sprintf("refs/heads/b%d", i), sha); err != nil {
				rt.Fatal(err)
			}
		}
		compare(rt, r, dir, commits)
	})
}

func compare(t *rapid.T, r *gitrepo.Repo, dir string, commits []string) {
	git(t, dir, "fsck", "--strict")
	for _, sha := range commits[len(commits)-1:] {
		c, err := r.Commit(sha)
		if err != nil {
			t.Fatal(err)
		}
		entries, err := r.Walk(c.Tree)
		if err != nil {
			t.Fatal(err)
		}
		var ours strings.Builder
		for _, e := range entries {
			fmt.Fprintf(&ours, "%s %s %s\t%s\n", e.Mode, e.Type, e.SHA, e.Path)
		}
		if diff := cmp.Diff(git(t, dir, "ls-tree", "-r", "-t", sha), ours.String()); diff != "" {
			t.Fatalf("tree of %s: %s", sha, diff)
		}
	}
	first, last := commits[0], commits[len(commits)-1]
	list := func(cs []*gitrepo.Commit) []string {
		out := []string{}
		for _, c := range cs {
			out = append(out, c.SHA)
		}
		slices.Sort(out)
		return out
	}
	for _, pair := range [][2]string{{first, last}, {last, commits[len(commits)/2]}} {
		between, err := r.Between(pair[0], pair[1])
		if err != nil {
			t.Fatal(err)
		}
		theirs := strings.Fields(git(t, dir, "rev-list", pair[0], "^"+pair[1]))
		slices.Sort(theirs)
		if diff := cmp.Diff(theirs, list(between)); diff != "" && len(theirs)+len(between) > 0 {
			t.Fatalf("between: %s", diff)
		}
		a, _ := r.Commit(pair[0])
		b, _ := r.Commit(pair[1])
		changes, err := r.Diff(a.Tree, b.Tree)
		if err != nil {
			t.Fatal(err)
		}
		var ours []string
		for _, c := range changes {
			ours = append(ours, c.Path)
		}
		if diff := cmp.Diff(strings.Fields(git(t, dir, "diff-tree", "-r", "--no-renames", "--name-only", pair[0], pair[1])), ours); diff != "" && len(ours) > 0 {
			t.Fatalf("diff: %s", diff)
		}
	}
}

func TestPacksMadeByOthersAreRead(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "r.git")
	r, err := gitrepo.Init(dir, "main")
	if err != nil {
		t.Fatal(err)
	}
	sha := write(t, r, 1, "", nil, map[string]*gitrepo.File{"a/b": text("1")})
	if err := r.SetRef("refs/heads/main", sha); err != nil {
		t.Fatal(err)
	}
	git(t, dir, "repack", "-a", "-d")
	if err := r.Reload(); err != nil {
		t.Fatal(err)
	}
	blob := strings.TrimSpace(git(t, dir, "rev-parse", "main:a/b"))
	if b, err := r.Blob(blob); err != nil || string(b) != "1" {
		t.Errorf("%q, %v", b, err)
	}
	// An annotated tag is followed to its commit.
	git(t, dir, "-c", "user.name=x", "-c", "user.email=x@x", "tag", "-a", "-m", "v1", "v1", "main")
	if err := r.Reload(); err != nil {
		t.Fatal(err)
	}
	if got, err := r.Resolve("v1"); err != nil || got != sha || r.Ref("refs/tags/v1") == sha {
		t.Errorf("v1 is %s, %v", got, err)
	}
}

func TestWhatIsMissingIsNotFound(t *testing.T) {
	t.Parallel()
	r, err := gitrepo.Init(filepath.Join(t.TempDir(), "r.git"), "main")
	if err != nil {
		t.Fatal(err)
	}
	sha := write(t, r, 1, "", nil, map[string]*gitrepo.File{"a/b": text("1")})
	if err := r.SetRef("refs/heads/main", sha); err != nil {
		t.Fatal(err)
	}
	c, err := r.Commit(sha)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		ask  func() error
	}{
		{"branch", func() error { _, err := r.Resolve("none"); return err }},
		{"commit", func() error { _, err := r.Commit(strings.Repeat("1", 40)); return err }},
		{"tree is no commit", func() error { _, err := r.Resolve(c.Tree); return err }},
		{"path", func() error { _, err := r.Find(c.Tree, "a/c"); return err }},
		{"path below a file", func() error { _, err := r.Find(c.Tree, "a/b/c"); return err }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := tt.ask(); !errors.Is(err, gitrepo.ErrNotFound) {
				t.Errorf("got %v", err)
			}
		})
	}
	for _, name := range []string{"../x", "/x", "refs/../../x", "heads/x"} {
		if err := r.SetRef(name, sha); err == nil {
			t.Errorf("ref %q was written", name)
		}
	}
	if _, err := r.WriteCommit(gitrepo.CommitSpec{Changes: map[string]*gitrepo.File{"a/../b": text("")}}); err == nil {
		t.Error("a path with .. was written")
	}
}

func BenchmarkInitAndCommit(b *testing.B) {
	root := b.TempDir()
	n := 0
	for b.Loop() {
		n++
		r, err := gitrepo.Init(filepath.Join(root, fmt.Sprint(n)), "main")
		if err != nil {
			b.Fatal(err)
		}
		sha := write(b, r, n, "", nil, map[string]*gitrepo.File{"catalog-info.yaml": text("x"), "README.md": text("y")})
		if err := r.SetRef("refs/heads/main", sha); err != nil {
			b.Fatal(err)
		}
	}
}
