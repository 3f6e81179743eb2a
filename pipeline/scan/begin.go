package scan

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/storage"
)

// beginning asks for a scan of an account.
type beginning struct {
	account
	cause storage.Cause
	asked time.Time
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

// begin begins a scan, or joins the one that runs. What GitHub said happened to
// an installation may have come after the running one read it: then another
// follows. A paused one is superseded, and so is what it holds.
func (s *Step) begin(ctx context.Context, tx storage.Tx, b beginning) (storage.Scan, error) {
	if err := lock(ctx, tx, b.host, b.owner); err != nil {
		return storage.Scan{}, err
	}
	before, err := tx.Scans(ctx, storage.ScanFilter{Host: b.host, Owner: b.owner, Kind: storage.ScanRepositories, Limit: 20})
	if err != nil {
		return storage.Scan{}, err
	}
	for _, o := range before {
		if o.InstallationID != b.installation || o.State != storage.ScanRunning {
			continue
		}
		if b.cause.Reason == storage.ReasonInstallation && o.StartedAt.Before(b.asked) {
			return o, s.later(ctx, tx, b)
		}
		return o, nil
	}
	for _, o := range before {
		if err := s.supersede(ctx, tx, o); err != nil {
			return o, err
		}
	}
	now := s.cfg.Now()
	scan := storage.Scan{
		ID: uuid.NewString(), Kind: storage.ScanRepositories, Host: b.host, Owner: b.owner, InstallationID: b.installation,
		Full: true, Cause: b.cause, State: storage.ScanRunning, PageSize: s.pageSize(b.host, b.owner), StartedAt: now, UpdatedAt: now,
	}
	msg, err := next(scan, now)
	if err != nil {
		return scan, err
	}
	if _, err := tx.AddMessages(ctx, []storage.Message{msg}); err != nil {
		return scan, err
	}
	s.log.InfoContext(ctx, "scan began", append(about(scan), slog.String("reason", b.cause.Reason))...)
	return scan, tx.PutScan(ctx, scan)
}

// lock makes those wait for each other who begin or end scans of an account.
func lock(ctx context.Context, tx storage.Tx, host, owner string) error {
	// Over as soon as it begins: what is held is the row, until the transaction ends.
	_, err := tx.AcquireLease(ctx, "scan:"+strings.ToLower(host+"/"+owner), uuid.NewString(), time.Time{}, time.Time{})
	return err
}

// supersede ends a scan that another one follows. Whatever is still held for it
// is found again, if it is missing still.
func (s *Step) supersede(ctx context.Context, tx storage.Tx, o storage.Scan) error {
	if o.State == storage.ScanRunning {
		return nil // over another installation
	}
	if err := tx.DeleteHolds(ctx, o.ID); err != nil {
		return err
	}
	if o.State != storage.ScanPaused {
		return nil
	}
	o.State, o.FinishedAt = storage.ScanSuperseded, s.cfg.Now()
	return tx.PutScan(ctx, o)
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
	p, _ := s.cfg.Policy.For(host, owner, 0)
	if p.PageSize < 1 || p.PageSize > maxPageSize {
		return maxPageSize
	}
	return p.PageSize
}
