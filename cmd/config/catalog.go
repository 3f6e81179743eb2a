package config

import (
	"path/filepath"

	"github.com/callboard/callboard/pipeline/rule"
)

// Catalog says what may enter the catalog, and how.
type Catalog struct {
	// Rules say which kinds may come from where: catalog.rules or their default,
	// and those of the single catalog.locations.
	Rules rule.Rules
	// Owner is what becomes of entities without an owner: "off", "warn" or "enforce".
	Owner string
	// Readonly closes the registration of locations.
	Readonly bool
	// KeepOrphans keeps what providers declared that left the configuration.
	KeepOrphans bool
	// OrphansStay is orphanStrategy: keep, which is told and not done.
	OrphansStay bool
	// LocationConflict is what registering a known location does: "reject" or "refresh".
	LocationConflict string
}

// Location is an entry of catalog.locations.
type Location struct {
	Type   string
	Target string
	Place  string // file:line, for messages
}

func (c *Config) catalog(r, own reader) {
	at := r.at("catalog").mapping("")
	c.Catalog = Catalog{
		Rules:            rule.Default(),
		Owner:            own.at("owner").oneOf("warn", "off", "warn", "enforce"),
		KeepOrphans:      at.at("orphanProviderStrategy").oneOf("delete", "delete", "keep") == "keep",
		OrphansStay:      at.at("orphanStrategy").oneOf("delete", "delete", "keep") == "keep",
		Readonly:         at.at("readonly").bool(false),
		LocationConflict: at.at("defaultLocationConflictStrategy").oneOf("reject", "reject", "refresh"),
	}
	if rules := at.at("rules"); rules.present() {
		c.Catalog.Rules = rule.Rules{}
		for _, entry := range rules.list() {
			c.Catalog.Rules = append(c.Catalog.Rules, catalogRule(entry))
		}
	}
	for _, entry := range at.at("locations").list() {
		l := Location{Type: entry.at("type").str("url"), Target: entry.at("target").str(""), Place: entry.node.place()}
		l.Target = entry.resolved(l.Type, l.Target)
		c.Locations = append(c.Locations, l)
		for _, own := range entry.at("rules").list() {
			allowed := catalogRule(own)
			here, err := rule.NewLocation(l.Type, l.Target, "")
			if err != nil { // without a pattern there is nothing to go wrong
				own.fault(own.node, "%s: %s", own.path, err)
			}
			allowed.Locations = []rule.Location{here}
			c.Catalog.Rules = append(c.Catalog.Rules, allowed)
		}
	}
	providers := at.at("providers").mapping(", such as {github: {acme: {organization: acme}}}")
	c.providers(providers.at("github"))
	c.orgs(providers.at("githubOrg"))
}

// resolved makes the target of a file location absolute: it is relative to the
// working directory (contract catalog 3.1).
func (r reader) resolved(typ, target string) string {
	if typ != "file" || target == "" {
		return target
	}
	abs, err := filepath.Abs(target)
	if err != nil {
		r.fault(r.node, "%s: %s", r.path, err)
		return target
	}
	return abs
}

// catalogRule reads {allow: [Kind or {kind, 'spec.type'}], locations: [{type, exact, pattern}]}
// (contract catalog 3.7).
func catalogRule(r reader) rule.Rule {
	var out rule.Rule
	if !r.at("allow").present() {
		r.fault(r.node, "%s.allow is missing: list the kinds that are allowed", r.path)
	}
	for _, entry := range r.at("allow").list() {
		k := rule.Kind{}
		if entry.node.fields != nil {
			// The key has a dot in it, so it is no path.
			specType := reader{errs: entry.errs, node: entry.node.fields["spec.type"], path: entry.path + ".spec.type"}
			k = rule.Kind{Kind: entry.at("kind").str(""), SpecType: specType.str("")}
		} else {
			k.Kind = entry.str("")
		}
		if k.Kind == "" {
			entry.fault(entry.node, "%s names no kind: write a kind such as Component, or {kind: Template, spec.type: website}", entry.path)
		}
		out.Allow = append(out.Allow, k)
	}
	for _, entry := range r.at("locations").list() {
		typ := entry.at("type").str("")
		l, err := rule.NewLocation(typ, entry.resolved(typ, entry.at("exact").str("")), entry.at("pattern").str(""))
		if err != nil {
			entry.fault(entry.node, "%s: %s", entry.path, err)
		}
		if !entry.at("type").present() {
			entry.fault(entry.node, "%s.type is missing: write url or file", entry.path)
		}
		out.Locations = append(out.Locations, l)
	}
	return out
}
