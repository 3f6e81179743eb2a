package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/callboard/callboard/test/githubsim"
)

var quiet = githubsim.Quiet()

// Nothing that a repository says leads Callboard anywhere but into repositories
// that it may read.
func TestHostileTargets(t *testing.T) {
	w := embedded(t)
	targets := []string{
		"../../etc/passwd", "/../../etc/passwd", "..%2f..%2fetc%2fpasswd", "file:///etc/passwd", "/etc/passwd",
		"http://169.254.169.254/latest/meta-data/", "https://169.254.169.254/a/b/blob/main/c.yaml",
		"http://localhost:22/a/b/blob/main/c.yaml", "https://gitlab.com/a/b/-/blob/main/c.yaml",
		"https://evil.example/acme/one/blob/main/catalog-info.yaml", "//evil.example/x.yaml", "javascript:alert(1)",
		w.GitHub.URL() + "/acme/one/blob/main/../../../secret/x/blob/main/y.yaml",
		w.GitHub.URL() + "/acme/nobody/blob/main/x.yaml", "./missing.yaml", "./**/**/**/**/**/**/x*x*x*x*x*x*x*.yaml",
	}
	create(t, w, "acme/one", map[string]string{
		"catalog-info.yaml": component("good", "x") + "---\n" + location("bad", targets...),
	})
	create(t, w, "acme/two", map[string]string{"catalog-info.yaml": api("leak", "http://169.254.169.254/latest/meta-data/") + "---\n" +
		api("leak2", "../../../../etc/passwd") + "---\n" + component("neighbour", "x")})
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
	for route := range w.GitHub.Requests() {
		if strings.Contains(route, "169.254") {
			t.Errorf("GitHub was asked %s", route)
		}
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
	w.Start().Install("acme")
	w.Settled()
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
