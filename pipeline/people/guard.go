package people

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/google/uuid"

	"github.com/callboard/callboard/pipeline/bus"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/storage"
)

// maxShown is how many refs somebody is shown who is asked to let them go.
const maxShown = 1000

// waiting are the looks at a source that wait for an approval, or had one and
// are not written yet.
func (s *Step) waiting(ctx context.Context, r storage.Reader, source storage.Repository) (out []storage.Scan, err error) {
	for _, state := range []storage.ScanState{storage.ScanPaused, storage.ScanRunning} {
		scans, err := r.Scans(ctx, storage.ScanFilter{
			Kind: storage.ScanPeople, Host: source.Host, Owner: source.Owner, State: state, Limit: 10,
		})
		if err != nil {
			return nil, err
		}
		out = append(out, scans...)
	}
	return out, nil
}

// pause writes nothing of a change but that it waits for somebody: an answer that
// would take so many away is believed in nothing.
func (s *Step) pause(ctx context.Context, tx storage.Tx, req request, source storage.Repository, change Change, opts Options, cost int) (bus.Outcome, error) {
	now, gone := s.cfg.Now(), change.Removed()
	waiting, err := s.waiting(ctx, tx, source)
	if err != nil {
		return bus.Outcome{}, err
	}
	scan := storage.Scan{
		ID: uuid.NewString(), Kind: storage.ScanPeople, Host: source.Host, Owner: source.Owner,
		Cause: req.cause, StartedAt: now,
	}
	if len(waiting) > 0 {
		scan = waiting[0]
	}
	removes, total := len(gone), len(gone)+change.Keeps()
	scan.State, scan.UpdatedAt, scan.ApprovedBy = storage.ScanPaused, now, ""
	scan.Total, scan.Seen, scan.Missing, scan.Removing, scan.Requests = total, change.Keeps(), removes, removes, cost
	scan.Error = fmt.Sprintf("%d of %d users and groups of %s are not among its members and teams any more. "+
		"If that is right, run: callboard scan approve %s", removes, total, source.Owner, scan.ID)
	if err := errors.Join(tx.PutScan(ctx, scan), s.show(ctx, tx, scan, source, gone, opts)); err != nil {
		return bus.Outcome{}, err
	}
	if len(waiting) == 0 {
		s.log.ErrorContext(ctx, "people paused", slog.String(event.LogRepository, source.FullName()),
			slog.String("scan", scan.ID), slog.String(event.LogError, scan.Error))
	}
	return s.note(ctx, tx, source, scan.Error)
}

// show writes what would go for whoever decides about it. The paths stand beside
// the refs, because what is approved is a list and not a number.
func (s *Step) show(ctx context.Context, tx storage.Tx, scan storage.Scan, source storage.Repository, gone []string, opts Options) error {
	payload, err := json.Marshal(gone)
	if err != nil {
		return fmt.Errorf("encode what scan %s shows: %w", scan.ID, err)
	}
	refs := make([]string, 0, min(len(gone), maxShown))
	for _, path := range gone[:cap(refs)] {
		refs = append(refs, opts.ref(path))
	}
	return tx.PutHold(ctx, storage.Hold{
		ScanID: scan.ID, RepositoryID: source.ID, Repository: source.FullName(),
		Entities: len(gone), Refs: refs, Payload: payload, At: s.cfg.Now(),
	})
}

// explain says what to do about an organization whose people cannot be read.
func explain(host, org string, err error) error {
	switch _, decided := fault.Of(err); {
	case decided:
		return err
	case errors.Is(err, githubapp.ErrNotFound):
		return fmt.Errorf("%s does not show the organization %s: install the App on it, "+
			"or take it out of catalog.providers.githubOrg.orgs", host, org)
	case errors.Is(err, githubapp.ErrForbidden):
		return fmt.Errorf("%s does not let the people of %s be read: give the App the permission members: read "+
			"and accept it in the organization, or a token the scope read:org", host, org)
	}
	return err
}

// failed decides about a look that failed. What GitHub said about when to come
// back is the bus's to follow. Anything else is tried a few times, then told on
// the source's row and left until it is asked for again, or its schedule comes.
func (s *Step) failed(ctx context.Context, req request, source storage.Repository, err error) (Plan, error) {
	// The look may have ended because everything does.
	rctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	released := s.store.InTx(rctx, func(ctx context.Context, tx storage.Tx) error {
		_, err := s.take(ctx, tx, source, req, 0)
		return err
	})
	if _, decided := fault.Of(err); decided || req.attempts < tries || released != nil {
		return Plan{}, errors.Join(err, released)
	}
	return Plan{func(ctx context.Context, tx storage.Tx) (bus.Outcome, error) {
		s.log.WarnContext(ctx, "people not read", slog.String(event.LogRepository, source.FullName()), slog.Any(event.LogError, err))
		return s.note(ctx, tx, source, err.Error())
	}}, nil
}

// note tells on a source's row why it is not as it should be. What it declared
// stays.
func (s *Step) note(ctx context.Context, tx storage.Tx, source storage.Repository, why string) (bus.Outcome, error) {
	out := bus.Outcome{Repository: source.FullName(), State: storage.DeliveryIgnored, Reason: why}
	row, err := tx.Repository(ctx, source.ID)
	if errors.Is(err, storage.ErrNotFound) {
		row, err = source, nil
	}
	if err != nil || row.Error == why {
		return out, err
	}
	row.State, row.Error, row.ErrorAt = storage.RepositoryUnreachable, why, s.cfg.Now()
	_, err = tx.PutRepository(ctx, row)
	return out, err
}
