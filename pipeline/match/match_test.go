package match_test

import (
	"strings"
	"testing"

	"github.com/callboard/callboard/pipeline/match"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pattern string
		yes, no []string
	}{
		{"catalog-info.yaml", []string{"catalog-info.yaml", "/catalog-info.yaml"}, []string{"a/catalog-info.yaml", "catalog-info.yml"}},
		{"/catalog-info.yaml", []string{"catalog-info.yaml"}, []string{"a/catalog-info.yaml"}},
		{"./catalog-info.yaml", []string{"catalog-info.yaml"}, nil},
		{"*.yaml", []string{"a.yaml", "a.b.yaml"}, []string{".a.yaml", "x/a.yaml", "a.yaml.bak"}},
		{"**/catalog-info.yaml", []string{"catalog-info.yaml", "a/catalog-info.yaml", "a/b/c/catalog-info.yaml"}, []string{".github/catalog-info.yaml", "a/.b/catalog-info.yaml", "xcatalog-info.yaml"}},
		{"/**/catalog-info.yaml", []string{"catalog-info.yaml", "a/catalog-info.yaml"}, nil},
		{"services/*/catalog-info.yaml", []string{"services/a/catalog-info.yaml"}, []string{"services/catalog-info.yaml", "services/a/b/catalog-info.yaml", "services/.a/catalog-info.yaml"}},
		{"a/**", []string{"a/b", "a/b/c"}, []string{"a", "a/.b", "b/a"}},
		{"a/**/b", []string{"a/b", "a/x/b", "a/x/y/b"}, []string{"a/.x/b", "ab"}},
		{"**/a/**/b/*", []string{"a/b/c", "x/a/a/b/b/c"}, []string{"a/b", "a/b/c/d"}},
		{".github/*.yaml", []string{".github/a.yaml"}, []string{"github/a.yaml"}},
		{"**/.hidden/*", []string{".hidden/a", "x/.hidden/a"}, []string{".x/.hidden/a", ".hidden/.a"}},
		{"a**b", []string{"ab", "axxb"}, []string{"a/b"}},
		{"catalog-info.{yaml,yml}", []string{"catalog-info.yaml", "catalog-info.yml"}, []string{"catalog-info.yam", "catalog-info.{yaml,yml}"}},
		{"{a,b/{c,d}}/*.yaml", []string{"a/x.yaml", "b/c/x.yaml", "b/d/x.yaml"}, []string{"b/x.yaml"}},
		{"v{1..3}/*", []string{"v1/a", "v3/a"}, []string{"v4/a", "v/a"}},
		{"v{c..a}/*", []string{"va/a", "vb/a"}, []string{"vd/a"}},
		{"?.yaml", []string{"a.yaml", "é.yaml"}, []string{"..yaml", "ab.yaml", ".yaml"}},
		{"[a-c]*.yaml", []string{"a.yaml", "cx.yaml"}, []string{"d.yaml"}},
		{"[!a-c]*.yaml", []string{"d.yaml"}, []string{"a.yaml", ".yaml"}},
		{"[]]*", []string{"]x"}, []string{"x"}},
		{"[x*", []string{"[xy"}, []string{"x"}},
		{`\**`, []string{"*a"}, []string{"a"}},
		{"app/[id]/catalog-info.yaml", []string{"app/[id]/catalog-info.yaml"}, []string{"app/i/catalog-info.yaml"}},
		{"{{cookiecutter.name}}/a.yaml", []string{"{{cookiecutter.name}}/a.yaml"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.pattern, func(t *testing.T) {
			t.Parallel()
			p, err := match.Compile(tt.pattern)
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range tt.yes {
				if !p.Match(path) {
					t.Errorf("%q does not match %q", tt.pattern, path)
				}
			}
			for _, path := range tt.no {
				if p.Match(path) {
					t.Errorf("%q matches %q", tt.pattern, path)
				}
			}
		})
	}
}

func TestPlain(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pattern, path string
		plain         bool
	}{
		{"/catalog-info.yaml", "catalog-info.yaml", true},
		{"./a/b.yaml", "a/b.yaml", true},
		{"a/[id]/b.yaml", "a/[id]/b.yaml", true},
		{"**/b.yaml", "**/b.yaml", false},
		{"b.{yaml,yml}", "b.{yaml,yml}", false},
	}
	for _, tt := range tests {
		p, err := match.Compile(tt.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if path, plain := p.Plain(); path != tt.path || plain != tt.plain {
			t.Errorf("%q: Plain() = %q, %v", tt.pattern, path, plain)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{
		"!*.yaml", "@(a|b)/*.yaml", strings.Repeat("{a,b}", 7), "{1..101}", strings.Repeat("{a,b}", 20), strings.Repeat("a", 5000), "{1..100000}",
		strings.Repeat("{a,", 700) + strings.Repeat("}", 700) + "{1..999}",
	} {
		if _, err := match.Compile(pattern); err == nil {
			t.Errorf("%.40q was compiled", pattern)
		}
	}
}

// The time of a match must not explode with the number of stars: each of these
// would take for ever with naive backtracking.
func TestHostilePatterns(t *testing.T) {
	t.Parallel()
	tests := []struct{ pattern, path string }{
		{strings.Repeat("*a", 500) + "b", strings.Repeat("a", 4000)},
		{strings.Repeat("**/a/", 300) + "b", strings.Repeat("a/", 2000) + "c"},
		{strings.Repeat("**/", 1000) + "b", strings.Repeat("a/", 1000) + "c"},
	}
	for _, tt := range tests {
		p, err := match.Compile(tt.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if p.Match(tt.path) {
			t.Errorf("%.20q matches", tt.pattern)
		}
	}
}

func TestIgnored(t *testing.T) {
	t.Parallel()
	tests := []struct {
		path string
		want bool
	}{
		{"catalog-info.yaml", false},
		{"services/cart/catalog-info.yaml", false},
		{"vendor/github.com/elastic/x/catalog-info.yaml", true},
		{"web/node_modules/x/catalog-info.yaml", true},
		{"scaffolder-templates/react/skeleton/catalog-info.yaml", true},
		{"templates/go/content/catalog-info.yaml", true},
		{"template/{{cookiecutter.name}}/catalog-info.yaml", true},
		{"x/${{ values.name }}.yaml", true},
		{"docs/content/catalog-info.yaml", false},
		{"vendors/catalog-info.yaml", false},
		{"teams/vendor", false},
		{"skeleton.yaml", false},
		{"templates/go/template.yaml", false},
	}
	for _, tt := range tests {
		reason, got := match.Ignored(tt.path)
		if got != tt.want || got != (reason != "") {
			t.Errorf("Ignored(%q) = %q, %v", tt.path, reason, got)
		}
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("**/*.{yaml,yml}", "a/b.yaml")
	f.Add("[a-", "[a-")
	f.Add("{a,{b,c}..}/\\", ".a/é")
	f.Add("*[!x]?**", "x/y")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		p, err := match.Compile(pattern)
		if err != nil {
			return
		}
		if plain, ok := p.Plain(); ok && !p.Match(plain) {
			t.Errorf("plain pattern %q does not match itself", pattern)
		}
		p.Match(path)
	})
}

func BenchmarkMatch(b *testing.B) {
	p, err := match.Compile("**/catalog-info.{yaml,yml}")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		p.Match("services/payments/cart/src/main/catalog-info.yml")
	}
}
