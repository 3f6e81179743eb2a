package callboard

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// Each sentence that the page of a repository can say; what it looks like from
// real rows is tested in handlers.
func TestWhy(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	active := Repository{Owner: "acme", Name: "one", State: storage.RepositoryActive, Applied: "abcdef0123456789", AppliedAt: now}
	with := func(change func(d *RepositoryDetail)) RepositoryDetail {
		d := RepositoryDetail{Repository: active, Files: []File{{Path: "catalog-info.yaml", Status: storage.FileOK}}}
		change(&d)
		return d
	}
	tests := []struct {
		name string
		in   RepositoryDetail
		want []string
	}{
		{"fine", with(func(*RepositoryDetail) {}), []string{"Nothing is wrong: the catalog shows commit abcdef0123 since 2026-11-01T12:00:00Z."}},
		{"nothing read", with(func(d *RepositoryDetail) { d.Applied = "" }), []string{"The repository is known, and nothing of it has been read yet."}},
		{"no file", with(func(d *RepositoryDetail) { d.Files, d.Discovered = nil, true }), []string{"Commit abcdef0123 has no catalog file."}},
		{"not ours", with(func(d *RepositoryDetail) { d.Files = nil }), []string{"No location points into the repository, and the App does not send its webhooks."}},
		{"unreachable", with(func(d *RepositoryDetail) { d.State = storage.RepositoryUnreachable }),
			[]string{"GitHub does not let Callboard read acme/one. What was read before stays in the catalog. Check that the App is installed on it."}},
		{"removed", with(func(d *RepositoryDetail) { d.State = storage.RepositoryRemoved }),
			[]string{"GitHub said that acme/one was deleted or taken away from the App: its entities were removed with it."}},
		{"first commit waits", with(func(d *RepositoryDetail) { d.Behind, d.Head, d.Applied = true, "12", "" }),
			[]string{"Commit 12 is known, and nothing of the repository has been read yet."}},
		{"messages", with(func(d *RepositoryDetail) {
			d.Messages = []Message{
				{Cause: storage.Cause{Reason: "push"}, CreatedAt: now, RunAfter: now},
				{Cause: storage.Cause{Reason: "scan"}, RunAfter: now.Add(time.Minute)},
			}
		}), []string{"A refresh (push) asked for 2026-11-01T12:00:00Z waits for its turn.", "A refresh (scan) waits until 2026-11-01T12:01:00Z."}},
		{"files", with(func(d *RepositoryDetail) {
			warning := []entity.Diagnostic{{Severity: entity.SeverityWarning, Message: "it is a skeleton"}}
			d.Files = []File{
				{Path: "a", Status: storage.FileIgnored, Diagnostics: warning}, {Path: "b", Status: storage.FileIgnored},
				{Path: "c", Status: storage.FileMissing}, {Path: "d", Status: storage.FileBroken},
				{Path: "e", Status: storage.FileBroken, Diagnostics: []entity.Diagnostic{{Severity: entity.SeverityError, Message: "too large"}}},
			}
		}), []string{"a is ignored: it is a skeleton", "b is ignored.", "c does not exist, but a location names it.", "d was refused.", "e was refused: too large"}},
		{"lost to nobody", with(func(d *RepositoryDetail) { d.Lost = []LostClaim{{Ref: "a:b/c", Path: "x.yaml"}} }),
			[]string{"x.yaml declares a:b/c, which another file declared before; it will be served at the next refresh."}},
		{"delivery", with(func(d *RepositoryDetail) {
			d.Deliveries = []Delivery{{GUID: "g", Event: "push", State: storage.DeliveryParked, Reason: "no luck", ReceivedAt: now}, {State: storage.DeliveryIgnored}}
		}), []string{"The newest delivery (push g, 2026-11-01T12:00:00Z) is parked: no luck"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, why(tt.in, now)); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

func TestLag(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name   string
		in     storage.Repository
		behind bool
		lag    int64
	}{
		{"applied", storage.Repository{HeadSHA: "a", AppliedSHA: "a", HeadAt: at, AppliedAt: at.Add(30 * time.Millisecond)}, false, 30},
		{"behind", storage.Repository{HeadSHA: "b", AppliedSHA: "a", HeadAt: at, AppliedAt: at.Add(-time.Hour)}, true, 2000},
		{"applied without a push", storage.Repository{AppliedSHA: "a", AppliedAt: at}, false, 0},
		{"removed", storage.Repository{HeadSHA: "b", AppliedSHA: "a", HeadAt: at, State: storage.RepositoryRemoved}, false, 0},
		{"heard of later than applied", storage.Repository{HeadSHA: "a", AppliedSHA: "a", HeadAt: at, AppliedAt: at.Add(-time.Second)}, false, 0},
	}
	for _, tt := range tests {
		got := newRepository(tt.in, at.Add(2*time.Second))
		if got.Behind != tt.behind || got.LagMs != tt.lag {
			t.Errorf("%s: behind %v, lag %d", tt.name, got.Behind, got.LagMs)
		}
	}
}

func TestHear(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	applied := storage.Repository{State: storage.RepositoryActive, HeadSHA: "a", AppliedSHA: "a", HeadAt: at, AppliedAt: at.Add(30 * time.Millisecond)}
	removed := applied
	removed.State = storage.RepositoryRemoved
	told := func(payload string, after time.Duration) storage.Message {
		return storage.Message{Payload: json.RawMessage(payload), CreatedAt: at.Add(after)}
	}
	tests := []struct {
		name    string
		repo    storage.Repository
		waiting []storage.Message
		behind  bool
		head    string
		lag     int64
	}{
		{"nothing waits", applied, nil, false, "a", 30},
		{"a push that fails", applied, []storage.Message{told(`{"head":"b"}`, time.Second)}, true, "b", 9000},
		{"the newest counts", applied, []storage.Message{told(`{"head":"c"}`, 2*time.Second), told(`{"head":"b"}`, time.Second)}, true, "c", 8000},
		{"pushed back", applied, []storage.Message{told(`{"head":"b"}`, time.Second), told(`{"head":"a"}`, 2*time.Second)}, false, "a", 30},
		{"the applied one", applied, []storage.Message{told(`{"head":"a"}`, time.Second)}, false, "a", 30},
		{"given up, and a later refresh was applied", applied, []storage.Message{told(`{"head":"b"}`, -time.Second)}, false, "a", 30},
		{"no push", applied, []storage.Message{told(`{"look":true}`, time.Second), told(`"?"`, time.Second)}, false, "a", 30},
		{"never applied", storage.Repository{State: storage.RepositoryActive}, []storage.Message{told(`{"head":"b"}`, time.Second)}, true, "b", 9000},
		{"removed", removed, []storage.Message{told(`{"head":"b"}`, time.Second)}, false, "a", 30},
	}
	for _, tt := range tests {
		now := at.Add(10 * time.Second)
		got := newRepository(tt.repo, now)
		got.hear(tt.waiting, now)
		if got.Behind != tt.behind || got.Head != tt.head || got.LagMs != tt.lag {
			t.Errorf("%s: behind %v, head %s, lag %d", tt.name, got.Behind, got.Head, got.LagMs)
		}
	}
}
