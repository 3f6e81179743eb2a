package refresh

import (
	"context"
	"slices"

	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/pipeline/match"
	"github.com/callboard/callboard/storage"
)

// class is who says that a file is a catalog file. Each class is followed to the
// end before the next one begins, and the first to ask for a file owns its
// origin: what others say about a repository takes nothing from what it
// declares itself and what the operator declares of it.
type class int

const (
	byConfig  class = iota // catalog.locations
	byPattern              // the catalog pattern
	byAPI                  // locations that are registered through the API
	byOthers               // Location entities of other repositories
	astray                 // locations that name another branch: what they brought in before stays
	classes
)

func (c *crawl) classOf(l storage.Location) class {
	switch {
	case l.Source == location.SourceConfig:
		return byConfig
	case location.Foreign(l) && !c.asked:
		return byOthers
	}
	return byAPI
}

// want is a file that something says is a catalog file.
type want struct {
	path   string
	role   storage.FileRole
	parent string
	origin string
	// named is set when the very path was named, rather than matched by a glob:
	// its absence is worth a diagnostic.
	named bool
	// branch is set when a registered location names another branch than the
	// default one; root is then its Location entity.
	branch string
	root   storage.Root
}

// crawl walks the catalog files of a tree, class by class and level by level:
// first those that the pattern or the locations name, then the targets of their
// Location entities. Each level costs a look-up and a read for all its files together.
type crawl struct {
	step *Step
	tree Tree
	repo storage.Repository
	// patterns are where descriptors are searched; none where only locations count.
	patterns []string
	// abandoned is set when what the patterns found once stays unread.
	abandoned bool
	locations []storage.Location
	// again reads every file although it did not change.
	again  bool
	stored map[string]storage.File
	roots  map[string][]storage.Root // path → locations that name it
	// lost says why the tree cannot be read; then it is only remembered.
	lost string
	// asked is set when somebody waits for the answer and nothing is stored:
	// whatever is named is then what they want to know.
	asked bool

	class   class            // which is followed now
	seen    map[string]class // path → who asked first
	matches map[string]bool  // paths that the catalog pattern matches
	taken   int              // how many files there are so far,
	guests  int              // and how many that others name
	reached map[string]bool  // the repositories that Location entities name
	outside int              // how many files they name there
	globs   globs

	// retell declares every generated Location anew, changed or not.
	retell  bool
	changed []fileResult
	told    []fileResult // of which only the generated Locations changed
}

func newCrawl(s *Step, tree Tree, repo storage.Repository, files []storage.File) *crawl {
	return &crawl{
		step: s, tree: tree, repo: repo, stored: byPath(files), roots: map[string][]storage.Root{},
		seen: map[string]class{}, matches: map[string]bool{}, reached: map[string]bool{},
	}
}

func (c *crawl) run(ctx context.Context) error {
	all, err := c.wanted(ctx)
	if err != nil {
		return err
	}
	for by, level := range all {
		c.class = class(by)
		if err := c.follow(ctx, level); err != nil {
			return err
		}
	}
	c.tell()
	return nil
}

// follow reads files, and those that their Location entities lead to.
func (c *crawl) follow(ctx context.Context, wants []want) error {
	for depth := 0; ; depth++ {
		if c.class == byOthers {
			wants = c.inTurns(wants)
		}
		wants = c.fresh(wants)
		if len(wants) == 0 {
			return nil
		}
		if depth > c.step.cfg.MaxDepth {
			c.tooDeep(wants)
			return nil
		}
		level, err := c.bounded(ctx, wants)
		if err != nil {
			return err
		}
		files, err := c.level(ctx, level)
		if err != nil {
			return err
		}
		if wants, err = c.targets(ctx, files); err != nil {
			return err
		}
	}
}

// fresh drops the wants whose file is on its way already: the first to ask is
// its parent, and cycles end. A file that the pattern matches is known as such
// whoever asks for it.
func (c *crawl) fresh(wants []want) []want {
	kept := wants[:0]
	for _, w := range wants {
		_, twice := c.seen[w.path]
		if w.branch != "" {
			if twice { // not to disturb the file of the right branch
				w.path = w.branch + ":" + w.path
				_, twice = c.seen[w.path]
			}
			c.root(w.path, w.root)
		}
		if twice {
			continue
		}
		c.seen[w.path] = c.class
		if c.matches[w.path] {
			w.role, w.parent = storage.RolePattern, ""
		}
		kept = append(kept, w)
	}
	return kept
}

// forget leaves files as if nobody had asked for them.
func (c *crawl) forget(wants []want) {
	for _, w := range wants {
		delete(c.seen, w.path)
	}
}

// level reads the wanted files that changed and returns all of them as they are now.
func (c *crawl) level(ctx context.Context, wants []want) ([]storage.File, error) {
	objects, err := c.lookup(ctx, wants)
	if err != nil {
		return nil, err
	}
	var files []storage.File
	var read []reading
	for _, w := range wants {
		o := objects[w.path]
		if f, ok := c.unchanged(w, o, objects); ok && c.reach(f.External...) {
			files = append(files, f)
			continue
		}
		if r, ok := c.refuse(w, o); ok {
			if c.guest(w) {
				c.forget([]want{w})
				continue
			}
			c.changed = append(c.changed, r)
			files = append(files, r.File)
			continue
		}
		read = append(read, reading{want: w, object: o})
	}
	results, err := c.read(ctx, read)
	if err != nil {
		return nil, err
	}
	for _, r := range results {
		c.changed = append(c.changed, r)
		files = append(files, r.File)
	}
	return files, nil
}

// lookup finds the wanted files and the inputs of what is stored of them.
func (c *crawl) lookup(ctx context.Context, wants []want) (map[string]githubapp.Object, error) {
	var paths []string
	for _, w := range wants {
		paths = append(paths, w.path)
		for in := range c.stored[w.path].Inputs {
			paths = append(paths, in)
		}
	}
	return c.tree.Lookup(ctx, paths)
}

// unchanged says that a file, and all that its entities were made from, is
// what it was when it was last read.
func (c *crawl) unchanged(w want, o githubapp.Object, objects map[string]githubapp.Object) (storage.File, bool) {
	f, ok := c.stored[w.path]
	if !ok || c.again || f.BlobSHA != o.SHA || f.Role != w.role || f.Parent != w.parent || f.Origin != w.origin ||
		!slices.Equal(f.Roots, c.roots[w.path]) {
		return f, false
	}
	if c.lost == "" && diagnosed(f, ruleUnreadable, ruleReach, ruleLocal) {
		return f, false // what was wrong may be otherwise now
	}
	for in, sha := range f.Inputs {
		if objects[in].SHA != sha {
			return f, false
		}
	}
	return f, true
}

// targets are the files that the Location entities of files reach.
func (c *crawl) targets(ctx context.Context, files []storage.File) ([]want, error) {
	var wants []want
	for _, f := range files {
		for _, t := range f.Targets {
			pattern, err := match.Compile(t)
			if err != nil {
				continue // told when the file was read
			}
			paths, named, err := c.expand(ctx, pattern)
			if err != nil {
				return nil, err
			}
			for _, p := range paths {
				wants = append(wants, want{path: p, role: storage.RoleTarget, parent: f.Path, origin: f.Origin, named: named})
			}
		}
	}
	return wants, nil
}

// removed are the stored files that nothing wants any more.
func (c *crawl) removed() []string {
	var paths []string
	kept := c.kept()
	for p := range c.stored {
		if _, wanted := c.seen[p]; !wanted && !kept[p] {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	return paths
}
