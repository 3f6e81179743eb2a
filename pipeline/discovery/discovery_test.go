package discovery_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/match"
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

// Which entries cover an account depends on the Apps that are installed there.
func TestCovering(t *testing.T) {
	t.Parallel()
	p := discovery.Policy{Providers: []discovery.Provider{
		{ID: "app", Host: "github.com", App: 7},
		{ID: "acme", Host: "github.com", Organization: "Acme"},
		{ID: "ghe", Host: "ghe.acme.test", Organization: "acme"},
		{ID: "again", Host: "GitHub.com", Organization: "acme"},
	}}
	tests := []struct {
		name        string
		host, owner string
		apps        []int64
		want        []string
	}{
		{"by name and App", "github.com", "ACME", []int64{7}, []string{"app", "acme", "again"}},
		{"another App", "github.com", "acme", []int64{8}, []string{"acme", "again"}},
		{"a host", "GHE.acme.test", "acme", nil, []string{"ghe"}},
		{"by App", "github.com", "other", []int64{8, 7}, []string{"app"}},
		{"which App is not known", "github.com", "other", nil, []string{"app"}},
		{"a user", "github.com", "other", []int64{}, nil},
		{"an App of another host", "ghe.acme.test", "other", []int64{7}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, own := range p.Covering(discovery.Account{Host: tt.host, Owner: tt.owner, Apps: tt.apps}) {
				got = append(got, own.ID)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
	if got := discovery.All("/x.yaml").Covering(discovery.Account{Host: "any", Owner: "body"}); len(got) != 1 || got[0].CatalogPath != "x.yaml" || got[0].Organization != "body" {
		t.Errorf("without providers: %+v", got)
	}
}

// Of several entries about one organization those count that take the repository.
func TestRead(t *testing.T) {
	t.Parallel()
	entry := func(id, path, branch, topic string) discovery.Provider {
		p := discovery.Provider{ID: id, Host: "github.com", Organization: "acme", CatalogPath: path, Branch: branch}
		if topic != "" {
			p.Filter.TopicInclude = []string{topic}
		}
		return p
	}
	p := discovery.Policy{Providers: []discovery.Provider{
		entry("a", "a.yaml", "", "a"), entry("dev", "dev.yaml", "develop", "dev"), entry("b", "**/b.yaml", "", "b"), entry("twice", "a.yaml", "", "b"),
	}}
	tests := []struct {
		topics []string
		want   discovery.Reading
		why    string
	}{
		{[]string{"a"}, discovery.Reading{Paths: []string{"a.yaml"}}, ""},
		{[]string{"b", "a"}, discovery.Reading{Paths: []string{"a.yaml", "**/b.yaml"}}, ""},
		{[]string{"dev", "b"}, discovery.Reading{Branch: "develop", Paths: []string{"dev.yaml"}}, ""},
		{[]string{"dev", "a"}, discovery.Reading{Paths: []string{"a.yaml"}}, ""},
		{nil, discovery.Reading{}, "a: it has none of the topics of filters.topic.include: a; dev: "},
	}
	for _, tt := range tests {
		got, why, ok := p.Read(discovery.Account{Host: "github.com", Owner: "acme"}, discovery.Facts{Name: "x", Topics: tt.topics})
		if diff := cmp.Diff(tt.want, got); diff != "" || ok != (tt.why == "") || !strings.HasPrefix(why, tt.why) {
			t.Errorf("%v: %v %q\n%s", tt.topics, ok, why, diff)
		}
	}
	if _, why, ok := p.Read(discovery.Account{Host: "github.com", Owner: "other"}, discovery.Facts{}); ok || !strings.Contains(why, "no entry of catalog.providers.github covers other") {
		t.Errorf("%v %q", ok, why)
	}
	glob, err := match.Compile(discovery.Glob([]string{"a.yaml", "**/{b,c}.yaml"}))
	if err != nil || !glob.Match("a.yaml") || !glob.Match("x/c.yaml") || glob.Match("c/a.yaml") {
		t.Errorf("%v %v", glob, err)
	}
}
