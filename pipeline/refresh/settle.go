package refresh

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/callboard/callboard/storage"
)

// older orders claims: what somebody registered serves under the name that it
// was given, whoever else has it. Else the repository that claimed first serves; within one
// repository what the operator and it declare before what others name, a good
// version before a stale one, then the path decides, so that the result depends
// on tree and locations alone. What was brought back by hand gives way to all that
// is declared.
func (c *contest) older(a, b candidate) int {
	rank := func(l candidate) int {
		switch {
		case l.Document == rootDocument:
			return 0
		case isOrphan(l.Claim):
			return 2
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(rank(a), rank(b)),
		a.Since.Compare(b.Since),
		cmp.Compare(a.RepositoryID, b.RepositoryID),
		cmp.Compare(c.asked(a), c.asked(b)),
		cmp.Compare(min(len(a.errors), 1), min(len(b.errors), 1)),
		cmp.Compare(a.Path, b.Path),
		cmp.Compare(b.Document, a.Document),
	)
}

// asked is who asks for the file of a claim, if the repository is the one that is planned.
func (c *contest) asked(l candidate) class {
	if l.RepositoryID != c.plan.repo.ID {
		return 0
	}
	return c.plan.asked[l.Path]
}

// writes is the difference that settling makes.
type writes struct {
	put      []storage.Entity
	bury     []string
	claims   []storage.Claim
	promoted []storage.Claim
	dropped  []storage.Claim     // orphans that are declared again
	revived  []storage.Tombstone // of what is served again
	changes  []storage.Change
}

func (c *contest) settle() *writes {
	w := &writes{}
	for _, ref := range slices.Sorted(maps.Keys(c.candidates)) {
		all := w.withoutOrphans(c.candidates[ref])
		slices.SortFunc(all, c.older)
		before, lived := c.living[ref]
		if len(all) == 0 {
			if lived {
				w.bury = append(w.bury, ref)
				w.changes = append(w.changes, storage.Change{
					Ref: ref, UID: before.UID, What: storage.ChangeDeleted, BeforeHash: before.Hash,
				})
			}
			continue
		}
		if all[0].stored {
			w.promoted = append(w.promoted, all[0].Claim)
		}
		for _, l := range all[1:] {
			if !l.stored {
				w.claims = append(w.claims, l.Claim)
			}
		}
		w.serve(all[0], before, lived, c)
	}
	return w
}

// serve writes the winner, unless it is what is served already.
func (w *writes) serve(win candidate, before storage.Entity, lived bool, c *contest) {
	e := storage.Entity{Claim: win.Claim, Errors: win.errors, Hash: hash(win), FirstSeen: c.now, LastChanged: c.now}
	change := storage.Change{Ref: win.Ref, What: storage.ChangeCreated, AfterHash: e.Hash}
	if lived {
		e.UID, e.FirstSeen = before.UID, before.FirstSeen
		if before.Hash == e.Hash {
			if before.Path != e.Path || before.RepositoryID != e.RepositoryID || before.Document != e.Document {
				// Only its place changed: keep row and revision in step without a change.
				e.Revision, e.LastChanged, e.Commit, e.Delivery = before.Revision, before.LastChanged, before.Commit, before.Delivery
				w.put = append(w.put, e)
			}
			return
		}
		change.What, change.BeforeHash = storage.ChangeUpdated, before.Hash
		change.Fields = diff(before.JSON, e.JSON)
	} else if grave, ok := c.graves[win.Ref]; ok && grave.RepositoryID == win.RepositoryID {
		e.UID, e.FirstSeen, e.Since = grave.UID, grave.FirstSeen, grave.Since
		change.BeforeHash, change.Fields = grave.Hash, diff(grave.JSON, e.JSON)
		w.revived = append(w.revived, grave)
	} else {
		e.UID = uuid.NewString()
	}
	change.UID = e.UID
	w.put = append(w.put, e)
	w.changes = append(w.changes, change)
}

// write stores the difference; the history gets its revisions first.
func (w *writes) write(ctx context.Context, tx storage.Tx, p Plan, now time.Time) ([]storage.Change, error) {
	for i := range w.changes {
		w.changes[i].Cause, w.changes[i].At = p.cause, now
	}
	revisions, err := tx.AddChanges(ctx, w.changes)
	if err != nil {
		return nil, err
	}
	at := map[string]int64{}
	for i, r := range revisions {
		w.changes[i].Revision, at[w.changes[i].Ref] = r, r
	}
	for i := range w.put {
		if r, ok := at[w.put[i].Ref]; ok {
			w.put[i].Revision = r
		}
	}
	for _, l := range slices.Concat(w.promoted, w.dropped) {
		if err := tx.DeleteClaim(ctx, l); err != nil {
			return nil, err
		}
	}
	return w.changes, errors.Join(
		tx.PutEntities(ctx, w.put),
		tx.BuryEntities(ctx, w.bury, now, p.cause),
		tx.PutClaims(ctx, w.claims),
		tx.DeleteTombstones(ctx, w.revived),
	)
}

// hash covers everything that a reader of the entity sees.
func hash(c candidate) string {
	h := sha256.New()
	h.Write(c.JSON)
	fmt.Fprintf(h, "\n%v\n", c.Relations)
	_ = json.NewEncoder(h).Encode(c.errors)
	return hex.EncodeToString(h.Sum(nil)[:16])
}
