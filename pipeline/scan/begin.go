package scan

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/storage"
)

// beginning asks for a scan of an account. Who follows is not content with one
// that began before he asked: it may have read already what he heard of.
type beginning struct {
	account
	cause   storage.Cause
	asked   time.Time
	follows bool
}

// Start begins scans of the accounts of a host, or of one of them; "" stands
// for all. Where one runs already it is joined. It answers the ids of the scans;
// storage.ErrNotFound when there is nothing to scan.
func (s *Step) Start(ctx context.Context, host, owner, actor string) ([]string, error) {
	ctx = githubapp.WithPurpose(ctx, githubapp.PurposeManual)
	all, err := s.allAccounts(ctx, host, s.covers(owner))
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		what := "any account"
		if owner != "" {
			what = owner
		}
		return nil, fmt.Errorf("no installation of the App and no entry of catalog.providers.github covers %s: %w", what, storage.ErrNotFound)
	}
	return s.start(ctx, all, storage.Cause{Reason: storage.ReasonManual, Actor: actor})
}

func (s *Step) start(ctx context.Context, all []account, cause storage.Cause) (ids []string, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context, tx storage.Tx) error {
		ids = nil
		for _, a := range all {
			scan, err := s.begin(ctx, tx, beginning{account: a, cause: cause, asked: s.cfg.Now()})
			if err != nil {
				return err
			}
			ids = append(ids, scan.ID)
		}
		return nil
	})
	return ids, err
}

// followAgain is how soon a request looks again that waits for a running scan
// to end.
const followAgain = 5 * time.Second

// begin begins a scan, joins the one that runs, or waits to follow it. A paused
// one is superseded, and so is what it holds.
func (s *Step) begin(ctx context.Context, tx storage.Tx, b beginning) (storage.Scan, error) {
	if err := lock(ctx, tx, b.host, b.owner); err != nil {
		return storage.Scan{}, err
	}
	before, err := tx.Scans(ctx, storage.ScanFilter{Host: b.host, Owner: b.owner, Kind: storage.ScanRepositories, Limit: 20})
	if err != nil {
		return storage.Scan{}, err
	}
	for i := range before {
		if joined, err := s.join(ctx, tx, b, &before[i]); err != nil || joined {
			return before[i], err
		}
	}
	var again []event.Refresh
	for _, o := range before {
		some, err := s.supersede(ctx, tx, o)
		if err != nil {
			return o, err
		}
		again = append(again, some...)
	}
	now := s.cfg.Now()
	scan := storage.Scan{
		ID: uuid.NewString(), Kind: storage.ScanRepositories, Host: b.host, Owner: b.owner, InstallationID: b.installation,
		Cause: b.cause, State: storage.ScanRunning, PageSize: s.pageSize(b.host, b.owner), StartedAt: now, UpdatedAt: now,
	}
	msg, err := next(scan, now)
	if err != nil {
		return scan, err
	}
	if _, err := tx.AddMessages(ctx, []storage.Message{msg}); err != nil {
		return scan, err
	}
	s.log.InfoContext(ctx, "scan began", append(about(scan), slog.String("reason", b.cause.Reason))...)
	return scan, s.add(ctx, tx, &scan, again)
}

// lock makes those wait for each other who begin or end scans of an account.
func lock(ctx context.Context, tx storage.Tx, host, owner string) error {
	// Over as soon as it begins: what is held is the row, until the transaction ends.
	_, err := tx.AcquireLease(ctx, "scan:"+strings.ToLower(host+"/"+owner), uuid.NewString(), time.Time{}, time.Time{})
	return err
}

// join says whether a scan of the account does, or whether another one will follow it.
func (s *Step) join(ctx context.Context, tx storage.Tx, b beginning, o *storage.Scan) (joined bool, err error) {
	settings := o.Cause.Reason == storage.ReasonSettings // which listed nothing
	switch {
	case o.State == storage.ScanFailed || o.State != storage.ScanRunning && settings:
		return false, nil
	case o.InstallationID != b.installation && !settings:
		return false, nil
	case b.follows && !settings && !o.StartedAt.Before(b.asked):
		return true, nil
	case o.State != storage.ScanRunning:
		return false, nil
	}
	if *o, err = s.stuck(ctx, tx, *o); err != nil || o.State == storage.ScanFailed {
		return false, err
	}
	if settings { // from here on it lists, and counts all together
		now := s.cfg.Now()
		o.Cause, o.InstallationID, o.PageSize, o.StartedAt, o.UpdatedAt = b.cause, b.installation, s.pageSize(b.host, b.owner), now, now
		return true, tx.PutScan(ctx, *o)
	}
	if b.follows {
		err = s.later(ctx, tx, b)
	}
	return true, err
}

// stuck fails a running scan whose step was given up: nothing would ever end it,
// and everybody would go on joining it.
func (s *Step) stuck(ctx context.Context, tx storage.Tx, o storage.Scan) (storage.Scan, error) {
	steps, err := tx.UndoneMessages(ctx, event.TopicScan, event.ScanKey(event.Scan{Scan: o.ID}))
	if err != nil || slices.ContainsFunc(steps, func(m storage.Message) bool { return m.ParkedAt.IsZero() }) {
		return o, err
	}
	o.Error = "its step is lost"
	for _, m := range steps {
		o.Error = m.Error
	}
	o = s.failed(o, o.Error).scan
	return o, tx.PutScan(ctx, o)
}

// supersede ends a scan that another one follows. Whatever is still held for it
// is found again, if it is missing still, but for what it answers: no listing
// shows what follows from a removal.
func (s *Step) supersede(ctx context.Context, tx storage.Tx, o storage.Scan) (again []event.Refresh, err error) {
	if o.State == storage.ScanRunning {
		return nil, nil // over another installation
	}
	holds, err := tx.Holds(ctx, o.ID)
	if err != nil {
		return nil, err
	}
	for _, h := range holds {
		req, err := refreshOf(h)
		if err != nil {
			return nil, err
		}
		if req.Follows {
			again = append(again, req)
		}
	}
	if err := tx.DeleteHolds(ctx, o.ID); err != nil || o.State != storage.ScanPaused {
		return again, err
	}
	o.State, o.FinishedAt = storage.ScanSuperseded, s.cfg.Now()
	return again, tx.PutScan(ctx, o)
}

// later puts a request off. It keeps its age, so that it is content with any
// scan that begins after it.
func (s *Step) later(ctx context.Context, tx storage.Tx, b beginning) error {
	req := event.Scan{Host: b.host, Owner: b.owner, InstallationID: b.installation}
	payload, err := json.Marshal(req)
	if err != nil {
		return fmt.Errorf("encode a scan of %s: %w", b.owner, err)
	}
	_, err = tx.AddMessages(ctx, []storage.Message{{
		Topic: event.TopicScan, Key: event.ScanKey(req), Payload: payload, Cause: b.cause,
		CreatedAt: b.asked, RunAfter: s.cfg.Now().Add(followAgain),
	}})
	return err
}

// maxPageSize is GitHub's.
const maxPageSize = 100

func (s *Step) pageSize(host, owner string) int {
	size := maxPageSize
	for _, p := range s.cfg.Policy.Covering(s.listing(host, owner)) {
		if p.PageSize > 0 {
			size = min(size, p.PageSize)
		}
	}
	return size
}
