package config

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/schedule"
)

func TestProviders(t *testing.T) {
	t.Parallel()
	got, err := load(t, nil, `
integrations: {github: [{host: github.com}, {host: GHE.acme.test}]}
catalog:
  providers:
    github:
      plain: {organization: acme}
      full:
        organization: other
        host: ghe.acme.test
        catalogPath: /services/**/catalog.yaml
        filters:
          branch: develop
          repository: 'svc-.*'
          topic: {include: [catalog], exclude: [old, dead]}
          allowForks: false
          allowArchived: true
          visibility: [Private, INTERNAL]
        schedule: {frequency: PT30M, timeout: {minutes: 3}, initialDelay: 15s}
        pageSizes: {repositories: 50}
      cron: {app: 7, schedule: {frequency: {cron: '0 3 * * *'}}}
      byHand: {organization: third, schedule: {frequency: {trigger: manual}}}
    githubOrg:
      - id: prod
        githubUrl: https://ghe.acme.test
        orgs: [acme, other]
        pageSizes: {teams: 10}
        defaultUserTransformer: {useVerifiedEmails: true}
        excludeSuspendedUsers: true
        schedule: {frequency: {hours: 1, minutes: 30}, timeout: 2d}
callboard:
  scan: {maxRemovedShare: 0.5, maxRemovedEntities: 7, undo: 2w, recovery: {frequency: 1m}, redeliveryWindow: 7d}
  budget: {reserve: 0.3}
`)
	if err != nil {
		t.Fatal(err)
	}
	open := discovery.Filter{AllowForks: true}
	want := []discovery.Provider{
		{ID: "plain", Host: "github.com", Organization: "acme", CatalogPath: "catalog-info.yaml", Filter: open, Schedule: defaultScan, PageSize: 100},
		{
			ID: "full", Host: "ghe.acme.test", Organization: "other", CatalogPath: "services/**/catalog.yaml", Branch: "develop", PageSize: 50,
			Filter: discovery.Filter{
				Repository: regexp.MustCompile("^(?:svc-.*)$"), TopicInclude: []string{"catalog"}, TopicExclude: []string{"old", "dead"},
				AllowArchived: true, Visibility: []string{"private", "internal"},
			},
			Schedule: schedule.Schedule{Frequency: 30 * time.Minute, Timeout: 3 * time.Minute, InitialDelay: 15 * time.Second},
		},
		{
			ID: "cron", Host: "github.com", App: 7, CatalogPath: "catalog-info.yaml", Filter: open, PageSize: 100,
			Schedule: schedule.Schedule{Cron: "0 3 * * *", Timeout: time.Hour},
		},
		{
			ID: "byHand", Host: "github.com", Organization: "third", CatalogPath: "catalog-info.yaml", Filter: open, PageSize: 100,
			Schedule: schedule.Schedule{Manual: true, Timeout: time.Hour},
		},
	}
	expr := cmp.Comparer(func(a, b *regexp.Regexp) bool { return a == b || a != nil && b != nil && a.String() == b.String() })
	if diff := cmp.Diff(want, got.Providers, expr); diff != "" {
		t.Errorf("providers (-want +got)\n%s", diff)
	}
	orgs := []OrgProvider{{
		ID: "prod", Host: "ghe.acme.test", Orgs: []string{"acme", "other"}, TeamPage: 10, TeamMemberPage: 100, MemberPage: 100,
		UseVerifiedEmails: true, ExcludeSuspended: true, Schedule: schedule.Schedule{Frequency: 90 * time.Minute, Timeout: 48 * time.Hour},
	}}
	if diff := cmp.Diff(orgs, got.Orgs); diff != "" {
		t.Errorf("orgs (-want +got)\n%s", diff)
	}
	scan := DefaultScan()
	scan.MaxRemovedShare, scan.MaxRemovedEntities, scan.Undo, scan.Recovery.Frequency, scan.Window = 0.5, 7, 14*24*time.Hour, time.Minute, 7*24*time.Hour
	if diff := cmp.Diff(scan, got.Scan); diff != "" || got.BudgetReserve != 0.3 {
		t.Errorf("scan (-want +got)\n%s; reserve %v", diff, got.BudgetReserve)
	}
}

// A block with organization is one provider, default.
func TestProviderAlone(t *testing.T) {
	t.Parallel()
	got, err := load(t, nil, "catalog: {providers: {github: {organization: acme}, githubOrg: {id: x, githubUrl: 'https://github.com'}}}")
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Providers) != 1 || got.Providers[0].ID != "default" || len(got.Orgs) != 1 || got.Orgs[0].Host != "github.com" {
		t.Errorf("%+v %+v", got.Providers, got.Orgs)
	}
}

func TestProviderFaults(t *testing.T) {
	t.Parallel()
	_, err := load(t, nil, `
catalog:
  providers:
    github:
      none: {catalogPath: x.yaml}
      both: {organization: a, app: 3}
      slash: {organization: b, filters: {branch: feature/x}}
      exists: {organization: c, catalogPath: '**/x.yaml', validateLocationsExist: true}
      regex: {organization: d, filters: {repository: '('}}
      seen: {organization: e, filters: {visibility: [secret]}}
      again: {organization: D}
      size: {organization: f, pageSizes: {repositories: 1000}}
      when: {organization: g, schedule: {frequency: often}}
      cron: {organization: h, schedule: {frequency: {cron: 'x x x x x'}}}
      long: {organization: i, schedule: {frequency: {years: 1000}}}
    githubOrg: [{id: a, githubUrl: nonsense}, {id: a}]
callboard:
  scan: {maxRemovedShare: 2, typo: 1}
`)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"0.yaml:5: catalog.providers.github.none needs organization",
		"0.yaml:6: catalog.providers.github.both has organization and app",
		"0.yaml:7: catalog.providers.github.slash.filters.branch must not contain a slash",
		"0.yaml:8: catalog.providers.github.exists: validateLocationsExist does not go with a *",
		"0.yaml:9: catalog.providers.github.regex.filters.repository is not a regular expression",
		"0.yaml:10: catalog.providers.github.seen.filters.visibility is public, internal or private",
		"0.yaml:12: catalog.providers.github.size.pageSizes.repositories must be from 1 to 100",
		"0.yaml:13: catalog.providers.github.when.schedule.frequency must be a duration",
		"0.yaml:14: catalog.providers.github.cron.schedule.frequency.cron",
		"0.yaml:15: catalog.providers.github.long.schedule.frequency.years must be a number, and from 0 to a hundred years",
		"0.yaml:16: catalog.providers.githubOrg[0].githubUrl must be a URL",
		`there are two entries with the id "a"`,
		"0.yaml:18: callboard.scan.maxRemovedShare must be a number from 0 to 1",
		"0.yaml:18: callboard.scan.typo is not a key",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want time.Duration
		ok   bool
	}{
		{"90s", 90 * time.Second, true},
		{"1h30m", 90 * time.Minute, true},
		{"30 minutes", 30 * time.Minute, true},
		{"1 min", time.Minute, true},
		{"0.5 hours", 30 * time.Minute, true},
		{"2 Days", 48 * time.Hour, true},
		{"250ms", 250 * time.Millisecond, true},
		{"3 fortnights", 0, false},
		{"PT0.5H", 30 * time.Minute, true},
		{"PT1,5S", 1500 * time.Millisecond, true},
		{"P1DT", 0, false},
		{"2d", 48 * time.Hour, true},
		{"PT1H", time.Hour, true},
		{"P1DT2H3M4S", 26*time.Hour + 3*time.Minute + 4*time.Second, true},
		{"P2W", 14 * 24 * time.Hour, true},
		{"P", 0, false},
		{"PT", 0, false},
		{"-1s", 0, false},
		{"5", 0, false},
		{"99999999999999999999d", 0, false},
		{"P99999999Y", 0, false},
		{"3000000h", 0, false},
	}
	for _, tt := range tests {
		got, ok := parseDuration(tt.text)
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("%q: %v %v", tt.text, got, ok)
		}
	}
}

// Backstage documents several entries for one organization.
func TestSeveralEntriesOfOneOrganization(t *testing.T) {
	t.Parallel()
	got, err := load(t, nil, `
catalog:
  providers:
    github:
      wildcardProviderId: {organization: acme, catalogPath: '/groups/**/*.yaml', schedule: {frequency: {hours: 0.5}}}
      topicProviderId: {organization: Acme, filters: {branch: main, topic: {include: [x]}}, schedule: {frequency: '@hourly'}}
`)
	if err != nil || len(got.Providers) != 2 {
		t.Fatalf("%+v %v", got, err)
	}
	if a, b := got.Providers[0].Schedule, got.Providers[1].Schedule; a.Frequency != 30*time.Minute || b.Cron != "@hourly" {
		t.Errorf("%+v %+v", a, b)
	}
}

// A value of the wrong shape must not pass for an absent one: then everything
// would be discovered. Keys that are not known may be somebody else's.
func TestShapes(t *testing.T) {
	t.Parallel()
	tests := []struct{ yaml, want string }{
		{"catalog: {providers: {github: {a: {organization: x, filters: all}}}}", "0.yaml:1: catalog.providers.github.a.filters must be a mapping, such as"},
		{"catalog: {providers: {github: {a: {organization: x, filters: {topic: x}}}}}", "catalog.providers.github.a.filters.topic must be a mapping: {include: [a]"},
		{"catalog: {providers: {github: {a: {organization: x, schedule: 30m}}}}", "catalog.providers.github.a.schedule must be a mapping, such as {frequency:"},
		{"catalog: {providers: {github: {a: {organization: x, pageSizes: 30}}}}", "catalog.providers.github.a.pageSizes must be a mapping"},
		{"catalog: {providers: {github: {a: x}}}", "catalog.providers.github.a must be a mapping"},
		{"catalog: {providers: {github: {a: null}}}", "catalog.providers.github.a is empty: it needs organization"},
		{"catalog: {providers: {github: [{organization: x}]}}", "catalog.providers.github must be a mapping"},
		{"catalog: {providers: all}", "catalog.providers must be a mapping"},
		{"catalog: all", "catalog must be a mapping"},
		{"catalog: {providers: {githubOrg: {production: {githubUrl: 'https://github.com'}}}}", "catalog.providers.githubOrg is one entry or a list of entries, not a mapping from names to them: write - {id: production,"},
		{"catalog: {providers: {githubOrg: [acme]}}", "catalog.providers.githubOrg[0] must be a mapping, such as {id: acme"},
		{"catalog: {providers: {githubOrg: acme}}", "catalog.providers.githubOrg must be a mapping"},
		{"catalog: {providers: {githubOrg: {id: a, schedule: nightly}}}", "catalog.providers.githubOrg.schedule must be a mapping"},
		{"integrations: {github: [{host: ghe}]}\ncatalog: {providers: {github: {a: {organization: x}}}}", "0.yaml:2: catalog.providers.github.a has no host, so it is about github.com, and no entry of integrations.github has this host: add host"},
		{"integrations: {github: [{host: ghe}]}\ncatalog: {providers: {github: {a: {organization: x, host: gha}}}}", "catalog.providers.github.a.host: no entry of integrations.github has the host gha: add one"},
		{"integrations: {github: [{host: ghe}]}\ncatalog: {providers: {githubOrg: {id: a, githubUrl: 'https://gha'}}}", "catalog.providers.githubOrg.githubUrl: no entry of integrations.github has the host gha"},
		{"integrations: {github: [{host: ghe}]}\ncatalog: {providers: {githubOrg: {id: a}}}", "catalog.providers.githubOrg has no githubUrl, so it is about github.com"},
		{"catalog: {providers: {github: {a: {organization: x, filters: null, other: 1}}, githubOrg: {id: a, schedule: {frequency: 1h}, userTransformer: x}}}", ""},
	}
	for _, tt := range tests {
		_, err := load(t, nil, tt.yaml)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s:\n%v\nwant %s", tt.yaml, err, tt.want)
		}
	}
}
