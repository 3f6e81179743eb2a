package discovery

import (
	"fmt"
	"slices"
	"strings"
)

// Policy is all entries. Several may be about one account, with other paths,
// filters or branches (contract catalog 5.1).
type Policy struct {
	Providers []Provider
	// Undirected applies where there are no Providers at all: everything that an
	// App is installed on is discovered.
	Undirected Provider
}

// All is the policy that takes every repository of every account.
func All(catalogPath string) Policy {
	return Policy{Undirected: Provider{
		CatalogPath: strings.TrimPrefix(catalogPath, "/"), Filter: Filter{AllowForks: true, AllowArchived: true},
	}}
}

// Account is whose repositories are asked about.
type Account struct {
	Host, Owner string
	// Apps are those that are installed on it, as an organization: entries with app
	// cover no users. nil where that is not known: then any App may be, because what
	// is not known must not remove anything.
	Apps []int64
}

// covers says whether an entry is about an account.
func (p Provider) covers(a Account) bool {
	switch {
	case !strings.EqualFold(p.Host, a.Host):
		return false
	case p.App != 0:
		return a.Apps == nil || slices.Contains(a.Apps, p.App)
	}
	return strings.EqualFold(p.Organization, a.Owner)
}

// Covering are the entries that cover an account, in configured order; none for
// one that is not discovered.
func (p Policy) Covering(a Account) []Provider {
	if len(p.Providers) == 0 {
		u := p.Undirected
		u.Host, u.Organization = a.Host, a.Owner
		return []Provider{u}
	}
	var all []Provider
	for _, own := range p.Providers {
		if own.covers(a) {
			all = append(all, own)
		}
	}
	return all
}

// Apps are the Apps that entries about a host name.
func (p Policy) Apps(host string) (apps []int64) {
	for _, own := range p.Providers {
		if own.App != 0 && strings.EqualFold(own.Host, host) {
			apps = append(apps, own.App)
		}
	}
	return apps
}

// Reading is how a repository is searched. The zero value is not to search it.
type Reading struct {
	// Branch is "" for the default one.
	Branch string
	// Paths are the paths and globs of descriptors.
	Paths []string
}

// Read says how a repository of an account is searched; if it is not, why. Of the
// entries that take it the first gives the branch: a repository is read at one
// commit. The paths are those of all that are about this branch.
func (p Policy) Read(a Account, r Facts) (how Reading, reason string, ok bool) {
	entries := p.Covering(a)
	if len(entries) == 0 {
		return how, fmt.Sprintf("no entry of catalog.providers.github covers %s", a.Owner), false
	}
	var taken []Provider
	var reasons []string
	for _, own := range entries {
		why, ok := own.Filter.Admits(r)
		switch {
		case ok:
			taken = append(taken, own)
		case len(entries) > 1:
			reasons = append(reasons, own.ID+": "+why)
		default:
			reasons = append(reasons, why)
		}
	}
	if len(taken) == 0 {
		return how, strings.Join(reasons, "; "), false
	}
	taken = slices.DeleteFunc(taken, func(own Provider) bool { return own.Branch != taken[0].Branch })
	return Reading{Branch: taken[0].Branch, Paths: Paths(taken)}, "", true
}

// Paths are the catalog paths of entries, each once.
func Paths(entries []Provider) (paths []string) {
	for _, own := range entries {
		path := own.CatalogPath
		if path == "" {
			path = DefaultPath
		}
		if !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	return paths
}

// Glob is one pattern for several.
func Glob(paths []string) string {
	switch len(paths) {
	case 0:
		return DefaultPath
	case 1:
		return paths[0]
	}
	return "{" + strings.Join(paths, ",") + "}"
}
