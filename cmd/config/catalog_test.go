package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCatalogRules(t *testing.T) {
	t.Parallel()
	const org = "url:https://github.com/acme/org/blob/main/all.yaml"
	text := `
catalog:
  readonly: yes
  defaultLocationConflictStrategy: refresh
  rules:
    - allow: [Component, {kind: Template, spec.type: website}]
    - allow: [User]
      locations: [{type: url, pattern: https://github.com/acme/*/blob/**}]
  locations:
    - type: url
      target: https://github.com/acme/org/blob/main/all.yaml
      rules: [{allow: [Group]}]
callboard:
  catalog: {owner: off}
`
	c, err := load(t, nil, text)
	if err != nil {
		t.Fatal(err)
	}
	if !c.Catalog.Readonly || c.Catalog.LocationConflict != "refresh" || c.Catalog.Owner != "off" {
		t.Errorf("%+v", c.Catalog)
	}
	tests := []struct {
		origin, kind, specType string
		want                   bool
	}{
		{org, "Component", "", true},
		{org, "API", "", false}, // catalog.rules replace the default
		{org, "Template", "website", true},
		{org, "Template", "service", false},
		{org, "User", "", true},
		{"url:https://github.com/evil/org/blob/main/all.yaml", "User", "", false},
		{org, "Group", "", true}, // the location's own rule adds
		{org + "2", "Group", "", false},
	}
	for _, tt := range tests {
		if got := c.Catalog.Rules.Allow(tt.origin, tt.kind, tt.specType); got != tt.want {
			t.Errorf("%s %s from %s: %v", tt.kind, tt.specType, tt.origin, got)
		}
	}
	c, err = load(t, nil, "catalog: {rules: []}")
	if err != nil || c.Catalog.Rules.Allow(org, "Component", "") {
		t.Errorf("rules: [] allows something; %v", err)
	}
}

// Files are relative to the working directory, in rules too.
func TestFileLocations(t *testing.T) {
	t.Parallel()
	c, err := load(t, nil, `
catalog:
  rules:
    - allow: [User]
      locations: [{type: file, exact: ./org/../org.yaml}, {type: file, pattern: /srv/**}]
  locations:
    - {type: file, target: ./examples/*.yaml}
    - {type: file, target: ../all.yaml, rules: [{allow: [Template]}]}
    - {type: file, target: /srv/all.yaml}
`)
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	above := filepath.Join(filepath.Dir(here), "all.yaml")
	var got []string
	for _, l := range c.Locations {
		got = append(got, l.Target)
	}
	if want := []string{filepath.Join(here, "examples/*.yaml"), above, "/srv/all.yaml"}; !slices.Equal(got, want) {
		t.Errorf("targets %v, want %v", got, want)
	}
	tests := []struct {
		origin, kind string
		want         bool
	}{
		{"file:" + above, "Template", true},
		{"file:" + above + "2", "Template", false},
		{"file:" + filepath.Join(here, "org.yaml"), "User", true},
		{"file:/srv/all.yaml", "User", true},
		{"file:" + above, "User", false},
	}
	for _, tt := range tests {
		if got := c.Catalog.Rules.Allow(tt.origin, tt.kind, ""); got != tt.want {
			t.Errorf("%s from %s: %v", tt.kind, tt.origin, got)
		}
	}
}

func TestCatalogFaults(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, want string }{
		{"catalog:\n  rules:\n    - allow: [Component]\n      locations: [{type: url, exact: a, pattern: b}]", "0.yaml:4: catalog.rules[0].locations[0]: exact and pattern exclude each other"},
		{"catalog:\n  rules:\n    - locations: []", "0.yaml:3: catalog.rules[0].allow is missing"},
		{"catalog:\n  rules:\n    - allow: [{spec.type: x}]", "0.yaml:3: catalog.rules[0].allow[0] names no kind"},
		{"catalog:\n  rules:\n    - allow: [A]\n      locations: [{exact: a}]", "0.yaml:4: catalog.rules[0].locations[0].type is missing"},
		{"catalog:\n  readonly: perhaps", `0.yaml:2: catalog.readonly must be true or false, not "perhaps"`},
		{"callboard:\n  catalog: {owner: maybe}", `0.yaml:2: callboard.catalog.owner must be one of off, warn, enforce, not "maybe"`},
	}
	for _, tt := range tests {
		if _, err := load(t, nil, tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %s", tt.text, err, tt.want)
		}
	}
}
