package inbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/inbox"
	"github.com/callboard/callboard/storage"
)

func TestInstallationStep(t *testing.T) {
	t.Parallel()
	const two = `[{"id":1,"full_name":"acme/one"},{"id":2,"full_name":"acme/two"},{"id":0},{"id":9,"full_name":"nope"}]`
	refresh := func(id int64, name, gone string) event.Refresh {
		return event.Refresh{Host: "github.com", RepositoryID: id, Owner: "acme", Name: name, InstallationID: 3, Discovered: true, Gone: gone}
	}
	tests := []struct {
		name, event, payload string
		want                 []event.Refresh
		state                storage.DeliveryState
		summary              string
	}{
		{"added", "installation_repositories", `{"action":"added","installation":{"id":3},"repositories_added":` + two + `}`,
			[]event.Refresh{refresh(1, "one", ""), refresh(2, "two", "")}, "applied", "repositories to read: 2, removed: 0"},
		{"removed", "installation_repositories", `{"action":"removed","installation":{"id":3},"repositories_removed":` + two + `}`,
			[]event.Refresh{refresh(1, "one", "removed"), refresh(2, "two", "removed")}, "applied", "repositories to read: 0, removed: 2"},
		{"suspend", "installation", `{"action":"suspend","installation":{"id":3},"repositories":` + two + `}`,
			nil, "ignored", "installation suspended; its repositories stay as they are"},
		{"nothing", "installation_repositories", `{"action":"added","installation":{"id":3}}`, nil, "unchanged", "no repositories concerned"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			store := open(t)
			write(t, store, func(ctx context.Context, tx storage.Tx) error {
				for _, r := range []storage.Repository{
					{ID: 7, Host: "github.com", Owner: "acme", Name: "cart", InstallationID: 3},
					{ID: 8, Host: "github.com", Owner: "acme", Name: "other", InstallationID: 4},
				} {
					if _, err := tx.PutRepository(ctx, r); err != nil {
						return err
					}
				}
				return nil
			})
			accept(t, run(t, store), inbox.Received{GUID: "g-1", Event: tt.event, Payload: []byte(tt.payload)})
			state, summary := runInstallation(t, store)
			if state != tt.state || summary != tt.summary {
				t.Errorf("outcome %s %q", state, summary)
			}
			if diff := cmp.Diff(tt.want, refreshes(t, store), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("refreshes (-want +got):\n%s", diff)
			}
		})
	}
}

// Where a whole installation came or went, or much of it did, the account is
// scanned, and its people are looked at if they are kept.
func TestInstallationStepScans(t *testing.T) {
	t.Parallel()
	var many []string
	for i := range 21 {
		many = append(many, fmt.Sprintf(`{"id":%d,"full_name":"acme/r%d"}`, i+1, i))
	}
	const of = `"installation":{"id":3,"account":{"login":"acme"}}`
	tests := []struct{ name, event, payload string }{
		{"created", "installation", `{"action":"created",` + of + `,"repositories":[{"id":1,"full_name":"acme/one"}]}`},
		{"deleted", "installation", `{"action":"deleted",` + of + `}`},
		{"unsuspend", "installation", `{"action":"unsuspend",` + of + `}`},
		{"permissions", "installation", `{"action":"new_permissions_accepted",` + of + `}`},
		{"many added", "installation_repositories", `{"action":"added",` + of + `,"repositories_added":[` + strings.Join(many, ",") + `]}`},
		{"many removed", "installation_repositories", `{"action":"removed",` + of + `,"repositories_removed":[` + strings.Join(many, ",") + `]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			store := open(t)
			accept(t, run(t, store), inbox.Received{GUID: "g-1", Event: tt.event, Payload: []byte(tt.payload)})
			if state, summary := runInstallation(t, store); state != "applied" || summary != "a scan of the account" {
				t.Errorf("outcome %s %q", state, summary)
			}
			if got := refreshes(t, store); len(got) != 0 {
				t.Errorf("refreshes %+v", got)
			}
			for topic, key := range map[string]string{event.TopicScan: "scan/github.com/acme", event.TopicPeople: "people/github.com/acme"} {
				msgs, err := store.PendingMessages(t.Context(), topic, key, time.Now().Add(time.Minute))
				if err != nil || len(msgs) != 1 || msgs[0].Cause.Delivery != "g-1" || msgs[0].Cause.Reason != storage.ReasonInstallation {
					t.Errorf("%s: %+v %v", topic, msgs, err)
				}
			}
		})
	}
}

// Of two deliveries done together the later one decides.
func TestInstallationStepLaterWins(t *testing.T) {
	t.Parallel()
	store := open(t)
	in := run(t, store)
	list := `[{"id":1,"full_name":"acme/one"}]`
	for guid, payload := range []string{
		`{"action":"added","installation":{"id":3},"repositories_added":` + list + `}`,
		`{"action":"removed","installation":{"id":3},"repositories_removed":` + list + `}`,
	} {
		accept(t, in, inbox.Received{GUID: fmt.Sprint(guid), Event: "installation_repositories", Payload: []byte(payload)})
	}
	runInstallation(t, store)
	if got := refreshes(t, store); len(got) != 1 || got[0].Gone != "removed" {
		t.Errorf("refreshes %+v", got)
	}
}

func TestInstallationReplayForces(t *testing.T) {
	t.Parallel()
	store := open(t)
	in := run(t, store)
	accept(t, in, inbox.Received{GUID: "g-1", Event: "installation_repositories",
		Payload: []byte(`{"action":"added","installation":{"id":3},"repositories_added":[{"id":1,"full_name":"acme/one"}]}`)})
	if err := in.Replay(t.Context(), "g-1", "carol"); err != nil {
		t.Fatal(err)
	}
	runInstallation(t, store)
	if got := refreshes(t, store); len(got) != 1 || !got[0].Force {
		t.Errorf("refreshes %+v", got)
	}
}

func installationMessages(t *testing.T, store storage.Store) []storage.Message {
	t.Helper()
	msgs, err := store.PendingMessages(t.Context(), event.TopicInstallation, "installation/3", time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	return msgs
}

func runInstallation(t *testing.T, store storage.Store) (storage.DeliveryState, string) {
	t.Helper()
	step := inbox.InstallationStep{Store: store, Config: inbox.Config{People: func(_, org string) bool { return org == "acme" }}}
	plan, err := step.Plan(t.Context(), installationMessages(t, store))
	if err != nil {
		t.Fatal(err)
	}
	var state storage.DeliveryState
	var summary string
	write(t, store, func(ctx context.Context, tx storage.Tx) error {
		out, err := step.Apply(ctx, tx, plan)
		state, summary = out.State, out.Summary
		return err
	})
	return state, summary
}

func refreshes(t *testing.T, store storage.Store) []event.Refresh {
	t.Helper()
	msgs, err := store.SweepMessages(t.Context(), time.Now().Add(time.Minute), time.Now().Add(time.Minute), 100)
	if err != nil {
		t.Fatal(err)
	}
	var all []event.Refresh
	for _, m := range msgs {
		if m.Topic != event.TopicRefresh {
			continue
		}
		var r event.Refresh
		if err := json.Unmarshal(m.Payload, &r); err != nil {
			t.Fatal(err)
		}
		if m.Key != event.RefreshKey(r) || m.Cause.Reason != storage.ReasonInstallation || m.Cause.Delivery == "" {
			t.Errorf("message %+v", m)
		}
		all = append(all, r)
	}
	return all
}
