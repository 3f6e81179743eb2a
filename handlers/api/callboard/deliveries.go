package callboard

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/callboard/callboard/handlers/access"
	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/pipeline/inbox"
	"github.com/callboard/callboard/storage"
)

// Delivery is a webhook delivery as the inbox knows it.
type Delivery struct {
	// GUID is GitHub's X-GitHub-Delivery.
	GUID           string `json:"guid"`
	Event          string `json:"event"`
	Action         string `json:"action,omitempty"`
	Repository     string `json:"repository,omitempty"`
	RepositoryID   int64  `json:"repositoryId,omitempty"`
	InstallationID int64  `json:"installationId,omitempty"`
	// GitRef, Commit and Pusher are those of a push.
	GitRef string `json:"gitRef,omitempty"`
	Commit string `json:"commit,omitempty"`
	Pusher string `json:"pusher,omitempty"`
	// State is received, applied, unchanged, ignored, failed or parked; Reason
	// says why for the last three.
	State    storage.DeliveryState `json:"state"`
	Reason   string                `json:"reason,omitempty"`
	Attempts int                   `json:"attempts,omitempty"`
	// Summary is what it changed, Revision where that put the catalog.
	Summary    string    `json:"summary,omitempty"`
	Revision   int64     `json:"revision,omitempty"`
	ReceivedAt time.Time `json:"receivedAt"`
	DoneAt     time.Time `json:"doneAt,omitzero"`
	// DurationMs is from received to done.
	DurationMs int64 `json:"durationMs,omitempty"`
	// Payload is the body, when asked for; PayloadText if it is no JSON.
	Payload     json.RawMessage `json:"payload,omitempty"`
	PayloadText string          `json:"payloadText,omitempty"`
}

func newDelivery(d storage.Delivery) Delivery {
	out := Delivery{
		GUID: d.GUID, Event: d.Event, Action: d.Action,
		Repository: d.Repository, RepositoryID: d.RepositoryID, InstallationID: d.InstallationID,
		GitRef: d.GitRef, Commit: d.Commit, Pusher: d.Pusher,
		State: d.State, Reason: d.Reason, Attempts: d.Attempts, Summary: d.Summary, Revision: d.Revision,
		ReceivedAt: d.ReceivedAt.UTC(), DoneAt: utc(d.DoneAt),
	}
	if !d.DoneAt.IsZero() {
		out.DurationMs = d.DoneAt.Sub(d.ReceivedAt).Milliseconds()
	}
	return out
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}

var deliveryStates = []storage.DeliveryState{
	storage.DeliveryReceived, storage.DeliveryApplied, storage.DeliveryUnchanged,
	storage.DeliveryIgnored, storage.DeliveryFailed, storage.DeliveryParked,
}

// Deliveries is GET deliveries?repository=&state=&event=&limit=&before=, newest
// first. before continues behind a GUID.
func (a *API) Deliveries(w http.ResponseWriter, r *http.Request) error {
	q, err := readQuery(r, "repository", "state", "event", "limit", "before")
	if err != nil {
		return err
	}
	limit, err := readLimit(q)
	if err != nil {
		return err
	}
	state := storage.DeliveryState(q.Get("state"))
	if state != "" && !slices.Contains(deliveryStates, state) {
		return respond.Input("Unknown state '%s', expected one of %v", state, deliveryStates)
	}
	list, err := a.store.Deliveries(r.Context(), storage.DeliveryFilter{
		Repository: q.Get("repository"), State: state, Event: q.Get("event"), Before: q.Get("before"), Limit: limit,
	})
	if err != nil {
		return err
	}
	var out []Delivery
	for _, d := range list {
		out = append(out, newDelivery(d))
	}
	return respond.JSON(w, r, http.StatusOK, items(out))
}

// Delivery is GET deliveries/{guid}?payload=true.
func (a *API) Delivery(w http.ResponseWriter, r *http.Request) error {
	q, err := readQuery(r, "payload")
	if err != nil {
		return err
	}
	withPayload, err := readBool(q, "payload")
	if err != nil {
		return err
	}
	d, err := a.store.Delivery(r.Context(), r.PathValue("guid"))
	if errors.Is(err, storage.ErrNotFound) {
		return noDelivery(r.PathValue("guid"))
	}
	if err != nil {
		return err
	}
	out := newDelivery(d)
	switch {
	case !withPayload:
	case json.Valid(d.Payload):
		out.Payload = d.Payload
	default:
		out.PayloadText = string(d.Payload)
	}
	return respond.JSON(w, r, http.StatusOK, out)
}

func noDelivery(guid string) error { return respond.NotFound("No delivery with GUID %s", guid) }

// Accepted says that work was asked for.
type Accepted struct {
	Status string `json:"status"` // "accepted"
	// Message is the id of the message that stands for the work, where there is one.
	Message int64 `json:"message,omitempty"`
}

// Replay is POST deliveries/{guid}/replay: 202, and the delivery is done again.
func (a *API) Replay(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	guid := r.PathValue("guid")
	err := a.replayer.Replay(r.Context(), guid, access.Actor(r.Context()))
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return noDelivery(guid)
	case errors.Is(err, inbox.ErrNothingToDo):
		return respond.Conflict("%s", err)
	case err != nil:
		return err
	}
	return respond.JSON(w, r, http.StatusAccepted, Accepted{Status: "accepted"})
}
