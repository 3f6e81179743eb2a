package descriptor_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/pipeline/descriptor"
	"github.com/callboard/callboard/storage/entity"
)

// golden is what Backstage says of a file; corpus/catalog-golden/README.md explains it.
type golden struct {
	File      string
	Documents []goldenDocument
}

type goldenDocument struct {
	Index            int
	Verdict          string
	Ref              *string
	Errors           []string
	Entity           map[string]any
	Relations        []entity.Relation
	EmittedLocations []string
	NotReached       bool
}

// deliberate lists where we differ from Backstage on purpose, by file, document
// and aspect, each with its reason.
var deliberate = map[string]string{
	"catalog-edge/45-quoting.yaml#4 verdict": "a NUL passes every check of Backstage and then cannot be stored by PostgreSQL; we refuse it with its line",
}

// corpusDir finds shared/corpus beside the module.
func corpusDir(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			corpus := filepath.Join(filepath.Dir(dir), "shared", "corpus")
			if _, err := os.Stat(corpus); err != nil {
				// The one skip that is permitted: the files are no part of the project.
				t.Skipf("the corpus is absent, so Backstage's answers were not compared: %v", err)
			}
			return corpus
		}
	}
	t.Fatal("no go.mod above the test")
	return ""
}

// world is one repository of the corpus, as readable as it was when the goldens were made.
type world struct{ dir, repository string }

func (w world) read(u string) ([]byte, error) {
	parsed, err := url.Parse(u)
	if err != nil {
		return nil, err
	}
	prefix := "/" + w.repository + "/tree/main/"
	path, ok := strings.CutPrefix(parsed.Path, prefix)
	if !ok || parsed.Host != "github.com" {
		return nil, descriptor.NotAllowed(u)
	}
	body, err := os.ReadFile(filepath.Join(w.dir, filepath.FromSlash(path)))
	if err != nil {
		return nil, descriptor.NotFound("https://raw.githubusercontent.com/" + w.repository + "/main/" + strings.TrimPrefix(parsed.EscapedPath(), prefix))
	}
	return body, nil
}

func TestCorpus(t *testing.T) {
	t.Parallel()
	corpus := corpusDir(t)
	tally := tally{agreed: map[string]int{}, total: map[string]int{}, unused: map[string]bool{}}
	for k := range deliberate {
		tally.unused[k] = true
	}
	edges, err := filepath.Glob(filepath.Join(corpus, "catalog-edge", "*.yaml.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range edges {
		w := world{dir: filepath.Join(corpus, "catalog-edge"), repository: "corpus/catalog"}
		tally.file(t, file, w, strings.TrimSuffix(filepath.Base(file), ".json"), "catalog-edge")
	}
	root := filepath.Join(corpus, "catalog-golden")
	err = filepath.WalkDir(root, func(file string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(file, ".json") {
			return err
		}
		rel := strings.TrimSuffix(strings.TrimPrefix(filepath.ToSlash(file), filepath.ToSlash(root)+"/"), ".json")
		folder, path, _ := strings.Cut(rel, "/")
		w := world{dir: filepath.Join(corpus, "catalog", folder), repository: strings.Replace(folder, "__", "/", 1)}
		tally.file(t, file, w, path, "catalog/"+folder)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for k := range tally.unused {
		t.Errorf("difference listed as deliberate is gone: %s", k)
	}
	for _, aspect := range []string{"documents", "verdict", "ref", "entity", "relations", "locations", "errors"} {
		t.Logf("NOTE: corpus agreement with Backstage: %-9s %d/%d", aspect, tally.agreed[aspect], tally.total[aspect])
	}
	if tally.total["verdict"] < 1000 {
		t.Errorf("only %d documents were compared", tally.total["verdict"])
	}
}

// tally counts agreement by aspect.
type tally struct {
	agreed, total map[string]int
	unused        map[string]bool
}

func (c *tally) compare(t *testing.T, where, aspect string, want, got any) {
	t.Helper()
	c.total[aspect]++
	diff := cmp.Diff(want, got)
	if diff == "" {
		c.agreed[aspect]++
		return
	}
	key := where + " " + aspect
	if reason, ok := deliberate[key]; ok {
		t.Logf("differs on purpose: %s: %s", key, reason)
		delete(c.unused, key)
		return
	}
	t.Errorf("%s (-Backstage +Callboard):\n%s", key, diff)
}

func (c *tally) file(t *testing.T, goldenFile string, w world, path, label string) {
	t.Helper()
	var want golden
	data, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	src, err := os.ReadFile(filepath.Join(w.dir, filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	docs, diags := descriptor.Parse(src, descriptor.Limits{})
	if len(diags) > 0 {
		t.Errorf("%s/%s: %v", label, path, diags)
	}
	got := map[int]descriptor.Document{}
	for _, d := range docs {
		got[d.Index] = d
	}
	c.compare(t, label+"/"+path, "documents", len(want.Documents), len(docs))
	escaped := (&url.URL{Path: path}).EscapedPath()
	source := descriptor.Source{
		URL:    "https://github.com/" + w.repository + "/tree/main/" + escaped,
		Origin: "url:https://github.com/" + w.repository + "/blob/main/" + escaped,
		Path:   path,
		Read:   w.read,
	}
	for _, doc := range want.Documents {
		where := fmt.Sprintf("%s/%s#%d", label, path, doc.Index)
		d, ok := got[doc.Index]
		if !ok {
			t.Errorf("%s is not among ours", where)
			continue
		}
		c.document(t, where, doc, d.Process(source))
	}
}

func (c *tally) document(t *testing.T, where string, want goldenDocument, got descriptor.Result) {
	t.Helper()
	c.compare(t, where, "verdict", want.Verdict, string(got.Verdict))
	if _, known := deliberate[where+" verdict"]; known {
		return
	}
	ref := ""
	if want.Ref != nil {
		ref = *want.Ref
	}
	c.compare(t, where, "ref", ref, got.Ref)
	var messages []string
	for _, e := range got.Errors {
		messages = append(messages, e.Error())
	}
	if len(want.Errors) > 0 || len(messages) > 0 {
		c.compare(t, where, "errors", want.Errors, messages)
	}
	for _, d := range got.Diagnostics {
		if d.Line < 1 || d.Column < 1 || d.Hint == "" {
			t.Errorf("%s: a diagnostic without place or hint: %+v", where, d)
		}
	}
	if want.Verdict != "accepted" || got.Verdict != descriptor.VerdictAccepted {
		return
	}
	var served map[string]any
	if err := json.Unmarshal(got.Declaration.JSON, &served); err != nil {
		t.Fatal(err)
	}
	stripAnnotations(served, want.Entity)
	c.compare(t, where, "entity", want.Entity, served)
	relations := append([]entity.Relation{}, got.Declaration.Relations...)
	c.compare(t, where, "relations", append([]entity.Relation{}, want.Relations...), relations)
	c.compare(t, where, "locations", append([]string{}, want.EmittedLocations...), append([]string{}, got.Targets...))
}

// stripAnnotations takes away what the goldens leave out: the annotations that
// say where an entity came from, unless its author wrote them.
func stripAnnotations(served, want map[string]any) {
	meta := served["metadata"].(map[string]any)
	annotations := meta["annotations"].(map[string]any)
	wanted, _ := want["metadata"].(map[string]any)["annotations"].(map[string]any)
	for _, key := range []string{
		entity.AnnotationLocation, entity.AnnotationOriginLocation,
		entity.AnnotationViewURL, entity.AnnotationEditURL, entity.AnnotationSourceLocation,
	} {
		if _, ok := wanted[key]; !ok {
			delete(annotations, key)
		}
	}
	if len(annotations) == 0 && wanted == nil {
		delete(meta, "annotations")
	}
}
