package scan

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/storage"
)

// Approve lets a paused scan remove what it holds. storage.ErrNotFound for an
// unknown one, storage.ErrStale for one that is not paused.
func (s *Step) Approve(ctx context.Context, id, actor string) error {
	return s.decide(ctx, id, func(ctx context.Context, tx storage.Tx, scan *storage.Scan) error {
		scan.ApprovedBy, scan.Error = actor, ""
		// Done when all of it has gone, and what follows from it is counted too. That
		// of people holds until then what was approved.
		scan.State, scan.FinishedAt, scan.UpdatedAt, scan.Released = storage.ScanRunning, time.Time{}, s.cfg.Now(), 0
		scan.Cause.Actor = actor
		msgs, err := approved(ctx, tx, *scan)
		if err != nil {
			return err
		}
		_, err = tx.AddMessages(ctx, msgs)
		return err
	})
}

// Reject ends a paused scan and keeps what it would have removed. The next scan
// finds it missing again, unless it is there by then. Errors are those of Approve.
func (s *Step) Reject(ctx context.Context, id, actor string) error {
	return s.decide(ctx, id, func(ctx context.Context, tx storage.Tx, scan *storage.Scan) error {
		holds, err := tx.Holds(ctx, scan.ID)
		if err != nil {
			return err
		}
		if scan.Removing -= entitiesOf(holds); scan.Removing > 0 && scan.Kind == storage.ScanRepositories {
			scan.Error = fmt.Sprintf("rejected by %s; %d entities had gone before, nothing was removed since", actor, scan.Removing)
		} else {
			scan.Removing, scan.Error = 0, "rejected by "+actor+"; nothing was removed"
		}
		if scan.Kind == storage.ScanRepositories {
			if err := remind(ctx, tx, holds); err != nil {
				return err
			}
		}
		return tx.DeleteHolds(ctx, scan.ID)
	})
}

// remind makes the next scan look again at what no listing would show: the
// repositories that hold what a removal elsewhere left without a reason.
func remind(ctx context.Context, tx storage.Tx, holds []storage.Hold) error {
	for _, h := range holds {
		req, err := refreshOf(h)
		if err != nil {
			return err
		}
		if !req.Follows {
			continue
		}
		r, err := tx.Repository(ctx, h.RepositoryID)
		if err != nil {
			return err
		}
		r.SettingsHash = ""
		if _, err := tx.PutRepository(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// decide ends a paused scan.
func (s *Step) decide(ctx context.Context, id string, fn func(context.Context, storage.Tx, *storage.Scan) error) error {
	found, err := s.store.Scan(ctx, id)
	if err != nil {
		return err
	}
	var scan storage.Scan
	err = s.store.InTx(ctx, func(ctx context.Context, tx storage.Tx) error {
		if err := lock(ctx, tx, found.Host, found.Owner); err != nil {
			return err
		}
		if scan, err = tx.Scan(ctx, id); err != nil {
			return err
		}
		if scan.State != storage.ScanPaused {
			return fmt.Errorf("scan %s is %s, not paused: %w", id, scan.State, storage.ErrStale)
		}
		scan.State, scan.FinishedAt = storage.ScanDone, s.cfg.Now()
		if err := fn(ctx, tx, &scan); err != nil {
			return err
		}
		return tx.PutScan(ctx, scan)
	})
	switch {
	case err != nil:
	case scan.State == storage.ScanRunning:
		s.log.InfoContext(ctx, "scan approved", append(about(scan), slog.String("by", scan.ApprovedBy))...)
	default:
		s.tell(ctx, move{scan: scan})
	}
	return err
}

// approved are the messages that remove what a scan found. People are compared
// anew: there is one message for all of them.
func approved(ctx context.Context, tx storage.Tx, scan storage.Scan) ([]storage.Message, error) {
	if scan.Kind != storage.ScanPeople {
		msgs, err := released(ctx, tx, scan)
		if err != nil {
			return nil, err
		}
		msg, err := next(scan, scan.UpdatedAt.Add(waitLeast))
		return append(msgs, msg), err
	}
	req := event.People{Host: scan.Host, Org: scan.Owner, Scan: scan.ID, Released: true}
	payload, err := json.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("encode the people of %s: %w", scan.Owner, err)
	}
	msg := storage.Message{Topic: event.TopicPeople, Key: event.PeopleKey(req), Payload: payload, Cause: scan.Cause}
	return []storage.Message{msg}, nil
}
