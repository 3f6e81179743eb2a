package handlers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/callboard/callboard/handlers"
	"github.com/callboard/callboard/handlers/api/callboard"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// explained is the shop with something wrong in it: a group that owns but is not
// there, a broken file, a claim that lost, a repository that failed.
func explained(t *testing.T) *fixture {
	t.Helper()
	f := setup(t, shop()...)
	one := storage.Repository{
		ID: 1, Host: "github.com", Owner: "Acme", Name: "One", HTMLURL: "https://github.com/Acme/One", DefaultBranch: "main",
		State: storage.RepositoryActive, AppliedSHA: "aaa", HeadSHA: "aaa", AppliedAt: began, HeadAt: began, VerifiedAt: began.Add(time.Hour),
	}
	two := one
	two.ID, two.Name, two.HTMLURL, two.Error, two.ErrorAt = 2, "Two", "https://github.com/Acme/Two", "502", began
	f.repository(one)
	f.repository(two)
	lost := component("cart", "", "").Claim
	lost.RepositoryID, lost.Path, lost.Line, lost.Commit, lost.Since = 2, "dir/a b.yaml", 7, "bbb", began.Add(time.Minute)
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		if err := tx.PutClaims(ctx, []storage.Claim{lost}); err != nil {
			return err
		}
		return tx.PutFiles(ctx, []storage.File{{
			RepositoryID: 2, Path: "dir/a b.yaml", Status: storage.FileBroken,
			Diagnostics: []entity.Diagnostic{
				{Commit: "bbb", Document: 1, Line: 9, Column: 3, Ref: "component:default/new", Rule: "name-format", Severity: entity.SeverityError, Message: "bad", Hint: "mend"},
				{Commit: "bbb", Document: 2, Rule: "owner-format", Severity: entity.SeverityWarning, Message: "odd"},
			},
		}})
	})
	return f
}

// How bad an unknown owner is, the owner policy says.
func TestUnknownOwnersFollowThePolicy(t *testing.T) {
	t.Parallel()
	f := explained(t)
	for policy, want := range map[string]string{"off": "", "warn": "warning", "enforce": "error"} {
		f.deps.Settings = func(string, string) callboard.Settings { return callboard.Settings{OwnerPolicy: policy} }
		f.deps.Metrics = prometheus.NewRegistry()
		f.Handler = handlers.New(f.deps)
		out := decode[callboard.Diagnostics](t, f, "GET", "/diagnostics?rule=owner-unknown")
		if want == "" {
			if len(out.Items) != 0 || out.Totals.Count != 0 {
				t.Errorf("%s: %+v", policy, out)
			}
			continue
		}
		if len(out.Items) != 3 || string(out.Items[0].Severity) != want || out.Totals.BySeverity[entity.Severity(want)] != 3 {
			t.Errorf("%s: %+v", policy, out)
		}
		if out := decode[callboard.Diagnostics](t, f, "GET", "/diagnostics?rule=owner-unknown&severity="+want); len(out.Items) != 3 {
			t.Errorf("%s: by severity %+v", policy, out)
		}
	}
}

func TestDiagnostics(t *testing.T) {
	t.Parallel()
	f := explained(t)
	w := f.get("/api/callboard/diagnostics?repository=acme/TWO&severity=error")
	same(t, "one", `{"items":[{"repository":"Acme/Two","repositoryId":2,"host":"github.com","path":"dir/a b.yaml","commit":"bbb","document":1,"line":9,"column":3,
		"ref":"component:default/new","rule":"name-format","severity":"error","message":"bad","hint":"mend","url":"https://github.com/Acme/Two/blob/bbb/dir/a%20b.yaml#L9"}],
		"totals":{"count":1,"bySeverity":{"error":1},"byRule":{"name-format":1}}}`, w.Body.String())
	// Three own nothing that is there: stored ones first, then these by ref.
	all := []string{"name-format component:default/new", "owner-format ", "owner-unknown api:default/cart-api",
		"owner-unknown component:default/cart", "owner-unknown component:default/checkout"}
	for limit := 1; limit <= len(all)+1; limit++ {
		var got []string
		query := url.Values{"limit": {fmt.Sprint(limit)}}
		for page := 0; ; page++ {
			out := decode[callboard.Diagnostics](t, f, "GET", "/diagnostics?"+query.Encode())
			if (out.Totals != nil) != (page == 0) || page == 0 && out.Totals.Count != len(all) || len(out.Items) == 0 {
				t.Fatalf("limit %d, page %d: %+v", limit, page, out)
			}
			for _, d := range out.Items {
				got = append(got, d.Rule+" "+d.Ref)
			}
			if out.NextCursor == "" {
				break
			}
			query.Set("cursor", out.NextCursor)
		}
		if diff := cmp.Diff(all, got); diff != "" {
			t.Errorf("limit %d (-want +got):\n%s", limit, diff)
		}
	}
	tests := []struct {
		query string
		want  int
	}{
		{"rule=owner-unknown", 3}, {"owner=team-a", 3}, {"owner=group:default/TEAM-A&ref=component:default/cart", 1}, {"severity=warning", 4},
		{"severity=info", 0}, {"repository=acme/one", 3}, {"repository=acme/two", 2}, {"rule=name-format&ref=Component:new", 1}, {"owner=user:jane", 0},
	}
	for _, tt := range tests {
		if out := decode[callboard.Diagnostics](t, f, "GET", "/diagnostics?"+tt.query); len(out.Items) != tt.want || out.Totals.Count != tt.want {
			t.Errorf("%s: %d items, want %d: %+v", tt.query, len(out.Items), tt.want, out)
		}
	}
}

func TestConflicts(t *testing.T) {
	t.Parallel()
	f := explained(t)
	w := f.get("/api/callboard/conflicts?ref=component:default/cart")
	same(t, "conflict", `{"items":[{"ref":"component:default/cart","served":{"repository":"Acme/One","repositoryId":1,"host":"github.com","path":"catalog-info.yaml","document":0,
		"url":"https://github.com/Acme/One/blob/main/catalog-info.yaml","since":"2026-11-01T12:00:00Z"},
		"why":"Acme/One has declared it since 2026-11-01T12:00:00Z, Acme/Two only since 2026-11-01T12:01:00Z: who was first serves, until it gives the name up.",
		"lost":[{"repository":"Acme/Two","repositoryId":2,"host":"github.com","path":"dir/a b.yaml","document":0,"line":7,"commit":"bbb",
		"url":"https://github.com/Acme/Two/blob/bbb/dir/a%20b.yaml#L7","since":"2026-11-01T12:01:00Z"}],"lostTotal":1}]}`, w.Body.String())
	claim := func(ref string, repo int64, path string) {
		l := component("x", "", "").Claim
		l.Ref, l.RepositoryID, l.Path, l.Since = ref, repo, path, began
		f.tx(func(ctx context.Context, tx storage.Tx) error { return tx.PutClaims(ctx, []storage.Claim{l}) })
	}
	claim("component:default/checkout", 1, "z.yaml")
	claim("component:default/web", 1, "a.yaml")
	claim("component:default/petstore", 2, "a.yaml")
	claim("component:default/orphan", 2, "a.yaml")
	whys := map[string]string{
		"checkout": "Both are in Acme/One, where the path decides: catalog-info.yaml comes before z.yaml.",
		"web":      "a.yaml is broken, and within a repository a good version goes before a broken one.",
		"petstore": "Acme/One and Acme/Two declared it at the same moment, and Acme/One is the older repository.",
		"orphan":   "Nobody serves it at this moment: the next refresh of one of these repositories settles it.",
	}
	for name, want := range whys {
		got := decode[callboard.Page[callboard.Conflict]](t, f, "GET", "/conflicts?ref=component:default/"+name)
		if len(got.Items) != 1 || got.Items[0].Why != want {
			t.Errorf("%s: %+v, want %s", name, got, want)
		}
	}
	var refs []string
	for path := "/conflicts?limit=2"; ; {
		page := decode[callboard.Page[callboard.Conflict]](t, f, "GET", path)
		for _, c := range page.Items {
			refs = append(refs, c.Ref)
		}
		if page.NextCursor == "" {
			break
		}
		path = "/conflicts?limit=2&cursor=" + page.NextCursor
	}
	if len(refs) != 5 || !slices.IsSorted(refs) {
		t.Errorf("pages: %q", refs)
	}
	if got := decode[callboard.Page[callboard.Conflict]](t, f, "GET", "/conflicts?repository=acme/two"); len(got.Items) != 3 {
		t.Errorf("of a repository: %+v", got)
	}
}

func TestFreshnessOfRepositories(t *testing.T) {
	t.Parallel()
	f := explained(t)
	for id := int64(3); id < 8; id++ {
		f.repository(storage.Repository{ID: id, Host: "github.com", Owner: "acme", Name: fmt.Sprint("r", id), State: storage.RepositoryActive, AppliedSHA: "a", HeadSHA: "a"})
	}
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		for _, req := range []event.Refresh{
			{Host: "github.com", RepositoryID: 4, Owner: "acme", Name: "r4", Head: "new"},
			{Host: "github.com", Owner: "acme", Name: "r6", Head: "new"}, // not known by id yet
			{Host: "github.com", RepositoryID: 5, Owner: "acme", Name: "r5", Look: true},
		} {
			msg, err := event.RefreshMessage(req, storage.Cause{Reason: storage.ReasonPush})
			if err != nil {
				return err
			}
			if _, err := tx.AddMessages(ctx, []storage.Message{msg}); err != nil {
				return err
			}
		}
		return nil
	})
	list := func(query string) (ids []int64, next string) {
		page := decode[callboard.Page[callboard.Repository]](t, f, "GET", "/freshness?"+query)
		for _, r := range page.Items {
			ids = append(ids, r.ID)
		}
		return ids, page.NextCursor
	}
	tests := []struct {
		query string
		want  []int64
		more  bool
	}{
		{"", []int64{1, 2, 3, 4, 5, 6, 7}, false}, {"limit=7", []int64{1, 2, 3, 4, 5, 6, 7}, false}, {"limit=3", []int64{1, 2, 3}, true},
		{"behind=true", []int64{4, 6}, false}, {"behind=true&limit=1", []int64{4}, true}, {"error=true", []int64{2}, false}, {"behind=true&error=true", nil, false},
	}
	for _, tt := range tests {
		ids, next := list(tt.query)
		if diff := cmp.Diff(tt.want, ids); diff != "" || (next != "") != tt.more {
			t.Errorf("%s: next %q (-want +got):\n%s", tt.query, next, diff)
		}
		if next != "" {
			rest, _ := list(tt.query + "&cursor=" + next)
			if len(rest) == 0 || rest[0] <= ids[len(ids)-1] {
				t.Errorf("%s: behind %v come %v", tt.query, ids, rest)
			}
		}
	}
	first := decode[callboard.Page[callboard.Repository]](t, f, "GET", "/freshness?limit=1").Items[0]
	if !first.VerifiedAt.Equal(began.Add(time.Hour)) || first.Applied != "aaa" {
		t.Errorf("%+v", first)
	}
}

func TestFeed(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	read := func(query string) (refs []string, out callboard.Feed) {
		out = decode[callboard.Feed](t, f, "GET", "/changes"+query)
		for _, c := range out.Items {
			refs = append(refs, c.Ref)
		}
		return refs, out
	}
	tests := []struct {
		query string
		n     int
		next  int64
	}{
		{"", 5, 5}, {"?since=3", 2, 5}, {"?since=5", 0, 5}, {"?limit=2", 2, 2}, {"?kind=API", 1, 5}, {"?kind=api,component", 5, 5}, {"?namespace=other", 0, 5},
		{"?ref=component:default/CART,component:web", 2, 5}, {"?kind=component&limit=1&since=1", 1, 2}, {"?kind=api&limit=1", 1, 5},
	}
	for _, tt := range tests {
		refs, out := read(tt.query)
		if len(refs) != tt.n || out.Items == nil || out.Next != tt.next || out.Revision != 5 {
			t.Errorf("%s: %q next %d of %d, want %d items and %d", tt.query, refs, out.Next, out.Revision, tt.n, tt.next)
		}
	}
	_, out := read("?limit=1")
	if c := out.Items[0]; c.Revision != 1 || c.What != storage.ChangeCreated || c.Cause.Delivery != "g-1" || c.Cause.Pusher != "ann" || len(c.Fields) != 1 {
		t.Errorf("a change: %+v", c)
	}
}

func TestSourceOfAnEntity(t *testing.T) {
	t.Parallel()
	f := explained(t)
	got := decode[callboard.Source](t, f, "GET", "/entities/Component/default/CART")
	if got.Ref != "component:default/cart" || got.UID != "c-4" || got.Revision != 1 || got.Repository != "Acme/One" || !got.FirstSeen.Equal(began) ||
		!got.LastVerified.Equal(began.Add(time.Hour)) || len(got.Lost) != 1 || got.Lost[0].Repository != "Acme/Two" || got.Freshness.Applied != "aaa" || got.Stale {
		t.Errorf("%+v", got)
	}
	if h := decode[callboard.Changes](t, f, "GET", "/entities/component/default/cart/history"); h.Source == nil || h.Source.Repository != "Acme/One" || len(h.Items) != 1 {
		t.Errorf("history %+v", h)
	}
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		if err := tx.LockCatalog(ctx); err != nil {
			return err
		}
		if err := tx.BuryEntities(ctx, []string{"component:default/web"}, began, storage.Cause{}); err != nil {
			return err
		}
		_, err := tx.AddChanges(ctx, []storage.Change{{Ref: "component:default/web", What: storage.ChangeDeleted, At: began}})
		return err
	})
	same(t, "gone", envelope(404, "NotFoundError", "Entity component:default/web was deleted at 2026-11-01T12:00:00Z and is not served; its history says why",
		"GET", "/entities/component/default/web"), f.get("/api/callboard/entities/component/default/web").Body.String())
	same(t, "never", envelope(404, "NotFoundError", "No entity x:y/z, now or before", "GET", "/entities/x/y/z"), f.get("/api/callboard/entities/x/y/z").Body.String())
	if h := decode[callboard.Changes](t, f, "GET", "/entities/component/default/web/history"); h.Source != nil || len(h.Items) != 2 {
		t.Errorf("history of one that is gone: %+v", h)
	}
}

func TestExplanationsRefuseBadQueries(t *testing.T) {
	t.Parallel()
	f := explained(t)
	foreign := decode[callboard.Page[callboard.Conflict]](t, f, "GET", "/freshness?limit=1").NextCursor
	unfiltered := decode[callboard.Diagnostics](t, f, "GET", "/diagnostics?limit=1").NextCursor
	tests := []struct {
		path, message string
		status        int
	}{
		{"/diagnostics?severity=bad", "Unknown severity 'bad', expected one of [error warning info]", 400},
		{"/diagnostics?ref=cart", `Query parameter 'ref': Entity reference "cart" had missing or empty kind (e.g. did not start with "component:" or similar)`, 400},
		{"/diagnostics?owner=:", `Query parameter 'owner': Entity reference ":" was not on the form [<kind>:][<namespace>/]<name>`, 400},
		{"/diagnostics?repository=acme", "Query parameter 'repository' must be owner/name", 400},
		{"/diagnostics?repository=acme/none", "No repository acme/none", 404},
		{"/diagnostics?limit=0", "Query parameter 'limit' must be a number from 1 to 1000", 400},
		{"/diagnostics?cursor=!", "Malformed cursor, begin again without one", 400},
		{"/diagnostics?cursor=" + strings.Repeat("e", 40<<10), "Malformed cursor, begin again without one", 400},
		{"/diagnostics?x=1", "Unknown query parameter 'x'", 400},
		{"/diagnostics?rule=a&cursor=" + unfiltered, "The cursor belongs to another query, begin again without one", 400},
		{"/conflicts?cursor=" + foreign, "Malformed cursor, begin again without one", 400},
		{"/freshness?behind=1", "Query parameter 'behind' must be true or false", 400},
		{"/changes?since=-1", "Query parameter 'since' must be a revision, a number from 0", 400},
		{"/changes?since=x", "Query parameter 'since' must be a revision, a number from 0", 400},
		{"/changes?since=99", "Revision 99 is not known, the newest is 5: the catalog was begun anew. Read it whole and go on from there", 400},
		{"/changes?ref=cart", `Query parameter 'ref': Entity reference "cart" had missing or empty kind (e.g. did not start with "component:" or similar)`, 400},
		{"/changes?kind=" + strings.Repeat("a,", 101) + "a", "", 200}, // one value, many times
		{"/changes?kind=" + numbers(101), "Query parameter 'kind' may have 100 values", 400},
	}
	for _, tt := range tests {
		w := f.get("/api/callboard" + tt.path)
		var body struct{ Error struct{ Message string } }
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != tt.status || body.Error.Message != tt.message {
			t.Errorf("%.80s: %d %s", tt.path, w.Code, w.Body)
		}
	}
	for _, tt := range []struct{ path, id, message string }{
		{"/changes?limit=3", "", "Query parameter 'limit' makes no sense for a stream"},
		{"/changes", "x", "Last-Event-ID must be a revision, a number from 0"},
	} {
		w := f.get("/api/callboard"+tt.path, "Accept", "text/event-stream", "Last-Event-ID", tt.id)
		same(t, tt.path, envelope(400, "InputError", tt.message, "GET", tt.path), w.Body.String())
	}
}

func numbers(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint(i)
	}
	return strings.Join(all, ",")
}

func TestRefreshEntity(t *testing.T) {
	t.Parallel()
	f := explained(t)
	tests := []struct {
		body, message string
		status        int
	}{
		{`{}`, "request/body must have required property 'entityRef'", 400},
		{`{"entityRef":7}`, "request/body/entityRef must be string", 400},
		{`{"entityRef":null}`, "request/body/entityRef must be string", 400},
		{`{"entityRef":"component:default/cart","authorizationToken":7}`, "request/body/authorizationToken must be string", 400},
		{`{"entityRef":"component:default/cart","more":1}`, "request/body must NOT have additional properties", 400},
		{`{"entityRef":"PetStore"}`, "Entity petstore not found", 404},
		{`{"entityRef":"component:default/None"}`, "Entity component:default/none not found", 404},
		{`[]`, "request/body must be object", 400},
	}
	for _, tt := range tests {
		name := map[int]string{400: "InputError", 404: "NotFoundError"}[tt.status]
		same(t, tt.body, envelope(tt.status, name, tt.message, "POST", "/refresh"), f.do("POST", "/api/catalog/refresh", tt.body).Body.String())
	}
	for range 100 {
		if w := f.do("POST", "/api/catalog/refresh", `{"entityRef":"Component:default/cart","authorizationToken":"t"}`); w.Code != http.StatusOK || w.Body.Len() != 0 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	msgs, err := f.store.UndoneMessages(t.Context(), event.TopicRefresh, "github.com/1")
	if err != nil {
		t.Fatal(err)
	}
	// One at once, and one for all others in each stretch of time.
	var at []time.Time
	for _, m := range msgs {
		if !strings.Contains(string(m.Payload), `"look":true`) || m.Cause.Actor != "anonymous" || m.Cause.Reason != storage.ReasonManual {
			t.Errorf("message %+v %s", m.Cause, m.Payload)
		}
		at = append(at, m.RunAfter)
	}
	if len(at) < 2 || len(at) > 10 || !at[1].After(at[0]) {
		t.Errorf("a hundred refreshes are due at %v", at)
	}
}
