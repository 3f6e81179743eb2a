package descriptor_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/callboard/callboard/pipeline/descriptor"
)

var source = descriptor.Source{
	URL:    "https://github.com/acme/shop/tree/main/catalog-info.yaml",
	Origin: "url:https://github.com/acme/shop/blob/main/catalog-info.yaml",
	Path:   "catalog-info.yaml",
	Commit: "abc",
}

func component(name, spec string) string {
	return "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: " + name +
		"\nspec:\n  type: service\n  lifecycle: production\n  owner: team-a\n" + spec
}

// processAll reads a file and answers the rules of all its diagnostics and how many documents were accepted.
func processAll(src string, limits descriptor.Limits) (rules []string, accepted int) {
	docs, diags := descriptor.Parse([]byte(src), limits)
	for _, d := range docs {
		res := d.Process(source)
		diags = append(diags, res.Diagnostics...)
		if res.Verdict == descriptor.VerdictAccepted {
			accepted++
		}
	}
	for _, d := range diags {
		rules = append(rules, d.Rule)
	}
	return rules, accepted
}

// Whatever a file holds, reading it is bounded, and the sound documents in it come through.
func TestHostileFiles(t *testing.T) {
	t.Parallel()
	var keys, bomb, documents strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&keys, "  k%d: v\n", i)
	}
	bomb.WriteString("  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 10; i++ {
		fmt.Fprintf(&bomb, "  a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	for i := range 10_000 {
		documents.WriteString("---\n" + component(fmt.Sprint("c", i), ""))
	}
	good := "\n---\n" + component("good", "")
	tests := []struct {
		name     string
		src      string
		limits   descriptor.Limits
		rule     string // of the first diagnostic, "" for none
		accepted int
	}{
		{name: "20,000 keys", src: component("a", keys.String()) + good, accepted: 2},
		{name: "alias bomb", src: component("a", bomb.String()) + good, rule: "yaml-size", accepted: 1},
		{name: "recursive alias", src: component("a", "  x: &x [*x]\n") + good, rule: "yaml-alias", accepted: 1},
		{name: "10,000 documents", src: documents.String(), accepted: 10_000},
		{name: "one document too many", src: documents.String() + good, rule: "too-many-documents"},
		{name: "a line of 1 MB", src: component("a", "  x: "+strings.Repeat("y", 1<<20)+"\n") + good, accepted: 2},
		{name: "a quoted line of 1 MB", src: component("a", `  x: "`+strings.Repeat("y ", 1<<19)+"\"\n") + good, accepted: 2},
		{name: "an open quote over 1 MB", src: component("a", `  x: "`+strings.Repeat("y\n", 1<<19)) + good, rule: "yaml-syntax", accepted: 1},
		{name: "20 MB", src: strings.Repeat("# x\n", 5<<20), rule: "file-too-large"},
		{name: "own limit", src: component("a", ""), limits: descriptor.Limits{FileBytes: 10}, rule: "file-too-large"},
		{name: "deep flow", src: component("a", "  x: "+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+"\n") + good, rule: "yaml-depth", accepted: 1},
		{name: "deep block", src: component("a", "  x:\n   "+strings.Repeat("- ", 5000)+"x\n") + good, rule: "yaml-depth", accepted: 1},
		{name: "endless flow", src: component("a", "  x: "+strings.Repeat("[", 50_000)) + good, rule: "yaml-syntax", accepted: 1},
		{name: "tab", src: "a:\n\tb: c\n" + good, rule: "yaml-tab", accepted: 1},
		{name: "control characters", src: component("a", "  x: \"a\x01b\x7f\"\n") + good, accepted: 2},
		{name: "raw NUL", src: component("a", "  x: a\x00b\n") + good, rule: "nul-character", accepted: 1},
		{name: "escaped NUL", src: component("a", "  x: \"a\\0b\"\n") + good, rule: "nul-character", accepted: 1},
		{name: "not UTF-8", src: component("a", "  x: a\xff\xfeb\n") + good, accepted: 2},
		{name: "BOM", src: "\ufeff" + component("a", "") + good, accepted: 2},
		{name: "CRLF", src: strings.ReplaceAll(component("a", "  x: \"a\n    b\"\n")+good, "\n", "\r\n"), accepted: 2},
		{name: "binary", src: "\x7fELF\x02\x01\x01\x00\x00" + good, rule: "root-object", accepted: 1},
		{name: "empty", src: ""},
		{name: "duplicate key", src: component("a", "  owner: b\n") + good, rule: "yaml-duplicate-key", accepted: 1},
		{name: "case-only duplicate", src: component("a", "  Owner: b\n") + good, accepted: 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			rules, accepted := processAll(tt.src, tt.limits)
			first := ""
			if len(rules) > 0 {
				first = rules[0]
			}
			if first != tt.rule || accepted != tt.accepted {
				t.Errorf("%d accepted, rules %.200v; want %d accepted, first rule %q", accepted, rules, tt.accepted, tt.rule)
			}
			// Generous: seconds here mean quadratic work, not a slow machine.
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %v", took)
			} else if took > time.Second {
				t.Logf("took %v", took)
			}
		})
	}
}

// No bytes may crash the reader, and what it accepts is complete.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		component("a", "  dependsOn: [resource:b, {a: b}]\n"),
		"---\n...\n%YAML 1.1\n---\na: yes\n<<: {b: 1_000}\nc: 1:30\nd: 2001-12-14 1:02:03 -5\n",
		"a: &x [*x]\nb: !!binary aGk=\n? [a, b]\n: !!set {c}\n",
		"a: \"\\ud83d\\ude80 \\q\"\nb: [\n1", "{a: {{ x }}, b: ${{ y }}}\n{% if %}", "\t- a\n -b: 'c\n d'", "a: |\n x\n---\x00\u2028\ufeff",
		"kind: Location\napiVersion: backstage.io/v1alpha1\nmetadata: {name: x}\nspec: {targets: [./a, /b, 'http://', '\\\\c', '//[::1', 'https://1.2.3.4.5/']}",
		"kind: API\napiVersion: backstage.io/v1alpha1\nmetadata: {name: x}\nspec: {type: {$text: ./x}, owner: {$yaml: ./y}, lifecycle: {$json: z}, definition: d}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		docs, _ := descriptor.Parse(src, descriptor.Limits{Nodes: 10_000})
		from := source
		from.Read = func(string) ([]byte, error) { return src, nil }
		for _, d := range docs {
			d.Inputs(from)
			res := d.Process(from)
			if accepted := res.Verdict == descriptor.VerdictAccepted; accepted != (len(res.Errors) == 0) || accepted != (res.Declaration.Ref != "") {
				t.Errorf("%s with errors %v and ref %q", res.Verdict, res.Errors, res.Declaration.Ref)
			}
			if d.Line < 1 {
				t.Errorf("line %d", d.Line)
			}
		}
	})
}

func BenchmarkSmallFile(b *testing.B) {
	src := []byte(component("a", "  system: shop\n  dependsOn: [resource:db, component:b]\n"))
	b.ReportAllocs()
	for b.Loop() {
		docs, _ := descriptor.Parse(src, descriptor.Limits{})
		if res := docs[0].Process(source); res.Verdict != descriptor.VerdictAccepted {
			b.Fatal(res.Errors)
		}
	}
}
