package refresh

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// candidate is a claim on a ref, wherever it stands now.
type candidate struct {
	storage.Claim
	errors []entity.StatusItem
	// stored is set for a claim that has a row among the losers.
	stored bool
}

// contest is everything known of the refs that a plan touches.
type contest struct {
	plan       Plan
	now        time.Time
	touched    map[string]bool           // paths whose declarations are replaced
	told       map[string]bool           // those of which only the generated Locations are
	living     map[string]storage.Entity // ref → the entity as it is served now
	candidates map[string][]candidate    // ref → claims
	since      map[string]time.Time      // ref → when this repository first claimed it
	lost       []storage.Claim           // of this repository, served by somebody else
	fresh      map[string]bool           // paths of which the tree says something else than before
	graves     map[string]storage.Tombstone
}

func (s *Step) contest(p Plan) *contest {
	return &contest{
		plan: p, now: s.cfg.Now(), touched: map[string]bool{}, told: map[string]bool{}, living: map[string]storage.Entity{},
		candidates: map[string][]candidate{}, since: map[string]time.Time{}, fresh: map[string]bool{},
	}
}

// applyEntities settles, for every ref that the changed files declared before
// or declare now, who serves it; writes the difference and returns it.
func (s *Step) applyEntities(ctx context.Context, tx storage.Tx, p Plan) ([]storage.Change, error) {
	c := s.contest(p)
	if err := c.load(ctx, tx); err != nil {
		return nil, err
	}
	if err := c.loadGraves(ctx, tx, s.cfg.Undo); err != nil {
		return nil, err
	}
	for _, l := range c.lost {
		if !c.ours(l) {
			continue
		}
		if err := tx.DeleteClaim(ctx, l); err != nil {
			return nil, err
		}
	}
	w := c.settle()
	changes, err := w.write(ctx, tx, p, c.now)
	if err != nil {
		return nil, err
	}
	return changes, s.askHeirs(ctx, tx, w.promoted, p)
}

// askHeirs asks for another look at repositories whose claims serve now: the
// errors that their entities show are not kept with a claim that lost.
func (s *Step) askHeirs(ctx context.Context, tx storage.Tx, promoted []storage.Claim, p Plan) error {
	asked := map[int64]bool{}
	var looks []event.Refresh
	for _, l := range promoted {
		if asked[l.RepositoryID] {
			continue
		}
		asked[l.RepositoryID] = true
		files, err := tx.Files(ctx, l.RepositoryID)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(files, func(f storage.File) bool { return f.Status == storage.FileBroken || len(f.Errors) > 0 }) {
			continue
		}
		repo, err := tx.Repository(ctx, l.RepositoryID)
		if isNotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		req := event.RefreshOf(repo)
		req.Force = true
		looks = append(looks, req)
	}
	return lookAt(ctx, tx, looks, p.cause)
}

// load reads what the touched files declared, and who else claims those refs
// or the ones that they declare now.
func (c *contest) load(ctx context.Context, tx storage.Tx) error {
	for _, r := range c.plan.changed {
		c.touched[r.Path] = true
		c.fresh[r.Path] = c.plan.lost == "" && r.BlobSHA != c.plan.files[r.Path].BlobSHA
	}
	for _, r := range c.plan.told {
		c.told[r.Path] = true
	}
	for _, path := range c.plan.removed {
		c.touched[path], c.fresh[path] = true, true
	}
	refs := map[string]bool{}
	if c.plan.repo.Version != 0 { // a new one owns nothing
		if err := c.loadOwn(ctx, tx, c.plan.repo.ID, refs); err != nil {
			return err
		}
	}
	for _, id := range c.plan.provisional {
		if id == c.plan.repo.ID {
			continue
		}
		if err := c.loadOwn(ctx, tx, id, refs); err != nil {
			return err
		}
	}
	for _, r := range slices.Concat(c.plan.changed, c.plan.told) {
		for _, d := range r.declarations {
			refs[d.Ref] = true
		}
	}
	maps.DeleteFunc(refs, func(_ string, affected bool) bool { return !affected })
	return c.loadRefs(ctx, tx, slices.Sorted(maps.Keys(refs)))
}

// loadOwn reads what the repository declared before, under its id or the
// provisional one, and notes which of the refs are touched.
func (c *contest) loadOwn(ctx context.Context, tx storage.Tx, id int64, refs map[string]bool) error {
	owned, err := tx.RepositoryEntities(ctx, id)
	if err != nil {
		return err
	}
	lost, err := tx.RepositoryClaims(ctx, id)
	if err != nil {
		return err
	}
	for _, e := range owned {
		c.claimed(e.Claim)
		refs[e.Ref] = refs[e.Ref] || c.ours(e.Claim)
	}
	for _, l := range lost {
		if !isOrphan(l) { // whose repository had given the ref up when another took it
			c.claimed(l)
		}
		refs[l.Ref] = refs[l.Ref] || c.ours(l)
	}
	c.lost = append(c.lost, lost...)
	return nil
}

func (c *contest) claimed(l storage.Claim) {
	if t, ok := c.since[l.Ref]; !ok || l.Since.Before(t) {
		c.since[l.Ref] = l.Since
	}
}

func (c *contest) loadRefs(ctx context.Context, tx storage.Tx, refs []string) error {
	for _, ref := range refs {
		c.candidates[ref] = nil
	}
	living, err := tx.Entities(ctx, refs)
	if err != nil {
		return err
	}
	for _, e := range living {
		c.living[e.Ref] = e
		if !c.ours(e.Claim) {
			c.candidates[e.Ref] = append(c.candidates[e.Ref], candidate{Claim: e.Claim, errors: e.Errors})
		}
	}
	claims, err := tx.Claims(ctx, refs)
	if err != nil {
		return err
	}
	for _, l := range claims {
		if !c.ours(l) {
			c.candidates[l.Ref] = append(c.candidates[l.Ref], candidate{Claim: l, stored: true})
		}
	}
	for _, r := range slices.Concat(c.plan.changed, c.plan.told) {
		c.declare(r)
	}
	return nil
}

// ours says that a claim comes from a file whose declarations are replaced.
func (c *contest) ours(l storage.Claim) bool {
	switch {
	case slices.Contains(c.plan.provisional, l.RepositoryID):
		return true
	case l.RepositoryID != c.plan.repo.ID:
		return false
	case isOrphan(l):
		return c.refuted(l)
	}
	return c.touched[l.Path] || l.Document < 0 && c.told[l.Path]
}

// declare adds what a changed file declares now, and the last good version of
// what it declared before and is broken now.
func (c *contest) declare(r fileResult) {
	declared := map[string]bool{}
	for _, d := range r.declarations {
		declared[d.Ref] = true
		since, ok := c.since[d.Ref]
		if !ok {
			since = c.now
		}
		c.candidates[d.Ref] = append(c.candidates[d.Ref], candidate{Claim: storage.Claim{
			Declaration: d, RepositoryID: r.RepositoryID, Path: r.Path, Since: since,
			Commit: c.plan.cause.Commit, Delivery: c.plan.cause.Delivery,
		}, errors: r.shown[d.Ref]})
	}
	keep := func(l storage.Claim, errs []entity.StatusItem) {
		if l.RepositoryID != r.RepositoryID || l.Path != r.Path || declared[l.Ref] || !c.ours(l) ||
			l.Document < 0 && !isOrphan(l) { // a generated Location has no version that was better
			return
		}
		if !r.kept {
			var refused bool
			if errs, refused = r.rejected[l.Ref]; !refused {
				errs = r.broken
			}
		}
		if r.kept || len(errs) > 0 {
			c.candidates[l.Ref] = append(c.candidates[l.Ref], candidate{Claim: l, errors: errs})
		}
	}
	for _, e := range c.living {
		keep(e.Claim, e.Errors)
	}
	for _, l := range c.lost {
		keep(l, nil)
	}
}

func isNotFound(err error) bool { return errors.Is(err, storage.ErrNotFound) }
