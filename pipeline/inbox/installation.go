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

// maxDirect is how many repositories of an installation delivery are looked at
// one by one. For more, and wherever a whole installation came or went, a scan
// asks a page at a time, and counts what would go.
const maxDirect = 20

// InstallationStep turns an installation delivery into looks: at the few
// repositories that it names, or at the whole account. It is the step of
// event.TopicInstallation. The lists are read here and not in the request,
// because there may be thousands.
type InstallationStep struct {
	Store storage.Reader
	// Config is that of the Inbox.
	Config Config
}

var _ bus.Step[InstallationPlan] = InstallationStep{}

// InstallationPlan is what to look at.
type InstallationPlan struct {
	refreshes []refresh
	// index finds a repository's entry: a later delivery overrules an earlier one.
	index         map[int64]int
	read, removed int
	// scans are of whole accounts, by key.
	scans map[string]look[event.Scan]
	// people are organizations, by key.
	people map[string]look[event.People]
	note   string
}

// look is a request with its cause.
type look[T any] struct {
	request T
	cause   storage.Cause
}

type refresh struct {
	event.Refresh
	cause storage.Cause
}

// lists are the parts of a payload that name repositories.
type lists struct {
	Action  string       `json:"action"`
	Added   []repository `json:"repositories_added"`
	Removed []repository `json:"repositories_removed"`
}

type repository struct {
	ID       int64  `json:"id"`
	FullName string `json:"full_name"`
}

// Topic is part of bus.Step.
func (InstallationStep) Topic() string { return event.TopicInstallation }

// Plan is part of bus.Step.
func (s InstallationStep) Plan(ctx context.Context, msgs []storage.Message) (InstallationPlan, error) {
	plan := InstallationPlan{index: map[int64]int{}, scans: map[string]look[event.Scan]{}, people: map[string]look[event.People]{}}
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
	// What follows only names the delivery as its cause; it is over with this step.
	cause.Reason = storage.ReasonInstallation
	switch {
	case l.Action == "suspend":
		// GitHub answers 403 while it lasts; nothing has gone.
		plan.note = "installation suspended; its repositories stay as they are"
	case d.Event == "installation" || len(l.Added)+len(l.Removed) > maxDirect:
		s.whole(in, cause, plan)
	default:
		s.direct(in, l, force, cause, plan)
	}
	return nil
}

// whole looks at everything of an account.
func (s InstallationStep) whole(in event.Installation, cause storage.Cause, plan *InstallationPlan) {
	if !isName(in.Account) {
		plan.note = "the payload has no installation.account.login"
		return
	}
	scan := event.Scan{Host: in.Host, Owner: in.Account, InstallationID: in.InstallationID}
	plan.scans[event.ScanKey(scan)] = look[event.Scan]{scan, cause}
	if s.Config.People != nil && s.Config.People(in.Host, in.Account) {
		people := event.People{Host: in.Host, Org: in.Account}
		plan.people[event.PeopleKey(people)] = look[event.People]{people, cause}
	}
}

// direct looks at the repositories that a payload names.
func (s InstallationStep) direct(in event.Installation, l lists, force bool, cause storage.Cause, plan *InstallationPlan) {
	add := func(repo repository, gone string) {
		owner, _, _ := strings.Cut(repo.FullName, "/")
		discovered := len(s.Config.covering(in.Host, owner)) > 0
		plan.add(refresh{Refresh: event.Refresh{
			Host: in.Host, RepositoryID: repo.ID, InstallationID: in.InstallationID,
			Discovered: discovered, Gone: gone, Force: force,
		}, cause: cause}, clean(repo.FullName))
	}
	for _, repo := range l.Added {
		add(repo, "")
	}
	for _, repo := range l.Removed {
		add(repo, "removed")
	}
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
	msgs, err := plan.messages()
	if err != nil {
		return bus.Outcome{}, err
	}
	if len(msgs) == 0 {
		out := bus.Outcome{State: storage.DeliveryUnchanged, Summary: "no repositories concerned"}
		if plan.note != "" {
			out.State, out.Reason, out.Summary = storage.DeliveryIgnored, plan.note, plan.note
		}
		return out, nil
	}
	if _, err := tx.AddMessages(ctx, msgs); err != nil {
		return bus.Outcome{}, err
	}
	out := bus.Outcome{State: storage.DeliveryApplied, Summary: "a scan of the account"}
	if len(plan.refreshes) > 0 {
		out.Summary = fmt.Sprintf("repositories to read: %d, removed: %d", plan.read, plan.removed)
	}
	return out, nil
}

// messages are what the plan asks for.
func (p InstallationPlan) messages() (msgs []storage.Message, err error) {
	add := func(topic, key string, payload any, cause storage.Cause) {
		raw, bad := json.Marshal(payload)
		err = errors.Join(err, bad)
		msgs = append(msgs, storage.Message{Topic: topic, Key: key, Payload: raw, Cause: cause})
	}
	for _, r := range p.refreshes {
		add(event.TopicRefresh, event.RefreshKey(r.Refresh), r.Refresh, r.cause)
	}
	for key, l := range p.scans {
		add(event.TopicScan, key, l.request, l.cause)
	}
	for key, l := range p.people {
		add(event.TopicPeople, key, l.request, l.cause)
	}
	if err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	return msgs, nil
}
