package handlers_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/handlers"
)

// document is what the server hands out, checked to be sound OpenAPI.
func document(t *testing.T, f *fixture) *openapi3.T {
	t.Helper()
	w := f.get("/api/catalog/openapi.json")
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	doc, err := openapi3.NewLoader().LoadFromData(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return doc
}

// Every route is in the document, and the other way round.
func TestDocumentHasEveryRoute(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	var want, got []string
	for _, r := range handlers.Table(f.deps) {
		if strings.HasPrefix(r.Path, "/api/catalog/") || strings.HasPrefix(r.Path, "/api/callboard/") {
			want = append(want, r.Method+" "+r.Path)
		}
	}
	for path, item := range document(t, f).Paths.Map() {
		for method := range item.Operations() {
			got = append(got, method+" "+path)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-route table +document:\n%s", diff)
	}
}

// Every operation says what it is, how it relates to Backstage's, what it
// answers to the wrong caller, and names all the parameters of its path.
func TestDocumentIsComplete(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	compat := regexp.MustCompile(`^(as Backstage|better, because .+|Callboard's own)$`)
	ids := map[string]bool{}
	for path, item := range document(t, f).Paths.Map() {
		for method, op := range item.Operations() {
			where := method + " " + path
			if op.Summary == "" || len(op.Tags) != 1 || op.OperationID == "" || ids[op.OperationID] {
				t.Errorf("%s: summary %q, tags %v, id %q: all must be there, and ids differ", where, op.Summary, op.Tags, op.OperationID)
			}
			ids[op.OperationID] = true
			if said, _ := op.Extensions["x-callboard-compat"].(string); !compat.MatchString(said) {
				t.Errorf("%s: x-callboard-compat is %q", where, said)
			}
			for _, status := range []string{"400", "401", "403"} {
				if op.Responses.Value(status) == nil {
					t.Errorf("%s: %s is missing", where, status)
				}
			}
			var named []string
			for _, p := range slices.Concat(item.Parameters, op.Parameters) {
				if p.Value.In == "path" {
					named = append(named, p.Value.Name)
				}
			}
			var inPath []string
			for _, m := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
				inPath = append(inPath, m[1])
			}
			if diff := cmp.Diff(inPath, named); diff != "" {
				t.Errorf("%s: parameters -path +document:\n%s", where, diff)
			}
		}
	}
}

func TestDocumentIsServed(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	const path = "/api/catalog/openapi.json"
	w := f.get(path)
	etag := w.Header().Get("ETag")
	if w.Code != http.StatusOK || !json.Valid(w.Body.Bytes()) || !strings.HasPrefix(etag, `W/"`) || w.Header().Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if w := f.get(path, "If-None-Match", etag); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
		t.Errorf("known: %d %s", w.Code, w.Body)
	}
	if w := f.get(path + "?x=y"); w.Code != http.StatusBadRequest {
		t.Errorf("unknown parameter: %d %s", w.Code, w.Body)
	}
	if w := f.get("/API/Catalog/OpenAPI.json/"); w.Code != http.StatusOK {
		t.Errorf("other letter case: %d", w.Code)
	}
}

// docs/api.md has every operation in its tables, in the document's words.
func TestDocsHaveEveryOperation(t *testing.T) {
	t.Parallel()
	docs, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for path, item := range document(t, setup(t, shop()...)).Paths.Map() {
		for method, op := range item.Operations() {
			if rest, ok := strings.CutPrefix(path, "/api/catalog"); ok {
				want[fmt.Sprintf("| `%s %s` | %s | %s |", method, rest, op.Summary, op.Extensions["x-callboard-compat"])] = true
			} else {
				want[fmt.Sprintf("| `%s %s` | %s |", method, strings.TrimPrefix(path, "/api/callboard"), op.Summary)] = true
			}
		}
	}
	for line := range strings.Lines(string(docs)) {
		if line = strings.TrimSuffix(line, "\n"); strings.Contains(line, "` |") && strings.Contains(line, " /") && !want[line] {
			t.Errorf("the document has no such operation: %s", line)
		}
		delete(want, strings.TrimSuffix(line, "\n"))
	}
	for line := range want {
		t.Errorf("docs/api.md lacks: %s", line)
	}
}

// docs/api.md names what scans and tombstones may be asked with.
func TestDocsHaveParameters(t *testing.T) {
	t.Parallel()
	docs, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(docs), "### Scans, and what went\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for path, item := range document(t, setup(t, shop()...)).Paths.Map() {
		about := strings.TrimPrefix(path, "/api/callboard/")
		if !strings.HasPrefix(about, "scans") && !strings.HasPrefix(about, "tombstones") {
			continue
		}
		for method, op := range item.Operations() {
			var names []string
			for _, p := range op.Parameters {
				names = append(names, p.Value.Name)
			}
			if op.RequestBody != nil {
				for name := range op.RequestBody.Value.Content["application/json"].Schema.Value.Properties {
					names = append(names, name)
				}
			}
			_, rest, _ := strings.Cut(section, "- `"+method+" …/"+about+"`")
			mine, _, _ := strings.Cut(rest, "\n- ")
			for _, name := range names {
				if !strings.Contains(mine, "`"+name+"`") {
					t.Errorf("docs/api.md does not say that %s %s takes %s", method, about, name)
				}
			}
		}
	}
}
