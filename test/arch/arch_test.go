// Package arch holds the rules of the import graph as a test.
package arch

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/callboard/callboard/"

type pkg struct {
	ImportPath string
	Imports    []string
	GoFiles    []string
	Doc        string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,GoFiles,Doc", "./...")
	cmd.Dir = "../.."
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for dec := json.NewDecoder(out); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module)
		all = append(all, p)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("only %d packages found", len(all))
	}
	return all
}

// An import may only go down or stay (style 4, rule 1).
var rank = map[string]int{"storage": 0, "pipeline": 1, "handlers": 2, "cmd": 3, "test": 4}

func folder(path string) string {
	top, _, _ := strings.Cut(path, "/")
	return top
}

func TestImportsGoDown(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		from, ok := rank[folder(p.ImportPath)]
		if !ok {
			t.Errorf("%s is in no known folder", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			own, ours := strings.CutPrefix(imp, module)
			if ours && rank[folder(own)] > from {
				t.Errorf("%s imports %s: that arrow points up", p.ImportPath, own)
			}
		}
	}
}

// Some modules have one door (style 4, rule 6).
func TestOneDoor(t *testing.T) {
	t.Parallel()
	doors := map[string][]string{
		"github.com/ThreeDotsLabs/watermill": {"pipeline/bus"},
		"github.com/redis/go-redis":          {"pipeline/bus", "test/"},
		"github.com/google/go-github":        {"pipeline/githubapp", "test/"},
		"github.com/jackc/pgx":               {"storage/postgres", "test/"},
		"github.com/getkin/kin-openapi":      {"test/"},
		"modernc.org/sqlite":                 {"storage/sqlite"},
		"go.yaml.in/yaml":                    {"pipeline/descriptor", "cmd/config", "cmd/cli"},
		"testing":                            {"test/", "storage/storagetest"},
		module + "storage/sqlite":            {"cmd/app", "test/"},
		module + "storage/postgres":          {"cmd/app", "test/"},
		module + "pipeline/bus":              {"cmd/app", "pipeline/refresh", "pipeline/inbox", "pipeline/people", "pipeline/scan", "test/"},
		module + "cmd/config":                {"cmd/app", "cmd/cli", "cmd/doctor", "test/"},
	}
	for _, p := range packages(t) {
		for _, imp := range p.Imports {
			for target, allowed := range doors {
				if imp != target && !strings.HasPrefix(imp, target+"/") && !strings.HasPrefix(imp, target+"-") {
					continue
				}
				through := slices.ContainsFunc(allowed, func(a string) bool {
					return strings.HasPrefix(p.ImportPath+"/", strings.TrimSuffix(a, "/")+"/")
				})
				if !through && !strings.HasPrefix(p.ImportPath+"/", strings.TrimPrefix(target, module)+"/") {
					t.Errorf("%s imports %s; only %v may", p.ImportPath, imp, allowed)
				}
			}
		}
	}
}

// Domain packages hand over by message, not by call (style 4, rule 3).
func TestDomainsAreStrangers(t *testing.T) {
	t.Parallel()
	domains := []string{"refresh", "scan", "people", "techdocs", "search", "scaffolder", "inbox"}
	for _, p := range packages(t) {
		own, ok := strings.CutPrefix(p.ImportPath, "pipeline/")
		if !ok || !slices.Contains(domains, folder(own)) {
			continue
		}
		for _, imp := range p.Imports {
			other, ok := strings.CutPrefix(imp, module+"pipeline/")
			if ok && folder(other) != folder(own) && slices.Contains(domains, folder(other)) {
				t.Errorf("%s imports pipeline/%s", p.ImportPath, other)
			}
		}
	}
}

// Templates of the standard library call methods by name, which keeps the
// linker from dropping any: 21 MB in a program that links go-github. cobra and
// goose import text/template for what we do not call, and so cost nothing.
func TestBinaryLinksNoTemplates(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		for _, imp := range p.Imports {
			if (imp == "text/template" || imp == "html/template") && folder(p.ImportPath) != "test" {
				t.Errorf("%s imports %s", p.ImportPath, imp)
			}
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "./cmd/callboard")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.FieldsSeq(string(out)) {
		if dep == "testing" || dep == "html/template" {
			t.Errorf("cmd/callboard links %s", dep)
		}
		if own, ok := strings.CutPrefix(dep, module); ok && folder(own) == "test" {
			t.Errorf("cmd/callboard links %s", own)
		}
	}
}

func TestEveryPackageHasAComment(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		if p.Doc == "" && len(p.GoFiles) > 0 {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}
