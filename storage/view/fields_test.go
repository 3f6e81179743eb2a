package view_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/storage/view"
)

func TestFields(t *testing.T) {
	t.Parallel()
	v := loaded(t, 1, row("a:b/c", "u", `{"kind":"A","metadata":{"name":"c","annotations":{"acme.com/x":"1","acme":{"com/x":"2"},"acme.com/y.z":"3","twice":{"x":1},"twice":{"x":2},"":{"e":1}},"tags":["t"],"null":null}}`))
	e := byRef(v, "a:b/c")
	tests := []struct {
		fields []string
		want   string
	}{
		{[]string{"metadata.name"}, `{"metadata":{"name":"c"}}`},
		{[]string{"kind,metadata.name"}, `{"metadata":{"name":"c"},"kind":"A"}`},
		{[]string{"kind", " metadata.uid "}, `{"metadata":{"uid":"u"},"kind":"A"}`},
		{[]string{"Kind"}, `{}`},
		{[]string{"metadata.tags,metadata.none"}, `{"metadata":{"tags":["t"]}}`},
		{[]string{"metadata.tags.0"}, `{}`},
		{[]string{"metadata.null"}, `{"metadata":{"null":null}}`},
		{[]string{"metadata.annotations.acme.com/x"}, `{"metadata":{"annotations":{"acme":{"com/x":"2"}}}}`},
		{[]string{"metadata.annotations.acme.com/y.z"}, `{"metadata":{"annotations":{"acme.com/y.z":"3"}}}`},
		{[]string{"relations"}, `{"relations":[]}`},
		{[]string{"metadata.annotations.twice.x"}, `{"metadata":{"annotations":{"twice":{"x":2}}}}`},
		{[]string{"metadata.annotations..e"}, `{"metadata":{"annotations":{"":{"e":1}}}}`},
		{[]string{"metadata.annotations.", "metadata.", ".", "kind.", ".kind"}, `{"metadata":{"annotations":{"":{"e":1}}}}`},
		{[]string{",", " , "}, `{}`},
		{[]string{"metadata.annotations.acme,metadata.annotations"}, `{"metadata":{"annotations":{"acme.com/x":"1","acme":{"com/x":"2"},"acme.com/y.z":"3","twice":{"x":1},"twice":{"x":2},"":{"e":1}}}}`},
	}
	for _, tt := range tests {
		fields, err := view.ParseFields(tt.fields)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, string(e.AppendJSON(nil, fields))); diff != "" {
			t.Errorf("%v: %s", tt.fields, diff)
		}
	}
}

func TestParseFields(t *testing.T) {
	t.Parallel()
	if fields, err := view.ParseFields(nil); err != nil || fields != nil {
		t.Errorf("without a parameter everything is served: %v, %v", fields, err)
	}
	path := func(segments int) string { return strings.TrimSuffix(strings.Repeat("a.", segments), ".") }
	tests := []struct {
		name   string
		fields []string
		want   string
	}{
		{"array", []string{"kind,metadata.tags[0]"}, `Invalid field "metadata.tags[0]", array type fields are not supported`},
		{"as many segments as allowed", []string{path(100)}, ""},
		{"too many segments", []string{path(101)}, `Invalid field "` + path(101) + `", more than 100 segments`},
		{"as long as allowed", []string{strings.Repeat("a", 1024)}, ""},
		{"too long", []string{strings.Repeat("a", 1025)}, "Invalid field, longer than 1024 bytes"},
		{"as many as allowed", []string{strings.Repeat("a,", 199), "b", ","}, ""},
		{"too many", []string{strings.Repeat("a,", 199), "b,c"}, "Too many fields, at most 200 are supported"},
		{"what kept a core busy for minutes", []string{path(200_000)}, "Invalid field, longer than 1024 bytes"},
	}
	for _, tt := range tests {
		got := ""
		if _, err := view.ParseFields(tt.fields); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: got %.200q, want %.200q", tt.name, got, tt.want)
		}
	}
}

func FuzzFields(f *testing.F) {
	for _, s := range []string{"metadata.name", "a..b", ".", "x[0]", "metadata.annotations.a.b/c,kind", strings.Repeat("a.", 99), strings.Repeat("a.", 200_000)} {
		f.Add(s)
	}
	v := loaded(f, 1, component("cart", "u", `"annotations":{"a.b/c":"d","":{"":1}}`))
	e := byRef(v, "component:default/cart")
	f.Fuzz(func(t *testing.T, s string) {
		fields, err := view.ParseFields([]string{s})
		if err == nil && !json.Valid(e.AppendJSON(nil, fields)) {
			t.Errorf("%q gives %s", s, e.AppendJSON(nil, fields))
		}
	})
}
