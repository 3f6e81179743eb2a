package refresh

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/match"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// want is a file that something says is a catalog file.
type want struct {
	path   string
	role   storage.FileRole
	parent string
	origin string
	// named is set when the very path was named, rather than matched by a glob:
	// its absence is worth a diagnostic.
	named bool
	// branch is set when a registered location names another branch than the default one.
	branch string
}

// crawl walks the catalog files of a tree, level by level: first those that the
// pattern and the locations name, then the targets of their Location entities.
// Each level costs a look-up and a read for all its files together.
type crawl struct {
	step       *Step
	tree       Tree
	repo       storage.Repository
	discovered bool
	locations  []storage.Location
	// again reads every file although it did not change.
	again  bool
	stored map[string]storage.File
	seen   map[string]bool
	roots  map[string][]storage.Root // path → locations that name it
	// lost says why the tree cannot be read; then it is only remembered.
	lost  string
	taken int // how many files the levels so far have

	changed []fileResult
}

func (c *crawl) run(ctx context.Context) error {
	level, err := c.wanted(ctx)
	if err != nil {
		return err
	}
	for depth := 0; len(level) > 0; depth++ {
		if depth > c.step.cfg.MaxDepth {
			c.tooDeep(level)
			return nil
		}
		level = c.bounded(level)
		files, err := c.level(ctx, level)
		if err != nil {
			return err
		}
		if level, err = c.targets(ctx, files); err != nil {
			return err
		}
	}
	return nil
}

// expand turns a pattern into paths of the tree; a plain one is itself.
func (c *crawl) expand(ctx context.Context, p *match.Pattern) (paths []string, named bool, err error) {
	if path, plain := p.Plain(); plain {
		return []string{path}, true, nil
	}
	entries, err := c.tree.List(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, e := range entries {
		if p.Match(e.Path) {
			paths = append(paths, e.Path)
		}
	}
	return paths, false, nil
}

// fresh drops the wants whose file is on its way already: the first to ask is
// its parent, and cycles end.
func (c *crawl) fresh(wants []want) []want {
	return slices.DeleteFunc(wants, func(w want) bool {
		twice := c.seen[w.path]
		c.seen[w.path] = true
		return twice
	})
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
		if f, ok := c.unchanged(w, o, objects); ok {
			files = append(files, f)
			continue
		}
		if r, ok := c.refuse(w, o); ok {
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
	if c.lost == "" && slices.ContainsFunc(f.Diagnostics, func(d entity.Diagnostic) bool { return d.Rule == ruleUnreadable }) {
		return f, false // the repository could not be read, and now it can
	}
	for in, sha := range f.Inputs {
		if objects[in].SHA != sha {
			return f, false
		}
	}
	return f, true
}

// refuse settles the files that are not read at all.
func (c *crawl) refuse(w want, o githubapp.Object) (fileResult, bool) {
	f := c.file(w, storage.FileOK)
	f.BlobSHA = o.SHA
	d := entity.Diagnostic{Path: w.path, Commit: c.repo.AppliedSHA, Severity: entity.SeverityError}
	switch {
	case c.lost != "":
		f.Status, f.BlobSHA = storage.FileBroken, "" // to be read when it can be
		d.Rule, d.Message = ruleUnreadable, "NotFoundError: Unable to read url, "+c.lost
		d.Hint = "Check the name, and that the App is installed on the repository."
	case w.branch != "":
		f.Status = storage.FileBroken
		d.Rule, d.Message = "other-branch", fmt.Sprintf("The location names the branch %q; only the default branch %q is read", w.branch, c.repo.DefaultBranch)
		d.Hint = "Point the location to the default branch."
	case o.SHA == "":
		f.Status = storage.FileMissing
		d.Rule, d.Message = "target-missing", "NotFoundError: Unable to read url, no matching files found for "+fileURL(c.repo, "tree", w.path)
		d.Hint = "Correct the target, or add the file."
		if w.parent != "" {
			d.Message += ", a target of " + w.parent
		}
	case o.Size > int64(c.step.cfg.Limits.FileBytes):
		f.Status = storage.FileBroken
		d.Rule, d.Message = "file-too-large", fmt.Sprintf("The file has %d bytes; the limit is %d", o.Size, c.step.cfg.Limits.FileBytes)
		d.Hint = "Split the file, or raise callboard.catalog.maxFileBytes."
	default:
		reason, ignored := match.Ignored(w.path)
		if !ignored || w.named {
			return fileResult{}, false
		}
		f.Status = storage.FileIgnored
		d.Rule, d.Severity, d.Message = "ignored-path", entity.SeverityInfo, "Not read: "+reason
		d.Hint = "Name the file in a Location if it belongs to the catalog."
	}
	return c.unread(f, d), true
}

// unread is the result of a file that is not read. A broken one keeps what it
// declared and reached when it was last good.
func (c *crawl) unread(f storage.File, d entity.Diagnostic) fileResult {
	f.Diagnostics = []entity.Diagnostic{d}
	r := fileResult{File: f}
	if d.Severity == entity.SeverityError {
		r.homeless = []entity.StatusItem{statusItem(errorOf(d))}
	}
	if f.Status == storage.FileBroken {
		before := c.stored[f.Path]
		r.Targets, r.External = before.Targets, before.External
		r.broken = r.homeless
	}
	r.declarations = rootLocations(f)
	return r
}

// errorOf is a diagnostic as an error of Backstage's.
func errorOf(d entity.Diagnostic) *entity.Error {
	if message, ok := strings.CutPrefix(d.Message, "NotFoundError: "); ok {
		return &entity.Error{Name: "NotFoundError", Message: message}
	}
	return &entity.Error{Name: "InputError", Message: d.Message}
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
	return c.fresh(wants), nil
}

// tooDeep leaves the files of a level unread because Locations nest too deeply.
func (c *crawl) tooDeep(level []want) {
	for _, w := range level {
		c.changed = append(c.changed, c.unread(c.file(w, storage.FileBroken), entity.Diagnostic{
			Path: w.path, Commit: c.repo.AppliedSHA, Severity: entity.SeverityError, Rule: "location-depth",
			Message: fmt.Sprintf("Not read: Locations nest deeper than %d, the last is %s", c.step.cfg.MaxDepth, w.parent),
			Hint:    "Name the file in a Location nearer to the root.",
		}))
	}
}

// bounded cuts a level where the repository has more catalog files than it may.
// Those that are cut stay as they are stored; the first of them says so.
func (c *crawl) bounded(level []want) []want {
	free := c.step.cfg.MaxFiles - c.taken
	if len(level) <= free {
		c.taken += len(level)
		return level
	}
	c.taken = c.step.cfg.MaxFiles
	first := level[free]
	c.changed = append(c.changed, c.unread(c.file(first, storage.FileBroken), entity.Diagnostic{
		Path: first.path, Commit: c.repo.AppliedSHA, Severity: entity.SeverityError, Rule: "too-many-files",
		Message: fmt.Sprintf("This file and %d after it are not read: a repository may have %d catalog files", len(level)-free-1, c.step.cfg.MaxFiles),
		Hint:    "Narrow the pattern, or raise callboard.catalog.maxFiles.",
	}))
	return level[:free]
}

// file is the row of a wanted file that is not read.
func (c *crawl) file(w want, status storage.FileStatus) storage.File {
	return storage.File{
		RepositoryID: c.repo.ID, Path: w.path, Role: w.role, Parent: w.parent, Origin: w.origin, Status: status,
		Roots: c.roots[w.path],
	}
}

// removed are the stored files that nothing wants any more.
func (c *crawl) removed() []string {
	var paths []string
	for p := range c.stored {
		if !c.seen[p] {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	return paths
}
