package inbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/storage"
)

// facts are the routing fields: all that is read of a payload here.
type facts struct {
	Action       string `json:"action"`
	Ref          string `json:"ref"`
	Before       string `json:"before"`
	After        string `json:"after"`
	Deleted      bool   `json:"deleted"`
	Installation struct {
		ID int64 `json:"id"`
	} `json:"installation"`
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

// order is the work that a delivery means: exactly one of refresh, installation
// and ignored is set.
type order struct {
	refresh      *event.Refresh
	installation *event.Installation
	cause        storage.Cause
	ignored      string
}

// route decides what a delivery means. It is a pure function of its arguments.
func route(r Received, now time.Time) (routed, error) {
	f, err := readFacts(r.Payload)
	if err != nil {
		return routed{}, err
	}
	o := decide(r, f)
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
		&f.Action, &f.Ref, &f.Before, &f.After, &f.Repository.FullName, &f.Repository.DefaultBranch, &f.Pusher.Name, &f.Sender.Login,
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

func decide(r Received, f facts) order {
	switch r.Event {
	case "ping":
		return order{ignored: "ping"}
	case "push":
		return decidePush(r, f)
	case "repository":
		return decideRepository(r, f)
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

func decidePush(r Received, f facts) order {
	branch, isBranch := strings.CutPrefix(f.Ref, "refs/heads/")
	base := f.Repository.DefaultBranch
	switch {
	case f.Ref == "":
		return order{ignored: "the payload has no ref"}
	case !isBranch:
		return order{ignored: fmt.Sprintf("%s is not a branch", f.Ref)}
	case base != "" && branch != base:
		return order{ignored: fmt.Sprintf("branch %s is not the default branch %s", branch, base)}
	case f.Deleted:
		return order{ignored: fmt.Sprintf("branch %s was deleted", branch)}
	}
	o := decideRefresh(r, f)
	if o.refresh != nil {
		o.refresh.Head, o.refresh.Before = f.After, f.Before
		o.cause.Reason, o.cause.Commit, o.cause.Pusher = storage.ReasonPush, f.After, f.Pusher.Name
	}
	return o
}

// decideRepository asks for the same plain refresh whatever happened: what the
// repository is now is read from GitHub.
func decideRepository(r Received, f facts) order {
	o := decideRefresh(r, f)
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

func decideRefresh(r Received, f facts) order {
	owner, name, ok := strings.Cut(f.Repository.FullName, "/")
	switch {
	case f.Repository.ID <= 0:
		return order{ignored: "the payload has no repository.id"}
	case !ok || !isName(owner) || !isName(name):
		return order{ignored: "the payload has no repository.full_name"}
	}
	return order{
		refresh: &event.Refresh{
			Host: r.Host, RepositoryID: f.Repository.ID, Owner: owner, Name: name,
			InstallationID: f.Installation.ID, Discovered: true,
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
		installation: &event.Installation{Host: r.Host, InstallationID: f.Installation.ID, Delivery: r.GUID},
		cause:        storage.Cause{Reason: storage.ReasonInstallation, Delivery: r.GUID, Actor: f.Sender.Login},
	}
}

// message is the row that an order becomes.
func (o order) message(now time.Time) (storage.Message, error) {
	m := storage.Message{Cause: o.cause, CreatedAt: now}
	var payload any
	if o.refresh != nil {
		m.Topic, m.Key, payload = event.TopicRefresh, event.RefreshKey(*o.refresh), o.refresh
	} else {
		m.Topic, m.Key, payload = event.TopicInstallation, installationKey(o.installation.InstallationID), o.installation
	}
	var err error
	if m.Payload, err = json.Marshal(payload); err != nil {
		return m, fmt.Errorf("encode message: %w", err)
	}
	return m, nil
}

func installationKey(id int64) string { return fmt.Sprintf("installation/%d", id) }
