package descriptor_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/pipeline/descriptor"
)

const shopTree = "https://github.com/acme/shop/tree/main/"

var shopFiles = map[string]string{
	shopTree + "text":       "a\r\nb\xff",
	shopTree + "api.json":   `{"b": [1, 1.50, null, "x"], "a": {}}`,
	shopTree + "broken":     `{"a": `,
	shopTree + "trailing":   `{} x`,
	shopTree + "one.yaml":   "# c\nb: 012\na: yes\n",
	shopTree + "two.yaml":   "a: b\n---\nc: d\n",
	shopTree + "empty.yaml": "",
	shopTree + "bad.yaml":   "a: b\na: c\n",
	shopTree + "docs/x":     "below",
}

func shop() descriptor.Source {
	s := source
	s.Read = func(u string) ([]byte, error) {
		if body, ok := shopFiles[u]; ok {
			return []byte(body), nil
		}
		if u == shopTree+"gone" {
			return nil, errors.New("socket hang up")
		}
		return nil, descriptor.NotFound(u)
	}
	return s
}

// Contract catalog 3.6. The placeholder stands at spec.p of a Component.
func TestPlaceholders(t *testing.T) {
	t.Parallel()
	const wrapped = "InputError: Processor PlaceholderProcessor threw an error while preprocessing; caused by Error: Placeholder "
	tests := []struct {
		name, p   string
		want      string // of spec.p as JSON
		wantError string // after wrapped
	}{
		{name: "text", p: "{$text: ./text}", want: `"a\r\nb` + "\ufffd" + `"`},
		{name: "from the root", p: "{$text: /docs/x}", want: `"below"`},
		{name: "absolute", p: "{$text: '" + shopTree + "docs/x'}", want: `"below"`},
		{name: "blob becomes tree", p: "{$text: 'https://github.com/acme/shop/blob/main/docs/x'}", want: `"below"`},
		{name: "json", p: "{$json: api.json}", want: `{"b":[1,1.5,null,"x"],"a":{}}`},
		{name: "yaml", p: "{$yaml: one.yaml}", want: `{"b":12,"a":"yes"}`},
		{name: "nested", p: "[{a: {$text: docs/x}}, b]", want: `[{"a":"below"},"b"]`},
		{name: "unknown name", p: "{$ref: ./text}", want: `{"$ref":"./text"}`},
		{name: "two keys", p: "{$text: ./text, b: {$text: ./nope}}", want: `{"$text":"./text","b":{"$text":"./nope"}}`},
		{name: "no string", p: "{$text: [a]}", wantError: "$text expected a string value parameter, in the form of an absolute URL or a relative path"},
		{name: "no URL", p: "{$text: 'http://'}", wantError: "$text could not form a URL out of " + shopTree + "catalog-info.yaml and http://, TypeError: Invalid URL"},
		{name: "another repository", p: "{$text: 'https://github.com/acme/other/blob/main/x'}", wantError: "$text could not form a URL out of " + shopTree + "catalog-info.yaml and https://github.com/acme/other/blob/main/x, Error: Placeholder may only reference files from the same repository as the entity"},
		{name: "absent", p: "{$text: ./nope.yaml}", wantError: "$text could not read location ./nope.yaml, NotFoundError: Request failed for " + shopTree + "nope.yaml, 404 Not Found"},
		{name: "unreadable", p: "{$text: ./gone}", wantError: "$text could not read location ./gone, Error: socket hang up"},
		{name: "broken json", p: "{$json: broken}", wantError: "$json failed to parse JSON data at broken, SyntaxError: Unexpected end of JSON input"},
		{name: "more than json", p: "{$json: trailing}", wantError: "$json failed to parse JSON data at trailing, SyntaxError: Unexpected non-whitespace character after JSON"},
		{name: "two documents", p: "{$yaml: two.yaml}", wantError: "$yaml expected to find exactly one document of data at two.yaml, found 2"},
		{name: "no document", p: "{$yaml: empty.yaml}", wantError: "$yaml expected to find exactly one document of data at empty.yaml, found 0"},
		{name: "broken yaml", p: "{$yaml: bad.yaml}", wantError: "$yaml found an error in the data at bad.yaml, YAMLParseError: Map keys must be unique at line 2, column 1:\n\na: b\na: c\n^\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			res := one(t, entityOf("Component", "", "{type: a, lifecycle: b, owner: c, p: "+tt.p+"}"), shop())
			if tt.wantError != "" {
				if len(res.Errors) != 1 {
					t.Fatalf("errors %v", res.Errors)
				}
				if diff := cmp.Diff(wrapped+tt.wantError, res.Errors[0].Error()); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				d := res.Diagnostics[0]
				if d.Field != "spec.p" || d.Line != 4 || d.Column != 41 {
					t.Errorf("diagnostic at %s %d:%d", d.Field, d.Line, d.Column)
				}
				return
			}
			if res.Verdict != descriptor.VerdictAccepted {
				t.Fatal(res.Errors)
			}
			if diff := cmp.Diff(tt.want, specField(t, res.Declaration.JSON, "p")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			written := specField(t, res.Declaration.Descriptor, "p")
			if tt.name == "text" && written != `{"$text":"./text"}` {
				t.Errorf("the document as written shows %s", written)
			}
		})
	}
}

func TestInputs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, src string
		want      []string
	}{
		{"none", entityOf("Component", "", wellFormed), nil},
		{"each once, in order", entityOf("API", ", title: {$text: b}", "{definition: {$text: ./a}, x: [{$yaml: ./c/../a}, {$json: /d}], y: {$ref: e}, z: {$text: [f]}}"),
			[]string{shopTree + "b", shopTree + "a", shopTree + "d"}},
		{"no entity", "a: {$text: b}\n", nil},
		{"broken", "a: [\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			docs, _ := descriptor.Parse([]byte(tt.src), descriptor.Limits{})
			if diff := cmp.Diff(tt.want, docs[0].Inputs(source)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestLocationTargets(t *testing.T) {
	t.Parallel()
	res := one(t, entityOf("Location", "", "{target: ./a.yaml, targets: ['sub/**/*.yaml', 'javascript:x', 'https://github.com/o/r/blob/main/b.yaml', ./a.yaml]}"), source)
	want := []string{shopTree + "a.yaml", shopTree + "sub/**/*.yaml", "https://github.com/o/r/tree/main/b.yaml", shopTree + "a.yaml"}
	if diff := cmp.Diff(want, res.Targets); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if res.Verdict != descriptor.VerdictRejected || len(res.Errors) != 1 {
		t.Errorf("%s %v", res.Verdict, res.Errors)
	}
}

// An entity that was sent as JSON gets the verdict of the same entity in YAML.
func TestParseEntity(t *testing.T) {
	t.Parallel()
	src := descriptor.Source{URL: "https://github.com/acme/shop/tree/main/x.yaml", Origin: "url:https://github.com/acme/shop/blob/main/x.yaml"}
	for _, text := range []string{
		`{"apiVersion":"backstage.io/v1alpha1","kind":"Component","metadata":{"name":"a"},"spec":{"type":"service","lifecycle":"x","owner":"b"}}`,
		`{"apiVersion":"backstage.io/v1alpha1","kind":"Component","metadata":{"name":"a","labels":{"n":1e3}},"spec":{"type":"service","lifecycle":"x","owner":"b"}}`,
		`{"apiVersion":"backstage.io/v1alpha1","kind":"Component","metadata":{"name":"a b"},"spec":{"type":"service"}}`,
		`{"kind":"Component"}`, `{}`, `{"apiVersion":"backstage.io/v1alpha1","kind":"Odd","metadata":{"name":"a"},"more":null}`,
		`{"apiVersion":"backstage.io/v1alpha1","kind":"API","metadata":{"name":"a"},"spec":{"type":"x","lifecycle":"x","owner":"b","definition":{"$text":"./x"}}}`,
	} {
		doc, err := descriptor.ParseEntity([]byte(text), descriptor.Limits{})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		docs, _ := descriptor.Parse([]byte(text), descriptor.Limits{})
		want, got := docs[0].Process(src), doc.Process(src)
		if diff := cmp.Diff(want.Errors, got.Errors); diff != "" || want.Verdict != got.Verdict || string(want.Declaration.JSON) != string(got.Declaration.JSON) {
			t.Errorf("%s: %s, want %s; errors (-yaml +json):\n%s", text, got.Verdict, want.Verdict, diff)
		}
	}
}

func FuzzParseEntity(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":[1,{"$text":"./x"}]}`, `{"apiVersion":"backstage.io/v1alpha1","kind":"Location","metadata":{"name":"a","tags":{"$json":"x"}},"spec":{"$yaml":"x"}}`, `null`, `[`, `{"kind":"Template","metadata":{"name":"\u0000"}}`, strings.Repeat("[", 200)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := descriptor.ParseEntity([]byte(text), descriptor.Limits{})
		if err != nil {
			return
		}
		src := descriptor.Source{URL: "https://github.com/acme/shop/tree/main/x.yaml", Origin: "url:x"}
		doc.Inputs(src)
		src.Exists = func(string) error { return nil }
		doc.Process(src)
		src.Exists = nil
		if res := doc.Process(src); res.Verdict != descriptor.VerdictAccepted && len(res.Errors) == 0 {
			t.Errorf("%q is %s without an error", text, res.Verdict)
		}
	})
}
