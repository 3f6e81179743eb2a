package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/callboard/callboard/test/githubsim"
)

var quiet = githubsim.Quiet()

// Nothing that a repository says leads Callboard anywhere but into repositories
// that it may read: each trick is refused by name, and a server that it could
// reach hears nothing.
func TestHostileTargets(t *testing.T) {
	w := embedded(t)
	var calls atomic.Int64
	trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	t.Cleanup(trap.Close)
	refused := []string{
		"../../etc/passwd", "/../../etc/passwd", "file:///etc/passwd",
		"http://169.254.169.254/latest/meta-data/", "https://169.254.169.254/a/b/blob/main/c.yaml",
		"http://localhost:22/a/b/blob/main/c.yaml", "https://gitlab.com/a/b/-/blob/main/c.yaml",
		"https://evil.example/acme/one/blob/main/catalog-info.yaml", "//evil.example/x.yaml",
		trap.URL + "/x.yaml", trap.URL + "/acme/one/blob/main/x.yaml",
		w.GitHub.URL() + "/acme/one/blob/main/%2e%2e/%2e%2e/x.yaml", w.GitHub.URL() + "/acme/secret/blob/main/../../../x.yaml",
	}
	quiet := []string{"./**/**/**/**/**/**/x*x*x*x*x*x*x*.yaml", w.GitHub.URL() + "/acme/nobody/blob/main/x.yaml"}
	files := map[string]string{"good.yaml": component("good", "x")}
	root := location("root", "./good.yaml", "./missing.yaml")
	for i, target := range append(refused, quiet...) {
		root += "---\n" + location(fmt.Sprintf("t%d", i), target)
	}
	files["catalog-info.yaml"] = root
	create(t, w, "acme/one", files)
	create(t, w, "acme/two", map[string]string{"catalog-info.yaml": api("leak", "http://169.254.169.254/latest/meta-data/") + "---\n" +
		api("leak2", "../../../../etc/passwd") + "---\n" + api("leak3", trap.URL+"/secret") + "---\n" + component("neighbour", "x")})
	w.Start().Install("acme")
	w.Eventually("the good ones are in", func() error {
		if got := refs(w); !got["component:default/good"] || !got["component:default/neighbour"] {
			return fmt.Errorf("refs are %v", got)
		}
		return nil
	})
	for ref := range refs(w) {
		if strings.HasPrefix(ref, "api:") {
			t.Errorf("%s was accepted", ref)
		}
	}
	var repo struct {
		Why   []string
		Files []struct {
			Diagnostics []struct{ Rule, Ref, Message string }
		}
	}
	if err := w.Get("/api/callboard/repositories/acme/one", &repo); err != nil {
		t.Fatal(err)
	}
	told := map[string]string{}
	for _, f := range repo.Files {
		for _, d := range f.Diagnostics {
			told[d.Ref] = d.Rule
		}
	}
	for i, target := range refused {
		rule := told[fmt.Sprintf("location:default/t%d", i)]
		if rule != "target-not-allowed" && rule != "location-target" {
			t.Errorf("%s: the diagnostic is %q", target, rule)
		}
	}
	if why := strings.Join(repo.Why, "\n"); !strings.Contains(why, "acme/nobody/tree/main/x.yaml, in a repository that Callboard cannot read") {
		t.Errorf("nothing says that acme/nobody cannot be read:\n%s", why)
	}
	if calls.Load() != 0 {
		t.Errorf("a server outside Git was called %d times", calls.Load())
	}
}

func TestHostileFiles(t *testing.T) {
	w := embedded(t)
	var bomb strings.Builder
	bomb.WriteString(component("bomb", "x") + "  a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&bomb, "  a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), ", "))
	}
	var many strings.Builder
	for i := range 10_000 {
		many.WriteString("---\n" + component(fmt.Sprintf("m%d", i), "x"))
	}
	files := map[string]string{
		"bomb.yaml":     bomb.String(),
		"huge.yaml":     component("huge", "x") + "  text: " + strings.Repeat("x", 20<<20) + "\n",
		"longline.yaml": component("longline", strings.Repeat("word ", 200_000)),
		"many.yaml":     many.String(),
		"nul.yaml":      component("nul", "a\x00b"),
		"bom.yaml":      "\ufeff" + strings.ReplaceAll(component("bom", "x"), "\n", "\r\n"),
		"tabs.yaml":     strings.Replace(component("tabs", "x"), "  name", "\tname", 1),
		"twice.yaml":    component("twice", "x") + "  owner: b\n",
		"deep.yaml":     component("deep", "x") + "  a: " + strings.Repeat("[", 5000) + "\n",
	}
	names := []string{}
	for name := range files {
		names = append(names, "./"+name)
	}
	files["catalog-info.yaml"] = location("all", names...)
	create(t, w, "acme/bad", files)
	create(t, w, "acme/good", map[string]string{"catalog-info.yaml": component("good", "x")})
	p := w.Process()
	w.Install("acme")
	w.Settled()
	// 10,000 entities and a file of 20 MB: a bound, not a figure.
	if mb := p.PeakMB(); mb == 0 || mb > 700 {
		t.Errorf("the process needed %d MB", mb)
	}
	got := refs(w)
	for _, name := range []string{"good", "bom", "longline", "m0", "m9999"} {
		if !got["component:default/"+name] {
			t.Errorf("%s is missing", name)
		}
	}
	for _, name := range []string{"bomb", "huge", "tabs", "twice", "deep"} {
		if got["component:default/"+name] {
			t.Errorf("%s was accepted", name)
		}
	}
}

// A file that names thousands of repositories, and files of its neighbour that
// are not there, costs a bounded number of requests; the neighbour's own pushes
// go on, and it is not blamed.
func TestForeignFlood(t *testing.T) {
	w := embedded(t)
	w.Prepare()
	w.Config.MaxFiles = 10
	create(t, w, "acme/good", map[string]string{"catalog-info.yaml": location("all", "./nested.yaml"), "nested.yaml": component("one", "x")})
	create(t, w, "acme/evil", map[string]string{"README.md": "x"})
	w.Start().Install("acme")
	eventually(w, "location:default/all", "component:default/one")
	var targets []string
	for i := range 60 {
		targets = append(targets, fmt.Sprintf("%s/acme/good/blob/main/none%d.yaml", w.GitHub.URL(), i))
	}
	for i := range 3000 {
		targets = append(targets, fmt.Sprintf("%s/victim%d/r/blob/main/catalog-info.yaml", w.GitHub.URL(), i))
	}
	w.GitHub.ResetRequests()
	commit(t, w, "acme/evil", map[string]*string{"catalog-info.yaml": new(location("evil", targets...))})
	commit(t, w, "acme/good", map[string]*string{"nested.yaml": new(component("one", "x") + "---\n" + component("two", "x"))})
	eventually(w, "location:default/all", "location:default/evil", "component:default/one", "component:default/two")
	w.Settled()
	requests := 0
	for _, c := range w.GitHub.Requests() {
		requests += c.Total
	}
	if requests > 1000 {
		t.Errorf("GitHub was asked %d times", requests)
	}
	var found struct{ Items []map[string]any }
	if err := w.Get("/api/callboard/diagnostics?repository=acme/good&severity=error", &found); err != nil || len(found.Items) != 0 {
		t.Errorf("the neighbour is told %+v, %v", found.Items, err)
	}
	if err := w.Get("/api/callboard/diagnostics?repository=acme/evil&rule=too-many-repositories", &found); err != nil || len(found.Items) != 1 {
		t.Errorf("the flooder is told %+v, %v", found.Items, err)
	}
	var detail struct {
		Files []struct{ Unreadable, Absent []string }
	}
	if err := w.Get("/api/callboard/repositories/acme/evil", &detail); err != nil || len(detail.Files) != 1 || len(detail.Files[0].Absent) != 60 || len(detail.Files[0].Unreadable) != 199 {
		t.Errorf("the flooder's files are %+v, %v", detail.Files, err)
	}
}

// A dry run whose globs take too much work is refused, and says why.
func TestCostlyDryRun(t *testing.T) {
	w := embedded(t)
	files := map[string]string{}
	for i := range 300 {
		files[fmt.Sprintf("%s%d.txt", strings.Repeat("aaaaaaaaaa/", 20), i)] = "x"
	}
	var globs []string
	for i := range 40 {
		globs = append(globs, fmt.Sprintf("./**/%s**/%d/**", strings.Repeat("*a*a*/", 600), i))
	}
	files["all.yaml"] = location("all", globs...)
	create(t, w, "acme/one", files)
	w.Start().Install("acme")
	w.Settled()
	var out struct{ Error struct{ Message string } }
	call(t, w, "POST", "/locations?dryRun=true", located(w, "acme/one/blob/main/all.yaml"), 400, &out)
	if !strings.Contains(out.Error.Message, "use fewer globs") {
		t.Errorf("it is told %q", out.Error.Message)
	}
}
