package config

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/match"
	"github.com/callboard/callboard/pipeline/schedule"
)

// OrgProvider is an entry of catalog.providers.githubOrg (contract catalog 5.5).
type OrgProvider struct {
	ID   string
	Host string
	// Orgs are logins; none means every organization that an App is installed on.
	Orgs []string
	// Pages are how many teams, members of a team and members of the
	// organization are asked for together.
	TeamPage, TeamMemberPage, MemberPage int
	// UseVerifiedEmails takes the first address of a verified domain.
	UseVerifiedEmails bool
	ExcludeSuspended  bool
	Schedule          schedule.Schedule
	// Pause is the least time between two looks, for each request that the first
	// one cost; 0 for a second. No key sets it: tests are in more of a hurry.
	Pause time.Duration
}

// The schedules where none is configured: discovery as in Backstage, people nightly.
var (
	defaultScan   = schedule.Schedule{Frequency: 3 * time.Hour, Timeout: time.Hour}
	defaultPeople = schedule.Schedule{Frequency: 24 * time.Hour, Timeout: time.Hour}
)

// defaultPage is how many repositories a page asks for. Backstage's 25 is for
// queries that carry more.
const defaultPage = 100

// DefaultDiscovery is how repositories are discovered without any provider. What is
// archived stays: nobody said otherwise.
func DefaultDiscovery() discovery.Provider {
	return discovery.Provider{
		CatalogPath: discovery.DefaultPath, Filter: discovery.Filter{AllowForks: true, AllowArchived: true},
		Schedule: defaultScan, PageSize: defaultPage,
	}
}

func (c *Config) providers(r reader) {
	c.Undirected = DefaultDiscovery()
	switch {
	case r.at("organization").present() || r.at("app").present():
		c.Providers = append(c.Providers, c.provider("default", r))
	default:
		keys, values := r.fields()
		for i, id := range keys {
			if !values[i].present() {
				r.fault(r.node.fields[id], "%s is empty: it needs organization (or app, the id of a GitHub App)%s", values[i].path, values[i].because())
				continue
			}
			c.Providers = append(c.Providers, c.provider(id, values[i].mapping("")))
		}
	}
}

// known checks that integrations.github has a provider's host: without that there
// is no credential to ask it with (contract catalog 5.1).
func (c *Config) known(r reader, key, host string) {
	has := slices.ContainsFunc(c.GitHub, func(g GitHub) bool { return strings.EqualFold(g.Host, host) })
	at := r.at(key)
	switch {
	case has:
	case at.present():
		at.fault(at.node, "%s: no entry of integrations.github has the host %s: add one with its apps or token, or correct the host", at.path, host)
	default:
		r.fault(r.node, "%s has no %s, so it is about %s, and no entry of integrations.github has this host: add %s", r.path, key, host, key)
	}
}

func (c *Config) provider(id string, r reader) discovery.Provider {
	filters := r.at("filters").mapping(", such as {repository: 'svc-.*'}; without filters all repositories are taken")
	p := discovery.Provider{
		ID: id, Host: r.at("host").str("github.com"), Organization: r.at("organization").str(""), App: r.at("app").int(0),
		CatalogPath: strings.TrimPrefix(r.at("catalogPath").str(discovery.DefaultPath), "/"),
		Filter:      filter(filters), Branch: filters.at("branch").str(""),
		ValidateLocationsExist: r.at("validateLocationsExist").bool(false),
		Schedule:               r.at("schedule").mapping(scheduleShape).schedule(defaultScan), PageSize: defaultPage,
	}
	if r.node == nil { // it is no mapping
		return p
	}
	c.known(r, "host", p.Host)
	if n := r.at("pageSizes").mapping(", such as {repositories: 50}").at("repositories"); n.present() {
		if p.PageSize = int(n.int(defaultPage)); p.PageSize < 1 || p.PageSize > defaultPage {
			n.fault(n.node, "%s must be from 1 to 100, not %d", n.path, p.PageSize)
		}
	}
	switch path := r.at("catalogPath"); {
	case p.Organization == "" && p.App == 0:
		r.fault(r.node, "%s needs organization (or app, the id of a GitHub App)%s", r.path, r.at("organization").because())
	case p.Organization != "" && p.App != 0:
		r.fault(r.node, "%s has organization and app: choose one", r.path)
	case p.ValidateLocationsExist && strings.Contains(p.CatalogPath, "*"):
		path.fault(path.node, "%s: validateLocationsExist does not go with a * in catalogPath", r.path)
	}
	if strings.Contains(p.Branch, "/") {
		b := filters.at("branch")
		b.fault(b.node, "%s must not contain a slash, as in %q", b.path, p.Branch)
	}
	if _, err := match.Compile(p.CatalogPath); err != nil {
		path := r.at("catalogPath")
		path.fault(path.node, "%s: %s", path.path, err)
	}
	return p
}

// scheduleShape ends the fault about a schedule that is none.
const scheduleShape = ", such as {frequency: {minutes: 30}, timeout: {minutes: 3}}"

func filter(r reader) discovery.Filter {
	topic := r.at("topic").mapping(": {include: [a], exclude: [b]}")
	f := discovery.Filter{
		TopicInclude: topic.at("include").strings(), TopicExclude: topic.at("exclude").strings(),
		AllowForks: r.at("allowForks").bool(true), AllowArchived: r.at("allowArchived").bool(false),
	}
	for _, v := range r.at("visibility").strings() {
		switch v = strings.ToLower(v); v {
		case "public", "internal", "private":
			f.Visibility = append(f.Visibility, v)
		default:
			r.fault(r.at("visibility").node, "%s.visibility is public, internal or private, not %q", r.path, v)
		}
	}
	if name := r.at("repository"); name.present() {
		expr, err := regexp.Compile("^(?:" + name.str("") + ")$")
		if err != nil {
			name.fault(name.node, "%s is not a regular expression: %s", name.path, err)
			return f
		}
		f.Repository = expr
	}
	return f
}

func (c *Config) orgs(r reader) {
	if r.node == nil {
		return
	}
	entries := []reader{r}
	switch {
	case r.node.items != nil:
		entries = r.list()
	case r.node.fields != nil && named(r):
		r.fault(r.node, "%s is one entry or a list of entries, not a mapping from names to them: write - {id: %s, githubUrl: https://github.com, orgs: […]}",
			r.path, r.node.keys[0])
		return
	}
	seen := map[string]bool{}
	for _, e := range entries {
		if e = e.mapping(", such as {id: acme, githubUrl: https://github.com, orgs: [acme]}"); e.node == nil {
			continue
		}
		pages, transform := e.at("pageSizes").mapping(""), e.at("defaultUserTransformer").mapping("")
		o := OrgProvider{
			ID: e.at("id").str("default"), Host: "github.com", Orgs: e.at("orgs").strings(),
			TeamPage:       page(pages.at("teams"), 100),
			TeamMemberPage: page(pages.at("teamMembers"), 100), MemberPage: page(pages.at("organizationMembers"), 100),
			UseVerifiedEmails: transform.at("useVerifiedEmails").bool(false),
			ExcludeSuspended:  e.at("excludeSuspendedUsers").bool(false),
			Schedule:          e.at("schedule").mapping(scheduleShape).schedule(defaultPeople),
		}
		if at := e.at("githubUrl"); at.present() {
			u, err := url.Parse(at.str(""))
			if err != nil || u.Host == "" {
				at.fault(at.node, "%s must be a URL such as https://github.com, not %q", at.path, at.str(""))
			} else {
				o.Host = u.Host
				c.known(e, "githubUrl", o.Host)
			}
		} else {
			c.known(e, "githubUrl", o.Host)
		}
		if seen[o.ID] {
			e.fault(e.node, "%s: there are two entries with the id %q", r.path, o.ID)
		}
		seen[o.ID] = true
		c.Orgs = append(c.Orgs, o)
	}
}

// named says that an entry is a mapping from names to entries, as those of
// providers.github are.
func named(r reader) bool {
	_, values := r.fields()
	own := []string{"pageSizes", "defaultUserTransformer", "schedule"}
	return slices.ContainsFunc(values, func(v reader) bool {
		return v.present() && v.node.fields != nil && !slices.ContainsFunc(own, func(k string) bool { return join(r.path, k) == v.path })
	})
}

func page(r reader, fallback int64) int {
	n := r.int(fallback)
	if n < 1 || n > 100 {
		r.fault(r.node, "%s must be from 1 to 100, not %d", r.path, n)
		return int(fallback)
	}
	return int(n)
}

// Scan says how careful scans are (callboard.scan).
type Scan struct {
	// A scan that would remove more than both, a share of the account's entities
	// and a number of them, waits for somebody to approve it.
	MaxRemovedShare    float64
	MaxRemovedEntities int
	// Undo is how long what was removed can be brought back.
	Undo time.Duration
	// Recovery is when the delivery logs of the Apps are read.
	Recovery schedule.Schedule
	// Window is how far back GitHub delivers again.
	Window time.Duration
}

// DefaultScan is what is configured when nothing is.
func DefaultScan() Scan {
	return Scan{
		MaxRemovedShare: 0.1, MaxRemovedEntities: 20, Undo: 7 * day,
		Recovery: schedule.Schedule{Frequency: 5 * time.Minute, Timeout: 10 * time.Minute}, Window: 3 * day,
	}
}

func scan(r reader) Scan {
	s := DefaultScan()
	r.only("maxRemovedShare", "maxRemovedEntities", "undo", "recovery", "redeliveryWindow")
	s.MaxRemovedShare = r.at("maxRemovedShare").share(s.MaxRemovedShare)
	s.MaxRemovedEntities = int(r.at("maxRemovedEntities").int(int64(s.MaxRemovedEntities)))
	if s.Undo = r.at("undo").duration(s.Undo); s.Undo == 0 {
		r.fault(r.at("undo").node, "callboard.scan.undo must be longer than 0, such as 7d or 1h")
	}
	r.at("recovery").only("frequency", "timeout", "initialDelay")
	s.Recovery = r.at("recovery").schedule(s.Recovery)
	s.Window = r.at("redeliveryWindow").duration(s.Window)
	return s
}
