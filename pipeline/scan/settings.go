package scan

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"

	"github.com/google/uuid"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/storage"
)

// Settings asks for a look at the repositories that were read under other settings
// than those of now. What they would remove is held and counted like what a scan
// finds, because a letter in the configuration can empty a catalog. For each
// account it is a scan that has nothing to list, or part of the one that is under
// way. What was held under other settings than those of now is held no more.
func (s *Step) Settings(ctx context.Context, outdated []storage.Repository) error {
	type change struct {
		account
		outdated []storage.Repository
	}
	changes := map[string]*change{}
	of := func(host, owner string) *change {
		key := strings.ToLower(host + "/" + owner)
		if changes[key] == nil {
			changes[key] = &change{account: account{host: host, owner: owner}}
		}
		return changes[key]
	}
	for _, r := range outdated {
		c := of(r.Host, r.Owner)
		c.outdated = append(c.outdated, r)
	}
	for _, state := range []storage.ScanState{storage.ScanRunning, storage.ScanPaused} {
		open, err := s.store.Scans(ctx, storage.ScanFilter{Kind: storage.ScanRepositories, State: state, Limit: scraped})
		if err != nil {
			return err
		}
		for _, o := range open {
			of(o.Host, o.Owner)
		}
	}
	for _, c := range changes {
		err := s.store.InTx(ctx, func(ctx context.Context, tx storage.Tx) error { return s.resettle(ctx, tx, c.account, c.outdated) })
		if err != nil {
			return fmt.Errorf("read %s again: %w", c.owner, err)
		}
	}
	return nil
}

// resettle makes what is held of an account equal to the settings of now.
func (s *Step) resettle(ctx context.Context, tx storage.Tx, a account, outdated []storage.Repository) error {
	if err := lock(ctx, tx, a.host, a.owner); err != nil {
		return err
	}
	open, err := s.open(ctx, tx, a)
	if err != nil {
		return err
	}
	var asks []event.Refresh
	held := map[int64]bool{}
	for i := range open {
		again, err := s.outgrown(ctx, tx, &open[i], held)
		if err != nil {
			return err
		}
		asks = append(asks, again...)
	}
	for _, r := range outdated {
		if !held[r.ID] {
			req := event.RefreshOf(r)
			req.Look = true
			asks = append(asks, req)
		}
	}
	if len(asks) == 0 {
		return nil
	}
	if len(open) == 0 {
		open = append(open, storage.Scan{
			ID: uuid.NewString(), Kind: storage.ScanRepositories, Host: a.host, Owner: a.owner, State: storage.ScanPaused,
			Cause: storage.Cause{Reason: storage.ReasonSettings, Actor: "configuration"}, StartedAt: s.cfg.Now(),
		})
		s.log.InfoContext(ctx, "scan began", append(about(open[0]), slog.String("reason", storage.ReasonSettings))...)
	}
	if open[0].State == storage.ScanPaused {
		if err := s.resume(ctx, tx, &open[0]); err != nil {
			return err
		}
	}
	return s.add(ctx, tx, &open[0], asks)
}

// open are the scans of an account that run or are paused.
func (s *Step) open(ctx context.Context, tx storage.Tx, a account) (open []storage.Scan, err error) {
	all, err := tx.Scans(ctx, storage.ScanFilter{Host: a.host, Owner: a.owner, Kind: storage.ScanRepositories, Limit: 20})
	if err != nil {
		return nil, err
	}
	for _, o := range all {
		if o.State != storage.ScanRunning && o.State != storage.ScanPaused {
			continue
		}
		if o, err = tx.Scan(ctx, o.ID); err != nil { // with what it has seen
			return nil, err
		}
		if o.State == storage.ScanRunning {
			if o, err = s.stuck(ctx, tx, o); err != nil {
				return nil, err
			}
		}
		if o.State == storage.ScanRunning && !listed(o) && len(s.cfg.Policy.Covering(s.listing(o.Host, o.Owner))) == 0 {
			o = s.failed(o, uncovered(o.Owner)).scan // its next page would find that
			if err := tx.PutScan(ctx, o); err != nil {
				return nil, err
			}
		}
		if o.State != storage.ScanFailed {
			open = append(open, o)
		}
	}
	return open, nil
}

// outgrown drops what a scan holds and other settings would have removed, and
// answers what has to be asked again. held gets the repositories that stay held.
// A paused scan that lost some of it goes on.
func (s *Step) outgrown(ctx context.Context, tx storage.Tx, scan *storage.Scan, held map[int64]bool) (again []event.Refresh, err error) {
	holds, err := tx.Holds(ctx, scan.ID)
	if err != nil {
		return nil, err
	}
	var old []int64
	for _, h := range holds {
		req, err := refreshOf(h)
		if err != nil {
			return nil, err
		}
		r, err := tx.Repository(ctx, h.RepositoryID)
		if err != nil {
			return nil, err
		}
		if r.SettingsHash = req.Settings; req.Gone != "" || s.cfg.Current == nil || s.cfg.Current(r) {
			held[r.ID] = true
			continue
		}
		old = append(old, h.RepositoryID)
		if req.Follows {
			again = append(again, req)
		}
	}
	if len(old) == 0 {
		return nil, nil
	}
	if scan.State == storage.ScanPaused { // before they go, because it shows them in its number
		if err := s.resume(ctx, tx, scan); err != nil {
			return nil, err
		}
	}
	return again, tx.DeleteHolds(ctx, scan.ID, old...)
}

// resume lets a paused scan count again.
func (s *Step) resume(ctx context.Context, tx storage.Tx, scan *storage.Scan) error {
	holds, err := tx.Holds(ctx, scan.ID)
	if err != nil {
		return err
	}
	now := s.cfg.Now()
	scan.State, scan.Error, scan.UpdatedAt, scan.FinishedAt = storage.ScanRunning, "", now, storage.Scan{}.FinishedAt
	scan.Removing -= entitiesOf(holds)
	msg, err := next(*scan, now)
	if err != nil {
		return err
	}
	if _, err := tx.AddMessages(ctx, []storage.Message{msg}); err != nil {
		return err
	}
	return tx.PutScan(ctx, *scan)
}

// add makes refreshes part of a scan that runs.
func (s *Step) add(ctx context.Context, tx storage.Tx, scan *storage.Scan, asks []event.Refresh) error {
	var msgs []storage.Message
	for _, req := range asks {
		req.Released, req.Settings = 0, ""
		msg, err := refreshMessage(*scan, req)
		if err != nil {
			return err
		}
		msgs = append(msgs, msg)
	}
	if _, err := tx.AddMessages(ctx, msgs); err != nil {
		return err
	}
	scan.Changed += len(msgs)
	scan.UpdatedAt = s.cfg.Now()
	return tx.PutScan(ctx, *scan)
}

// refreshOf is the refresh that applies what is held.
func refreshOf(h storage.Hold) (req event.Refresh, err error) {
	if err := json.Unmarshal(h.Payload, &req); err != nil {
		return req, fmt.Errorf("read what is held of %s: %w", h.Repository, err)
	}
	return req, nil
}

// entitiesOf is how many entities are held.
func entitiesOf(holds []storage.Hold) (n int) {
	for _, h := range holds {
		n += h.Entities
	}
	return n
}
