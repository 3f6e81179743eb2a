package refresh

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/storage"
)

// Locations go on naming a repository as it was called when somebody wrote them
// down, and GitHub leads from there to it until another repository takes the
// name. So a repository remembers its former names as long as locations name them.

// find looks at a repository. Who asks by name wants the one that the name leads
// to now, whichever it was before.
func (s *Step) find(ctx context.Context, req request, stored storage.Repository, files []storage.File, how discovery.Reading) (Tree, error) {
	paths := prefetch(how, files)
	n := name(req, stored)
	n.Branch = how.Branch
	tree, err := s.github.Open(ctx, n, paths)
	if req.RepositoryID == 0 && stored.ID > 0 && errors.Is(err, githubapp.ErrNotFound) {
		// A 404 is no evidence that the repository that we know is gone.
		byID := n
		byID.ID, byID.Owner, byID.Name = stored.ID, stored.Owner, stored.Name
		tree, err = s.github.Open(ctx, byID, paths)
	}
	return tree, err
}

// nameOf is the name of a repository as Former has it.
func nameOf(owner, name string) string { return strings.ToLower(owner + "/" + name) }

// former are the names that repo had and that locations still name. It is repo
// as GitHub shows it; stored is what was known of it.
func (s *Step) former(ctx context.Context, req request, stored, repo storage.Repository) ([]string, error) {
	names := slices.Clone(stored.Former)
	if stored.ID > 0 {
		names = append(names, nameOf(stored.Owner, stored.Name))
	}
	if req.RepositoryID == 0 {
		names = append(names, nameOf(req.Owner, req.Name))
	}
	slices.Sort(names)
	var kept []string
	for _, n := range slices.Compact(names) {
		owner, name, _ := strings.Cut(n, "/")
		if n == nameOf(repo.Owner, repo.Name) {
			continue
		}
		locations, err := s.store.RepositoryLocations(ctx, repo.Host, owner, name)
		if err != nil {
			return nil, err
		}
		if len(locations) == 0 {
			continue
		}
		holder, err := s.holder(ctx, repo.Host, owner, name)
		if err != nil {
			return nil, err
		}
		called := nameOf(holder.Owner, holder.Name) == n && holder.State != storage.RepositoryRemoved
		if holder.ID == repo.ID || !called {
			kept = append(kept, n)
		}
	}
	return kept, nil
}

// holder is the repository that a name leads to, as far as we know.
func (s *Step) holder(ctx context.Context, host, owner, name string) (storage.Repository, error) {
	all, err := s.store.RepositoriesNamed(ctx, host, owner, name)
	if i := slices.IndexFunc(all, func(r storage.Repository) bool { return r.ID > 0 }); i >= 0 {
		return all[i], err
	}
	return storage.Repository{}, err
}

// holding is a stored repository with the names that lead to it still: another
// one may have taken its own.
func (s *Step) holding(ctx context.Context, r storage.Repository) (storage.Repository, error) {
	held := r
	holder, err := s.holder(ctx, r.Host, r.Owner, r.Name)
	if err != nil {
		return held, err
	}
	if holder.ID > 0 && holder.ID != r.ID {
		held.Owner, held.Name = "", "" // which no location names
	}
	held.Former, err = s.former(ctx, request{Refresh: event.Refresh{RepositoryID: r.ID}}, storage.Repository{Former: r.Former}, r)
	return held, err
}

// newNames are the names that GitHub shows a repository under for the first time.
func newNames(stored, repo storage.Repository) []string {
	var names []string
	if n := nameOf(repo.Owner, repo.Name); stored.Version == 0 || n != nameOf(stored.Owner, stored.Name) {
		names = append(names, n)
	}
	for _, n := range repo.Former {
		if !slices.Contains(stored.Former, n) {
			names = append(names, n)
		}
	}
	return names
}

// takeNames settles whose the new names of the repository were. What stood for
// it while GitHub did not show it is the repository's now; any other is looked at,
// because locations do not lead to it any more. The catalog is locked, so that
// nobody takes a name behind our back.
func (s *Step) takeNames(ctx context.Context, tx storage.Tx, p *Plan) error {
	var looks []event.Refresh
	for _, full := range p.newNames {
		owner, name, _ := strings.Cut(full, "/")
		others, err := tx.RepositoriesNamed(ctx, p.repo.Host, owner, name)
		if err != nil {
			return err
		}
		for _, o := range others {
			switch {
			case o.ID == p.repo.ID:
			case o.ID < 0:
				p.provisional = append(p.provisional, o.ID)
			default:
				// Its next refresh may be planned already: two that hold one
				// name would both keep what it leads to.
				if i := slices.Index(o.Former, full); i >= 0 {
					o.Former = slices.Delete(o.Former, i, i+1)
					if _, err := tx.PutRepository(ctx, o); err != nil {
						return err
					}
				}
				looks = append(looks, event.RefreshOf(o))
			}
		}
		if full == p.renamed {
			looks = append(looks, event.Refresh{Host: p.repo.Host, Owner: owner, Name: name}) // who has it now?
		}
	}
	return lookAt(ctx, tx, looks, p.cause)
}

// lookAt asks for looks that follow from a change.
func lookAt(ctx context.Context, tx storage.Tx, looks []event.Refresh, cause storage.Cause) error {
	var msgs []storage.Message
	for _, req := range looks {
		msg, err := event.FollowMessage(req, cause)
		if err != nil {
			return err
		}
		msgs = append(msgs, msg)
	}
	_, err := tx.AddMessages(ctx, msgs)
	return err
}
