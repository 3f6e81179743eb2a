package catalog

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/pipeline/match"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/view"
)

// What an ancestry may hold. Locations nest no deeper where they are read; a
// file of hundreds of Locations that all name one file makes it wide.
const (
	maxGenerations = 32
	maxAncestors   = 1000
)

// ancestor is an item of an ancestry.
type ancestor struct {
	ref     string
	parents []string
}

// EntityAncestry is GET /entities/by-name/{kind}/{namespace}/{name}/ancestry: the
// entity, then upwards what it was reached by (contract catalog 4.11). It is
// asked for rarely, so it reads the store.
func (a *API) EntityAncestry(w http.ResponseWriter, r *http.Request) error {
	p, err := readParams(r, waitParams)
	if err != nil {
		return err
	}
	if err := a.await(w, r, p); err != nil {
		return err
	}
	ref := strings.ToLower(r.PathValue("kind") + ":" + r.PathValue("namespace") + "/" + r.PathValue("name"))
	l := lineage{store: a.store, repositories: map[int64]*declared{}}
	line, err := l.climb(r.Context(), ref)
	if err != nil {
		return err
	}
	served := make([]*view.Entity, len(line))
	a.view.Read(func(s *view.Snapshot) {
		for i := range line {
			served[i] = s.ByRef(line[i].ref)
		}
		w.Header().Set(RevisionHeader, strconv.FormatInt(s.Revision(), 10))
	})
	if len(served) == 0 || served[0] == nil {
		return respond.NotFound("No such entity %s", ref)
	}
	return respond.JSON(w, r, http.StatusOK, familyOf(ref, line, served))
}

type family struct {
	RootEntityRef string         `json:"rootEntityRef"`
	Items         []familyMember `json:"items"`
}

type familyMember struct {
	Entity           json.RawMessage `json:"entity"`
	ParentEntityRefs []string        `json:"parentEntityRefs"`
}

// familyOf leaves out what the view does not serve yet or any more.
func familyOf(root string, line []ancestor, served []*view.Entity) family {
	f := family{RootEntityRef: root, Items: []familyMember{}}
	shown := map[string]bool{}
	for i, a := range line {
		shown[a.ref] = served[i] != nil
	}
	for i, a := range line {
		if served[i] == nil {
			continue
		}
		parents := slices.DeleteFunc(slices.Clone(a.parents), func(ref string) bool { return !shown[ref] })
		f.Items = append(f.Items, familyMember{Entity: served[i].JSON(), ParentEntityRefs: append([]string{}, parents...)})
	}
	return f
}

// lineage finds parents. What it read of a repository it keeps.
type lineage struct {
	store        storage.Reader
	repositories map[int64]*declared
}

// declared is what the files of a repository are and declare.
type declared struct {
	files     map[string]storage.File
	entities  map[string][]storage.Entity // by path
	locations []storage.Location
	// owner and name of the repository.
	owner, name string
}

// climb goes up generation by generation; each entity comes once, so it ends
// where Locations name each other.
func (l *lineage) climb(ctx context.Context, ref string) (line []ancestor, err error) {
	generation, err := l.store.Entities(ctx, []string{ref})
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{ref: true}
	for depth := 0; len(generation) > 0 && depth <= maxGenerations; depth++ {
		var above []storage.Entity
		for _, e := range generation {
			parents, err := l.parents(ctx, e)
			if err != nil {
				return nil, err
			}
			a := ancestor{ref: e.Ref}
			for _, p := range parents {
				a.parents = append(a.parents, p.Ref)
				if !seen[p.Ref] && len(seen) < maxAncestors {
					seen[p.Ref] = true
					above = append(above, p)
				}
			}
			line = append(line, a)
		}
		generation = above
	}
	return line, nil
}

// parents are the Location entities that reached the file of an entity: the
// generated ones where it is registered or discovered, those in the file whose
// target it is, and those in files of other repositories that name it. A
// generated one, which is document -1 of its file, has none.
func (l *lineage) parents(ctx context.Context, e storage.Entity) (parents []storage.Entity, err error) {
	if e.Document < 0 {
		return nil, nil
	}
	repo, err := l.repository(ctx, e.RepositoryID)
	if err != nil {
		return nil, err
	}
	parents = repo.locationsIn(e.Path, true)
	if f := repo.files[e.Path]; f.Role == storage.RoleTarget {
		parents = append(parents, repo.leading(f.Parent, e.Path)...)
	}
	for _, loc := range repo.locations {
		id, file, ok := namedBy(loc, e.Path)
		if !ok {
			continue
		}
		other, err := l.repository(ctx, id)
		if err != nil {
			return nil, err
		}
		parents = append(parents, other.locationsIn(file, false)...)
	}
	slices.SortFunc(parents, func(a, b storage.Entity) int { return cmp.Compare(a.Ref, b.Ref) })
	return slices.CompactFunc(parents, func(a, b storage.Entity) bool { return a.Ref == b.Ref }), nil
}

// locationsIn are the Location entities of a file, the generated or the written ones.
func (d *declared) locationsIn(path string, generated bool) (locations []storage.Entity) {
	for _, e := range d.entities[path] {
		if strings.HasPrefix(e.Ref, "location:") && e.Document < 0 == generated {
			locations = append(locations, e)
		}
	}
	return locations
}

// leading are the Location entities of a file that name another: not all of
// them need to. If none does, one did that has changed since, so all may be it.
func (d *declared) leading(from, to string) []storage.Entity {
	all := d.locationsIn(from, false)
	named := slices.DeleteFunc(slices.Clone(all), func(l storage.Entity) bool { return !d.leads(l, to) })
	if len(named) > 0 {
		return named
	}
	return all
}

// leads says whether a Location entity of the repository names a file of it: by
// a path from the folder of its own file or from the root, or by a URL.
func (d *declared) leads(l storage.Entity, file string) bool {
	var doc struct {
		Spec struct {
			Target  string   `json:"target"`
			Targets []string `json:"targets"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(l.JSON, &doc); err != nil {
		return false // cannot be: it is served
	}
	return slices.ContainsFunc(append(doc.Spec.Targets, doc.Spec.Target), func(target string) bool {
		if u, ok := location.Parse(target); ok {
			if u.Owner != strings.ToLower(d.owner) || u.Repo != strings.ToLower(d.name) {
				return false
			}
			target = u.Path
		} else if !strings.HasPrefix(target, "/") {
			target = path.Join(path.Dir(l.Path), target)
		}
		pattern, err := match.Compile(target)
		return err == nil && pattern.Match(file)
	})
}

// namedBy is the file, in whichever repository, whose Location entity made the
// location, if the location names the path.
func namedBy(loc storage.Location, target string) (repositoryID int64, file string, ok bool) {
	source, ok := location.ParseSource(loc.Source)
	if !ok {
		return 0, "", false
	}
	pattern, err := match.Compile(loc.Path)
	return source.RepositoryID, source.Path, err == nil && pattern.Match(target)
}

func (l *lineage) repository(ctx context.Context, id int64) (*declared, error) {
	if d := l.repositories[id]; d != nil {
		return d, nil
	}
	d := &declared{files: map[string]storage.File{}, entities: map[string][]storage.Entity{}}
	files, err := l.store.Files(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		d.files[f.Path] = f
	}
	entities, err := l.store.RepositoryEntities(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, e := range entities {
		d.entities[e.Path] = append(d.entities[e.Path], e)
	}
	repo, err := l.store.Repository(ctx, id)
	d.owner, d.name = repo.Owner, repo.Name
	if err == nil {
		d.locations, err = location.Of(ctx, l.store, repo)
	}
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return nil, err
	}
	l.repositories[id] = d
	return d, nil
}
