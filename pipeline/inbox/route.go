package inbox

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/storage"
)

// facts are the routing fields: all that is read of a payload here.
type facts struct {
	Action       string `json:"action"`
	Ref          string `json:"ref"`
	RefType      string `json:"ref_type"`
	Before       string `json:"before"`
	After        string `json:"after"`
	Deleted      bool   `json:"deleted"`
	Installation struct {
		ID      int64 `json:"id"`
		Account struct {
			Login string `json:"login"`
		} `json:"account"`
	} `json:"installation"`
	Organization struct {
		Login string `json:"login"`
	} `json:"organization"`
	Repository struct {
		ID            int64  `json:"id"`
		FullName      string `json:"full_name"`
		DefaultBranch string `json:"default_branch"`
	} `json:"repository"`
	Pusher struct {
		Name string `json:"name"`
	} `json:"pusher"`
	Sender struct {
		Login string `json:"login"`
	} `json:"sender"`
}

// routed is a delivery as it will be stored, and the message it means; nil when
// there is nothing to do.
type routed struct {
	delivery storage.Delivery
	message  *storage.Message
}

// order is the work that a delivery means: exactly one of refresh, installation,
// people and ignored is set.
type order struct {
	refresh      *event.Refresh
	installation *event.Installation
	people       *event.People
	cause        storage.Cause
	ignored      string
}

// route decides what a delivery means. It is a pure function of the settings and
// its arguments.
func (c Config) route(r Received, now time.Time) (routed, error) {
	f, err := readFacts(r.Payload)
	if err != nil {
		return routed{}, err
	}
	o := c.decide(r, f)
	d := storage.Delivery{
		GUID: r.GUID, Event: r.Event, Action: f.Action, Payload: r.Payload,
		InstallationID: f.Installation.ID, RepositoryID: f.Repository.ID, Repository: f.Repository.FullName,
		ReceivedAt: now, State: storage.DeliveryReceived,
	}
	if r.Event == "push" {
		d.GitRef, d.Commit, d.Pusher = f.Ref, f.After, f.Pusher.Name
	}
	if o.ignored != "" {
		d.State, d.Reason, d.DoneAt = storage.DeliveryIgnored, o.ignored, now
		return routed{delivery: d}, nil
	}
	msg, err := o.message(now)
	if err != nil {
		return routed{}, err
	}
	return routed{delivery: d, message: &msg}, nil
}

// readFacts reads the routing fields. A field of another type than ours is as
// good as missing: it must not hide the others.
func readFacts(payload []byte) (facts, error) {
	var f facts
	if trimmed := bytes.TrimLeft(payload, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return f, ErrPayload
	}
	var mistyped *json.UnmarshalTypeError
	if err := json.Unmarshal(payload, &f); err != nil && !errors.As(err, &mistyped) {
		return f, fmt.Errorf("%w: %w", ErrPayload, err)
	}
	for _, s := range []*string{
		&f.Action, &f.Ref, &f.RefType, &f.Installation.Account.Login, &f.Organization.Login, &f.Before, &f.After, &f.Repository.FullName, &f.Repository.DefaultBranch, &f.Pusher.Name, &f.Sender.Login,
	} {
		*s = clean(*s)
	}
	return f, nil
}

// clean makes a string fit for a text column and a key: PostgreSQL refuses NUL,
// and nothing that GitHub names is this long.
func clean(s string) string {
	const limit = 1024
	if len(s) > limit {
		s = s[:limit]
	}
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "")
}

func (c Config) decide(r Received, f facts) order {
	switch r.Event {
	case "ping":
		return order{ignored: "ping"}
	case "push":
		return c.decidePush(r, f)
	case "create", "delete":
		return c.decideBranch(r, f)
	case "repository":
		return c.decideRepository(r, f)
	case "organization", "team", "membership", "team_add":
		return c.decidePeople(r, f)
	case "meta":
		return order{ignored: fmt.Sprintf("the webhook itself was %s: GitHub sends no more through it; callboard doctor says what is left", f.Action)}
	case "installation":
		switch f.Action {
		case "created", "unsuspend", "new_permissions_accepted", "deleted", "suspend":
			return decideInstallation(r, f)
		}
	case "installation_repositories":
		switch f.Action {
		case "added", "removed":
			return decideInstallation(r, f)
		}
	default:
		return order{ignored: fmt.Sprintf("event %s is not used", clean(r.Event))}
	}
	return order{ignored: fmt.Sprintf("action %q of event %s is not used", f.Action, r.Event)}
}

// covering are the entries that may cover an account. Which Apps are installed on
// it is not asked here: the refresh knows.
func (c Config) covering(host, owner string) []discovery.Provider {
	return c.Policy.Covering(discovery.Account{Host: host, Owner: owner})
}

// elsewhere says why an event about a branch does not concern the catalog; it is
// empty for one that may be read: one that filters.branch names, or the default
// one where an entry names none.
func (c Config) elsewhere(r Received, f facts, branch string) string {
	owner, _, _ := strings.Cut(f.Repository.FullName, "/")
	var read []string
	byDefault := false
	for _, p := range c.covering(r.Host, owner) {
		if byDefault = byDefault || p.Branch == ""; p.Branch != "" && !slices.Contains(read, p.Branch) {
			read = append(read, p.Branch)
		}
	}
	if slices.Contains(read, branch) {
		return ""
	}
	named := strings.Join(read, " or ") + ", which filters.branch names"
	switch isDefault := f.Repository.DefaultBranch == "" || branch == f.Repository.DefaultBranch; {
	case len(read) > 0 && !byDefault:
		return fmt.Sprintf("branch %s is not %s", branch, named)
	case isDefault:
		return ""
	case len(read) > 0:
		return fmt.Sprintf("branch %s is neither the default branch %s nor %s", branch, f.Repository.DefaultBranch, named)
	}
	return fmt.Sprintf("branch %s is not the default branch %s", branch, f.Repository.DefaultBranch)
}

func (c Config) decidePush(r Received, f facts) order {
	branch, isBranch := strings.CutPrefix(f.Ref, "refs/heads/")
	switch {
	case f.Ref == "":
		return order{ignored: "the payload has no ref"}
	case !isBranch:
		return order{ignored: fmt.Sprintf("%s is not a branch", f.Ref)}
	}
	if why := c.elsewhere(r, f, branch); why != "" {
		return order{ignored: why}
	}
	if f.Deleted {
		return order{ignored: fmt.Sprintf("branch %s was deleted", branch)} // the delete event says the same
	}
	o := c.decideRefresh(r, f)
	if o.refresh != nil {
		o.refresh.Head, o.refresh.Before = f.After, f.Before
		o.cause.Reason, o.cause.Commit, o.cause.Pusher = storage.ReasonPush, f.After, f.Pusher.Name
	}
	return o
}

// decideBranch looks again when the branch that is read comes or goes.
func (c Config) decideBranch(r Received, f facts) order {
	switch {
	case f.RefType != "branch":
		return order{ignored: fmt.Sprintf("a %s is not a branch", cmp.Or(f.RefType, "thing"))}
	case c.elsewhere(r, f, f.Ref) != "":
		return order{ignored: c.elsewhere(r, f, f.Ref)}
	}
	return c.decideRepository(r, facts{Repository: f.Repository, Installation: f.Installation, Sender: f.Sender})
}

// decidePeople asks for a look at an organization. What changed is not read from
// the payload: members, teams and their nesting hang together.
func (c Config) decidePeople(r Received, f facts) order {
	org := f.Organization.Login
	switch {
	case !isName(org):
		return order{ignored: "the payload has no organization.login"}
	case !c.People(r.Host, org):
		return order{ignored: fmt.Sprintf("no entry of catalog.providers.githubOrg is about %s", org)}
	}
	return order{
		people: &event.People{Host: r.Host, Org: org},
		cause:  storage.Cause{Reason: storage.ReasonPeople, Delivery: r.GUID, Actor: f.Sender.Login},
	}
}

// decideRepository asks for the same plain refresh whatever happened: what the
// repository is now is read from GitHub.
func (c Config) decideRepository(r Received, f facts) order {
	o := c.decideRefresh(r, f)
	if o.refresh == nil {
		return o
	}
	o.cause.Reason, o.cause.Actor = storage.ReasonRepository, f.Sender.Login
	o.refresh.Look = true // name, branch or visibility may differ while the head is the same
	if f.Action == "deleted" {
		o.refresh.Gone = "deleted"
	}
	return o
}

func (c Config) decideRefresh(r Received, f facts) order {
	owner, name, ok := strings.Cut(f.Repository.FullName, "/")
	switch {
	case f.Repository.ID <= 0:
		return order{ignored: "the payload has no repository.id"}
	case !ok || !isName(owner) || !isName(name):
		return order{ignored: "the payload has no repository.full_name"}
	}
	discovered := len(c.covering(r.Host, owner)) > 0
	return order{
		refresh: &event.Refresh{
			Host: r.Host, RepositoryID: f.Repository.ID, Owner: owner, Name: name,
			InstallationID: f.Installation.ID, Discovered: discovered,
		},
		cause: storage.Cause{Delivery: r.GUID, Repository: f.Repository.FullName},
	}
}

// isName says whether GitHub would give a login or repository such a name. What
// else a payload says never becomes part of a URL.
func isName(s string) bool {
	return s != "" && strings.Trim(s, ".") != "" && !strings.ContainsFunc(s, func(c rune) bool {
		allowed := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("-_.", c)
		return !allowed
	})
}

func decideInstallation(r Received, f facts) order {
	if f.Installation.ID <= 0 {
		return order{ignored: "the payload has no installation.id"}
	}
	return order{
		installation: &event.Installation{Host: r.Host, InstallationID: f.Installation.ID, Account: f.Installation.Account.Login, Delivery: r.GUID},
		cause:        storage.Cause{Reason: storage.ReasonInstallation, Delivery: r.GUID, Actor: f.Sender.Login},
	}
}

// message is the row that an order becomes.
func (o order) message(now time.Time) (storage.Message, error) {
	m := storage.Message{Cause: o.cause, CreatedAt: now}
	var payload any
	switch {
	case o.refresh != nil:
		m.Topic, m.Key, payload = event.TopicRefresh, event.RefreshKey(*o.refresh), o.refresh
	case o.people != nil:
		m.Topic, m.Key, payload = event.TopicPeople, event.PeopleKey(*o.people), o.people
	default:
		m.Topic, m.Key, payload = event.TopicInstallation, installationKey(o.installation.InstallationID), o.installation
	}
	var err error
	if m.Payload, err = json.Marshal(payload); err != nil {
		return m, fmt.Errorf("encode message: %w", err)
	}
	return m, nil
}

func installationKey(id int64) string { return fmt.Sprintf("installation/%d", id) }
