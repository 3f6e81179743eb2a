package rule_test

import (
	"encoding/json"
	"testing"

	"github.com/callboard/callboard/pipeline/rule"
)

const acme = "url:https://github.com/acme/cart/blob/main/catalog-info.yaml"

func location(t *testing.T, typ, exact, pattern string) rule.Location {
	t.Helper()
	l, err := rule.NewLocation(typ, exact, pattern)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAllow(t *testing.T) {
	t.Parallel()
	allow := func(kinds ...rule.Kind) []rule.Kind { return kinds }
	group, template := rule.Kind{Kind: "Group"}, rule.Kind{Kind: "Template", SpecType: "Website"}
	tests := []struct {
		name           string
		rules          rule.Rules
		origin         string
		kind, specType string
		want           bool
	}{
		{"default component", rule.Default(), acme, "Component", "", true},
		{"default, kind in any case", rule.Default(), acme, "api", "", true},
		{"default group", rule.Default(), acme, "Group", "", false},
		{"everything", rule.Everything(), acme, "User", "", true},
		{"no rule allows nothing", rule.Rules{}, acme, "Component", "", false},
		{"spec.type in any case", rule.Rules{{Allow: allow(template)}}, acme, "Template", "website", true},
		{"another spec.type", rule.Rules{{Allow: allow(template)}}, acme, "Template", "service", false},
		{
			"exact", rule.Rules{{allow(group), []rule.Location{location(t, "url", acme[4:], "")}}}, acme, "Group", "", true,
		},
		{
			"exact is exact", rule.Rules{{allow(group), []rule.Location{location(t, "url", acme[4:], "")}}}, acme + "x", "Group", "", false,
		},
		{
			"only the type", rule.Rules{{allow(group), []rule.Location{location(t, "url", "", "")}}}, acme, "Group", "", true,
		},
		{
			"another type", rule.Rules{{allow(group), []rule.Location{location(t, "file", "", "")}}}, acme, "Group", "", false,
		},
		{
			"pattern in any case", rule.Rules{{allow(group), []rule.Location{location(t, "url", "", "https://GitHub.com/Acme/**")}}}, acme, "Group", "", true,
		},
		{
			"pattern sees dotfiles", rule.Rules{{allow(group), []rule.Location{location(t, "url", "", "https://github.com/acme/**")}}},
			"url:https://github.com/acme/cart/blob/main/.callboard/groups.yaml", "Group", "", true,
		},
		{
			"pattern of another org", rule.Rules{{allow(group), []rule.Location{location(t, "url", "", "https://github.com/acme/*/blob/**")}}},
			"url:https://github.com/evil/acme/blob/main/x.yaml", "Group", "", false,
		},
		{
			"neither query nor fragment is a file", rule.Rules{{allow(group), []rule.Location{location(t, "url", "", "https://github.com/acme/**/trusted.yaml")}}},
			acme + "#/trusted.yaml", "Group", "", false,
		},
		{
			"exact but for a query", rule.Rules{{allow(group), []rule.Location{location(t, "url", acme[4:], "")}}}, acme + "?x", "Group", "", true,
		},
		{
			"any of several", rule.Rules{{allow(group), []rule.Location{location(t, "url", "x", ""), location(t, "url", acme[4:], "")}}, rule.Default()[0]},
			acme, "Group", "", true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.rules.Allow(tt.origin, tt.kind, tt.specType); got != tt.want {
				t.Errorf("%s %s from %s: %v", tt.kind, tt.specType, tt.origin, got)
			}
		})
	}
}

func TestNewLocation(t *testing.T) {
	t.Parallel()
	if _, err := rule.NewLocation("url", "a", "b"); err == nil {
		t.Error("exact and pattern were taken together")
	}
	if _, err := rule.NewLocation("url", "", "https://github.com/*/@(a|b)"); err == nil {
		t.Error("a pattern that cannot be matched was taken")
	}
}

// The rules are part of what decides how a file is read: their text must tell
// them apart.
func TestString(t *testing.T) {
	t.Parallel()
	kinds := []rule.Kind{{Kind: "Group"}}
	all := []rule.Rules{
		{}, {{}}, {{Allow: kinds}}, {{Allow: []rule.Kind{{Kind: "Group", SpecType: "team"}}}},
		{{Allow: kinds, Locations: []rule.Location{location(t, "url", "", "")}}},
		{{Allow: kinds, Locations: []rule.Location{location(t, "url", "a", "")}}},
		{{Allow: kinds, Locations: []rule.Location{location(t, "url", "", "a")}}},
	}
	seen := map[string]bool{}
	for _, rs := range all {
		if seen[rs.String()] {
			t.Errorf("%q stands for two sets of rules", rs)
		}
		seen[rs.String()] = true
	}
}

// Rules travel as JSON to those who apply them elsewhere, and decide the same there.
func TestJSON(t *testing.T) {
	t.Parallel()
	rs := append(rule.Default(), rule.Rule{
		Allow:     []rule.Kind{{Kind: "Group", SpecType: "team"}},
		Locations: []rule.Location{location(t, "url", "", "https://github.com/acme/**"), location(t, "url", "x", "")},
	})
	raw, err := json.Marshal(rs)
	if err != nil {
		t.Fatal(err)
	}
	var back rule.Rules
	if err := json.Unmarshal(raw, &back); err != nil || back.String() != rs.String() || !back.Allow(acme, "group", "team") || back.Allow(acme, "group", "x") {
		t.Errorf("%s became %s, %v", rs, back, err)
	}
	if err := json.Unmarshal([]byte(`[{"locations":[{"type":"url","exact":"a","pattern":"b"}]}]`), &back); err == nil {
		t.Error("exact and pattern were taken together")
	}
}
