package refresh

import (
	"fmt"

	"github.com/callboard/callboard/pipeline/descriptor"
	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/storage/entity"
)

// Everything that a repository names in others costs a look at them, so there
// is an end to it.
const (
	maxRepositories = 200
	maxOutside      = 2000
	// ruleReach is the rule of files that would have named more.
	ruleReach = "too-many-repositories"
)

// reach notes that a file names these files of other repositories, unless that
// would be too many for the Location entities of one repository.
func (c *crawl) reach(targets ...string) bool {
	if c.lost != "" {
		return true // they are those that were let in
	}
	var fresh []string
	for _, target := range targets {
		l, ok := location.Parse(target)
		if key := l.Host + "/" + l.Owner + "/" + l.Repo; ok && !c.reached[key] {
			fresh = union(fresh, []string{key})
		}
	}
	if len(c.reached)+len(fresh) > maxRepositories || c.outside+len(targets) > maxOutside {
		return false
	}
	for _, key := range fresh {
		c.reached[key] = true
	}
	c.outside += len(targets)
	return true
}

// within are those of the targets that may be named still.
func (c *crawl) within(targets []string) (kept []string) {
	for _, target := range targets {
		if c.reach(target) {
			kept = append(kept, target)
		}
	}
	return kept
}

// beyond says that targets of a Location are left out.
func (c *crawl) beyond(r *fileResult, res descriptor.Result, n int) {
	d := c.about(r, res, ruleReach, entity.SeverityError, fmt.Sprintf(
		"%d target(s) are left out: the Locations of a repository may name %d files in %d other repositories", n, maxOutside, maxRepositories),
		"Let the App discover those repositories, or name their files in catalog.locations.")
	d.Field = "spec.targets"
	r.Diagnostics = append(r.Diagnostics, d)
}
