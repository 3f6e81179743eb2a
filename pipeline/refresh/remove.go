package refresh

import (
	"context"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/storage"
)

// Remove takes an entity out of the catalog at once, if it has the uid still.
// Whatever declares it besides serves from then on, under a new uid, and its
// own repository is read again: a file that declares it still brings it back,
// and without one it stays away (contract catalog 4.13 and 6, row 9).
func (s *Step) Remove(ctx context.Context, ref, uid, actor string) error {
	return s.store.InTx(ctx, func(ctx context.Context, tx storage.Tx) error {
		if err := tx.LockCatalog(ctx); err != nil {
			return err
		}
		living, err := tx.Entities(ctx, []string{ref})
		if err != nil || len(living) == 0 || living[0].UID != uid {
			return err
		}
		cause := storage.Cause{Reason: storage.ReasonManual, Actor: actor}
		repo, err := tx.Repository(ctx, living[0].RepositoryID)
		switch {
		case err == nil:
			cause.Repository = repo.FullName()
			err = s.readAgain(ctx, tx, repo, cause)
		case isNotFound(err):
			err = nil // then nobody declares it
		}
		if err != nil {
			return err
		}
		cause.Reason = storage.ReasonDelete
		return s.replace(ctx, tx, living[0], cause)
	})
}

func (s *Step) readAgain(ctx context.Context, tx storage.Tx, repo storage.Repository, cause storage.Cause) error {
	req := event.RefreshOf(repo)
	req.Force = true
	msg, err := event.RefreshMessage(req, cause)
	if err != nil {
		return err
	}
	_, err = event.Ask(ctx, tx, s.cfg.Now(), msg, true)
	return err
}

// replace buries an entity and serves the best of the claims that lost to it.
// In two steps, because it is another entity: the heir gets a uid of its own.
func (s *Step) replace(ctx context.Context, tx storage.Tx, e storage.Entity, cause storage.Cause) error {
	c := &contest{
		now: s.cfg.Now(), living: map[string]storage.Entity{e.Ref: e},
		candidates: map[string][]candidate{e.Ref: nil},
	}
	p := Plan{cause: cause}
	if _, err := c.settle().write(ctx, tx, p, c.now); err != nil {
		return err
	}
	claims, err := tx.Claims(ctx, []string{e.Ref})
	if err != nil || len(claims) == 0 {
		return err
	}
	c.living = nil
	for _, l := range claims {
		c.candidates[l.Ref] = append(c.candidates[l.Ref], candidate{Claim: l, stored: true})
	}
	w := c.settle()
	if _, err = w.write(ctx, tx, p, c.now); err != nil {
		return err
	}
	return s.askHeirs(ctx, tx, w.promoted, p)
}
