package location_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/sqlite"
)

// Each repository is looked at once, and what only Locations of other
// repositories ask for comes last.
func TestMessages(t *testing.T) {
	t.Parallel()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	var all []storage.Location
	for _, l := range []struct{ source, repo string }{
		{"entity:1:a.yaml", "one"}, {"entity:1:a.yaml", "two"}, {"entity:2:a.yaml", "one"}, {"api:x", "two"}, {"config", "three"}, {"entity:1:a.yaml", "three"},
	} {
		all = append(all, storage.Location{Source: l.source, Host: "github.com", Owner: "acme", Repo: l.repo})
	}
	msgs, err := location.Messages(t.Context(), store, all, storage.Cause{Delivery: "d"})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, m := range msgs {
		got[m.Key] = m.Topic
		if m.Cause.Reason != storage.ReasonLocation || m.Cause.Delivery != "" {
			t.Errorf("the cause is %+v", m.Cause)
		}
	}
	want := map[string]string{
		"github.com/acme/one": event.TopicLook, "github.com/acme/two": event.TopicRefresh, "github.com/acme/three": event.TopicRefresh,
	}
	if diff := cmp.Diff(want, got); diff != "" || len(msgs) != len(want) {
		t.Errorf("%d messages (-want +got):\n%s", len(msgs), diff)
	}
	// What follows from a scan is part of it.
	msgs, err = location.Messages(t.Context(), store, all, storage.Cause{Scan: "s"})
	if err != nil || len(msgs) != len(want) {
		t.Fatalf("%d messages, %v", len(msgs), err)
	}
	for _, m := range msgs {
		if m.Topic != event.TopicScanned || m.Cause.Scan != "s" || !strings.Contains(string(m.Payload), `"follows":true`) {
			t.Errorf("%s %s of %+v", m.Topic, m.Payload, m.Cause)
		}
	}
}
