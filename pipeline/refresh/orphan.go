package refresh

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/callboard/callboard/pipeline/descriptor"
	"github.com/callboard/callboard/storage"
)

// An orphan is an entity that went and that somebody brought back by hand: nothing
// declares it (contract catalog 3.10). It stays until one of these:
//
//   - its repository declares the ref again, in whichever file: then it is no orphan;
//   - its file is read with other contents than when it was brought back, or is
//     removed, and does not declare it;
//   - its repository, which was not gone by then, goes;
//   - somebody deletes it by its uid.
//
// Files that are read again as they were, and trees that lack its file as they
// did, say nothing new, so they change nothing. What another repository declares
// is served before it; it is then a claim that lost, and serves when that goes.

func isOrphan(l storage.Claim) bool { return l.Document == orphanDocument }

// refuted says that the plan holds evidence against an orphan that nobody had
// when it was brought back.
func (c *contest) refuted(l storage.Claim) bool {
	return c.fresh[l.Path] || c.plan.gone != "" && c.plan.repo.State != storage.RepositoryRemoved
}

// withoutOrphans drops those whose own repository declares the ref again.
func (w *writes) withoutOrphans(all []candidate) (kept []candidate) {
	for _, o := range all {
		if isOrphan(o.Claim) && slices.ContainsFunc(all, func(l candidate) bool {
			return l.RepositoryID == o.RepositoryID && !isOrphan(l.Claim)
		}) {
			if o.stored {
				w.dropped = append(w.dropped, o.Claim)
			}
			continue
		}
		kept = append(kept, o)
	}
	return kept
}

// loadGraves reads what became of the refs that are declared now and not served:
// what its repository declares again soon enough is the same entity as before.
// What somebody deleted by its uid comes back as another one (contract catalog 4.13).
func (c *contest) loadGraves(ctx context.Context, tx storage.Tx, undo time.Duration) error {
	var refs []string
	for ref, all := range c.candidates {
		if _, lives := c.living[ref]; !lives && len(all) > 0 {
			refs = append(refs, ref)
		}
	}
	if len(refs) == 0 {
		return nil
	}
	graves, err := tx.Tombstones(ctx, storage.TombstoneFilter{Refs: refs, Since: c.now.Add(-undo), Limit: len(refs)})
	if err != nil {
		return err
	}
	c.graves = map[string]storage.Tombstone{}
	for _, g := range graves {
		if g.Cause.Reason != storage.ReasonDelete {
			c.graves[g.Ref] = g
		}
	}
	return nil
}

// undoSlice is how many tombstones are undone in one transaction: others wait
// for the catalog meanwhile.
const undoSlice = 500

// Undo serves again what went, as it was, as orphans: the tombstones that the
// filter chooses and that are not too old. lost are the refs that somebody else
// declares by now: there the orphan is a claim that lost. It may be done again
// after an error, and goes on then.
func (s *Step) Undo(ctx context.Context, f storage.TombstoneFilter, actor string) (served, lost []string, err error) {
	oldest := s.cfg.Now().Add(-s.cfg.Undo)
	if f.Since.Before(oldest) {
		f.Since = oldest
	}
	f.Limit = undoSlice
	for done := 0; ; {
		var here, there []string
		err := s.store.InTx(ctx, func(ctx context.Context, tx storage.Tx) (err error) {
			here, there, err = s.undo(ctx, tx, f, storage.Cause{Reason: storage.ReasonUndo, Actor: actor})
			return err
		})
		if err != nil {
			return served, lost, fmt.Errorf("bring entities back (%d are): %w", done, err)
		}
		served, lost = append(served, here...), append(lost, there...)
		if done += len(here) + len(there); len(here)+len(there) == 0 {
			slices.Sort(served)
			slices.Sort(lost)
			return served, lost, nil
		}
	}
}

// undo brings back what the filter chooses. Its tombstones go, so that the next
// call goes on behind them.
func (s *Step) undo(ctx context.Context, tx storage.Tx, f storage.TombstoneFilter, cause storage.Cause) (served, lost []string, err error) {
	if err := tx.LockCatalog(ctx); err != nil {
		return nil, nil, err
	}
	graves, err := tx.Tombstones(ctx, f)
	if err != nil || len(graves) == 0 {
		return nil, nil, err
	}
	c := s.contest(Plan{cause: cause})
	c.graves = map[string]storage.Tombstone{}
	var refs []string
	for _, g := range graves {
		refs, c.graves[g.Ref] = append(refs, g.Ref), g
	}
	slices.Sort(refs)
	if err := c.loadRefs(ctx, tx, refs); err != nil {
		return nil, nil, err
	}
	for _, g := range graves {
		orphan := g.Claim
		orphan.Document = orphanDocument
		if orphan.JSON, err = descriptor.Orphan(g.JSON); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", g.Ref, err)
		}
		c.candidates[g.Ref] = append(c.candidates[g.Ref], candidate{Claim: orphan})
		if _, lives := c.living[g.Ref]; lives {
			lost = append(lost, g.Ref)
		} else {
			served = append(served, g.Ref)
		}
	}
	if _, err := c.settle().write(ctx, tx, c.plan, c.now); err != nil {
		return nil, nil, err
	}
	return served, lost, tx.DeleteTombstones(ctx, graves)
}
