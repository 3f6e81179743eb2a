package refresh

import (
	"fmt"
	"maps"
	"slices"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// maxShown is how many errors a generated Location shows. The diagnostics have all.
const maxShown = 20

// tell declares the generated Locations of the files that changed, and of others
// whose Locations show other errors than before: what no entity of a file can
// show, the Location that led to the file does (contract catalog 1.9 and 1.10).
func (c *crawl) tell() {
	files := map[string]storage.File{}
	for path, f := range c.stored {
		if _, wanted := c.seen[path]; wanted {
			files[path] = f
		}
	}
	for _, r := range c.changed {
		files[r.Path] = r.File
	}
	before, now := rootErrors(c.stored), rootErrors(files)
	for i := range c.changed {
		c.changed[i].locate(now)
		delete(files, c.changed[i].Path)
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		r := fileResult{File: files[path]}
		if c.retell || slices.ContainsFunc(r.Roots, func(root storage.Root) bool {
			return !slices.EqualFunc(before[root.Name], now[root.Name], func(a, b entity.StatusItem) bool { return a.Message == b.Message })
		}) {
			r.locate(now)
			c.told = append(c.told, r)
		}
	}
}

// locate declares the generated Locations of a file.
func (r *fileResult) locate(errors map[string][]entity.StatusItem) {
	r.shown = map[string][]entity.StatusItem{}
	for _, root := range r.Roots {
		if d, ok := rootLocation(r.File, root); ok {
			r.declarations = append(r.declarations, d)
			r.shown[d.Ref] = errors[root.Name]
		}
	}
}

// rootErrors are the errors that each generated Location shows, by its name: those
// of its own file first, then those of the files that it led to.
func rootErrors(files map[string]storage.File) map[string][]entity.StatusItem {
	byOrigin := map[string][]string{}
	for _, f := range files {
		for _, r := range f.Roots {
			byOrigin[r.Location] = append(byOrigin[r.Location], r.Name)
		}
	}
	all := map[string][]entity.StatusItem{}
	for _, own := range []bool{true, false} {
		for _, path := range slices.Sorted(maps.Keys(files)) {
			f := files[path]
			if len(f.Errors) == 0 {
				continue
			}
			mine := names(f.Roots)
			if own {
				for _, name := range mine {
					all[name] = append(all[name], f.Errors...)
				}
				continue
			}
			for _, name := range union(names(top(files, f).Roots), byOrigin[f.Origin]) {
				if !slices.Contains(mine, name) {
					all[name] = append(all[name], f.Errors...)
				}
			}
		}
	}
	for name, items := range all {
		all[name] = few(items)
	}
	return all
}

func names(roots []storage.Root) (all []string) {
	for _, r := range roots {
		all = append(all, r.Name)
	}
	return all
}

// top is the file from which Location entities lead to a file.
func top(files map[string]storage.File, f storage.File) storage.File {
	for range files { // parents make no circle, but rows may be anything
		parent, ok := files[f.Parent]
		if f.Parent == "" || !ok {
			break
		}
		f = parent
	}
	return f
}

// few are the first of many errors, and how many there are besides.
func few(items []entity.StatusItem) []entity.StatusItem {
	if len(items) <= maxShown {
		return items
	}
	return append(items[:maxShown:maxShown], statusItem(&entity.Error{Name: "InputError", Message: fmt.Sprintf(
		"%d more errors are not shown here; the diagnostics of the repository have all", len(items)-maxShown)}))
}
