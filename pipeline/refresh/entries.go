package refresh

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// Entry declares entities without being a file of a repository: a member of an
// organization, a team.
type Entry struct {
	// Path names the entry within its source, as a path names a file.
	Path string
	// SHA is another one when the entry says something else.
	SHA string
	// Origin is the location ref that its entities carry as their origin.
	Origin       string
	Declarations []entity.Declaration
	// Diagnostics say what is wrong with it.
	Diagnostics []entity.Diagnostic
}

// SourceID is the id of what declares entities and is no repository of GitHub's.
// It is negative, as no id of GitHub's is. what tells the sources of an owner
// apart; it holds a character that no repository name may, such as "~".
func SourceID(host, owner, what string) int64 { return provisionalID(host, owner, what) }

// PlanEntries plans to make what a source declares equal to entries. The source
// is kept as a repository of its own, so that claims, conflicts, history and
// tombstones are those of files. source says what it is called; the rest of its
// row is filled here. With force entries are written that did not change.
func (s *Step) PlanEntries(ctx context.Context, source storage.Repository, entries []Entry, force bool, cause storage.Cause) (Plan, error) {
	stored, err := s.store.Repository(ctx, source.ID)
	if errors.Is(err, storage.ErrNotFound) {
		stored, err = storage.Repository{ID: source.ID}, nil
	}
	if err != nil {
		return Plan{}, err
	}
	files, err := s.files(ctx, stored)
	if err != nil {
		return Plan{}, err
	}
	repo := stored
	repo.Host, repo.Owner, repo.Name, repo.HTMLURL = source.Host, source.Owner, source.Name, source.HTMLURL
	repo.InstallationID, repo.AppliedSHA, repo.SettingsHash = source.InstallationID, source.AppliedSHA, source.SettingsHash
	repo.State, repo.Error = storage.RepositoryActive, ""
	p := Plan{repo: repo, cause: cause, files: byPath(files), asked: map[string]class{}}
	for _, e := range entries {
		p.asked[e.Path] = byPattern
		before, known := p.files[e.Path]
		if known && !force && before.BlobSHA == e.SHA && before.Origin == e.Origin {
			continue
		}
		f := storage.File{
			RepositoryID: repo.ID, Path: e.Path, BlobSHA: e.SHA, Role: storage.RolePattern, Origin: e.Origin,
			Status: storage.FileOK, Documents: len(e.Declarations), Diagnostics: e.Diagnostics,
		}
		if hasError(e.Diagnostics) {
			f.Status = storage.FileBroken
		}
		p.changed = append(p.changed, fileResult{File: f, declarations: e.Declarations})
	}
	for path := range p.files {
		if _, declared := p.asked[path]; !declared {
			p.removed = append(p.removed, path)
		}
	}
	slices.Sort(p.removed)
	slices.SortFunc(p.changed, func(a, b fileResult) int { return cmp.Compare(a.Path, b.Path) })
	if p.empty() && same(stored, repo) {
		p.still = "nothing changed"
	}
	return p, nil
}

// Removed are the paths of the files or entries that the plan takes away, in order.
func (p Plan) Removed() []string { return p.removed }

// Keeps is how many of those that were known it leaves.
func (p Plan) Keeps() int { return len(p.files) - len(p.removed) }
