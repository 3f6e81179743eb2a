package refresh

import (
	"context"
	"errors"
	"fmt"

	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/pipeline/match"
)

// maxWork bounds the comparisons that the globs of a class may take in one
// repository: about a second.
const maxWork = 100_000_000

// globs remembers which paths of the tree globs match, and what that took.
type globs struct {
	tree  *match.Tree
	found map[string][]string
	spent [classes]int
}

// expand turns a pattern into paths of the tree; a plain one is itself.
func (c *crawl) expand(ctx context.Context, p *match.Pattern) (paths []string, named bool, err error) {
	if path, plain := p.Plain(); plain {
		return []string{path}, true, nil
	}
	if tree, local := c.tree.(LocalTree); local {
		paths, err = c.expandLocal(ctx, tree, p)
		return paths, false, err
	}
	g := &c.globs
	if found, ok := g.found[p.String()]; ok {
		return found, false, nil
	}
	if g.tree == nil {
		entries, err := c.tree.List(ctx)
		if err != nil {
			return nil, false, err
		}
		all := make([]string, len(entries))
		for i, e := range entries {
			all[i] = e.Path
		}
		g.tree, g.found = match.NewTree(all), map[string][]string{}
	}
	left := maxWork - g.spent[c.class]
	paths, err = g.tree.Select(ctx, p, &left)
	g.spent[c.class] = maxWork - left
	if errors.Is(err, match.ErrCostly) {
		return nil, false, c.costly(p)
	}
	if err == nil {
		g.found[p.String()] = paths
	}
	return paths, false, err
}

// costly decides about globs that take too much work. Those of the repository
// and of the operator stop the refresh, which leaves the catalog as it is until
// they are corrected; with those of others that would be a weapon, so they match
// nothing.
func (c *crawl) costly(p *match.Pattern) error {
	const longest = 100
	glob := p.String()
	if len(glob) > longest {
		glob = glob[:longest] + "…"
	}
	err := fmt.Errorf("%w: %q; name folders and files more exactly, and use fewer globs", match.ErrCostly, glob)
	switch {
	case c.asked:
		return &location.InvalidError{Message: err.Error()}
	case c.class >= byAPI:
		return nil
	}
	return fault.Permanent(fault.ReasonInvalid, err)
}
