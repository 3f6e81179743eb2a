package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/callboard/callboard/pipeline/bus"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/storage"
)

// InstallationStep spreads an installation delivery over its repositories: one
// refresh each. It is the step of event.TopicInstallation. The lists are read
// here and not in the request, because there may be thousands.
type InstallationStep struct {
	Store storage.Reader
}

var _ bus.Step[InstallationPlan] = InstallationStep{}

// InstallationPlan is which repositories to look at.
type InstallationPlan struct {
	refreshes []refresh
	// index finds a repository's entry: a later delivery overrules an earlier one.
	index         map[int64]int
	read, removed int
	note          string
}

type refresh struct {
	event.Refresh
	cause storage.Cause
}

// lists are the parts of a payload that name repositories.
type lists struct {
	Action       string       `json:"action"`
	Repositories []repository `json:"repositories"`
	Added        []repository `json:"repositories_added"`
	Removed      []repository `json:"repositories_removed"`
}

type repository struct {
	ID       int64  `json:"id"`
	FullName string `json:"full_name"`
}

// Topic is part of bus.Step.
func (InstallationStep) Topic() string { return event.TopicInstallation }

// Plan is part of bus.Step.
func (s InstallationStep) Plan(ctx context.Context, msgs []storage.Message) (InstallationPlan, error) {
	plan := InstallationPlan{index: map[int64]int{}}
	for _, m := range msgs {
		if err := s.plan(ctx, m, &plan); err != nil {
			return plan, err
		}
	}
	for _, r := range plan.refreshes {
		if r.Gone != "" {
			plan.removed++
		} else {
			plan.read++
		}
	}
	return plan, nil
}

func (s InstallationStep) plan(ctx context.Context, m storage.Message, plan *InstallationPlan) error {
	var in event.Installation
	if err := json.Unmarshal(m.Payload, &in); err != nil {
		return fault.Permanent(fault.ReasonInvalid, fmt.Errorf("read message %d: %w", m.ID, err))
	}
	d, err := s.Store.Delivery(ctx, in.Delivery)
	if errors.Is(err, storage.ErrNotFound) {
		return fault.Permanent(fault.ReasonInvalid, err)
	}
	if err != nil {
		return err
	}
	var l lists
	var mistyped *json.UnmarshalTypeError
	if err := json.Unmarshal(d.Payload, &l); err != nil && !errors.As(err, &mistyped) {
		return fault.Permanent(fault.ReasonInvalid, fmt.Errorf("read payload of delivery %s: %w", d.GUID, err))
	}
	cause := m.Cause
	force := cause.Reason == storage.ReasonReplay
	// The refreshes only name the delivery as their cause; it is over with this step.
	cause.Reason = storage.ReasonInstallation
	add := func(repo repository, gone string) {
		plan.add(refresh{Refresh: event.Refresh{
			Host: in.Host, RepositoryID: repo.ID, InstallationID: in.InstallationID,
			Discovered: true, Gone: gone, Force: force,
		}, cause: cause}, clean(repo.FullName))
	}
	switch {
	case l.Action == "suspend":
		// GitHub answers 403 while it lasts; nothing has gone.
		plan.note = "installation suspended; its repositories stay as they are"
		return nil
	case l.Action == "deleted":
		return s.each(ctx, in.InstallationID, func(r repository) { add(r, "removed") })
	case d.Event == "installation" && len(l.Repositories) == 0:
		return s.each(ctx, in.InstallationID, func(r repository) { add(r, "") })
	}
	for _, list := range [][]repository{l.Repositories, l.Added} {
		for _, repo := range list {
			add(repo, "")
		}
	}
	for _, repo := range l.Removed {
		add(repo, "removed")
	}
	return nil
}

// each visits the stored repositories of an installation.
func (s InstallationStep) each(ctx context.Context, installation int64, fn func(repository)) error {
	all, err := s.Store.Repositories(ctx)
	if err != nil {
		return err
	}
	for _, r := range all {
		if r.InstallationID == installation {
			fn(repository{ID: r.ID, FullName: r.FullName()})
		}
	}
	return nil
}

func (p *InstallationPlan) add(r refresh, fullName string) {
	var ok bool
	r.Owner, r.Name, ok = strings.Cut(fullName, "/")
	if !ok || r.RepositoryID <= 0 {
		return // not a repository that could be found
	}
	r.cause.Repository = fullName
	if i, ok := p.index[r.RepositoryID]; ok {
		p.refreshes[i] = r
		return
	}
	p.index[r.RepositoryID] = len(p.refreshes)
	p.refreshes = append(p.refreshes, r)
}

// Apply is part of bus.Step.
func (InstallationStep) Apply(ctx context.Context, tx storage.Tx, plan InstallationPlan) (bus.Outcome, error) {
	if len(plan.refreshes) == 0 {
		out := bus.Outcome{State: storage.DeliveryUnchanged, Summary: "no repositories concerned"}
		if plan.note != "" {
			out.State, out.Reason, out.Summary = storage.DeliveryIgnored, plan.note, plan.note
		}
		return out, nil
	}
	msgs := make([]storage.Message, len(plan.refreshes))
	for i, r := range plan.refreshes {
		payload, err := json.Marshal(r.Refresh)
		if err != nil {
			return bus.Outcome{}, fmt.Errorf("encode message: %w", err)
		}
		msgs[i] = storage.Message{
			Topic: event.TopicRefresh, Key: event.RefreshKey(r.Refresh), Payload: payload, Cause: r.cause,
		}
	}
	if _, err := tx.AddMessages(ctx, msgs); err != nil {
		return bus.Outcome{}, err
	}
	return bus.Outcome{
		State:   storage.DeliveryApplied,
		Summary: fmt.Sprintf("repositories to read: %d, removed: %d", plan.read, plan.removed),
	}, nil
}
