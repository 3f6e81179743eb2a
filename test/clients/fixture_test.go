// Package clients drives Callboard with clients that others wrote: the official
// JavaScript client of the catalog, unmodified and over every method it has, and
// the requests of two Go clients. All of it goes through a recorder that holds
// each request and each answer against the OpenAPI document that the server
// itself hands out.
//
// The tests need node and npm; test/services/cmd installs them where it may.
package clients

import (
	"fmt"
	"strings"
	"testing"

	"github.com/callboard/callboard/cmd/config"
	"github.com/callboard/callboard/pipeline/rule"
	"github.com/callboard/callboard/test/githubsim"
	"github.com/callboard/callboard/test/harness"
)

// entity is a descriptor; each line of more belongs to the root, so that
// metadata and spec come from the caller.
func entity(kind, name, metadata, spec string) string {
	return fmt.Sprintf("apiVersion: backstage.io/v1alpha1\nkind: %s\nmetadata:\n  name: %s\n%sspec:\n%s",
		kind, name, indent(metadata), indent(spec))
}

// indent makes "a: b; c: d" two lines of a block.
func indent(fields string) string {
	var b strings.Builder
	for field := range strings.SplitSeq(fields, "; ") {
		if field != "" {
			b.WriteString("  " + field + "\n")
		}
	}
	return b.String()
}

func component(name, metadata, kind, owner, more string) string {
	return entity("Component", name, metadata, "type: "+kind+"; lifecycle: production; owner: "+owner+"; "+more)
}

// repositories is what the clients see: seven Components in acme/shop, which is
// discovered, and files of acme/tools, which somebody has to register.
func repositories() map[string]map[string]string {
	documents := func(docs ...string) string { return strings.Join(docs, "---\n") }
	return map[string]map[string]string{
		"acme/shop": {
			"catalog-info.yaml": documents(
				component("cart", `title: Shopping cart; description: "keeps 100% of it"; tags: [go]; annotations: {acme.com/tier: "1"}`, "service", "team-a", "providesApis: [cart-api]; system: shop"),
				component("checkout", "tags: [go, java]", "service", "team-a", "dependsOn: [component:cart]; consumesApis: [cart-api]"),
				component("payments", "tags: [java]; title: Payments", "service", "team-b", ""),
				component("search", "", "library", "team-b", ""),
				component("web", "title: Web shop", "website", "team-a", ""),
				component("zoo", `labels: {tier: gold}; links: [{url: "https://acme.test/zoo", title: Zoo, icon: web, type: site}]`, "library", "team-a", ""),
				entity("API", "cart-api", "", "type: openapi; lifecycle: production; owner: team-a; system: shop; definition: 'openapi: 3.0.0'"),
				entity("System", "shop", "", "owner: team-a; domain: retail"),
				entity("Domain", "retail", "", "owner: team-a"),
				entity("Resource", "db", "", "type: database; owner: team-b; system: shop"),
				entity("Resource", "twin", "", "type: database; owner: team-b"),
				entity("Group", "team-a", "", "type: team; children: []; members: [ann]; profile: {displayName: Team A, email: a@acme.test}"),
				entity("User", "ann", "", "memberOf: [team-a]; profile: {displayName: Ann}"),
				entity("Location", "more", "", "targets: [./more/nested.yaml]"),
			),
			"more/nested.yaml": component("nested", "", "service", "team-b", ""),
		},
		"acme/tools": {
			"tools.yaml":  documents(component("hammer", "", "library", "team-b", ""), component("saw", "", "library", "team-b", "")),
			"other.yaml":  component("drill", "", "library", "team-b", ""),
			"broken.yaml": entity("Component", "bent", "", "type: library; owner: team-b"),
		},
		"acme/bare": {"README.md": "nothing to see"},
		// One is declared in acme/shop too, the other lacks a lifecycle.
		"acme/broken": {"catalog-info.yaml": documents(entity("Resource", "twin", "", "type: database; owner: team-z"), entity("Component", "bent", "", "type: library; owner: team-z"))},
	}
}

// start runs a Callboard over the fixture, behind a recorder.
func start(t *testing.T, setup harness.Setup) (*harness.World, *recorder) {
	t.Helper()
	w := harness.New(t, setup)
	var kinds []rule.Kind
	for _, kind := range []string{"Component", "API", "Resource", "System", "Domain", "Group", "User", "Location", "Template"} {
		kinds = append(kinds, rule.Kind{Kind: kind})
	}
	w.Config.Catalog.Rules = rule.Rules{{Allow: kinds}}
	w.Config.Auth = config.Auth{AnonymousRead: true, External: []config.ExternalAccess{
		{Subject: "clients", Token: token},
		{Subject: "reader", Token: reader, Restrictions: map[string]config.AccessRestriction{"catalog": {Permissions: []string{"catalog.entity.read"}}}},
	}}
	w.Config.Scan.MaxRemovedShare, w.Config.Scan.MaxRemovedEntities = 0, 0 // so that a scan pauses
	for name, files := range repositories() {
		owner, repo, _ := strings.Cut(name, "/")
		if _, err := w.GitHub.CreateRepo(owner, repo, githubsim.RepoOptions{}, files); err != nil {
			t.Fatal(err)
		}
	}
	w.Start().Install("acme")
	w.Settled()
	return w, record(t, w.URL)
}
