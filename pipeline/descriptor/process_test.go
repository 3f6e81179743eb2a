package descriptor_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/pipeline/descriptor"
	"github.com/callboard/callboard/storage/entity"
)

func one(t *testing.T, src string, from descriptor.Source) descriptor.Result {
	t.Helper()
	docs, diags := descriptor.Parse([]byte(src), descriptor.Limits{})
	if len(docs) != 1 || len(diags) != 0 {
		t.Fatalf("%d documents, diagnostics %v", len(docs), diags)
	}
	return docs[0].Process(from)
}

// entityOf writes a document from its parts; an empty part is left out.
func entityOf(kind, meta, spec string) string {
	version := "backstage.io/v1alpha1"
	if kind == "Template" {
		version = "scaffolder.backstage.io/v1beta3"
	}
	s := "apiVersion: " + version + "\nkind: " + kind + "\nmetadata: {name: x" + meta + "}\n"
	if spec != "" {
		s += "spec: " + spec + "\n"
	}
	return s
}

const wellFormed = "{type: a, lifecycle: b, owner: c}"

// One row for each rule: contract catalog 1.1 to 1.8, 3.3, 3.6. The line and
// column are those of the offending field.
func TestDiagnostics(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 64)
	tests := []struct {
		name, src    string
		verdict      descriptor.Verdict
		rule, field  string
		line, column int
		message      string // in the diagnostic
	}{
		{"syntax", "kind: [\n", descriptor.VerdictParseError, "yaml-syntax", "", 2, 1, "Flow sequence in block collection must be sufficiently indented and end with a ]"},
		{"tab", "a:\n\tb: c\n", descriptor.VerdictParseError, "yaml-tab", "", 2, 1, "Tabs are not allowed as indentation"},
		{"open quote", "a: b\nc: \"d\ne: f\n", descriptor.VerdictParseError, "yaml-syntax", "", 2, 4, `Missing closing "quote`},
		{"duplicate", "a: b\na: c\n", descriptor.VerdictParseError, "yaml-duplicate-key", "", 2, 1, "Map keys must be unique"},
		{"indentation", "a:\n  b: c\n d: e\n", descriptor.VerdictParseError, "yaml-indentation", "", 3, 1, "All mapping items must start at the same column"},
		{"flow not indented", "a: [b,\nc]\n", descriptor.VerdictParseError, "yaml-indentation", "", 2, 1, "Flow sequence in block collection must be sufficiently indented and end with a ]"},
		{"quote not indented", "a: \"b\nc\"\n", descriptor.VerdictParseError, "yaml-indentation", "", 1, 4, `Missing closing "quote`},
		{"alias", "a: *b\n", descriptor.VerdictParseError, "yaml-alias", "", 1, 4, "Unresolved alias (the anchor must be set before the alias): b"},
		{"directive without start", "%YAML 1.2\na: b\n", descriptor.VerdictParseError, "yaml-syntax", "", 2, 1, "Missing directives-end/doc-start indicator line"},
		{"scalar at root", "hello\n", descriptor.VerdictParseError, "root-object", "", 1, 1, "Expected object at root, got string"},
		{"number at root", "\n12\n", descriptor.VerdictParseError, "root-object", "", 2, 1, "Expected object at root, got number"},
		{"list at root", "- a\n", descriptor.VerdictParseError, "root-object", "", 1, 1, "Expected object at root, got object"},
		{"no kind", "apiVersion: a\nmetadata: {name: x}\n", descriptor.VerdictRejected, "required-field", "kind", 1, 1, "<root> must have required property 'kind' - missingProperty: kind"},
		{"no metadata", "apiVersion: a\nkind: B\n", descriptor.VerdictRejected, "required-field", "metadata", 1, 1, "<root> must have required property 'metadata' - missingProperty: metadata"},
		{"name a number", "apiVersion: a\nkind: B\nmetadata:\n  name: 12\n", descriptor.VerdictRejected, "field-type", "metadata.name", 4, 3, "/metadata/name must be string - type: string"},
		{"annotations a list", entityOf("Component", ", annotations: [a]", wellFormed), descriptor.VerdictRejected, "field-type", "metadata.annotations", 3, 21, "metadata.annotations must be a valid object"},
		{"root field", entityOf("Component", "", wellFormed) + "extra: 1\n", descriptor.VerdictRejected, "unknown-field", "extra", 5, 1, "Malformed envelope, <root> must NOT have additional properties"},
		{"relations", entityOf("Component", "", wellFormed) + "relations: []\n", descriptor.VerdictRejected, "unknown-field", "relations", 5, 1, "Unknown field relations"},
		{"spec null", entityOf("Component", "", "null"), descriptor.VerdictRejected, "field-type", "spec", 4, 1, "Malformed envelope, /spec must be object"},
		{"label a number", entityOf("Component", ", labels: {a/b~c: 1}", wellFormed), descriptor.VerdictRejected, "field-type", "metadata.labels.a/b~c", 3, 30, "Malformed envelope, /metadata/labels/a~1b~0c must be string"},
		{"description null", entityOf("Component", ", description: null", wellFormed), descriptor.VerdictRejected, "field-type", "metadata.description", 3, 21, "Malformed envelope, /metadata/description must be string"},
		{"apiVersion", "apiVersion: a/b/c\nkind: B\nmetadata: {name: x}\n", descriptor.VerdictRejected, "api-version-format", "apiVersion", 1, 1, `"apiVersion" is not valid; expected a valid prefix and/or suffix but found "a/b/c".`},
		{"kind", "apiVersion: a\nkind: 'B C'\nmetadata: {name: x}\n", descriptor.VerdictRejected, "kind-format", "kind", 2, 1, `"kind" is not valid; expected a string that is a sequence of [a-zA-Z][a-z0-9A-Z], at most 63 characters in total but found "B C".`},
		{"name", "apiVersion: a\nkind: B\nmetadata:\n  name: -x\n", descriptor.VerdictRejected, "name-format", "metadata.name", 4, 3, `"metadata.name" is not valid; expected a string that is sequences of [a-zA-Z0-9] separated by any of [-_.], at most 63 characters in total but found "-x".`},
		{"namespace", entityOf("Component", ", namespace: Foo", wellFormed), descriptor.VerdictRejected, "namespace-format", "metadata.namespace", 3, 21, `"metadata.namespace" is not valid; expected a string that is sequences of [a-z0-9] separated by [-], at most 63 characters in total but found "Foo".`},
		{"label key", entityOf("Component", ", labels: {_a: b}", wellFormed), descriptor.VerdictRejected, "label-key-format", "metadata.labels._a", 3, 30, `"labels._a" is not valid; expected a valid prefix and/or suffix but found "_a".`},
		{"label value", entityOf("Component", ", labels: {a: '-'}", wellFormed), descriptor.VerdictRejected, "label-value-format", "metadata.labels.a", 3, 30, `"labels.a" is not valid; expected a string that is sequences of [a-zA-Z0-9] separated by any of [-_.], at most 63 characters in total but found "-".`},
		{"annotation key", entityOf("Component", ", annotations: {a b: c}", wellFormed), descriptor.VerdictRejected, "annotation-key-format", "metadata.annotations.a b", 3, 35, `"annotations.a b" is not valid; expected a valid prefix and/or suffix but found "a b".`},
		{"tag", entityOf("Component", ", tags: [a, "+long+"]", wellFormed), descriptor.VerdictRejected, "tag-format", "metadata.tags.1", 3, 31, `"tags.1" is not valid; expected a string that is sequences of [a-z0-9+#] separated by [-], at most 63 characters in total but found "` + long + `".`},
		{"link", entityOf("Component", ", links: [{url: example.com}]", wellFormed), descriptor.VerdictRejected, "link-url", "metadata.links.0.url", 3, 30, `"links.0.url" is not valid; expected a string that is a valid url but found "example.com".`},
		{"link title", entityOf("Component", ", links: [{url: 'x:', title: ' '}]", wellFormed), descriptor.VerdictRejected, "link-text", "metadata.links.0.title", 3, 41, `"links.0.title" is not valid; expected a non empty string but found " ".`},
		{"lower-case kind", entityOf("component", "", wellFormed), descriptor.VerdictRejected, "unknown-kind", "kind", 2, 1, "No processor recognized the entity component:default/x as valid, possibly caused by a foreign kind or apiVersion"},
		{"no owner", entityOf("Component", "", "{type: a, lifecycle: b}"), descriptor.VerdictRejected, "required-field", "spec.owner", 4, 1, "/spec must have required property 'owner' - missingProperty: owner"},
		{"no spec", entityOf("Component", "", ""), descriptor.VerdictRejected, "required-field", "spec", 1, 1, "<root> must have required property 'spec' - missingProperty: spec"},
		{"empty system", entityOf("Component", "", "{type: a, lifecycle: b, owner: c, system: ''}"), descriptor.VerdictRejected, "field-empty", "spec.system", 4, 41, "/spec/system must NOT have fewer than 1 characters - limit: 1"},
		{"presence", entityOf("Location", "", "{presence: maybe}"), descriptor.VerdictRejected, "field-value", "spec.presence", 4, 8, "/spec/presence must be equal to one of the allowed values - allowedValues: required,optional"},
		{"step if", entityOf("Template", "", "{type: a, steps: [{action: b, if: 1}]}"), descriptor.VerdictRejected, "field-type", "spec.steps.0.if", 4, 37, "/spec/steps/0/if must be string,boolean - type: string,boolean"},
		{"parameters", entityOf("Template", "", "{type: a, steps: [], parameters: b}"), descriptor.VerdictRejected, "field-type", "spec.parameters", 4, 28, "/spec/parameters must be object - type: object"},
		{"output", entityOf("Template", "", "{type: a, steps: [], output: {b: 1}}"), descriptor.VerdictRejected, "field-type", "spec.output.b", 4, 37, "/spec/output/b must be string - type: string"},
		{"location type", entityOf("Location", "", "{type: file, target: ./a}"), descriptor.VerdictRejected, "location-type", "spec.type", 4, 8, `Registered locations must be of an allowed type ["url"]`},
		{"location target", entityOf("Location", "", "{targets: [./a, 'http://']}"), descriptor.VerdictRejected, "location-target", "spec.targets.1", 4, 23, "Unable to read url, Invalid URL"},
		{"ref without kind", entityOf("Component", "", "{type: a, lifecycle: b, owner: c, dependsOn: ['resource:d', e]}"), descriptor.VerdictRejected, "entity-ref", "spec.dependsOn.1", 4, 67, `Entity reference "e" had missing or empty kind (e.g. did not start with "component:" or similar)`},
		{"ref form", entityOf("Component", "", "{type: a, lifecycle: b, owner: 'c:'}"), descriptor.VerdictRejected, "entity-ref", "spec.owner", 4, 31, `Entity reference "c:" was not on the form [<kind>:][<namespace>/]<name>`},
		{"nul", entityOf("Component", `, title: "a\0"`, wellFormed), descriptor.VerdictRejected, "nul-character", "metadata.title", 3, 21, "NUL characters cannot be stored"},
		{"owner", entityOf("Component", "", "{type: a, lifecycle: b, owner: '@acme/team'}"), descriptor.VerdictAccepted, "owner-format", "spec.owner", 4, 31, "No entity can have the ref that spec.owner says: @acme/team"},
		{"skeleton", "apiVersion: a\nkind: B\nmetadata:\n  name: ${{ values.name }}\n", descriptor.VerdictRejected, "template-skeleton", "metadata.name", 4, 3, `Looks like the skeleton of a template, not like an entity: "metadata.name" is not valid; expected a string that is sequences of [a-zA-Z0-9] separated by any of [-_.], at most 63 characters in total but found "${{ values.name }}".`},
		{"skeleton with blocks", "kind: B\n{%- if values.x %}\na: b\n{%- endif %}\n", descriptor.VerdictParseError, "template-skeleton", "", 2, 2, "Looks like the skeleton of a template, not like an entity: Plain value cannot start with directive indicator character %"},
		{"template with a real mistake", entityOf("Template", ", title: '${{ x }}'", "{type: a}"), descriptor.VerdictRejected, "required-field", "spec.steps", 4, 1, "/spec must have required property 'steps' - missingProperty: steps"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			res := one(t, tt.src, source)
			if res.Verdict != tt.verdict {
				t.Fatalf("verdict %s, errors %v", res.Verdict, res.Errors)
			}
			if len(res.Diagnostics) != 1 {
				t.Fatalf("diagnostics %+v", res.Diagnostics)
			}
			got := res.Diagnostics[0]
			if got.Hint == "" {
				t.Error("no hint")
			}
			want := entity.Diagnostic{
				Path: source.Path, Commit: source.Commit, Ref: res.Ref, Line: tt.line, Column: tt.column,
				Field: tt.field, Rule: tt.rule, Severity: got.Severity, Message: tt.message, Hint: got.Hint,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Causes are nested and repeated in the message (contract catalog 1.9).
func TestErrorShape(t *testing.T) {
	t.Parallel()
	res := one(t, entityOf("Component", "", "{type: a, lifecycle: b}"), source)
	cause := &entity.Error{Name: "TypeError", Message: "/spec must have required property 'owner' - missingProperty: owner"}
	want := []*entity.Error{{
		Name: "InputError",
		Message: "Processor BuiltinKindsEntityProcessor threw an error while validating the entity component:default/x; " +
			"caused by TypeError: /spec must have required property 'owner' - missingProperty: owner",
		Cause: cause,
	}}
	if diff := cmp.Diff(want, res.Errors); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	var e *entity.Error
	if !errors.As(errors.Unwrap(res.Errors[0]), &e) || e != res.Errors[0].Cause {
		t.Error("the cause cannot be unwrapped")
	}
}

// A broken document leaves its neighbours and their numbers alone.
func TestIsolation(t *testing.T) {
	t.Parallel()
	src := component("a", "") + "---\nkind: [\n---\n# nothing\n---\na: \"open\n---\n" + component("b", "") + "...\nkind: Component\n---\n*x\n---\n" + component("c", "")
	docs, diags := descriptor.Parse([]byte(src), descriptor.Limits{})
	if len(diags) != 0 {
		t.Fatal(diags)
	}
	var got []string
	for _, d := range docs {
		res := d.Process(source)
		got = append(got, fmt.Sprintf("%d line %d %s %s", d.Index, d.Line, res.Verdict, res.Ref))
	}
	want := []string{
		"0 line 1 accepted component:default/a",
		"1 line 10 parse-error ",
		"3 line 14 parse-error ",
		"4 line 16 accepted component:default/b",
		"5 line 25 rejected ",
		"6 line 27 parse-error ",
		"7 line 29 accepted component:default/c",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// The annotations of contract catalog 3.5.
func TestLocationAnnotations(t *testing.T) {
	t.Parallel()
	const pinned = "https://github.com/acme/shop/tree/0123456789abcdef0123456789abcdef01234567/a/b.yaml"
	tests := []struct {
		name, meta string
		src        descriptor.Source
		want       map[string]string
	}{
		{"root file", "", source, map[string]string{
			entity.AnnotationLocation:       "url:https://github.com/acme/shop/tree/main/catalog-info.yaml",
			entity.AnnotationOriginLocation: "url:https://github.com/acme/shop/blob/main/catalog-info.yaml",
			entity.AnnotationViewURL:        "https://github.com/acme/shop/tree/main/catalog-info.yaml",
			entity.AnnotationEditURL:        "https://github.com/acme/shop/edit/main/catalog-info.yaml",
			entity.AnnotationSourceLocation: "url:https://github.com/acme/shop/tree/main/",
		}},
		{"pinned to a commit", "", descriptor.Source{URL: pinned, Origin: "url:" + pinned}, map[string]string{
			entity.AnnotationLocation:       "url:" + pinned,
			entity.AnnotationOriginLocation: "url:" + pinned,
			entity.AnnotationViewURL:        pinned,
			entity.AnnotationSourceLocation: "url:https://github.com/acme/shop/tree/0123456789abcdef0123456789abcdef01234567/a/",
		}},
		{"written by the author", ", annotations: {backstage.io/view-url: v, backstage.io/edit-url: e, backstage.io/source-location: s, backstage.io/managed-by-location: m, a: b}", source, map[string]string{
			"a":                             "b",
			entity.AnnotationLocation:       "url:https://github.com/acme/shop/tree/main/catalog-info.yaml",
			entity.AnnotationOriginLocation: "url:https://github.com/acme/shop/blob/main/catalog-info.yaml",
			entity.AnnotationViewURL:        "v",
			entity.AnnotationEditURL:        "e",
			entity.AnnotationSourceLocation: "s",
		}},
		{"another host", "", descriptor.Source{URL: "https://git.acme.com/a/b/tree/c/d.yaml", Origin: "url:o"}, map[string]string{
			entity.AnnotationLocation:       "url:https://git.acme.com/a/b/tree/c/d.yaml",
			entity.AnnotationOriginLocation: "url:o",
			entity.AnnotationViewURL:        "https://git.acme.com/a/b/tree/c/d.yaml",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			res := one(t, entityOf("Component", tt.meta, wellFormed), tt.src)
			var got struct {
				Metadata struct{ Annotations map[string]string }
			}
			if err := json.Unmarshal(res.Declaration.JSON, &got); err != nil {
				t.Fatal(err, res.Errors)
			}
			if diff := cmp.Diff(tt.want, got.Metadata.Annotations); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// The document as written keeps its order, and what the catalog adds stays out of it.
func TestDeclaration(t *testing.T) {
	t.Parallel()
	res := one(t, "# first\n"+entityOf("Component", ", uid: u, etag: e, z: {b: 1.0, a: 1e21}", "{owner: c, type: a, lifecycle: b, providesApis: [z, a]}"), source)
	const written = `{"apiVersion":"backstage.io/v1alpha1","kind":"Component","metadata":{"name":"x","uid":"u","etag":"e","z":{"b":1,"a":1e+21}},` +
		`"spec":{"owner":"c","type":"a","lifecycle":"b","providesApis":["z","a"]}}`
	d := res.Declaration
	if diff := cmp.Diff(written, string(d.Descriptor)); diff != "" {
		t.Errorf("descriptor -want +got:\n%s", diff)
	}
	if d.Line != 2 || d.Document != 0 || d.Ref != "component:default/x" {
		t.Errorf("line %d, document %d, ref %s", d.Line, d.Document, d.Ref)
	}
	var got map[string]map[string]any
	if err := json.Unmarshal(d.JSON, &struct {
		Metadata, Spec *map[string]any
	}{}); err != nil {
		t.Fatal(err)
	}
	_ = json.Unmarshal(d.JSON, &got) // apiVersion and kind are no maps
	if got["metadata"]["uid"] != nil || got["metadata"]["etag"] != "e" || got["metadata"]["namespace"] != "default" {
		t.Errorf("metadata %v", got["metadata"])
	}
	if diff := cmp.Diff([]any{"a", "z"}, got["spec"]["providesApis"]); diff != "" {
		t.Errorf("providesApis -want +got:\n%s", diff)
	}
}

// Each row of contract catalog 2.1: both directions, sorted, each once.
func TestRelations(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, src, want string }{
		{"component", entityOf("Component", ", namespace: ns", "{type: a, lifecycle: b, owner: O, system: default/s, subcomponentOf: p, providesApis: [a, a], consumesApis: [b], dependsOn: ['resource:d'], dependencyOf: 'component:e'}"), `
api:ns/a apiProvidedBy component:ns/x
api:ns/b apiConsumedBy component:ns/x
component:ns/e dependsOn component:ns/x
component:ns/p hasPart component:ns/x
component:ns/x consumesApi api:ns/b
component:ns/x dependencyOf component:ns/e
component:ns/x dependsOn resource:ns/d
component:ns/x ownedBy group:ns/o
component:ns/x partOf component:ns/p
component:ns/x partOf system:default/s
component:ns/x providesApi api:ns/a
group:ns/o ownerOf component:ns/x
resource:ns/d dependencyOf component:ns/x
system:default/s hasPart component:ns/x`},
		{"api", entityOf("API", "", "{type: a, lifecycle: b, owner: user:o, definition: d, system: s}"), `
api:default/x ownedBy user:default/o
api:default/x partOf system:default/s
system:default/s hasPart api:default/x
user:default/o ownerOf api:default/x`},
		{"resource", entityOf("Resource", "", "{type: a, owner: o, dependencyOf: [{kind: Component, name: y}]}"), `
component:default/y dependsOn resource:default/x
group:default/o ownerOf resource:default/x
resource:default/x dependencyOf component:default/y
resource:default/x ownedBy group:default/o`},
		{"system", entityOf("System", "", "{owner: o, domain: d}"), `
domain:default/d hasPart system:default/x
group:default/o ownerOf system:default/x
system:default/x ownedBy group:default/o
system:default/x partOf domain:default/d`},
		{"domain", entityOf("Domain", "", "{owner: o, subdomainOf: d}"), `
domain:default/d hasPart domain:default/x
domain:default/x ownedBy group:default/o
domain:default/x partOf domain:default/d
group:default/o ownerOf domain:default/x`},
		{"group", entityOf("Group", "", "{type: t, parent: p, children: [c], members: [m]}"), `
group:default/c childOf group:default/x
group:default/p parentOf group:default/x
group:default/x childOf group:default/p
group:default/x hasMember user:default/m
group:default/x parentOf group:default/c
user:default/m memberOf group:default/x`},
		{"user", entityOf("User", "", "{memberOf: [other/g]}"), `
group:other/g hasMember user:default/x
user:default/x memberOf group:other/g`},
		{"template", entityOf("Template", "", "{type: t, steps: [], owner: o}"), `
group:default/o ownerOf template:default/x
template:default/x ownedBy group:default/o`},
		{"location", entityOf("Location", "", "{target: ./a, owner: o}"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			res := one(t, tt.src, source)
			var got strings.Builder
			for _, r := range res.Declaration.Relations {
				got.WriteString("\n" + r.Source + " " + r.Type + " " + r.Target)
			}
			if diff := cmp.Diff(tt.want, got.String()); diff != "" || res.Verdict != descriptor.VerdictAccepted {
				t.Errorf("%v -want +got:\n%s", res.Errors, diff)
			}
		})
	}
}

// The vector of contract catalog 3.2.
func TestRootLocation(t *testing.T) {
	t.Parallel()
	const target = "https://github.com/acme/petstore/blob/main/catalog-info.yaml"
	d := descriptor.RootLocation("url", target, true)
	if d.Ref != "location:default/generated-42eac89fee7a0e56fb1c7c7b3766a5298d9d97f7" {
		t.Errorf("ref %s", d.Ref)
	}
	var got struct {
		Metadata struct{ Annotations map[string]string }
		Spec     map[string]string
	}
	if err := json.Unmarshal(d.JSON, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"type": "url", "target": target, "presence": "optional"}, got.Spec); diff != "" {
		t.Errorf("spec -want +got:\n%s", diff)
	}
	want := map[string]string{
		entity.AnnotationLocation:       "url:" + target,
		entity.AnnotationOriginLocation: "url:" + target,
		entity.AnnotationViewURL:        target,
		entity.AnnotationEditURL:        "https://github.com/acme/petstore/edit/main/catalog-info.yaml",
		entity.AnnotationSourceLocation: "url:https://github.com/acme/petstore/tree/main/",
	}
	if diff := cmp.Diff(want, got.Metadata.Annotations); diff != "" {
		t.Errorf("annotations -want +got:\n%s", diff)
	}
	file := descriptor.RootLocation("file", "/etc/catalog.yaml", false)
	if strings.Contains(string(file.JSON), "view-url") || strings.Contains(string(file.JSON), "presence") {
		t.Errorf("file location %s", file.JSON)
	}
}
