package discovery_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/callboard/callboard/pipeline/discovery"
)

func TestAdmits(t *testing.T) {
	t.Parallel()
	all := discovery.Filter{AllowForks: true, AllowArchived: true}
	with := func(change func(*discovery.Filter)) discovery.Filter {
		f := all
		change(&f)
		return f
	}
	facts := discovery.Facts{Name: "cart", Visibility: "private", Topics: []string{"go", "shop"}}
	tests := []struct {
		name   string
		filter discovery.Filter
		change func(*discovery.Facts)
		reason string // "" when it is taken
	}{
		{"nothing filters", all, nil, ""},
		{"name", with(func(f *discovery.Filter) { f.Repository = regexp.MustCompile("^(?:car.)$") }), nil, ""},
		{"other name", with(func(f *discovery.Filter) { f.Repository = regexp.MustCompile("^(?:car)$") }), nil, "filters.repository"},
		{"fork", with(func(f *discovery.Filter) { f.AllowForks = false }), func(r *discovery.Facts) { r.Fork = true }, "fork"},
		{"archived", with(func(f *discovery.Filter) { f.AllowArchived = false }), func(r *discovery.Facts) { r.Archived = true }, "archived"},
		{"visible", with(func(f *discovery.Filter) { f.Visibility = []string{"private"} }), func(r *discovery.Facts) { r.Visibility = "PRIVATE" }, ""},
		{"hidden", with(func(f *discovery.Filter) { f.Visibility = []string{"public", "internal"} }), nil, "filters.visibility"},
		{"a topic", with(func(f *discovery.Filter) { f.TopicInclude = []string{"x", "go"} }), nil, ""},
		{"no topic", with(func(f *discovery.Filter) { f.TopicInclude = []string{"x"} }), nil, "filters.topic.include"},
		{"exclude wins", with(func(f *discovery.Filter) { f.TopicInclude, f.TopicExclude = []string{"go"}, []string{"shop"} }), nil, "filters.topic.exclude"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := facts
			if tt.change != nil {
				tt.change(&r)
			}
			reason, ok := tt.filter.Admits(r)
			if ok != (tt.reason == "") || !strings.Contains(reason, tt.reason) {
				t.Errorf("%v %q, want %q", ok, reason, tt.reason)
			}
		})
	}
}

func TestFor(t *testing.T) {
	t.Parallel()
	p := discovery.Policy{Providers: []discovery.Provider{
		{ID: "app", Host: "github.com", App: 7, CatalogPath: "app.yaml"},
		{ID: "acme", Host: "github.com", Organization: "Acme", CatalogPath: "acme.yaml"},
		{ID: "ghe", Host: "ghe.acme.test", Organization: "acme", CatalogPath: "ghe.yaml"},
	}}
	tests := []struct {
		host, owner string
		app         int64
		path        string // "" for none
	}{
		{"github.com", "ACME", 0, "acme.yaml"},
		{"GHE.acme.test", "acme", 0, "ghe.yaml"},
		{"github.com", "other", 7, "app.yaml"},
		{"github.com", "other", 0, "app.yaml"},
		{"github.com", "other", 8, ""},
		{"ghe.acme.test", "other", 7, ""},
	}
	for _, tt := range tests {
		got, ok := p.For(tt.host, tt.owner, tt.app)
		if ok != (tt.path != "") || got.CatalogPath != tt.path || ok && !strings.EqualFold(got.Organization, tt.owner) {
			t.Errorf("%s/%s %d: %+v %v, want %q", tt.host, tt.owner, tt.app, got, ok, tt.path)
		}
	}
	if got, ok := discovery.All("/x.yaml").For("any", "body", 0); !ok || got.CatalogPath != "x.yaml" || got.Organization != "body" {
		t.Errorf("without providers: %+v %v", got, ok)
	}
}
