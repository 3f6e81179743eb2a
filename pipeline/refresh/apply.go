package refresh

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/callboard/callboard/pipeline/bus"
	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/storage"
)

// Apply implements bus.Step. Everything a refresh changes goes into one
// transaction: files, entities, relations, claims, history, and the messages
// for what else is to be done.
func (s *Step) Apply(ctx context.Context, tx storage.Tx, p Plan) (bus.Outcome, error) {
	out := bus.Outcome{Repository: p.repo.FullName(), Commit: p.repo.AppliedSHA, State: storage.DeliveryUnchanged}
	if p.still != "" {
		out.Reason = p.still
		return out, errors.Join(unhold(ctx, tx, p.repo), s.verified(ctx, tx, p.repo))
	}
	if err := s.join(ctx, tx, &p); err != nil {
		return out, err
	}
	if held, err := s.hold(ctx, tx, p); err != nil || held > 0 {
		out.Summary = fmt.Sprintf("held: %d would go", held)
		out.Reason = fmt.Sprintf("would remove %d entities; held until the scan has counted all that would go", held)
		return out, err
	}
	if p.lost != "" {
		return s.applyLost(ctx, tx, p, out)
	}
	if err := unhold(ctx, tx, p.repo); err != nil {
		return out, err
	}
	// The version check comes first: if somebody else applied meanwhile, the
	// plan is void and is made again.
	repo := p.repo
	if p.gone != "" {
		if err := s.planRemoval(ctx, tx, &p); err != nil {
			return out, err
		}
		repo.State, repo.AppliedSHA, repo.SettingsHash = storage.RepositoryRemoved, "", ""
		repo.Error = "GitHub says that the repository was " + p.gone
	}
	repo.AppliedAt = s.cfg.Now()
	if p.gone == "" {
		repo.VerifiedAt = repo.AppliedAt
	}
	if _, err := tx.PutRepository(ctx, repo); err != nil {
		return out, err
	}
	return s.write(ctx, tx, p, out)
}

// write replaces files and entities, and says what changed.
func (s *Step) write(ctx context.Context, tx storage.Tx, p Plan, out bus.Outcome) (bus.Outcome, error) {
	if err := s.applyFiles(ctx, tx, p); err != nil {
		return out, err
	}
	// From here to the commit refreshes go one by one, so what is the
	// repository's alone is written before.
	if err := tx.LockCatalog(ctx); err != nil {
		return out, err
	}
	if err := s.takeNames(ctx, tx, &p); err != nil {
		return out, err
	}
	changes, err := s.applyEntities(ctx, tx, p)
	if err != nil {
		return out, err
	}
	for _, id := range p.provisional {
		if err := tx.DeleteRepository(ctx, id); err != nil {
			return out, err
		}
	}
	out.Changes, out.Summary = len(changes), summary(changes, p)
	if len(changes) > 0 {
		out.State, out.Revision = storage.DeliveryApplied, changes[len(changes)-1].Revision
	} else if out.Summary != "" {
		out.State = storage.DeliveryApplied
	}
	return out, nil
}

// applyLost notes that the repository cannot be read. Its entities are kept,
// but for what only a deleted location brought in.
func (s *Step) applyLost(ctx context.Context, tx storage.Tx, p Plan, out bus.Outcome) (bus.Outcome, error) {
	out.State, out.Reason = storage.DeliveryIgnored, p.lost
	repo := p.repo
	if p.again && repo.SettingsHash != "" {
		repo.SettingsHash = "" // then everything is read when it can be
	} else if p.empty() {
		if repo.Version == 0 || repo.State == storage.RepositoryRemoved {
			return out, nil // never seen, or gone already: there is nothing to note
		}
		if repo.State == storage.RepositoryUnreachable && repo.Error == p.lost {
			return out, nil
		}
	}
	if repo.State != storage.RepositoryRemoved {
		repo.State, repo.Error, repo.ErrorAt = storage.RepositoryUnreachable, p.lost, s.cfg.Now()
	}
	if repo.ID < 0 && len(p.removed) == len(p.files) && len(p.changed) == 0 {
		p.provisional = []int64{repo.ID} // no location names it any more
	}
	if err := s.putLost(ctx, tx, repo); err != nil || p.empty() {
		return out, err
	}
	return s.write(ctx, tx, p, out)
}

// putLost writes the row, unless a repository that could be read has taken the
// name meanwhile: the plan is then void.
func (s *Step) putLost(ctx context.Context, tx storage.Tx, repo storage.Repository) error {
	if repo.ID < 0 {
		if err := tx.LockCatalog(ctx); err != nil {
			return err
		}
		shown, err := tx.RepositoryByName(ctx, repo.Host, repo.Owner, repo.Name)
		switch {
		case err == nil && shown.ID > 0:
			return storage.ErrStale
		case err != nil && !isNotFound(err):
			return err
		}
	}
	_, err := tx.PutRepository(ctx, repo)
	return err
}

// planRemoval makes every file of the repository a removed one, but for those
// that a registered location names.
func (s *Step) planRemoval(ctx context.Context, tx storage.Tx, p *Plan) error {
	files, err := tx.Files(ctx, p.repo.ID)
	p.files, p.removed = byPath(files), nil
	for _, f := range files {
		if !slices.ContainsFunc(p.changed, func(r fileResult) bool { return r.Path == f.Path }) {
			p.removed = append(p.removed, f.Path)
		}
	}
	return err
}

// differing are the locations that only one side has: what both have needs no look.
func differing(now, before []storage.Location) (out []storage.Location) {
	type key struct{ target, origin string }
	had, have := map[key]bool{}, map[key]bool{}
	for _, l := range before {
		had[key{l.Target, l.Origin}] = true
	}
	for _, l := range now {
		have[key{l.Target, l.Origin}] = true
		if !had[key{l.Target, l.Origin}] {
			out = append(out, l)
		}
	}
	for _, l := range before {
		if !have[key{l.Target, l.Origin}] {
			out = append(out, l)
		}
	}
	return out
}

// applyFiles replaces the rows of changed files, and the locations that their
// Location entities make in other repositories, which are then looked at.
func (s *Step) applyFiles(ctx context.Context, tx storage.Tx, p Plan) error {
	var files []storage.File
	var look []storage.Location
	replace := func(f storage.File) error {
		old := p.files[f.Path]
		if slices.Equal(old.External, f.External) && old.Origin == f.Origin {
			return nil
		}
		now := externalLocations(f)
		look = append(look, differing(now, externalLocations(old))...)
		return tx.ReplaceLocations(ctx, locationSource(f), now)
	}
	for _, r := range p.changed {
		files = append(files, r.File)
		if err := replace(r.File); err != nil {
			return err
		}
	}
	for _, path := range p.removed {
		gone := storage.File{RepositoryID: p.repo.ID, Path: path, Origin: p.files[path].Origin}
		if err := replace(gone); err != nil {
			return err
		}
	}
	if err := tx.PutFiles(ctx, files); err != nil {
		return err
	}
	if err := tx.DeleteFiles(ctx, p.repo.ID, p.removed); err != nil {
		return err
	}
	msgs, err := location.Messages(ctx, tx, look, p.cause)
	if err != nil || len(msgs) == 0 {
		return err
	}
	_, err = tx.AddMessages(ctx, msgs)
	return err
}
