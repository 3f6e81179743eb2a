package refresh

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/storage"
)

// heldRefs is how many refs a hold names; the rest is counted.
const heldRefs = 20

// hold notes what a scan would remove instead of removing it, and says whether
// there is anything. What a scan takes away is applied together, after somebody
// has counted it: GitHub may have answered wrongly for many repositories at once
// (contract catalog 6, row 5). What it brings or changes is applied at once
// where nothing goes.
func (s *Step) hold(ctx context.Context, tx storage.Tx, p Plan) (held int, err error) {
	if p.scanned == nil || p.repo.Version == 0 || p.gone == "" && p.empty() {
		return 0, nil
	}
	if now, err := tx.Repository(ctx, p.repo.ID); err != nil || now.Version != p.repo.Version {
		return 0, errors.Join(err, storage.ErrStale) // a push was quicker: what it left is compared anew
	}
	if p.gone != "" {
		if err := s.planRemoval(ctx, tx, &p); err != nil {
			return 0, err
		}
	}
	c := s.contest(p)
	if err := c.load(ctx, tx); err != nil {
		return 0, err
	}
	var refs []string
	for _, ref := range c.settle().bury {
		if !strings.HasPrefix(ref, generatedPrefix) {
			refs = append(refs, ref)
		}
	}
	if len(refs) <= p.scanned.Released {
		return 0, nil
	}
	again := *p.scanned
	again.Released, again.Seen, again.Settings = len(refs), nil, s.settings(p.repo)
	payload, err := json.Marshal(again)
	if err != nil {
		return 0, fmt.Errorf("encode a refresh of %s: %w", p.repo.FullName(), err)
	}
	return len(refs), tx.PutHold(ctx, storage.Hold{
		ScanID: p.cause.Scan, RepositoryID: p.repo.ID, Repository: p.repo.FullName(),
		Entities: len(refs), Refs: refs[:min(len(refs), heldRefs)], Payload: payload, At: s.cfg.Now(),
	})
}

// unhold drops what scans hold of a repository that was seen as it is: whatever
// would still go is in the plan, and applied or held anew.
func unhold(ctx context.Context, tx storage.Tx, repo storage.Repository) error {
	if repo.Version == 0 {
		return nil
	}
	return tx.DeleteHolds(ctx, "", repo.ID)
}

// join makes the plan of a push part of the scan that holds the repository,
// where what would go goes by changed settings: a wrong configuration must not
// be carried out push by push while somebody is asked about it.
func (s *Step) join(ctx context.Context, tx storage.Tx, p *Plan) error {
	if p.scanned != nil || !p.outdated {
		return nil
	}
	scans, err := tx.Scans(ctx, storage.ScanFilter{Kind: storage.ScanRepositories, State: storage.ScanPaused, Host: p.repo.Host})
	if err != nil {
		return err
	}
	for _, scan := range scans {
		holds, err := tx.Holds(ctx, scan.ID)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(holds, func(h storage.Hold) bool { return h.RepositoryID == p.repo.ID }) {
			req := event.RefreshOf(p.repo)
			req.Follows = true // asked for again when the hold is dropped: the push is known to nobody else
			p.scanned, p.cause.Scan = &req, scan.ID
			return nil
		}
	}
	return nil
}
