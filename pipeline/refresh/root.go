package refresh

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/callboard/callboard/pipeline/descriptor"
	"github.com/callboard/callboard/pipeline/match"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// rootDocument is the document index of the generated Location of a root file.
const rootDocument = -1

// named notes that a location names a file. Each location that does has a
// Location entity (contract catalog 3.2); one that is also registered is no
// longer optional.
func (c *crawl) named(path string, r storage.Root) {
	all := c.roots[path]
	if i := slices.IndexFunc(all, func(o storage.Root) bool { return o.Name == r.Name }); i >= 0 {
		all[i].Optional = all[i].Optional && r.Optional
		return
	}
	c.roots[path] = append(all, r)
}

// rootLocations declares the Location entities of a file.
func rootLocations(f storage.File) []entity.Declaration {
	var out []entity.Declaration
	for _, r := range f.Roots {
		if r.Optional && (f.Status == storage.FileIgnored || f.Status == storage.FileMissing) {
			continue
		}
		typ, target, _ := strings.Cut(r.Location, ":")
		d := descriptor.NamedLocation(r.Name, typ, target, r.Optional)
		d.Document = rootDocument
		out = append(out, d)
	}
	return out
}

// wanted are the files that the pattern matches and those that locations name.
func (c *crawl) wanted(ctx context.Context) ([]want, error) {
	wants, err := c.matched(ctx)
	if err != nil {
		return nil, err
	}
	for _, l := range c.inOrder() {
		more, err := c.located(ctx, l, wants)
		if err != nil {
			return nil, err
		}
		wants = append(wants, more...)
	}
	return c.fresh(wants), nil
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
	case c.discovered:
		pattern, err := match.Compile(c.step.cfg.Pattern(c.repo.Host, c.repo.Owner))
		if err != nil {
			return nil, err
		}
		paths, plain, err := c.expand(ctx, pattern)
		if err != nil {
			return nil, err
		}
		if !plain || c.found(ctx, paths[0]) {
			found = paths
		}
	}
	wants := make([]want, len(found))
	for i, p := range found {
		u := fileURL(c.repo, "blob", p)
		c.named(p, storage.Root{Name: descriptor.RootName("url", u), Location: "url:" + u, Optional: true})
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

// inOrder sorts the locations: of several that name one file the first decides
// its origin. Those of people come before those of Location entities, and those
// that cannot be read last.
func (c *crawl) inOrder() []storage.Location {
	rank := func(l storage.Location) (n int) {
		if _, other := c.place(l); other {
			n += 2
		}
		if declared(l) {
			n++
		}
		return n
	}
	all := slices.Clone(c.locations)
	slices.SortStableFunc(all, func(a, b storage.Location) int { return cmp.Compare(rank(a), rank(b)) })
	return all
}

// declared says that a Location entity of another repository made the location;
// that entity is there to see, so none is generated.
func declared(l storage.Location) bool { return strings.HasPrefix(l.Source, "entity:") }

// place is the path that a location names, and whether it names another branch
// than the default one, which may hold slashes.
func (c *crawl) place(l storage.Location) (path string, otherBranch bool) {
	branch := c.repo.DefaultBranch
	if p, ok := strings.CutPrefix(l.GitRef+"/"+l.Path, branch+"/"); ok && branch != "" {
		return p, false
	}
	return l.Path, l.GitRef != "" && l.GitRef != "HEAD" && branch != ""
}

// located are the files that a location names; wants are those known so far.
func (c *crawl) located(ctx context.Context, l storage.Location, wants []want) ([]want, error) {
	path, other := c.place(l)
	w := want{path: path, role: storage.RoleRegistered, origin: l.Origin, named: true}
	paths := []string{path}
	if other {
		w.branch = l.GitRef
		if slices.ContainsFunc(wants, func(o want) bool { return o.path == path }) {
			paths[0] = l.GitRef + ":" + path // not to disturb the file of the right branch
		}
	} else {
		pattern, err := match.Compile(path)
		if err != nil {
			return nil, nil //nolint:nilerr // checked when it was registered
		}
		found, plain, err := c.expand(ctx, pattern)
		if err != nil {
			return nil, err
		}
		// A glob that matches nothing is missing under its own name.
		if len(found) > 0 || declared(l) {
			paths, w.named = found, plain
		}
	}
	if len(paths) > 0 && !declared(l) {
		c.named(paths[0], storage.Root{Name: cmp.Or(l.Name, descriptor.RootName(l.Type, l.Target)), Location: l.Origin})
	}
	out := make([]want, len(paths))
	for i, p := range paths {
		out[i] = w
		out[i].path = p
	}
	return out, nil
}
