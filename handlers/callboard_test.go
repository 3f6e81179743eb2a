package handlers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/callboard/callboard/handlers/api/callboard"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// decode expects 2xx and reads the answer.
func decode[T any](t *testing.T, f *fixture, method, path string) (out T) {
	t.Helper()
	w := f.do(method, "/api/callboard"+path, "")
	if w.Code/100 != 2 {
		t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return out
}

func (f *fixture) repository(r storage.Repository) {
	f.t.Helper()
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		_, err := tx.PutRepository(ctx, r)
		return err
	})
}

func (f *fixture) delivery(d storage.Delivery) {
	f.t.Helper()
	d.ReceivedAt = began
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		_, err := tx.AddDeliveries(ctx, []storage.Delivery{d})
		return err
	})
}

const pushPayload = `{"ref":"refs/heads/main","after":"abc","repository":{"id":1,"name":"one","full_name":"acme/one","owner":{"login":"acme"},"default_branch":"main"}}`

func TestDeliveries(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	for i, event := range []string{"ping", "push", "push"} {
		f.delivery(storage.Delivery{GUID: fmt.Sprintf("g-%d", i), Event: event, Repository: "acme/one", RepositoryID: 1, Payload: []byte(pushPayload), State: storage.DeliveryReceived})
	}
	f.delivery(storage.Delivery{GUID: "odd", Event: "push", Repository: "acme/two", Payload: []byte("no json"), State: storage.DeliveryIgnored, Reason: "because"})
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		return tx.FinishDeliveries(ctx, []storage.DeliveryOutcome{{GUID: "g-1", State: storage.DeliveryApplied, Summary: "1 created", Revision: 3, DoneAt: began.Add(20 * time.Millisecond)}})
	})
	tests := []struct {
		query string
		want  int
	}{{"", 4}, {"?repository=ACME/one", 3}, {"?event=push", 3}, {"?state=applied", 1}, {"?limit=2", 2}, {"?repository=none/none", 0}}
	for _, tt := range tests {
		if got := decode[callboard.Items[callboard.Delivery]](t, f, "GET", "/deliveries"+tt.query); len(got.Items) != tt.want || got.Items == nil {
			t.Errorf("%s: %d items, want %d", tt.query, len(got.Items), tt.want)
		}
	}
	first := decode[callboard.Items[callboard.Delivery]](t, f, "GET", "/deliveries?limit=2")
	rest := decode[callboard.Items[callboard.Delivery]](t, f, "GET", "/deliveries?before="+first.Items[1].GUID)
	if len(rest.Items) != 2 || rest.Items[0].GUID == first.Items[0].GUID {
		t.Errorf("pages %+v and %+v", first, rest)
	}
	w := f.get("/api/callboard/deliveries/g-1")
	same(t, "one", `{"guid":"g-1","event":"push","repository":"acme/one","repositoryId":1,"state":"applied","summary":"1 created","revision":3,"receivedAt":"2026-11-01T12:00:00Z","doneAt":"2026-11-01T12:00:00.02Z","durationMs":20}`, w.Body.String())
	if got := decode[callboard.Delivery](t, f, "GET", "/deliveries/g-1?payload=true"); string(got.Payload) != pushPayload {
		t.Errorf("payload %s", got.Payload)
	}
	if got := decode[callboard.Delivery](t, f, "GET", "/deliveries/odd?payload=true"); got.PayloadText != "no json" || got.Payload != nil {
		t.Errorf("a payload that is no JSON: %+v", got)
	}
}

func TestReplay(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	f.delivery(storage.Delivery{GUID: "g-push", Event: "push", RepositoryID: 1, Payload: []byte(pushPayload), State: storage.DeliveryApplied})
	f.delivery(storage.Delivery{GUID: "g-ping", Event: "ping", Payload: []byte(`{"zen":"x"}`), State: storage.DeliveryIgnored})
	w := f.do("POST", "/api/callboard/deliveries/g-push/replay", "")
	if w.Code != 202 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	same(t, "accepted", `{"status":"accepted"}`, w.Body.String())
	if n, _, err := f.store.MessageBacklog(t.Context()); err != nil || n != 1 {
		t.Errorf("backlog %d, %v", n, err)
	}
	if w := f.do("POST", "/api/callboard/deliveries/g-ping/replay", ""); w.Code != 409 || !strings.Contains(w.Body.String(), `"ConflictError"`) {
		t.Errorf("nothing to do: %d %s", w.Code, w.Body)
	}
}

func TestRepositories(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	f.repository(storage.Repository{ID: 7, Host: "github.com", Owner: "Acme", Name: "One", State: storage.RepositoryActive, Discovered: true,
		AppliedSHA: "aaa", AppliedAt: began.Add(40 * time.Millisecond), HeadSHA: "aaa", HeadAt: began})
	f.repository(storage.Repository{ID: 8, Host: "ghe.example", Owner: "acme", Name: "one", State: storage.RepositoryRemoved})
	list := decode[callboard.Items[callboard.Repository]](t, f, "GET", "/repositories")
	if len(list.Items) != 2 {
		t.Fatalf("%+v", list)
	}
	got := decode[callboard.RepositoryDetail](t, f, "GET", "/repositories/acme/ONE")
	if got.ID != 7 || got.LagMs != 40 || got.Behind || got.Applied != "aaa" {
		t.Errorf("the active one: %+v", got.Repository)
	}
	if other := decode[callboard.RepositoryDetail](t, f, "GET", "/repositories/acme/one?host=ghe.example"); other.ID != 8 || !strings.Contains(other.Why[0], "deleted or taken away") {
		t.Errorf("by host: %+v", other)
	}
	raw := f.get("/api/callboard/repositories/acme/one").Body.String()
	for _, member := range []string{`"files":[]`, `"lost":[]`, `"messages":[]`, `"deliveries":[]`, `"why":["`} {
		if !strings.Contains(raw, member) {
			t.Errorf("%s is not in %s", member, raw)
		}
	}
}

// The page that answers "why is my entity not updated?", from real rows.
func TestRepositoryWhy(t *testing.T) {
	t.Parallel()
	winner := component("cart", "c-4", "")
	winner.RepositoryID, winner.Path = 2, "winner.yaml"
	mine := component("mine", "m", "")
	mine.RepositoryID, mine.Path = 1, "catalog-info.yaml"
	f := setup(t, winner, mine)
	f.repository(storage.Repository{ID: 1, Host: "github.com", Owner: "acme", Name: "one", State: storage.RepositoryActive, Discovered: true,
		AppliedSHA: "1111111111111111", AppliedAt: began, HeadSHA: "2222222222222222", HeadAt: began, Error: "GitHub answers 500", ErrorAt: began})
	f.repository(storage.Repository{ID: 2, Host: "github.com", Owner: "acme", Name: "two", State: storage.RepositoryActive})
	f.delivery(storage.Delivery{GUID: "g-9", Event: "push", Repository: "acme/one", RepositoryID: 1, State: storage.DeliveryIgnored, Reason: "not the default branch", Payload: []byte("{}")})
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		if err := tx.LockCatalog(ctx); err != nil {
			return err
		}
		lost := component("cart", "", "")
		if err := tx.PutClaims(ctx, []storage.Claim{{Declaration: entity.Declaration{Ref: lost.Ref, JSON: lost.JSON, Descriptor: lost.JSON, Line: 3}, RepositoryID: 1, Path: "catalog-info.yaml", Since: began}}); err != nil {
			return err
		}
		if err := tx.PutFiles(ctx, []storage.File{
			{RepositoryID: 1, Path: "catalog-info.yaml", BlobSHA: "b", Role: storage.RolePattern, Status: storage.FileBroken, Documents: 2, Diagnostics: []entity.Diagnostic{
				{Path: "catalog-info.yaml", Line: 4, Column: 9, Rule: "name-format", Severity: entity.SeverityError, Message: "the name is bad", Hint: "use letters"}}},
			{RepositoryID: 1, Path: "gone.yaml", Role: storage.RoleTarget, Parent: "catalog-info.yaml", Status: storage.FileMissing},
			{RepositoryID: 1, Path: "fine.yaml", BlobSHA: "c", Role: storage.RoleTarget, Parent: "catalog-info.yaml", Status: storage.FileOK},
		}); err != nil {
			return err
		}
		ids, err := tx.AddMessages(ctx, []storage.Message{
			{Topic: event.TopicRefresh, Key: "github.com/1", Payload: json.RawMessage(`{}`), Cause: storage.Cause{Reason: storage.ReasonPush}, CreatedAt: began},
			{Topic: event.TopicRefresh, Key: "github.com/acme/one", Payload: json.RawMessage(`{}`), Cause: storage.Cause{Reason: storage.ReasonLocation}, CreatedAt: began},
			{Topic: event.TopicRefresh, Key: "github.com/2", Payload: json.RawMessage(`{}`), CreatedAt: began},
		})
		if err != nil {
			return err
		}
		if err := tx.RetryMessages(ctx, ids[:1], time.Now().Add(time.Hour), "GitHub answers 500"); err != nil {
			return err
		}
		return tx.ParkMessages(ctx, ids[1:2], began, "it never works")
	})
	got := decode[callboard.RepositoryDetail](t, f, "GET", "/repositories/acme/one")
	if !got.Behind || got.LagMs < 1000 || len(got.Files) != 3 || len(got.Messages) != 2 || len(got.Deliveries) != 1 || fmt.Sprint(got.Entities) != "[component:default/mine]" {
		t.Errorf("%+v", got)
	}
	if len(got.Lost) != 1 || got.Lost[0].WinnerRepository != "acme/two" || got.Lost[0].WinnerPath != "winner.yaml" || got.Lost[0].Line != 3 {
		t.Errorf("lost: %+v", got.Lost)
	}
	text := strings.Join(got.Why, "\n")
	for _, want := range []string{
		"The last refresh failed at 2026-11-01T12:00:00Z: GitHub answers 500",
		"A refresh (push) waits until ",
		"A refresh (location) was given up after 0 attempts: it never works. POST …/refresh tries again.",
		"Commit 2222222222 is known since 2026-11-01T12:00:00Z, but the catalog still shows 1111111111.",
		"catalog-info.yaml:4:9 was refused: the name is bad (use letters)",
		"gone.yaml does not exist, but catalog-info.yaml names it.",
		"catalog-info.yaml declares component:default/cart, but winner.yaml in acme/two declared it before and is served.",
		"The newest delivery (push g-9, 2026-11-01T12:00:00Z) changed nothing: not the default branch",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("not said: %s", want)
		}
	}
	if len(got.Why) != 8 {
		t.Errorf("%d sentences:\n%s", len(got.Why), text)
	}
}

// A push that fails leaves the stored head alone; the message knows better.
func TestBehindByAPushThatFails(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	f.repository(storage.Repository{ID: 1, Host: "github.com", Owner: "acme", Name: "one", State: storage.RepositoryActive, Discovered: true,
		AppliedSHA: "1111111111111111", AppliedAt: began, HeadSHA: "1111111111111111", HeadAt: began})
	var ids []int64
	f.tx(func(ctx context.Context, tx storage.Tx) (err error) {
		ids, err = tx.AddMessages(ctx, []storage.Message{{Topic: event.TopicRefresh, Key: "github.com/1", Payload: json.RawMessage(`{"head":"2222222222222222"}`), CreatedAt: began.Add(time.Second)}})
		if err != nil {
			return err
		}
		return tx.RetryMessages(ctx, ids, time.Now().Add(time.Hour), "GitHub answers 500")
	})
	check := func(when string) {
		t.Helper()
		got := decode[callboard.RepositoryDetail](t, f, "GET", "/repositories/acme/one")
		if !got.Behind || got.Head != "2222222222222222" || got.Applied != "1111111111111111" || !got.HeadAt.Equal(began.Add(time.Second)) || got.LagMs <= 0 ||
			!strings.Contains(strings.Join(got.Why, "\n"), "Commit 2222222222 is known since 2026-11-01T12:00:01Z, but the catalog still shows 1111111111.") {
			t.Errorf("%s: %+v, %q", when, got.Repository, got.Why)
		}
	}
	check("while it waits for another attempt")
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		return tx.ParkMessages(ctx, ids, time.Now(), "it never works")
	})
	check("after it was given up")
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	f.repository(storage.Repository{ID: 7, Host: "github.com", Owner: "acme", Name: "one", InstallationID: 3, Discovered: true, State: storage.RepositoryActive})
	for query, force := range map[string]bool{"": false, "?force=true": true} {
		accepted := decode[callboard.Accepted](t, f, "POST", "/repositories/ACME/one/refresh"+query)
		msgs, err := f.store.PendingMessages(t.Context(), event.TopicRefresh, "github.com/7", time.Now().Add(time.Minute))
		if err != nil || len(msgs) == 0 {
			t.Fatalf("%d messages, %v", len(msgs), err)
		}
		m := msgs[len(msgs)-1]
		var got event.Refresh
		if err := json.Unmarshal(m.Payload, &got); err != nil {
			t.Fatal(err)
		}
		want := event.Refresh{Host: "github.com", RepositoryID: 7, Owner: "acme", Name: "one", InstallationID: 3, Discovered: true, Force: force}
		if got != want || m.Cause.Reason != storage.ReasonManual || m.Cause.Actor != "anonymous" || accepted.Message != m.ID {
			t.Errorf("message %+v with cause %+v, answered %+v", got, m.Cause, accepted)
		}
		f.tx(func(ctx context.Context, tx storage.Tx) error {
			return tx.FinishMessages(ctx, []int64{m.ID}, time.Now())
		})
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	f.put(component("web", "c-1", `,"title":"Web"`))
	got := decode[callboard.Items[callboard.Change]](t, f, "GET", "/entities/Component/default/WEB/history")
	if len(got.Items) != 2 || got.Items[0].Revision < got.Items[1].Revision {
		t.Fatalf("%+v", got)
	}
	c := got.Items[0]
	if c.Ref != "component:default/web" || c.What != storage.ChangeCreated || c.Cause.Commit != "abc" || c.Cause.Pusher != "ann" || len(c.Fields) != 1 || c.Fields[0].Path != "/kind" || !c.At.Equal(began) {
		t.Errorf("%+v", c)
	}
	if got := decode[callboard.Items[callboard.Change]](t, f, "GET", "/entities/component/default/web/history?limit=1"); len(got.Items) != 1 {
		t.Errorf("limit: %+v", got)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	f.repository(storage.Repository{ID: 7, Host: "h", Owner: "acme", Name: "one", State: storage.RepositoryActive})
	f.repository(storage.Repository{ID: 8, Host: "h", Owner: "acme", Name: "two", State: storage.RepositoryRemoved})
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		_, err := tx.AddMessages(ctx, []storage.Message{{Topic: "t", Key: "k", Payload: json.RawMessage(`{}`), CreatedAt: began}})
		return err
	})
	w := f.get("/api/callboard/status")
	same(t, "status", fmt.Sprintf(`{"version":"v1<2>","ready":true,"entities":5,"kinds":{"API":1,"Component":4},"repositories":1,"revision":%[1]d,"storedRevision":%[1]d,"backlog":1,"parked":0,"oldestMessage":"2026-11-01T12:00:00Z","scans":{"running":0,"paused":0}}`,
		f.view.Revision()), w.Body.String())
}

func TestCallboardErrors(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	const input, missing = "InputError", "NotFoundError"
	tests := []struct {
		method, url   string
		status        int
		name, message string
	}{
		{"GET", "/deliveries?stat=x", 400, input, "Unknown query parameter 'stat'"},
		{"GET", "/deliveries?state=done", 400, input, "Unknown state 'done', expected one of [received applied unchanged ignored failed parked]"},
		{"GET", "/deliveries?limit=0", 400, input, "Query parameter 'limit' must be a number from 1 to 1000"},
		{"GET", "/deliveries?limit=%2B1", 400, input, "Query parameter 'limit' must be a number from 1 to 1000"},
		{"GET", "/deliveries?limit=1001", 400, input, "Query parameter 'limit' must be a number from 1 to 1000"},
		{"GET", "/deliveries?event=a&event=b", 400, input, "Query parameter 'event' is given more than once"},
		{"GET", "/deliveries/none", 404, missing, "No delivery with GUID none"},
		{"GET", "/deliveries/none?payload=1", 400, input, "Query parameter 'payload' must be true or false"},
		{"POST", "/deliveries/none/replay", 404, missing, "No delivery with GUID none"},
		{"GET", "/repositories?x=1", 400, input, "Unknown query parameter 'x'"},
		{"GET", "/repositories/acme/none", 404, missing, "No repository acme/none"},
		{"GET", "/repositories/acme/none?host=h", 404, missing, "No repository acme/none"},
		{"POST", "/repositories/acme/none/refresh", 404, missing, "No repository acme/none"},
		{"POST", "/repositories/acme/none/refresh?force=yes", 400, input, "Query parameter 'force' must be true or false"},
		{"GET", "/entities/component/default/none/history", 404, missing, "No entity component:default/none, now or before"},
		{"GET", "/status?x=1", 400, input, "Unknown query parameter 'x'"},
	}
	for _, tt := range tests {
		w := f.do(tt.method, "/api/callboard"+tt.url, "")
		if w.Code != tt.status {
			t.Errorf("%s %s: %d", tt.method, tt.url, w.Code)
		}
		same(t, tt.url, envelope(tt.status, tt.name, tt.message, tt.method, tt.url), w.Body.String())
	}
}

// A page of another site must not make a browser ask for work; reading, and
// callers that are no browsers, are not concerned.
func TestCrossSite(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	f.repository(storage.Repository{ID: 7, Host: "h", Owner: "acme", Name: "one", State: storage.RepositoryActive})
	const refresh = "/api/callboard/repositories/acme/one/refresh"
	tests := []struct {
		method, path, site string
		want               int
	}{
		{"POST", refresh, "cross-site", 403}, {"POST", refresh, "same-site", 403}, {"POST", refresh, "same-origin", 202}, {"POST", refresh, "", 202},
		{"POST", "/api/callboard/deliveries/x/replay", "cross-site", 403},
		{"GET", "/api/callboard/status", "cross-site", 200},
	}
	for _, tt := range tests {
		w := f.do(tt.method, tt.path, "", "Sec-Fetch-Site", tt.site)
		if w.Code != tt.want {
			t.Errorf("%s %s from %q: %d %s", tt.method, tt.path, tt.site, w.Code, w.Body)
		}
		if tt.want == 403 {
			same(t, tt.path, envelope(403, "NotAllowedError", "Cross-origin request refused", tt.method, strings.TrimPrefix(tt.path, "/api/callboard")), w.Body.String())
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	f := setup(t)
	want := `{"pattern":"github.com/acme","rules":[{"allow":[{"kind":"Component"},{"kind":"API"},{"kind":"Location"}]}],"ownerPolicy":"warn"}`
	if got := f.get("/api/callboard/settings?host=github.com&owner=acme").Body.String(); got != want {
		t.Errorf("got %s", got)
	}
	if got := f.get("/api/callboard/settings?org=acme").Code; got != 400 {
		t.Errorf("an unknown parameter is %d", got)
	}
}
