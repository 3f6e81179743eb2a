package descriptor_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/pipeline/descriptor"
)

// specField gives a field of spec as it stands in the JSON.
func specField(t *testing.T, doc json.RawMessage, field string) string {
	t.Helper()
	var got struct{ Spec map[string]json.RawMessage }
	if err := json.Unmarshal(doc, &got); err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSpace(got.Spec[field]))
}

// Contract catalog 1.8: what a value of spec becomes.
func TestYAMLValues(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, yaml, want string }{
		{"words of 1.1", "[yes, no, on, off, y, n]", `["yes","no","on","off","y","n"]`},
		{"booleans and null", "[true, False, TRUE, tRUE, ~, Null, nULL]", `[true,false,true,"tRUE",null,null,"nULL"]`},
		{"integers", "[0x1f, 0o17, 012, +1, -0, 1_000, 9007199254740993]", `[31,15,12,1,0,"1_000",9007199254740992]`},
		{"floats", "[1e3, 1.0, .5, 1., 6.02e23, 1e-7, 1e21, 123456789012, .inf, .nan]", `[1000,1,0.5,1,6.02e+23,1e-7,1e+21,123456789012,null,null]`},
		{"dates are strings", "[2024-01-01, 12:30]", `["2024-01-01","12:30"]`},
		{"merge key stays", "{a: &a {x: 1}, b: {<<: *a}}", `{"a":{"x":1},"b":{"<<":{"x":1}}}`},
		{"order of keys", "{z: 1, a: 2, m: 3}", `{"z":1,"a":2,"m":3}`},
		{"keys that are no strings", "{1: a, true: b, ~: c, 1.5: d, [x]: e, {y: z}: f}", `{"1":"a","true":"b","":"c","1.5":"d","[ x ]":"e","{ y: z }":"f"}`},
		{"number and string key", `{1: a, "1": b}`, `{"1":"b"}`},
		{"tags", `[!!str 1, !!int "5", !!float "1", !foo 7, ! 12, !!set {a}, !!binary aGk=, !!timestamp 2001-12-14]`,
			`["1",5,"1","7","12",{},{"type":"Buffer","data":[104,105]},"2001-12-14T00:00:00.000Z"]`},
		{"escapes", `["\ud83d\ude80", "\ud83d", "\\ud83d", "\x41\/\e"]`, "[\"🚀\",\"\ufffd\",\"\\\\ud83d\",\"A/\\u001b\"]"},
		{"line separators", "\"a\u2028b\u0085c\"", "\"a\u2028b\u0085c\""},
		{"closing bracket of a list", "[\n    a,\n  ]", `["a"]`},
		{"braces", "{{ x }}", `{"{ x }":null}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			res := one(t, entityOf("Component", "", "\n  type: a\n  lifecycle: b\n  owner: c\n  p: "+tt.yaml), source)
			if res.Verdict != descriptor.VerdictAccepted {
				t.Fatal(res.Errors)
			}
			if diff := cmp.Diff(tt.want, specField(t, res.Declaration.JSON, "p")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// A %YAML 1.1 directive changes how scalars are read, until another directive.
func TestYAML11(t *testing.T) {
	t.Parallel()
	doc := func(name string) string {
		return "---\n" + entityOf("Component", ", title: "+name, "{type: a, lifecycle: b, owner: c, "+
			"p: [yes, N, 012, 0b11, 1_000, 0x_1F, 1:30, 1.5e3, 08, 2001-12-14, 2001-12-14t21:59:43.10-05:00, 0o17], m: &m {a: 1}, q: {a: 2, <<: *m, <<: [{b: 3}]}}")
	}
	const v11 = `[true,false,10,3,1000,31,90,1500,8,"2001-12-14T00:00:00.000Z","2001-12-15T02:59:43.100Z","0o17"]`
	docs, diags := descriptor.Parse([]byte("%YAML 1.1\n"+doc("one")+doc("two")+"...\n%YAML 1.2\n---\nkind: x\n"), descriptor.Limits{})
	if len(docs) != 3 || len(diags) != 0 {
		t.Fatal(len(docs), diags)
	}
	for _, d := range docs[:2] {
		res := d.Process(source)
		if res.Verdict != descriptor.VerdictAccepted {
			t.Fatal(res.Errors)
		}
		if diff := cmp.Diff(v11, specField(t, res.Declaration.JSON, "p")); diff != "" {
			t.Errorf("p -want +got:\n%s", diff)
		}
		if diff := cmp.Diff(`{"a":2,"b":3}`, specField(t, res.Declaration.JSON, "q")); diff != "" {
			t.Errorf("q -want +got:\n%s", diff)
		}
	}
}

// Counting of documents, as the npm package counts them.
func TestDocumentIndex(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, src string
		want      []int
	}{
		{"one", "a: b\n", []int{0}},
		{"comments before the marker", "# c\n---\na: b\n", []int{0}},
		{"empty ones count", "---\n---\n---\na: b\n", []int{2}},
		{"null counts", "null\n---\n~\n---\na: b\n", []int{2}},
		{"end mark", "a: b\n...\nc: d\n", []int{0, 1}},
		{"end marks alone count", "a: b\n...\n...\n---\nc: d\n", []int{0, 2}},
		{"content on the marker line", "--- {a: b}\n--- # c\nd: e\n", []int{0, 1}},
		{"marker inside a string", "a: |\n  x\n  ---\n  y\n ---: z\n", []int{0}},
		{"nothing", "# c\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			docs, _ := descriptor.Parse([]byte(tt.src), descriptor.Limits{})
			var got []int
			for _, d := range docs {
				got = append(got, d.Index)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestLooksTemplated(t *testing.T) {
	t.Parallel()
	tests := []struct {
		src  string
		want bool
	}{
		{"name: ${{ values.name }}", true},
		{"name: {{cookiecutter.name}}", true},
		{"{% if x %}", true},
		{"{# note #}", true},
		{"name: x", false},
		{"a: {b: {c: d}}", false},
		{"a: '}} {{'", false},
		{"title: 100%", false},
	}
	for _, tt := range tests {
		if got := descriptor.LooksTemplated([]byte(tt.src)); got != tt.want {
			t.Errorf("LooksTemplated(%q) = %v", tt.src, got)
		}
	}
}
