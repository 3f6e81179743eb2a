package refresh

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/storage"
)

// ruleUnreadable is the rule of files of which only the name is known.
const ruleUnreadable = "repository-unreadable"

// remember plans for a repository that cannot be read. What was read before
// stays, so that an outage or a lost permission deletes nothing; but what
// locations say is known without GitHub: a new one is shown with the reason why
// it cannot be read, and what only a deleted one brought in goes.
//
// It is the ordinary crawl, over the tree as the catalog remembers it.
func (s *Step) remember(ctx context.Context, req request, stored storage.Repository, files []storage.File, why string) (Plan, error) {
	p := Plan{lost: why, again: req.Force, repo: stored, cause: req.cause}
	held, err := s.holding(ctx, stored)
	if err != nil {
		return p, err
	}
	locations, err := location.Of(ctx, s.store, held)
	if err != nil {
		return p, err
	}
	if stored.Version == 0 {
		locations = slices.DeleteFunc(locations, location.Foreign)
		if len(locations) == 0 {
			return p, nil
		}
		p.repo.ID = provisionalID(stored.Host, stored.Owner, stored.Name)
	}
	c := newCrawl(s, memory{files}, p.repo, files)
	c.locations, c.lost, c.retell = locations, why, req.Force
	if err := c.run(ctx); err != nil {
		return p, fmt.Errorf("go over what is known of %s: %w", stored.FullName(), err)
	}
	p.changed, p.told, p.removed, p.files, p.asked = c.changed, c.told, c.removed(), c.stored, c.seen
	return p, nil
}

// forget plans for a repository that is gone: everything that came from it goes
// with it, but a location that somebody registered stays to be seen.
func (s *Step) forget(ctx context.Context, req request, stored storage.Repository) (Plan, error) {
	p, err := s.remember(ctx, req, stored, nil, "GitHub says that the repository was "+req.Gone)
	p.gone, p.lost = req.Gone, ""
	for i := range p.changed {
		p.changed[i].broken = nil // which would keep what the file declared
	}
	return p, err
}

// never plans for a repository that went before it came. It leaves a row that
// says so, because a scan may have seen it in between, and what it saw is taken
// for true only where there is no row. One that locations name has a place to
// say it already.
func (s *Step) never(ctx context.Context, req request, stored storage.Repository) (Plan, error) {
	named, err := location.Of(ctx, s.store, stored)
	if err != nil || len(named) > 0 || req.RepositoryID <= 0 || !req.Discovered {
		return Plan{still: "the repository was never in the catalog", repo: stored, cause: req.cause}, err
	}
	return Plan{gone: req.Gone, repo: stored, cause: req.cause}, nil
}

// provisionalID is the id of a repository that GitHub does not show, and that a
// location names nevertheless. It is negative: no id of GitHub's is.
func provisionalID(host, owner, name string) int64 {
	sum := sha256.Sum256([]byte(strings.ToLower(host + "/" + owner + "/" + name)))
	const exactInJavaScript = 1<<53 - 1
	return -1 - int64(binary.BigEndian.Uint64(sum[:8])&(exactInJavaScript>>1))
}

// memory is a tree as the catalog remembers it. Nothing of it can be read.
type memory struct{ files []storage.File }

func (memory) Facts() githubapp.Repository { return githubapp.Repository{} }

func (m memory) Lookup(context.Context, []string) (map[string]githubapp.Object, error) {
	objects := map[string]githubapp.Object{}
	for _, f := range m.files {
		objects[f.Path] = githubapp.Object{SHA: f.BlobSHA}
		for in, sha := range f.Inputs {
			objects[in] = githubapp.Object{SHA: sha}
		}
	}
	return objects, nil
}

func (m memory) List(context.Context) ([]githubapp.Entry, error) {
	var entries []githubapp.Entry
	for _, f := range m.files {
		// Of some only the name is known that a location gave.
		if f.Status != storage.FileMissing && !diagnosed(f, ruleUnreadable, ruleBranch) {
			entries = append(entries, githubapp.Entry{Path: f.Path})
		}
	}
	return entries, nil
}

func (memory) Read(context.Context, []githubapp.Object) (map[string][]byte, error) {
	return nil, errors.New("the tree is only remembered")
}

func byPath(files []storage.File) map[string]storage.File {
	m := make(map[string]storage.File, len(files))
	for _, f := range files {
		m[f.Path] = f
	}
	return m
}
