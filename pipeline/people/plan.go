package people

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/callboard/callboard/pipeline/bus"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/storage"
)

const (
	// turnTimeout is how long nobody else looks after one began who may have died,
	// lookTimeout how long a look may take: a hundred people are half a second.
	turnTimeout = lookTimeout + time.Minute
	lookTimeout = 5 * time.Minute
	// releaseTimeout is for giving the turn back, whatever ended the look.
	releaseTimeout = 5 * time.Second
	// turnWait is when to ask again whether it is one's turn.
	turnWait = time.Second
	// replacedWait is when to ask again whether the sources that are configured
	// were read.
	replacedWait = 30 * time.Second
	// tries is how often a look is tried again that fails, and GitHub did not say
	// when to come back.
	tries = 2
	// transformation is part of what a source was read with: raise it when the same
	// people would become other entities.
	transformation = "people/1"
)

// Plan is what a look leads to: what Apply writes.
type Plan struct {
	apply func(ctx context.Context, tx storage.Tx) (bus.Outcome, error)
}

// Apply implements bus.Step.
func (s *Step) Apply(ctx context.Context, tx storage.Tx, p Plan) (bus.Outcome, error) {
	return p.apply(ctx, tx)
}

// request is what all messages of a source ask for together.
type request struct {
	event.People
	cause storage.Cause
	// first is the id of the oldest message: the same when the look is tried again.
	first    int64
	attempts int
	// scheduled is set when nobody waits for it.
	scheduled bool
}

// merge joins messages. The newest says why; an approval among them stands.
func merge(msgs []storage.Message) (request, error) {
	req := request{first: msgs[0].ID, attempts: msgs[0].Attempts, scheduled: true}
	for _, m := range msgs {
		var p event.People
		if err := json.Unmarshal(m.Payload, &p); err != nil {
			return req, fmt.Errorf("message %d: %w", m.ID, err)
		}
		if p.Host == "" || p.Org == "" {
			return req, fmt.Errorf("message %d names no organization", m.ID)
		}
		if req.Released && !p.Released {
			p.Released, p.Scan = true, req.Scan
		}
		p.Force = p.Force || req.Force
		req.People, req.cause = p, m.Cause
		req.attempts = min(req.attempts, m.Attempts)
		req.scheduled = req.scheduled && m.Cause.Reason == storage.ReasonScan
	}
	return req, nil
}

// Plan implements bus.Step.
func (s *Step) Plan(ctx context.Context, msgs []storage.Message) (Plan, error) {
	req, err := merge(msgs)
	if err != nil {
		return Plan{}, fault.Permanent(fault.ReasonInvalid, err)
	}
	p, ok := s.provider(req.Host, req.Org)
	if !ok || !strings.EqualFold(p.owner(), req.Org) {
		return s.planOther(ctx, req, p, ok)
	}
	source := s.source(p.Host, p.owner())
	if err := s.turn(ctx, source, req); err != nil {
		return Plan{}, err
	}
	purpose := githubapp.PurposeManual
	if req.scheduled {
		purpose = githubapp.PurposeScan
	}
	ctx = githubapp.WithPurpose(ctx, purpose)
	orgs, err := s.list(ctx, p)
	var plan Plan
	if err == nil {
		plan, err = s.replace(ctx, req, p, source, orgs)
	}
	if err != nil {
		return s.failed(ctx, req, source, err)
	}
	return plan, nil
}

// Timeout implements bus.Slow.
func (s *Step) Timeout() time.Duration { return lookTimeout }

// turn lets one look happen at a time, and the next one not before what the last
// one cost is spread: what comes meanwhile waits and is one look.
func (s *Step) turn(ctx context.Context, source storage.Repository, req request) error {
	var mine bool
	err := s.store.InTx(ctx, func(ctx context.Context, tx storage.Tx) (err error) {
		mine, err = s.take(ctx, tx, source, req, turnTimeout)
		return err
	})
	if err == nil && !mine {
		err = fault.RetryAfter(turnWait, fault.ReasonTurn, errors.New("the people were looked at a moment ago"))
	}
	return err
}

// take has the turn for a while, 0 to give it back. It is the turn of one process
// and message: another one may come to the same message while this one is at it.
func (s *Step) take(ctx context.Context, tx storage.Tx, source storage.Repository, req request, d time.Duration) (bool, error) {
	now := s.cfg.Now()
	return tx.AcquireLease(ctx, fmt.Sprintf("people:%d", source.ID), fmt.Sprintf("%s/%d", s.holder, req.first), now, now.Add(d))
}

// list reads every organization of a provider, in order. One that cannot be read
// is an error for all: the others alone would look as if its users had gone.
func (s *Step) list(ctx context.Context, p Provider) ([]githubapp.People, error) {
	type org struct {
		login        string
		installation int64
	}
	var orgs []org
	for _, login := range p.Orgs {
		orgs = append(orgs, org{login: login})
	}
	if len(p.Orgs) == 0 {
		installed, err := s.github.Installations(ctx, p.Host)
		if err != nil {
			return nil, fmt.Errorf("list the organizations that the App is installed on: %w", err)
		}
		for _, in := range installed {
			if in.AccountType != "Organization" {
				continue
			}
			if in.Suspended {
				return nil, fmt.Errorf("the App is suspended on %s: unsuspend it there, "+
					"or name the other organizations in catalog.providers.githubOrg.orgs", in.Account)
			}
			orgs = append(orgs, org{in.Account, in.ID})
		}
		if len(orgs) == 0 {
			return nil, fmt.Errorf("no App is installed on an organization of %s: install one, "+
				"or name organizations in catalog.providers.githubOrg.orgs", p.Host)
		}
		slices.SortFunc(orgs, func(a, b org) int { return cmp.Compare(strings.ToLower(a.login), strings.ToLower(b.login)) })
	}
	var all []githubapp.People
	for _, o := range orgs {
		people, err := s.github.People(ctx, p.Host, o.login, o.installation, p.Query)
		if err != nil {
			return nil, explain(p.Host, o.login, err)
		}
		if len(people.Members) == 0 {
			return nil, fmt.Errorf("%s lists no member of %s, which has an owner at least: nothing is removed; it is asked again later", p.Host, o.login)
		}
		all = append(all, people)
	}
	return all, nil
}

// replace plans to make the source equal to what was read, unless that would
// remove too much, or what GitHub does not confirm.
func (s *Step) replace(ctx context.Context, req request, p Provider, source storage.Repository, orgs []githubapp.People) (Plan, error) {
	opts := s.options(p)
	source.HTMLURL, source.SettingsHash = opts.URL, s.settings(p)
	if len(orgs) == 1 {
		source.HTMLURL += "/orgs/" + orgs[0].Org + "/people"
	}
	cost := 0
	for _, o := range orgs {
		cost += o.Requests
	}
	change, err := s.catalog.PlanEntries(ctx, source, Transform(opts, orgs), req.Force, req.cause)
	if err != nil {
		return Plan{}, err
	}
	tooMany, asked, err := s.doubt(ctx, req, p, source, change, orgs)
	if err != nil {
		return Plan{}, err
	}
	cost += asked
	pause := time.Duration(max(cost, 1)) * cmp.Or(p.Pause, time.Second)
	write := func(ctx context.Context, tx storage.Tx) (bus.Outcome, error) {
		return s.write(ctx, tx, req, source, change)
	}
	if tooMany {
		write = func(ctx context.Context, tx storage.Tx) (bus.Outcome, error) {
			return s.pause(ctx, tx, req, source, change, opts, cost)
		}
	}
	return Plan{func(ctx context.Context, tx storage.Tx) (bus.Outcome, error) {
		if _, err := s.take(ctx, tx, source, req, pause); err != nil {
			return bus.Outcome{}, err
		}
		return write(ctx, tx)
	}}, nil
}

// options are how a provider's people become entities. Groups are in the default
// namespace only where there cannot be two of a name (contract catalog 5.5).
func (s *Step) options(p Provider) Options {
	return Options{
		URL: cmp.Or(p.URL, "https://"+p.Host), Hosts: s.github.Hosts(), OrgNamespace: len(s.cfg.Providers) != 1 || len(p.Orgs) != 1,
		VerifiedEmails: p.Query.VerifiedEmails, ExcludeSuspended: p.Query.Suspended,
	}
}

// write applies a change. What waited for an approval of the same is over.
func (s *Step) write(ctx context.Context, tx storage.Tx, req request, source storage.Repository, change Change) (bus.Outcome, error) {
	out, err := change.Apply(ctx, tx)
	if err != nil {
		return out, err
	}
	return out, s.end(ctx, tx, req, source, len(change.Removed()))
}

// end is the end of what waited to be removed from a source, or was approved.
func (s *Step) end(ctx context.Context, tx storage.Tx, req request, source storage.Repository, removed int) error {
	waiting, err := s.waiting(ctx, tx, source)
	if err != nil {
		return err
	}
	for _, scan := range waiting {
		scan.State, scan.FinishedAt, scan.Removing = storage.ScanSuperseded, s.cfg.Now(), 0
		if req.Released && scan.ID == req.Scan {
			scan.State, scan.Removing = storage.ScanDone, removed
		}
		scan.UpdatedAt, scan.Error = scan.FinishedAt, ""
		if err := tx.PutScan(ctx, scan); err != nil {
			return err
		}
	}
	return tx.DeleteHolds(ctx, "", source.ID)
}
