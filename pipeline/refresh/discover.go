package refresh

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/match"
	"github.com/callboard/callboard/storage"
)

// account is whose repositories an owner's are, as far as it is known.
func (s *Step) account(host, owner string) discovery.Account {
	return discovery.Account{Host: host, Owner: owner, Apps: s.github.AppsOn(host, owner)}
}

// learn finds out which Apps are installed where, if any entry asks for that.
func (s *Step) learn(ctx context.Context, host string) error {
	if len(s.cfg.Policy.Apps(host)) == 0 {
		return nil
	}
	err := s.github.LearnApps(ctx, host)
	if _, known := fault.Of(err); err == nil || known {
		return err
	}
	return fault.Unavailable(err) // a list is never refused for what is asked
}

// Excluded is why a repository is not searched for the catalog pattern; "" for one that is.
func (s *Step) Excluded(r storage.Repository) string {
	_, reason, _ := s.searched(r)
	return reason
}

// searched says how a repository is searched for descriptors, and if it is not,
// why. Of one that is not only what locations name is read, on the default branch.
func (s *Step) searched(r storage.Repository) (how discovery.Reading, reason string, ok bool) {
	if !r.Discovered {
		return how, "only locations name it", false
	}
	how, reason, ok = s.cfg.Policy.Read(s.account(r.Host, r.Owner), discovery.Facts{
		Name: r.Name, Visibility: r.Visibility, Topics: r.Topics, Fork: r.Fork, Archived: r.Archived,
	})
	if s.abandoned(r) {
		reason += "; what it declared is kept, and not read any more (catalog.orphanProviderStrategy is keep)"
	}
	return how, reason, ok
}

// abandoned says that a repository keeps what it declared although no entry
// covers it any more (contract catalog 3.1, catalog.orphanProviderStrategy).
func (s *Step) abandoned(r storage.Repository) bool {
	return s.cfg.KeepAbandoned && r.Discovered && len(s.cfg.Policy.Covering(s.account(r.Host, r.Owner))) == 0
}

// likely is how a repository is searched according to what is known of it before
// GitHub is asked. Of an unknown one that is nothing: then the first entry is tried.
func (s *Step) likely(r storage.Repository) discovery.Reading {
	if r.Version > 0 {
		how, _, _ := s.searched(r)
		return how
	}
	entries := s.cfg.Policy.Covering(s.account(r.Host, r.Owner))
	if !r.Discovered || len(entries) == 0 {
		return discovery.Reading{}
	}
	return discovery.Reading{Branch: entries[0].Branch, Paths: discovery.Paths(entries)}
}

// sight is a repository as GitHub shows it.
type sight struct {
	tree Tree
	// stored and files are what was known of it, repo what it is now.
	stored, repo storage.Repository
	files        []storage.File
	how          discovery.Reading
}

// sight looks at a repository on the branch that is read of it. Which one that is
// follows from its facts, which come with the answer: if they moved, it is asked
// for again.
func (s *Step) sight(ctx context.Context, req request, stored storage.Repository, files []storage.File) (sight, error) {
	guess := stored
	guess.Discovered = stored.Discovered || req.Discovered
	v := sight{stored: stored, files: files, how: s.likely(guess)}
	for range 2 {
		var err error
		if v.tree, err = s.tree(ctx, req, v.stored, v.files, v.how); err != nil {
			return v, err
		}
		facts := v.tree.Facts()
		if v.stored.ID != facts.ID {
			// Found by name: it may be known under its id, or be named anew.
			if v.stored, err = s.stored(ctx, event.Refresh{Host: stored.Host, RepositoryID: facts.ID}); err != nil {
				return v, err
			}
			if v.files, err = s.files(ctx, v.stored); err != nil {
				return v, err
			}
		}
		v.repo = s.updated(v.stored, facts, req)
		how, _, _ := s.searched(v.repo)
		if how.Branch == v.how.Branch {
			v.how = how
			return v, nil
		}
		v.how = how
	}
	return v, fmt.Errorf("%s changes while it is looked at: which branch is read follows from its topics and visibility", stored.FullName())
}

// kept are the stored files that nobody reads any more and that stay: what an
// abandoned repository declared by itself.
func (c *crawl) kept() map[string]bool {
	if !c.abandoned {
		return nil
	}
	var origins []string
	for _, f := range c.stored {
		if f.Role == storage.RolePattern {
			origins = append(origins, f.Origin)
		}
	}
	kept := map[string]bool{}
	for path, f := range c.stored {
		if slices.Contains(origins, f.Origin) {
			kept[path] = true
		}
	}
	return kept
}

// pattern is where descriptors are looked for in an owner's repositories.
func (s *Step) pattern(host, owner string) (*match.Pattern, error) {
	return match.Compile(discovery.Glob(discovery.Paths(s.cfg.Policy.Covering(s.account(host, owner)))))
}

// away says that a repository was transferred to an account that no App of ours
// is installed on. Only the new owner hears of that; where everybody may read
// the repository, it would stay here under its new name.
func (s *Step) away(ctx context.Context, stored, repo storage.Repository) (bool, error) {
	if stored.Version == 0 || !repo.Discovered || strings.EqualFold(stored.Owner, repo.Owner) || stored.InstallationID == 0 {
		return false, nil // the same owner, or it came in by a token, of which no App knows
	}
	if len(s.cfg.Policy.Providers) > 0 && len(s.cfg.Policy.Covering(s.account(repo.Host, repo.Owner))) > 0 {
		return false, nil // the new account is ours as well
	}
	covered, err := s.github.Covered(ctx, githubapp.Name{Host: repo.Host, ID: repo.ID, Owner: repo.Owner, Name: repo.Name})
	return !covered, err
}
