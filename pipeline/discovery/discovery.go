// Package discovery knows which repositories of an account belong to the
// catalog, where their descriptors lie, and on which branch: what
// catalog.providers.github says (contract catalog 5.1).
//
// It is pure: it asks GitHub nothing. A scan, a push and a refresh all ask this
// one policy, so they cannot disagree.
//
//	reading, why, ok := policy.Read(discovery.Account{Host: "github.com", Owner: "acme"}, facts)
package discovery

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/callboard/callboard/pipeline/schedule"
)

// DefaultPath is where a descriptor is looked for when nothing is configured.
const DefaultPath = "catalog-info.yaml"

// Provider is one entry of catalog.providers.github.
type Provider struct {
	// ID is the entry's key; "" for what is discovered without any entry.
	ID   string
	Host string
	// Organization is the login of an organization or user; "" where App is set.
	Organization string
	// App is the id of a GitHub App: the entry covers all organizations that it is
	// installed on.
	App int64
	// CatalogPath is a path or glob inside a repository, without a leading slash.
	CatalogPath string
	// Branch is read instead of the default branch where it is set.
	Branch   string
	Filter   Filter
	Schedule schedule.Schedule
	// PageSize is how many repositories a page of a scan asks for, 1 to 100.
	PageSize int
	// ValidateLocationsExist is always so here: a repository without the file gives
	// no Location. It is kept to be told.
	ValidateLocationsExist bool
}

// Filter says which repositories are taken. The zero value of a field does not
// filter, but for AllowForks and AllowArchived.
type Filter struct {
	// Repository must match the whole name.
	Repository *regexp.Regexp
	// One of TopicInclude must be there, none of TopicExclude.
	TopicInclude  []string
	TopicExclude  []string
	AllowForks    bool
	AllowArchived bool
	// Visibility is any of public, internal and private, in lower case.
	Visibility []string
}

// Facts are what a filter looks at.
type Facts struct {
	Name       string
	Visibility string
	Topics     []string
	Fork       bool
	Archived   bool
}

// Admits says whether a repository is taken, and if not, why.
func (f Filter) Admits(r Facts) (reason string, ok bool) {
	switch {
	case f.Repository != nil && !f.Repository.MatchString(r.Name):
		return fmt.Sprintf("its name does not match filters.repository %s", f.Repository), false
	case !f.AllowForks && r.Fork:
		return "it is a fork, and filters.allowForks is false", false
	case !f.AllowArchived && r.Archived:
		return "it is archived, and filters.allowArchived is false", false
	case len(f.Visibility) > 0 && !slices.Contains(f.Visibility, strings.ToLower(r.Visibility)):
		return fmt.Sprintf("it is %s, and filters.visibility is %s", r.Visibility, strings.Join(f.Visibility, ", ")), false
	}
	has := func(topic string) bool { return slices.Contains(r.Topics, topic) }
	if i := slices.IndexFunc(f.TopicExclude, has); i >= 0 {
		return fmt.Sprintf("its topic %s is in filters.topic.exclude", f.TopicExclude[i]), false
	}
	if len(f.TopicInclude) > 0 && !slices.ContainsFunc(f.TopicInclude, has) {
		return fmt.Sprintf("it has none of the topics of filters.topic.include: %s", strings.Join(f.TopicInclude, ", ")), false
	}
	return "", true
}
