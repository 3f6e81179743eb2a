package people

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/callboard/callboard/pipeline/bus"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/pipeline/schedule"
	"github.com/callboard/callboard/storage"
)

// Jobs are the looks that the schedules of the providers ask for.
func (s *Step) Jobs(context.Context) ([]schedule.Job, error) {
	var jobs []schedule.Job
	for _, p := range s.cfg.Providers {
		jobs = append(jobs, schedule.Job{
			Name: "people/" + p.ID, Schedule: p.Schedule,
			Run: func(ctx context.Context) error { return s.Ask(ctx, p.Host, p.owner()) },
		})
	}
	return jobs, nil
}

// Ask asks for a look at an organization that nobody waits for, unless one is
// asked for already.
func (s *Step) Ask(ctx context.Context, host, org string) error {
	msg, err := event.PeopleMessage(event.People{Host: host, Org: org}, storage.Cause{Reason: storage.ReasonScan, Actor: "schedule"})
	if err != nil {
		return err
	}
	return s.store.InTx(ctx, func(ctx context.Context, tx storage.Tx) error {
		undone, err := tx.UndoneMessages(ctx, msg.Topic, msg.Key)
		if err != nil {
			return err
		}
		for _, m := range undone {
			if m.ParkedAt.IsZero() {
				return nil
			}
		}
		_, err = tx.AddMessages(ctx, []storage.Message{msg})
		return err
	})
}

// Begin asks for the looks that follow from the configuration of this start: at
// sources that are configured otherwise than when they were read, and at those
// that are not configured any more, so that what they declared goes (contract
// catalog 3.1).
func (s *Step) Begin(ctx context.Context) error {
	repos, err := s.store.Repositories(ctx)
	if err != nil {
		return err
	}
	known := map[int64]storage.Repository{}
	for _, r := range repos {
		if r.Name == event.PeopleName {
			known[r.ID] = r
		}
	}
	for _, p := range s.cfg.Providers {
		source := s.source(p.Host, p.owner())
		if known[source.ID].SettingsHash != s.settings(p) {
			err = errors.Join(err, s.Ask(ctx, source.Host, source.Owner))
		}
		delete(known, source.ID)
	}
	for _, r := range known {
		err = errors.Join(err, s.Ask(ctx, r.Host, r.Owner))
	}
	return err
}

// settings names everything besides the people that decides what is made of them.
func (s *Step) settings(p Provider) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%q\n%+v\n%s", transformation, p.Orgs, s.options(p), p.Host))
	return hex.EncodeToString(sum[:8])
}

// planOther is about an organization that has no source of its own. What it
// declared when it had one goes, and the source that it belongs to now is looked
// at, so that whichever of its organizations changed, there is one look.
func (s *Step) planOther(ctx context.Context, req request, p Provider, covered bool) (Plan, error) {
	source := s.source(req.Host, req.Org)
	old, err := s.abandoned(ctx, source, req.cause)
	if err != nil {
		return Plan{}, err
	}
	out := bus.Outcome{Repository: source.FullName()}
	var forward []storage.Message
	if covered {
		to := req.People
		to.Org = p.owner()
		msg, err := event.PeopleMessage(to, req.cause)
		if err != nil {
			return Plan{}, err
		}
		forward = append(forward, msg) // the outcome has no state: it goes on
	} else {
		out.State, out.Reason = storage.DeliveryIgnored, "no entry of catalog.providers.githubOrg covers "+req.Org
	}
	return Plan{func(ctx context.Context, tx storage.Tx) (bus.Outcome, error) {
		if old != nil {
			done, err := old.Apply(ctx, tx)
			if err != nil {
				return done, err
			}
			if err := errors.Join(tx.DeleteRepository(ctx, source.ID), s.end(ctx, tx, req, source, 0)); err != nil {
				return done, err
			}
			out.Summary, out.Changes, out.Revision = done.Summary, done.Changes, done.Revision
		}
		_, err := tx.AddMessages(ctx, forward)
		return out, err
	}}, nil
}

// abandoned plans to take away what a source declares that is not configured any
// more; nil for one that declares nothing. The sources that are configured come
// first: what they declare as well is theirs then, and keeps its uid.
func (s *Step) abandoned(ctx context.Context, source storage.Repository, cause storage.Cause) (Change, error) {
	row, err := s.store.Repository(ctx, source.ID)
	switch {
	case errors.Is(err, storage.ErrNotFound) || err == nil && s.cfg.KeepAbandoned:
		return nil, nil
	case err != nil:
		return nil, err
	}
	for _, p := range s.cfg.Providers {
		heir, err := s.store.Repository(ctx, s.source(p.Host, p.owner()).ID)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return nil, err
		}
		if heir.AppliedAt.IsZero() {
			return nil, fault.RetryAfter(replacedWait, fault.ReasonUnavailable,
				fmt.Errorf("%s goes when the people of %s were read", row.FullName(), p.owner()))
		}
	}
	return s.catalog.PlanEntries(ctx, row, nil, false, cause)
}
