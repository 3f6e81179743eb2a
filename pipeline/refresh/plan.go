package refresh

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/pipeline/match"
	"github.com/callboard/callboard/storage"
)

// processing is part of the settings hash: raise it when the same file would
// be read to another result, and every repository is read again once.
const processing = "2"

// lagTries is how often GitHub is asked again that shows an older head than it
// announced.
const lagTries = 3

// Plan is what is to be written for a repository.
type Plan struct {
	// still is set when there is nothing to write: why.
	still string
	// lost is set when GitHub does not show the repository, but nobody said that
	// it is gone: the catalog keeps what it has.
	lost string
	// again is set when everything was to be read, which cannot be now.
	again bool
	// newNames are those that GitHub shows the repository under for the first
	// time, renamed the one that it had until now. provisional are the ids that it
	// may have had before: what stands there is the repository's now.
	newNames    []string
	renamed     string
	provisional []int64
	// scanned is what a scan asked for, whose removals are counted before they are
	// applied; nil for what nobody has to count.
	scanned *event.Refresh
	// outdated says that the configuration changed since the repository was read.
	outdated bool
	// gone is set when it is: everything that came from it goes.
	gone string

	repo    storage.Repository
	cause   storage.Cause
	changed []fileResult
	// told are files that did not change and whose generated Locations do.
	told    []fileResult
	removed []string
	// files are the rows that the plan was made on, by path: as long as the
	// repository has the same version, they are the same.
	files map[string]storage.File
	// asked says of each file, changed or not, who asks for it.
	asked map[string]class
}

// empty says that no file and no entity changes.
func (p Plan) empty() bool { return len(p.changed)+len(p.told)+len(p.removed) == 0 }

// request is what all messages of a repository ask for together.
type request struct {
	event.Refresh
	cause storage.Cause
	// heads are the commits that pushes led to, befores those they came from.
	heads    []string
	befores  []string
	attempts int
	// foreign is set when only Location entities of other repositories ask,
	// scanned when only scans do.
	foreign bool
	scanned bool
	// heard is when the oldest message was added: lag is counted from there.
	heard time.Time
}

// Plan implements bus.Step.
func (s *Step) Plan(ctx context.Context, msgs []storage.Message) (Plan, error) {
	req, err := merge(msgs)
	if err != nil {
		return Plan{}, fault.Permanent(fault.ReasonInvalid, err)
	}
	ctx = githubapp.WithPurpose(ctx, req.purpose())
	if err := s.learn(ctx, req.Host); err != nil {
		return Plan{}, err
	}
	stored, err := s.stored(ctx, req.Refresh)
	if err != nil {
		return Plan{}, err
	}
	if quiet, err := s.quiet(ctx, req, stored); err != nil {
		return Plan{}, err
	} else if quiet {
		return Plan{still: "the head did not move", repo: stored, cause: req.cause}, nil
	}
	p, err := s.look(ctx, req, stored)
	if errors.Is(err, errMoved) {
		req.Seen = nil
		p, err = s.look(ctx, req, stored)
	}
	if req.scanned {
		p.scanned = &req.Refresh
	}
	return p, err
}

// purpose is what the requests to GitHub are for.
func (r request) purpose() githubapp.Purpose {
	switch {
	case r.scanned || r.foreign || r.cause.Reason == storage.ReasonSettings:
		return githubapp.PurposeScan
	case r.cause.Reason == storage.ReasonManual || r.cause.Reason == storage.ReasonLocation || r.cause.Reason == storage.ReasonReplay:
		return githubapp.PurposeManual
	}
	return githubapp.PurposePush
}

// merge joins messages: the newest says where the repository is, and each may
// ask for more.
func merge(msgs []storage.Message) (request, error) {
	var req request
	for i, m := range msgs {
		var r event.Refresh
		if err := json.Unmarshal(m.Payload, &r); err != nil {
			return req, fmt.Errorf("message %d: %w", m.ID, err)
		}
		look, force, discovered, installation, gone := req.Look, req.Force, req.Discovered, req.InstallationID, req.Gone
		before := req.Refresh
		released, follows := req.Released, req.Follows
		req.Refresh, req.cause = r, m.Cause // one topic at a time
		req.foreign, req.scanned = m.Topic == event.TopicLook || r.Follows, m.Topic == event.TopicScanned
		if len(msgs) > 1 {
			req.Seen = nil // a scan saw it before or after the others
		}
		if i > 0 && r.Gone != "" && gone == "" && before.Owner != "" {
			// Who says that it is gone knows where it was, others where it is.
			req.Owner, req.Name, req.InstallationID = before.Owner, before.Name, before.InstallationID
		}
		if req.Gone == "" {
			req.Gone = gone // a push that came late does not bring it back; GitHub will tell
		}
		req.Look, req.Force, req.Discovered = look || r.Look, force || r.Force, discovered || r.Discovered
		// What was approved stays so while it waits, whatever is asked besides.
		req.Released, req.Follows = max(released, r.Released), follows || r.Follows
		if req.InstallationID == 0 {
			req.InstallationID = installation
		}
		if r.Head != "" {
			req.heads, req.befores = append(req.heads, r.Head), append(req.befores, r.Before)
		}
		if i == 0 || m.Attempts < req.attempts {
			req.attempts = m.Attempts
		}
		if i == 0 || m.CreatedAt.Before(req.heard) {
			req.heard = m.CreatedAt
		}
	}
	if req.Host == "" || req.RepositoryID == 0 && (req.Owner == "" || req.Name == "") {
		return req, errors.New("the message names no repository")
	}
	return req, nil
}

// stored finds what is known of the repository; an unknown one has Version 0.
func (s *Step) stored(ctx context.Context, r event.Refresh) (storage.Repository, error) {
	var repo storage.Repository
	var err error
	if r.RepositoryID != 0 {
		repo, err = s.store.Repository(ctx, r.RepositoryID)
	} else {
		repo, err = s.store.RepositoryByName(ctx, r.Host, r.Owner, r.Name)
	}
	if errors.Is(err, storage.ErrNotFound) {
		return storage.Repository{ID: r.RepositoryID, Host: r.Host, Owner: r.Owner, Name: r.Name}, nil
	}
	if err == nil && !strings.EqualFold(repo.Host, r.Host) {
		return repo, fault.Permanent(fault.ReasonInvalid, fmt.Errorf(
			"repository id %d of %s is that of %s on %s: ids of several hosts are not told apart yet", repo.ID, r.Host, repo.FullName(), repo.Host))
	}
	return repo, err
}

// quiet says that nothing can have changed. It asks GitHub only when no hint
// says otherwise, by a conditional request that costs no quota.
func (s *Step) quiet(ctx context.Context, req request, stored storage.Repository) (bool, error) {
	if req.Force || req.Look || req.Gone != "" || stored.AppliedSHA == "" ||
		stored.State != storage.RepositoryActive || req.Discovered && !stored.Discovered ||
		!s.Current(stored) || req.Owner != "" && (req.Owner != stored.Owner || req.Name != stored.Name) {
		return false, nil
	}
	if slices.ContainsFunc(req.heads, func(head string) bool { return head != stored.AppliedSHA }) {
		return false, nil
	}
	moved, err := s.github.Moved(ctx, name(req, stored), stored.DefaultBranch, stored.AppliedSHA)
	return !moved, err
}

// name prefers what the newest event says: after a rename the stored one is old.
func name(req request, stored storage.Repository) githubapp.Name {
	n := githubapp.Name{
		Host: stored.Host, ID: max(stored.ID, 0), Owner: stored.Owner, Name: stored.Name,
		InstallationID: stored.InstallationID,
	}
	if req.Owner != "" {
		n.Owner, n.Name = req.Owner, req.Name
	}
	if req.RepositoryID == 0 {
		n.ID = 0 // whichever has the name now
	}
	if req.InstallationID != 0 {
		n.InstallationID = req.InstallationID
	}
	return n
}

// look reads the tree at the head and works out what to write.
func (s *Step) look(ctx context.Context, req request, stored storage.Repository) (Plan, error) {
	if gone, err := s.gone(ctx, req, stored); err != nil {
		return Plan{}, err
	} else if gone && stored.Version == 0 {
		return s.never(ctx, req, stored)
	} else if gone {
		return s.forget(ctx, req, stored)
	}
	files, err := s.files(ctx, stored)
	if err != nil {
		return Plan{}, err
	}
	if stored.Version == 0 && !req.Discovered {
		if named, err := location.Of(ctx, s.store, stored); err != nil || len(named) == 0 && req.cause.Reason == storage.ReasonPush {
			return Plan{still: "no provider covers the repository, and no location names it", repo: stored, cause: req.cause}, err
		}
	}
	if !configured(s.github, stored.Host) {
		return s.remember(ctx, req, stored, files, "no entry of integrations.github has the host "+stored.Host)
	}
	v, err := s.sight(ctx, req, stored, files)
	switch {
	case errors.Is(err, githubapp.ErrNotFound):
		return s.unseen(ctx, req, stored, files)
	case errors.Is(err, githubapp.ErrNoBranch):
		return s.remember(ctx, req, stored, files, err.Error())
	case err != nil:
		return Plan{}, err
	}
	stored, repo, head := v.stored, v.repo, v.tree.Facts().Head
	if away, err := s.away(ctx, stored, repo); err != nil {
		return Plan{}, err
	} else if away {
		req.Gone = fmt.Sprintf("transferred to %s, where the App is not installed", repo.Owner)
		return s.forget(ctx, req, stored)
	}
	if s.lagging(req, stored, head) {
		return Plan{}, fmt.Errorf("GitHub announced commit %.7s and still shows %.7s", req.heads[len(req.heads)-1], head)
	}
	if repo.Former, err = s.former(ctx, req, stored, repo); err != nil {
		return Plan{}, err
	}
	locations, err := location.Of(ctx, s.store, repo)
	if err != nil {
		return Plan{}, err
	}
	c := newCrawl(s, v.tree, repo, v.files)
	c.patterns, c.abandoned = v.how.Paths, s.abandoned(repo)
	c.locations = locations
	c.again = req.Force || repo.SettingsHash != stored.SettingsHash
	if err := c.run(ctx); err != nil {
		return Plan{}, fmt.Errorf("read %s at %.7s: %w", repo.FullName(), head, err)
	}
	p := Plan{repo: repo, cause: commitCause(req, head), changed: c.changed, told: c.told, removed: c.removed(), files: c.stored, asked: c.seen}
	p.outdated = stored.Version != 0 && stored.SettingsHash != "" && !s.Current(stored)
	p.newNames = newNames(stored, repo)
	if stored.Version != 0 {
		p.renamed = nameOf(stored.Owner, stored.Name)
	}
	if p.empty() && same(stored, repo) {
		p.still = "the head did not move"
	}
	return p, nil
}

// files are those that were read before. A repository that is not known has none.
func (s *Step) files(ctx context.Context, stored storage.Repository) ([]storage.File, error) {
	if stored.Version == 0 {
		return nil, nil
	}
	return s.store.Files(ctx, stored.ID)
}

// gone says that GitHub told us the repository was deleted or taken away, and
// that no installation of ours covers it any more. Of an unknown one it is asked
// where a provider would have found it.
func (s *Step) gone(ctx context.Context, req request, stored storage.Repository) (bool, error) {
	if req.Gone == "" || stored.Version == 0 && (req.RepositoryID <= 0 || !req.Discovered) {
		return false, nil
	}
	covered, err := s.github.Covered(ctx, name(req, stored))
	return !covered, err
}

// lagging says that GitHub's answer is older than its webhook: it shows what a
// push came from, which is what we have, and not where it led. It may also be
// true (somebody forced the branch back), so it is believed in the end.
func (s *Step) lagging(req request, stored storage.Repository, head string) bool {
	return head == stored.AppliedSHA && req.attempts < lagTries &&
		slices.Contains(req.befores, head) && !slices.Contains(req.heads, head)
}

// unseen decides about a repository that GitHub answers 404 for. Only its own
// word that it was deleted or taken away is evidence; a 404 alone, or one beside
// its absence from a listing, may be a lost permission and deletes nothing
// (contract catalog 6, rows 4 and 5).
func (s *Step) unseen(ctx context.Context, req request, stored storage.Repository, files []storage.File) (Plan, error) {
	if req.Gone != "" && !req.scanned {
		if stored.Version == 0 {
			return s.never(ctx, req, stored)
		}
		return s.forget(ctx, req, stored)
	}
	patience, err := s.patience(ctx, req, stored)
	if err != nil {
		return Plan{}, err
	}
	if req.attempts < patience {
		return Plan{}, fmt.Errorf("%s: %w", stored.FullName(), githubapp.ErrNotFound)
	}
	return s.remember(ctx, req, stored, files,
		"GitHub answers 404: the repository was deleted, or the App may not read it; its entities are kept")
}

// patience is how often a 404 is tried again before it is believed: GitHub's
// replicas may not know a repository that was made a moment ago. It is short
// where the App says that it has no access, and where nothing was read and
// somebody, who registered a location, waits for what becomes of it. For others
// nobody waits.
func (s *Step) patience(ctx context.Context, req request, stored storage.Repository) (int, error) {
	const most = 3
	switch {
	case req.foreign && stored.State != storage.RepositoryActive:
		return 0, nil
	case req.attempts == 0:
		return most, nil // the first may come too early for the App as well
	case req.cause.Reason == storage.ReasonLocation && stored.State != storage.RepositoryActive:
		return 1, nil
	}
	covered, err := s.github.Covered(ctx, name(req, stored))
	if err == nil && !covered {
		return 1, nil
	}
	return most, err
}

// commitCause names the commit that is applied. A push that led to another
// head than the one read is still the cause: the newest one known.
func commitCause(req request, head string) storage.Cause {
	c := req.cause
	c.Commit = head
	return c
}

// updated is the stored repository with GitHub's facts.
func (s *Step) updated(stored storage.Repository, facts githubapp.Repository, req request) storage.Repository {
	r := stored
	r.ID, r.Owner, r.Name, r.HTMLURL = facts.ID, facts.Owner, facts.Name, strings.TrimSuffix(facts.URL, "/")
	if facts.DefaultBranch != "" {
		r.DefaultBranch = facts.DefaultBranch
	}
	r.Visibility, r.Archived, r.Fork, r.Topics = facts.Visibility, facts.Archived, facts.Fork, facts.Topics
	r.Discovered = stored.Discovered || req.Discovered
	if req.InstallationID != 0 {
		r.InstallationID = req.InstallationID
	}
	r.State, r.AppliedSHA, r.HeadSHA, r.HeadAt = storage.RepositoryActive, facts.Head, facts.Head, req.heard
	r.Error = ""
	r.SettingsHash = s.settings(r)
	return r
}

// same says that the repository's row would not change.
func same(a, b storage.Repository) bool {
	return a.Version != 0 && a.Owner == b.Owner && a.Name == b.Name && slices.Equal(a.Former, b.Former) && a.DefaultBranch == b.DefaultBranch &&
		a.HTMLURL == b.HTMLURL && a.Visibility == b.Visibility && a.Archived == b.Archived && a.Fork == b.Fork &&
		slices.Equal(a.Topics, b.Topics) && a.InstallationID == b.InstallationID && a.Discovered == b.Discovered &&
		a.State == b.State && a.AppliedSHA == b.AppliedSHA && a.SettingsHash == b.SettingsHash && a.Error == b.Error
}

// prefetch lists the files whose ids are wanted with the first answer: the
// plain descriptors first, for their text, then what was read before.
func prefetch(how discovery.Reading, files []storage.File) []string {
	var paths []string
	for _, path := range how.Paths {
		if pattern, err := match.Compile(path); err == nil {
			if path, plain := pattern.Plain(); plain {
				paths = append(paths, path)
			}
		}
	}
	for _, f := range files {
		paths = append(paths, f.Path)
		for in := range f.Inputs {
			paths = append(paths, in)
		}
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(paths, func(p string) bool {
		twice := seen[p]
		seen[p] = true
		return twice
	})
}
