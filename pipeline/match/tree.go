package match

import (
	"context"
	"errors"
	"strings"
)

// ErrCostly says that a pattern takes more work than there was left.
var ErrCostly = errors.New("the globs take too much work for this many files")

// Tree holds the paths of a repository, taken apart once for many patterns.
type Tree struct {
	paths []string
	names [][]string
}

// NewTree takes paths apart.
func NewTree(paths []string) *Tree {
	t := &Tree{paths: paths, names: make([][]string, len(paths))}
	for i, p := range paths {
		t.names[i] = strings.Split(p, "/")
	}
	return t
}

// Select gives the paths that match a glob, in the order of the tree. What it
// costs is taken from work, in comparisons; when that is used up, or ctx ends,
// it gives up.
func (t *Tree) Select(ctx context.Context, p *Pattern, work *int) ([]string, error) {
	var found []string
	*work -= p.size // for reading it
	const stretch = 1 << 20
	for look, i := *work, 0; i < len(t.names); i++ {
		names := t.names[i]
		if *work <= 0 {
			return nil, ErrCostly
		}
		if *work <= look {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			look = *work - stretch
		}
		if p.matchNames(names, work) {
			found = append(found, t.paths[i])
		}
	}
	return found, nil
}
