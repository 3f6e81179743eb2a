package sample_test

import (
	"errors"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/callboard/callboard/test/githubsim"
	"github.com/callboard/callboard/test/githubsim/sample"
)

func load(t *testing.T) *githubsim.Server {
	t.Helper()
	s, err := githubsim.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := sample.Load(s, "acme", githubsim.Quiet()); err != nil {
		t.Fatal(err)
	}
	return s
}

// entity is what the test needs of a descriptor.
type entity struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     map[string]any
}

var validName = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`)

// collect follows a file's Locations and hands out all entities, the two broken
// ones of recommendations left out.
func collect(t *testing.T, s *githubsim.Server, repo, file string) []entity {
	t.Helper()
	text, err := s.ReadFile("acme/"+repo, "main", file)
	if err != nil {
		t.Fatal(err)
	}
	var out []entity
	dec := yaml.NewDecoder(strings.NewReader(text))
	for {
		var e entity
		err := dec.Decode(&e)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%s/%s: %v", repo, file, err)
		}
		if repo == "recommendations" && (!validName.MatchString(e.Metadata.Name) || e.Spec["owner"] == nil) {
			continue
		}
		if !validName.MatchString(e.Metadata.Name) {
			t.Errorf("%s/%s: name %q", repo, file, e.Metadata.Name)
		}
		out = append(out, e)
		if e.Kind == "Location" {
			out = append(out, follow(t, s, repo, path.Dir(file), e)...)
		}
	}
}

func follow(t *testing.T, s *githubsim.Server, repo, dir string, e entity) []entity {
	t.Helper()
	var out []entity
	for _, target := range list(e.Spec, "target", "targets") {
		if rest, ok := strings.CutPrefix(target, s.URL()+"/acme/"); ok {
			other, file, _ := strings.Cut(rest, "/blob/main/")
			out = append(out, collect(t, s, other, file)...)
			continue
		}
		tree, err := s.Tree("acme/"+repo, "main")
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for file := range tree {
			if ok, _ := path.Match(path.Join(dir, target), file); ok {
				out = append(out, collect(t, s, repo, file)...)
				found++
			}
		}
		if found == 0 {
			t.Errorf("%s: target %s matches nothing", repo, target)
		}
	}
	return out
}

// list reads strings under any of the keys.
func list(spec map[string]any, keys ...string) []string {
	var out []string
	for _, k := range keys {
		switch v := spec[k].(type) {
		case string:
			out = append(out, v)
		case []any:
			for _, x := range v {
				out = append(out, x.(string))
			}
		}
	}
	return out
}

// TestEverythingHangsTogether reads the organisation as a catalog would: all
// nine kinds, no name twice, and no reference into the void.
func TestEverythingHangsTogether(t *testing.T) {
	t.Parallel()
	s := load(t)
	var all []entity
	for _, repo := range sample.Names() {
		if tree, err := s.Tree("acme/"+repo, "main"); err != nil || tree["catalog-info.yaml"] == "" {
			continue
		}
		all = append(all, collect(t, s, repo, "catalog-info.yaml")...)
	}
	have, kinds := map[string]bool{}, map[string]int{}
	for _, e := range all {
		ref := strings.ToLower(e.Kind) + ":" + e.Metadata.Name
		if have[ref] {
			t.Errorf("%s is there twice", ref)
		}
		have[ref] = true
		kinds[e.Kind]++
	}
	want := map[string]int{
		"API": 7, "Component": 16, "Domain": 3, "Group": 7, "Location": 6,
		"Resource": 7, "System": 4, "Template": 3, "User": 9,
	}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("kinds: %s", diff)
	}
	fields := map[string]string{
		"owner": "group", "system": "system", "domain": "domain", "parent": "group", "children": "group",
		"memberOf": "group", "providesApis": "api", "consumesApis": "api", "dependsOn": "component",
		"dependencyOf": "component", "subcomponentOf": "component",
	}
	for _, e := range all {
		for field, kind := range fields {
			for _, ref := range list(e.Spec, field) {
				if !strings.Contains(ref, ":") {
					ref = kind + ":" + ref
				}
				if ref = strings.Replace(ref, ":default/", ":", 1); !have[ref] {
					t.Errorf("%s %s: %s %s does not exist", e.Kind, e.Metadata.Name, field, ref)
				}
			}
		}
	}
}

// TestDefinitionsExist checks that each $text names a file of its repository.
func TestDefinitionsExist(t *testing.T) {
	t.Parallel()
	s := load(t)
	text := regexp.MustCompile(`\$text: (\S+)`)
	found := 0
	for _, repo := range sample.Names() {
		tree, err := s.Tree("acme/"+repo, "main")
		if err != nil {
			t.Fatal(err)
		}
		for file := range tree {
			if path.Base(file) != "catalog-info.yaml" {
				continue
			}
			body, err := s.ReadFile("acme/"+repo, "main", file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range text.FindAllStringSubmatch(body, -1) {
				found++
				if tree[path.Join(path.Dir(file), m[1])] == "" {
					t.Errorf("%s/%s: %s is missing", repo, file, m[1])
				}
			}
		}
	}
	if found != 7 {
		t.Errorf("%d definitions, want 7", found)
	}
}

// TestDocumentationIsComplete checks that every page of a nav is there.
func TestDocumentationIsComplete(t *testing.T) {
	t.Parallel()
	s := load(t)
	page := regexp.MustCompile(`(?m)^\s+- [^:\n]+: (\S+\.md)$`)
	sites := 0
	for _, repo := range sample.Names() {
		tree, err := s.Tree("acme/"+repo, "main")
		if err != nil {
			t.Fatal(err)
		}
		if tree["mkdocs.yml"] == "" {
			continue
		}
		sites++
		body, err := s.ReadFile("acme/"+repo, "main", "mkdocs.yml")
		if err != nil {
			t.Fatal(err)
		}
		pages := page.FindAllStringSubmatch(body, -1)
		if len(pages) == 0 {
			t.Errorf("%s has no pages", repo)
		}
		for _, m := range pages {
			if tree["docs/"+m[1]] == "" {
				t.Errorf("%s: page %s is missing", repo, m[1])
			}
		}
	}
	if sites < 6 {
		t.Errorf("only %d sites", sites)
	}
}

func TestHistoryIsAStory(t *testing.T) {
	t.Parallel()
	s := load(t)
	if names := sample.Names(); len(names) < 14 || !slices.Contains(names, "people") {
		t.Errorf("repositories: %v", names)
	}
	if err := s.ArchiveRepo("acme/legacy-erp", false, githubsim.Quiet()); err != nil {
		t.Error(err)
	}
	head := s.Head("acme/checkout", "main")
	again := load(t)
	if again.Head("acme/checkout", "main") == "" || head == "" {
		t.Error("checkout has no head")
	}
	// The address is part of a descriptor; a repository without it is the same each time.
	if a, b := s.Head("acme/payments", "main"), again.Head("acme/payments", "main"); a != b {
		t.Errorf("payments differs between two loads: %s, %s", a, b)
	}
}
