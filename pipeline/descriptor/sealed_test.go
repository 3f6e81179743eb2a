package descriptor_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/callboard/callboard/pipeline/descriptor"
)

// sealedShop tells of the files of the shop that they are there, and no more.
func sealedShop() descriptor.Source {
	s := source
	s.Exists = func(u string) error {
		if _, ok := shopFiles[u]; ok {
			return nil
		}
		return descriptor.NotFound(u)
	}
	return s
}

// What a placeholder brings is good wherever it stands when it may not be seen.
func TestSealedPlaceholders(t *testing.T) {
	t.Parallel()
	entity := func(kind, meta, spec string) string {
		version := "backstage.io/v1alpha1"
		if kind == "Template" {
			version = "scaffolder.backstage.io/v1beta3"
		}
		return `{"apiVersion":"` + version + `","kind":"` + kind + `","metadata":{"name":"a"` + meta + `},"spec":` + spec + `}`
	}
	const sound = `{"type":"service","lifecycle":"x","owner":"o"}`
	const text, list = `{"$text":"./text"}`, `{"$json":"./broken"}`
	tests := []struct{ name, src, want string }{
		{"a tag", entity("Component", `,"tags":[`+text+`]`, sound), ""},
		{"all tags", entity("Component", `,"tags":`+list, sound), ""},
		{"a label", entity("Component", `,"labels":{"x":`+text+`}`, sound), ""},
		{"all labels", entity("Component", `,"labels":`+list, sound), ""},
		{"an annotation", entity("Component", `,"annotations":{"x":{"$yaml":"./bad.yaml"}}`, sound), ""},
		{"a link", entity("Component", `,"links":[`+list+`,{"url":`+text+`,"title":`+text+`}]`, sound), ""},
		{"the owner", entity("Component", "", `{"type":`+text+`,"lifecycle":`+list+`,"owner":`+text+`,"dependsOn":[`+text+`],"consumesApis":`+list+`}`), ""},
		{"the spec", entity("Component", "", text), ""},
		{"targets", entity("Location", "", `{"type":`+text+`,"target":`+text+`,"targets":[`+text+`],"presence":`+text+`}`), ""},
		{"the spec of a location", entity("Location", "", list), ""},
		{"parts of a template", entity("Template", "", `{"type":"x","parameters":`+list+`,"steps":[`+list+`],"output":`+text+`}`), ""},
		{"the namespace", entity("Component", `,"namespace":`+text, sound), "/metadata/namespace must be string"},
		{"a file that is not there", entity("Component", `,"title":{"$text":"./nope"}`, sound), "could not read location ./nope, NotFoundError"},
		{"something else that is wrong", entity("Component", `,"title":`+text, `{"type":"x"}`), "must have required property 'lifecycle'"},
	}
	for _, tt := range tests {
		doc, err := descriptor.ParseEntity([]byte(tt.src), descriptor.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		res := doc.Process(sealedShop())
		if tt.want == "" {
			if res.Verdict != descriptor.VerdictAccepted || !json.Valid(res.Declaration.JSON) || len(res.Targets) > 0 {
				t.Errorf("%s: %s %v %v", tt.name, res.Verdict, res.Errors, res.Targets)
			}
			continue
		}
		if len(res.Errors) == 0 || !strings.Contains(res.Errors[0].Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, res.Errors, tt.want)
		}
	}
	doc, err := descriptor.ParseEntity([]byte(entity("Component", "", text)), descriptor.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	owners := 0
	for _, r := range doc.Process(sealedShop()).Declaration.Relations {
		if r.Type == "ownedBy" {
			owners++
		}
	}
	if owners != 1 {
		t.Errorf("a spec that is not seen may name an owner, and has %d", owners)
	}
}
