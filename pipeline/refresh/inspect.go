package refresh

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/pipeline/match"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// What somebody who waits may have read at once. The catalog itself takes more.
const (
	inspectFiles        = 500
	inspectRepositories = 20
)

// DryRun reads what a location would bring in, and stores nothing: its Location
// entity first, then all that it reaches, in other repositories too (contract
// catalog 4.14). faults are the errors as Backstage words them; err is a failure
// to ask GitHub.
func (s *Step) DryRun(ctx context.Context, l storage.Location) (entities []json.RawMessage, faults []string, err error) {
	in := &inspection{step: s.bounded(), seen: map[string]bool{}, refs: map[string]bool{}}
	if err := in.follow(ctx, []storage.Location{l}); err != nil {
		return nil, nil, err
	}
	for _, r := range in.results {
		for _, d := range r.declarations {
			entities = append(entities, d.JSON)
		}
	}
	return entities, in.faults, nil
}

// bounded is the step with the limits of an inspection.
func (s *Step) bounded() *Step {
	b := *s
	b.cfg.MaxFiles = min(b.cfg.MaxFiles, inspectFiles)
	return &b
}

// inspection follows locations through repositories.
type inspection struct {
	step    *Step
	seen    map[string]bool // targets that were followed
	refs    map[string]bool
	results []fileResult
	faults  []string
	// only takes the place of reading the files of a repository.
	only func(ctx context.Context, in *inspection, c *crawl) error
}

// follow reads locations, repository by repository, and those that they name.
func (in *inspection) follow(ctx context.Context, queue []storage.Location) error {
	for n := 0; len(queue) > 0; n++ {
		if n == inspectRepositories {
			in.faults = append(in.faults, fmt.Sprintf("InputError: The location reaches more than %d repositories", inspectRepositories))
			return nil
		}
		first := queue[0]
		var here, elsewhere []storage.Location
		for _, l := range queue {
			switch {
			case in.seen[l.Target]:
			case l.Host == first.Host && l.Owner == first.Owner && l.Repo == first.Repo:
				here = append(here, l)
			default:
				elsewhere = append(elsewhere, l)
			}
		}
		queue = elsewhere
		if len(here) == 0 {
			continue
		}
		more, err := in.read(ctx, here)
		if err != nil {
			return err
		}
		queue = append(queue, more...)
	}
	return nil
}

// read reads the locations of one repository.
func (in *inspection) read(ctx context.Context, here []storage.Location) (more []storage.Location, err error) {
	l := here[0]
	tree, repo, err := in.step.open(ctx, githubapp.Name{Host: l.Host, Owner: l.Owner, Name: l.Repo})
	if err != nil && !unreadable(err) {
		return nil, err
	}
	for _, l := range here {
		in.seen[l.Target] = true
		if err != nil {
			in.faults = append(in.faults, "NotFoundError: Unable to read url, "+missing(l.Target))
		}
	}
	if err != nil {
		return nil, nil
	}
	c := inspect(in.step, tree, repo)
	c.locations = here
	if in.only != nil {
		return nil, in.only(ctx, in, c)
	}
	err = c.run(ctx)
	if bad, ok := errors.AsType[*location.InvalidError](err); ok {
		in.faults = append(in.faults, "InputError: "+bad.Message)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s at %.7s: %w", repo.FullName(), repo.AppliedSHA, err)
	}
	for _, r := range c.changed {
		in.add(r)
		more = append(more, externalLocations(r.File)...)
	}
	return more, nil
}

func missing(target string) string {
	return "no matching files found for " + strings.Replace(target, "/blob/", "/tree/", 1)
}

// add takes a file into the result, and tells what is wrong with it.
func (in *inspection) add(r fileResult) {
	slices.SortStableFunc(r.declarations, func(a, b entity.Declaration) int { return a.Document - b.Document })
	for _, items := range append(sorted(r.rejected), r.Errors) {
		for _, item := range items {
			in.faults = append(in.faults, item.Message)
		}
	}
	for _, d := range r.Diagnostics {
		switch d.Rule {
		case "target-not-allowed":
			in.faults = append(in.faults, "Error: "+d.Message)
		case "duplicate-entity":
			in.faults = append(in.faults, "Error: Duplicate nested entity: "+d.Ref)
		}
	}
	for _, d := range r.declarations {
		if in.refs[d.Ref] {
			in.faults = append(in.faults, "Error: Duplicate nested entity: "+d.Ref)
		}
		in.refs[d.Ref] = true
	}
	in.results = append(in.results, r)
}

func sorted(m map[string][]entity.StatusItem) (all [][]entity.StatusItem) {
	var refs []string
	for ref := range m {
		refs = append(refs, ref)
	}
	slices.Sort(refs)
	for _, ref := range refs {
		all = append(all, m[ref])
	}
	return all
}

// open looks at a repository that need not be known.
func (s *Step) open(ctx context.Context, n githubapp.Name) (Tree, storage.Repository, error) {
	if !configured(s.github, n.Host) {
		return nil, storage.Repository{}, githubapp.ErrNotFound
	}
	stored, err := s.stored(ctx, event.Refresh{Host: n.Host, Owner: n.Owner, Name: n.Name})
	if err != nil {
		return nil, storage.Repository{}, err
	}
	n.Branch = s.likely(stored).Branch
	tree, err := s.github.Open(ctx, n, nil)
	if err != nil {
		return nil, storage.Repository{}, err
	}
	return tree, storage.Repository{
		ID: tree.Facts().ID, Host: n.Host, Owner: tree.Facts().Owner, Name: tree.Facts().Name,
		HTMLURL: strings.TrimSuffix(tree.Facts().URL, "/"), DefaultBranch: tree.Facts().DefaultBranch, AppliedSHA: tree.Facts().Head,
	}, nil
}

func unreadable(err error) bool {
	return errors.Is(err, githubapp.ErrNotFound) || errors.Is(err, githubapp.ErrNoBranch)
}

// inspect is a crawl for somebody who waits.
func inspect(s *Step, tree Tree, repo storage.Repository) *crawl {
	c := newCrawl(s, tree, repo, nil)
	c.asked = true
	return c
}

// Analyze finds the catalog files of a repository at its default branch, and
// what is in them (contract catalog 4.15). filename is looked for in every
// folder; without one the files are those of the catalog pattern. readable is
// false when GitHub does not show the repository.
func (s *Step) Analyze(ctx context.Context, host, owner, name, filename string) (found []location.Found, readable bool, err error) {
	tree, repo, err := s.open(ctx, githubapp.Name{Host: host, Owner: owner, Name: name})
	if err != nil {
		if unreadable(err) {
			err = nil
		}
		return nil, false, err
	}
	pattern, err := s.analyzed(host, repo.Owner, filename)
	if err != nil {
		return nil, true, err
	}
	c := inspect(s.bounded(), tree, repo)
	paths, plain, err := c.expand(ctx, pattern)
	if err != nil {
		return nil, true, err
	}
	for _, p := range paths {
		if _, ignored := match.Ignored(p); ignored && !plain || plain && !c.found(ctx, p) {
			continue
		}
		u := fileURL(repo, "blob", p)
		c.locations = append(c.locations, storage.Location{Type: "url", Target: u, Path: p, Origin: "url:" + u})
	}
	if err := c.run(ctx); err != nil {
		return nil, true, fmt.Errorf("read %s at %.7s: %w", repo.FullName(), repo.AppliedSHA, err)
	}
	known, err := s.store.Files(ctx, repo.ID)
	if err != nil {
		return nil, true, err
	}
	registered := byPath(known)
	for _, r := range c.changed {
		slices.SortStableFunc(r.declarations, func(a, b entity.Declaration) int { return a.Document - b.Document })
		if last := len(r.declarations) - 1; last < 0 || r.declarations[last].Document == rootDocument {
			continue // no catalog file, and then whoever asks need not know of it
		}
		target := strings.TrimPrefix(r.Origin, "url:")
		path, _ := repoPath(repo, target)
		_, is := registered[path]
		for _, d := range r.declarations {
			found = append(found, location.Found{Target: target, Registered: is, Entity: d.JSON})
		}
	}
	return found, true, nil
}

// analyzed is the pattern of the files that an analysis looks into. A filename
// with wildcards would make it a way to list repositories.
func (s *Step) analyzed(host, owner, filename string) (*match.Pattern, error) {
	if filename == "" {
		return s.pattern(host, owner)
	}
	filename = strings.TrimPrefix(filename, "/")
	pattern, err := match.Compile(filename)
	if err != nil {
		return nil, &location.InvalidError{Message: fmt.Sprintf("The catalogFilename cannot be matched: %s", err)}
	}
	if _, plain := pattern.Plain(); !plain {
		return nil, &location.InvalidError{Message: "The catalogFilename must be the name of a file, without wildcards"}
	}
	return match.Compile("**/" + filename)
}
