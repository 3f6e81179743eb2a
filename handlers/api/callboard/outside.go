package callboard

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/pipeline/match"
	"github.com/callboard/callboard/storage"
)

// addOutside finds what became of the targets of Locations in other
// repositories. Those repositories say nothing of it: a file that only others
// name, and that is not there, is no fault of theirs.
func (a *API) addOutside(ctx context.Context, repo storage.Repository, files []File) error {
	if !slices.ContainsFunc(files, func(f File) bool { return len(f.External) > 0 }) {
		return nil
	}
	locations, err := a.store.Locations(ctx)
	if err != nil {
		return err
	}
	bySource := map[string][]storage.Location{}
	for _, l := range locations {
		bySource[l.Source] = append(bySource[l.Source], l)
	}
	o := outside{store: a.store, repositories: map[string]*other{}}
	for i := range files {
		f := &files[i]
		for _, l := range bySource[location.Source{RepositoryID: repo.ID, Path: f.Path}.String()] {
			there, err := o.repository(ctx, l)
			switch {
			case err != nil:
				return err
			case there == nil:
				f.Unreadable = append(f.Unreadable, l.Target)
			case !there.has(l):
				f.Absent = append(f.Absent, l.Target)
			}
		}
	}
	return nil
}

// outside remembers the repositories that were looked up.
type outside struct {
	store        storage.Reader
	repositories map[string]*other
}

// other is a repository that a Location of another one points into.
type other struct {
	branch string
	files  []storage.File
}

// repository is nil when it is unknown, because nobody let us read it, or is
// not to be read any more.
func (o outside) repository(ctx context.Context, l storage.Location) (*other, error) {
	key := l.Host + "/" + l.Owner + "/" + l.Repo
	if known, ok := o.repositories[key]; ok {
		return known, nil
	}
	o.repositories[key] = nil
	repo, err := o.store.RepositoryByName(ctx, l.Host, l.Owner, l.Repo)
	if errors.Is(err, storage.ErrNotFound) || err == nil && repo.State != storage.RepositoryActive {
		return nil, nil //nolint:nilnil // said above
	}
	if err != nil {
		return nil, err
	}
	files, err := o.store.Files(ctx, repo.ID)
	if err != nil {
		return nil, err
	}
	o.repositories[key] = &other{branch: repo.DefaultBranch, files: files}
	return o.repositories[key], nil
}

// has says that the catalog has a file that the location names. The branch may
// hold slashes.
func (o other) has(l storage.Location) bool {
	path := l.Path
	if p, ok := strings.CutPrefix(l.GitRef+"/"+l.Path, o.branch+"/"); ok {
		path = p
	} else if l.GitRef != "HEAD" {
		return false // only the default branch is read
	}
	pattern, err := match.Compile(path)
	return err == nil && slices.ContainsFunc(o.files, func(f storage.File) bool {
		return f.Status != storage.FileMissing && pattern.Match(f.Path)
	})
}
