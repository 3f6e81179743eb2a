package refresh

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/callboard/callboard/pipeline/descriptor"
	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/pipeline/match"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// Document indexes of what no document declares: the generated Locations of a root
// file, of which the optional one is that of discovery, and orphans.
const (
	rootDocument     = -1
	optionalDocument = -2
	orphanDocument   = -3 // of what was brought back by hand
)

// root notes that a location names a file. Each location that does has a
// Location entity (contract catalog 3.2); one that is also registered is no
// longer optional.
func (c *crawl) root(path string, r storage.Root) {
	all := c.roots[path]
	if i := slices.IndexFunc(all, func(o storage.Root) bool { return o.Name == r.Name }); i >= 0 {
		all[i].Optional = all[i].Optional && r.Optional
		return
	}
	c.roots[path] = append(all, r)
}

// rootLocation declares one of a file's Location entities; ok is false for a
// discovered file that is none.
func rootLocation(f storage.File, r storage.Root) (d entity.Declaration, ok bool) {
	if r.Optional && (f.Status == storage.FileIgnored || f.Status == storage.FileMissing) {
		return d, false
	}
	typ, target, _ := strings.Cut(r.Location, ":")
	d = descriptor.NamedLocation(r.Name, typ, target, r.Optional)
	if d.Document = rootDocument; r.Optional {
		d.Document = optionalDocument
	}
	return d, true
}

// wanted are the files that the pattern matches and those that locations name,
// by class. All are gathered before any is read: what a file may hold depends on
// all locations that name it.
func (c *crawl) wanted(ctx context.Context) (all [classes][]want, err error) {
	c.class = byPattern
	if all[byPattern], err = c.matched(ctx); err != nil {
		return all, err
	}
	for _, l := range c.locations {
		by := c.classOf(l)
		if w, other := c.misplaced(l); other {
			if by != byOthers {
				all[astray] = append(all[astray], w)
			}
			continue
		}
		c.class = by
		more, err := c.located(ctx, l)
		if err != nil {
			return all, err
		}
		all[by] = append(all[by], more...)
	}
	return all, nil
}

// matched are the files that the pattern matches. Of a tree that cannot be read
// they are those that it matched before, whatever the pattern is now.
func (c *crawl) matched(ctx context.Context) ([]want, error) {
	var found []string
	switch {
	case c.lost != "":
		for _, f := range c.stored {
			if f.Role == storage.RolePattern {
				found = append(found, f.Path)
			}
		}
		slices.Sort(found)
	default:
		for _, p := range c.patterns {
			pattern, err := match.Compile(p)
			if err != nil {
				return nil, err
			}
			paths, plain, err := c.expand(ctx, pattern)
			if err != nil {
				return nil, err
			}
			if !plain || c.found(ctx, paths[0]) {
				found = append(found, paths...)
			}
		}
		slices.Sort(found)
		found = slices.Compact(found)
	}
	wants := make([]want, len(found))
	for i, p := range found {
		c.matches[p] = true
		u := fileURL(c.repo, "blob", p)
		c.root(p, storage.Root{Name: descriptor.RootName("url", u), Location: "url:" + u, Optional: true})
		wants[i] = want{path: p, role: storage.RolePattern, origin: "url:" + u}
	}
	return wants, nil
}

// found says whether the plain descriptor is there: a repository without one
// is not a fault.
func (c *crawl) found(ctx context.Context, path string) bool {
	objects, err := c.tree.Lookup(ctx, []string{path})
	return err != nil || objects[path].SHA != "" // an error comes again, and is told, with the level
}

// place is the path that a location names, and whether it names another branch
// than the default one, which may hold slashes.
func (c *crawl) place(l storage.Location) (path string, otherBranch bool) {
	branch := c.repo.DefaultBranch
	if p, ok := strings.CutPrefix(l.GitRef+"/"+l.Path, branch+"/"); ok && branch != "" {
		return p, false
	}
	return l.Path, l.GitRef != "" && l.GitRef != "HEAD" && branch != ""
}

// misplaced is the file of a location that names another branch.
func (c *crawl) misplaced(l storage.Location) (want, bool) {
	path, other := c.place(l)
	return want{
		path: path, role: storage.RoleRegistered, origin: l.Origin, named: true, branch: l.GitRef, root: rootOf(l),
	}, other
}

func rootOf(l storage.Location) storage.Root {
	return storage.Root{Name: cmp.Or(l.Name, descriptor.RootName(l.Type, l.Target)), Location: l.Origin}
}

// located are the files that a location names. A Location entity of another
// repository is there to see, so none is generated for it.
func (c *crawl) located(ctx context.Context, l storage.Location) ([]want, error) {
	path, _ := c.place(l)
	pattern, err := match.Compile(path)
	if err != nil {
		return nil, nil //nolint:nilerr // checked when it was registered
	}
	paths, plain, err := c.expand(ctx, pattern)
	if err != nil {
		return nil, err
	}
	if !location.Foreign(l) {
		if len(paths) == 0 { // a glob that matches nothing is missing under its own name
			paths, plain = []string{path}, true
		}
		c.root(paths[0], rootOf(l))
	}
	out := make([]want, len(paths))
	for i, p := range paths {
		out[i] = want{path: p, role: storage.RoleRegistered, origin: l.Origin, named: plain}
	}
	return out, nil
}
