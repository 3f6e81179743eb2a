package handlers_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/callboard/callboard/handlers"
	"github.com/callboard/callboard/handlers/access"
	"github.com/callboard/callboard/handlers/api/callboard"
	"github.com/callboard/callboard/pipeline/inbox"
	"github.com/callboard/callboard/pipeline/rule"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
	"github.com/callboard/callboard/storage/sqlite"
	"github.com/callboard/callboard/storage/view"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

// fixture is the whole route table over a real store.
type fixture struct {
	t     testing.TB
	store *sqlite.Store
	view  *view.View
	deps  handlers.Deps
	http.Handler
}

// setup serves these entities; without any, the view is not even loaded.
func setup(t testing.TB, rows ...storage.Entity) *fixture {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "callboard.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	f := &fixture{t: t, store: store, view: view.New(store, quiet)}
	store.OnCommit(func(storage.Commit) { f.view.Wake() })
	f.deps = handlers.Deps{
		Store: store, View: f.view, Replayer: inbox.New(store, inbox.Config{}, quiet),
		Webhook: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			w.Header().Set("Got", r.Method)
			if err != nil || n == 0 {
				w.WriteHeader(http.StatusTeapot)
				return
			}
			w.WriteHeader(http.StatusAccepted)
		}),
		Metrics: prometheus.NewRegistry(), Log: quiet, Version: "v1<2>", Access: access.Config{Open: true},
		Settings: func(host, owner string) callboard.Settings {
			return callboard.Settings{Pattern: host + "/" + owner, Rules: rule.Default(), OwnerPolicy: "warn"}
		},
	}
	f.Handler = handlers.New(f.deps)
	if len(rows) > 0 {
		f.put(rows...)
		f.run()
	}
	return f
}

// run keeps the view until the test ends.
func (f *fixture) run() {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.view.Run(ctx) }()
	f.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			f.t.Error(err)
		}
	})
	<-f.view.Ready()
}

func (f *fixture) tx(fn func(ctx context.Context, tx storage.Tx) error) {
	f.t.Helper()
	if err := f.store.InTx(f.t.Context(), fn); err != nil {
		f.t.Fatal(err)
	}
}

var began = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// put stores entities with a change each.
func (f *fixture) put(rows ...storage.Entity) (revision int64) {
	f.t.Helper()
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		if err := tx.LockCatalog(ctx); err != nil {
			return err
		}
		var changes []storage.Change
		for _, e := range rows {
			changes = append(changes, storage.Change{
				Ref: e.Ref, UID: e.UID, What: storage.ChangeCreated, At: began,
				Cause:  storage.Cause{Reason: storage.ReasonPush, Commit: "abc", Delivery: "g-1", Pusher: "ann"},
				Fields: []storage.FieldChange{{Path: "/kind", After: json.RawMessage(`"x"`)}},
			})
		}
		revisions, err := tx.AddChanges(ctx, changes)
		if err != nil {
			return err
		}
		for i := range rows {
			e := &rows[i]
			e.Revision, e.Descriptor, e.FirstSeen, e.LastChanged, e.Since = revisions[i], e.JSON, began, began, began
			if e.RepositoryID == 0 {
				e.RepositoryID, e.Path = 1, "catalog-info.yaml"
			}
			revision = revisions[i]
		}
		return tx.PutEntities(ctx, rows)
	})
	return revision
}

// bury takes entities out.
func (f *fixture) bury(refs ...string) (revision int64) {
	f.t.Helper()
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		if err := tx.LockCatalog(ctx); err != nil {
			return err
		}
		var changes []storage.Change
		for _, ref := range refs {
			changes = append(changes, storage.Change{Ref: ref, What: storage.ChangeDeleted, At: began})
		}
		revisions, err := tx.AddChanges(ctx, changes)
		if err != nil {
			return err
		}
		revision = revisions[len(revisions)-1]
		return tx.BuryEntities(ctx, refs, began, storage.Cause{})
	})
	return revision
}

// row is an entity; relations are "source type target".
func row(ref, uid, doc string, relations ...string) storage.Entity {
	e := storage.Entity{UID: uid}
	e.Ref, e.JSON = ref, json.RawMessage(doc)
	for _, r := range relations {
		p := strings.Fields(r)
		e.Relations = append(e.Relations, entity.Relation{Source: p[0], Type: p[1], Target: p[2]})
	}
	return e
}

func component(name, uid, more string, relations ...string) storage.Entity {
	return row("component:default/"+name, uid,
		`{"apiVersion":"backstage.io/v1alpha1","kind":"Component","metadata":{"name":"`+name+`","namespace":"default"`+more+`},"spec":{"type":"service"}}`, relations...)
}

// shop is the catalog of most tests.
func shop() []storage.Entity {
	return []storage.Entity{
		component("cart", "c-4", `,"tags":["go"]`, "component:default/cart ownedBy group:default/team-a", "component:default/cart providesApi api:default/cart-api"),
		component("checkout", "c-3", `,"tags":["go","java"]`, "component:default/checkout ownedBy group:default/team-a"),
		component("petstore", "c-2", `,"tags":["java"],"title":"Pets"`),
		component("web", "c-1", ``),
		row("api:default/cart-api", "a-1", `{"apiVersion":"backstage.io/v1alpha1","kind":"API","metadata":{"name":"cart-api","namespace":"default"},"spec":{"type":"openapi"}}`,
			"api:default/cart-api ownedBy group:default/team-a", "api:default/cart-api apiProvidedBy component:default/cart"),
	}
}

// do sends a request; header is name, value, name, value.
func (f *fixture) do(method, url, body string, header ...string) *httptest.ResponseRecorder {
	f.t.Helper()
	r := httptest.NewRequestWithContext(f.t.Context(), method, url, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

func (f *fixture) get(url string, header ...string) *httptest.ResponseRecorder {
	f.t.Helper()
	return f.do("GET", url, "", header...)
}

// envelope is the contract's error, as a test expects it.
func envelope(status int, name, message, method, url string) string {
	type m = map[string]any
	b, err := json.Marshal(m{
		"error": m{"name": name, "message": message}, "request": m{"method": method, "url": url}, "response": m{"statusCode": status},
	})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// same compares JSON.
func same(t testing.TB, what, want, got string) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal([]byte(want), &a); err != nil {
		t.Fatalf("%s: the test's own JSON: %v", what, err)
	}
	if err := json.Unmarshal([]byte(got), &b); err != nil {
		t.Fatalf("%s: %q is no JSON: %v", what, got, err)
	}
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	if string(x) != string(y) {
		t.Errorf("%s:\n got %s\nwant %s", what, y, x)
	}
}
