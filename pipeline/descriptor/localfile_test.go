package descriptor_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/pipeline/descriptor"
)

var localSource = descriptor.Source{
	URL: "file:/srv/catalog/parts/a.yaml", Origin: "file:/srv/catalog/all.yaml", Path: "srv/catalog/parts/a.yaml",
	Read: func(u string) ([]byte, error) { return []byte("text of " + u), nil },
}

// Files of the machine have two annotations only, and name others relative to
// themselves.
func TestLocalFile(t *testing.T) {
	t.Parallel()
	docs, _ := descriptor.Parse([]byte(component("cart", "  definition: {$text: ../text.md}\n")), descriptor.Limits{})
	res := docs[0].Process(localSource)
	want := `{"apiVersion":"backstage.io/v1alpha1","kind":"Component","metadata":{"name":"cart","annotations":{` +
		`"backstage.io/managed-by-location":"file:/srv/catalog/parts/a.yaml","backstage.io/managed-by-origin-location":"file:/srv/catalog/all.yaml"},` +
		`"namespace":"default"},"spec":{"type":"service","lifecycle":"production","owner":"team-a","definition":"text of file:/srv/catalog/text.md"}}`
	if diff := cmp.Diff(want, string(res.Declaration.JSON)); diff != "" {
		t.Errorf("%+v (-want +got):\n%s", res.Errors, diff)
	}
	tests := []struct {
		name, spec string
		targets    []string
		fault      string
	}{
		{"relative", "targets: [./b.yaml, ../c.yaml, d/e.yaml, ../../../../etc/x]", []string{"file:/srv/catalog/parts/b.yaml", "file:/srv/catalog/c.yaml", "file:/srv/catalog/parts/d/e.yaml", "file:/etc/x"}, ""},
		{"absolute", "target: /srv/x/../y.yaml", []string{"file:/srv/y.yaml"}, ""},
		{"glob", "target: './**/*.{yaml,yml}'", []string{"file:/srv/catalog/parts/**/*.{yaml,yml}"}, ""},
		{"odd names", "target: './a b#c?.yaml'", []string{"file:/srv/catalog/parts/a b#c?.yaml"}, ""},
		{"of type file", "type: file\n  target: ./b.yaml", []string{"file:/srv/catalog/parts/b.yaml"}, ""},
		{"a URL", "target: https://github.com/acme/shop/blob/main/x.yaml", []string{"https://github.com/acme/shop/blob/main/x.yaml"}, ""},
		{"of type url", "type: url\n  target: https://github.com/acme/shop/blob/main/x.yaml", []string{"https://github.com/acme/shop/blob/main/x.yaml"}, ""},
		{"a path of type url", "type: url\n  target: ./x.yaml", nil, "is not allowed"},
		{"a folder", "target: ./b/", nil, "Invalid URL"},
		{"another type", "type: zip\n  target: ./b", nil, "allowed type"},
		{"another scheme", "target: ftp://x/y", nil, "is not allowed"},
	}
	for _, tt := range tests {
		docs, _ := descriptor.Parse([]byte("apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: x}\nspec:\n  "+tt.spec+"\n"), descriptor.Limits{})
		res := docs[0].Process(localSource)
		fault := ""
		if len(res.Errors) > 0 {
			fault = res.Errors[0].Message
		}
		if (fault == "") != (tt.fault == "") || !strings.Contains(fault, tt.fault) || !slices.Equal(res.Targets, tt.targets) {
			t.Errorf("%s: %v, %q", tt.name, res.Targets, fault)
		}
	}
	docs, _ = descriptor.Parse([]byte("a: [\n"), descriptor.Limits{})
	if res := docs[0].Process(localSource); !strings.HasPrefix(res.Errors[0].Message, "YAML error at file:/srv/catalog/parts/a.yaml, ") {
		t.Errorf("%+v", res.Errors[0])
	}
}

// A file of a repository does not reach the files of the machine.
func TestLocalFileIsOutOfReach(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"file:/etc/passwd", "file:///etc/passwd"} {
		docs, _ := descriptor.Parse([]byte("apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: x}\nspec: {target: '"+target+"'}\n"), descriptor.Limits{})
		if res := docs[0].Process(source); len(res.Targets) != 0 || len(res.Errors) == 0 {
			t.Errorf("%s: targets %v, errors %v", target, res.Targets, res.Errors)
		}
	}
}

func TestOrphan(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{`{"kind":"X","metadata":{"name":"a"}}`, `{"kind":"X","metadata":{"name":"a","annotations":{"backstage.io/orphan":"true"}}}`},
		{`{"metadata":{"annotations":{"z":"1","a":"<&>"},"name":"a"},"n":1.5}`, `{"metadata":{"annotations":{"z":"1","a":"<&>","backstage.io/orphan":"true"},"name":"a"},"n":1.5}`},
		{`{"metadata":{"annotations":{"backstage.io/orphan":"true"}}}`, `{"metadata":{"annotations":{"backstage.io/orphan":"true"}}}`},
		{`{}`, ""},
		{`[`, ""},
	}
	for _, tt := range tests {
		got, err := descriptor.Orphan([]byte(tt.in))
		if string(got) != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s: %s, %v", tt.in, got, err)
		}
	}
}
