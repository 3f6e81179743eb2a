package e2e

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/match"
	"github.com/callboard/callboard/pipeline/schedule"
	"github.com/callboard/callboard/test/githubsim"
	"github.com/callboard/callboard/test/harness"
)

// The whole corpus of real and of odd descriptors, mounted as repositories:
// every document that Backstage accepts is served, whatever its neighbours are.
func TestCorpusAsRepositories(t *testing.T) {
	corpus, err := filepath.Abs("../../../shared/corpus")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(corpus); err != nil {
		// The one skip that is permitted: the files are no part of the project.
		t.Skipf("the corpus is absent: %v", err)
	}
	each(t, func(t *testing.T, w *harness.World) {
		want := map[string]bool{}
		mount(t, w, "corpus/catalog", filepath.Join(corpus, "catalog-edge"), filepath.Join(corpus, "catalog-edge"), want)
		folders, err := os.ReadDir(filepath.Join(corpus, "catalog"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range folders {
			if f.IsDir() {
				mount(t, w, strings.Replace(f.Name(), "__", "/", 1), filepath.Join(corpus, "catalog", f.Name()),
					filepath.Join(corpus, "catalog-golden", f.Name()), want)
			}
		}
		delete(want, "component:default/e45-e") // holds NUL, which is refused: PostgreSQL cannot store it
		w.Start()
		for _, p := range w.Config.Providers {
			w.Install(p.Organization)
		}
		w.Settled()
		got := refs(w)
		missing := 0
		for ref := range want {
			if !got[ref] {
				missing++
				t.Errorf("%s is missing", ref)
			}
		}
		t.Logf("NOTE: corpus mounted as repositories: %d of %d accepted refs are served", len(want)-missing, len(want))
		if len(want) < 500 {
			t.Errorf("only %d refs were expected", len(want))
		}
	})
}

// mount makes a repository of a folder and notes the refs that Backstage accepts of it.
func mount(t *testing.T, w *harness.World, repo, dir, golden string, want map[string]bool) {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasSuffix(path, ".yaml.json") || strings.HasSuffix(path, ".md") {
			return err
		}
		body, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(rel)] = string(body)
		expect(t, filepath.Join(golden, rel)+".json", rel, want)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	owner, name, _ := strings.Cut(repo, "/")
	if _, err := w.GitHub.CreateRepo(owner, name, githubsim.RepoOptions{}, files); err != nil {
		t.Fatal(err)
	}
	w.Config.Providers = append(w.Config.Providers, discovery.Provider{
		Host: strings.TrimPrefix(w.GitHub.URL(), "http://"), Organization: owner, CatalogPath: "**/*",
		Filter: discovery.Filter{AllowForks: true, AllowArchived: true}, Schedule: schedule.Schedule{Manual: true},
	})
}

// expect reads a golden. Files that globs leave out on purpose are not expected.
func expect(t *testing.T, golden, rel string, want map[string]bool) {
	t.Helper()
	raw, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if _, ignored := match.Ignored(rel); ignored || strings.Contains("/"+rel, "/.") {
		return
	}
	var g struct {
		Documents []struct{ Verdict, Ref string }
	}
	if err := json.Unmarshal(raw, &g); err != nil {
		t.Fatal(err)
	}
	for _, d := range g.Documents {
		if d.Verdict == "accepted" {
			want[d.Ref] = true
		}
	}
}
