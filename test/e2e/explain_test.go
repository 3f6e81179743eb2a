package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/handlers/api/callboard"
	"github.com/callboard/callboard/test/harness"
)

// explained asks Callboard's own API.
func explained[T any](t *testing.T, w *harness.World, path string) (out T) {
	t.Helper()
	if err := w.Get("/api/callboard/"+path, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

const group = "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {name: team-a}\nspec: {type: team, children: []}\n"

// What is wrong, who declares what, and how fresh it is, over the whole program.
func TestTheCatalogExplainsItself(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		create(t, w, "acme/cart", map[string]string{"catalog-info.yaml": component("cart", "the first")})
		w.Start().Install("acme")
		w.Settled()
		create(t, w, "acme/copy", map[string]string{"catalog-info.yaml": component("cart", "a copy")})
		create(t, w, "acme/bad", map[string]string{
			"catalog-info.yaml": component("good", "fine") + "---\n" + strings.Replace(component("never", "x"), "name: never", "name: ../never", 1),
		})
		w.Settled()

		conflicts := explained[callboard.Page[callboard.Conflict]](t, w, "conflicts?repository=acme/copy")
		if len(conflicts.Items) != 1 {
			t.Fatalf("%d conflicts: %+v", len(conflicts.Items), conflicts)
		}
		c := conflicts.Items[0]
		if c.Ref != "component:default/cart" || c.Served.Repository != "acme/cart" || c.Lost[0].Repository != "acme/copy" ||
			c.LostTotal != 1 || c.Lost[0].Commit != w.GitHub.Head("acme/copy", "main") || !strings.Contains(c.Why, "acme/cart has declared it since") {
			t.Errorf("conflict %+v", c)
		}

		bad := explained[callboard.Diagnostics](t, w, "diagnostics?repository=acme/bad&severity=error")
		if len(bad.Items) == 0 || bad.Totals.Count != len(bad.Items) {
			t.Fatalf("diagnostics %+v", bad)
		}
		d := bad.Items[0]
		wantURL := fmt.Sprintf("%s/acme/bad/blob/%s/catalog-info.yaml#L%d", w.GitHub.URL(), w.GitHub.Head("acme/bad", "main"), d.Line)
		if d.Rule != "name-format" || d.URL != wantURL || d.Owner != "group:default/team-a" || d.Document != 1 {
			t.Errorf("diagnostic %+v, want the url %s", d, wantURL)
		}

		unowned := explained[callboard.Diagnostics](t, w, "diagnostics?rule=owner-unknown")
		if unowned.Totals.ByRule["owner-unknown"] != 2 || unowned.Items[0].Ref != "component:default/cart" {
			t.Errorf("unknown owners %+v", unowned)
		}
		create(t, w, "acme/org", map[string]string{"catalog-info.yaml": group})
		w.Settled()
		if unowned = explained[callboard.Diagnostics](t, w, "diagnostics?rule=owner-unknown"); len(unowned.Items) != 0 {
			t.Errorf("the owner has come, and still %+v", unowned)
		}

		source := explained[callboard.Source](t, w, "entities/component/default/cart")
		if source.Repository != "acme/cart" || source.Commit != w.GitHub.Head("acme/cart", "main") || source.Line != 1 ||
			len(source.Lost) != 1 || source.LastVerified.IsZero() || source.FirstSeen.IsZero() || source.Freshness.Behind {
			t.Errorf("source %+v", source)
		}
		fresh := explained[callboard.Page[callboard.Repository]](t, w, "freshness")
		if len(fresh.Items) != 4 {
			t.Errorf("%d repositories", len(fresh.Items))
		}
		for _, r := range fresh.Items {
			if r.Behind || r.VerifiedAt.IsZero() || r.Applied != r.Head {
				t.Errorf("freshness %+v", r)
			}
		}

		feed := explained[callboard.Feed](t, w, "changes?kind=component")
		var what []string
		for _, c := range feed.Items {
			what = append(what, string(c.What)+" "+c.Ref)
		}
		if diff := cmp.Diff([]string{"created component:default/cart", "created component:default/good"}, what); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
		if feed.Next != feed.Revision {
			t.Errorf("the feed ends at %d of %d", feed.Next, feed.Revision)
		}
	})
}

// A deleted entity comes back while a file declares it, as another one; a claim
// that lost serves in between, and stays first.
func TestDeletedEntitiesFollowTheirFiles(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		create(t, w, "acme/cart", map[string]string{"catalog-info.yaml": component("cart", "x")})
		create(t, w, "acme/web", map[string]string{"catalog-info.yaml": component("web", "x")})
		create(t, w, "acme/bad", map[string]string{"catalog-info.yaml": component("bad", "x")})
		w.Start().Install("acme")
		w.Settled()
		create(t, w, "acme/heir", map[string]string{"catalog-info.yaml": component("web", "heir")})
		broken := strings.Replace(component("bad", "x"), "type: service", "type: [", 1)
		commit(t, w, "acme/bad", map[string]*string{"catalog-info.yaml": &broken})
		w.Settled()

		remove := func(name string) (before string) {
			e, err := w.Entity("component", name)
			if err != nil {
				t.Fatal(err)
			}
			before = e.Metadata["uid"].(string)
			if status := ask(t, w, "DELETE", "/api/catalog/entities/by-uid/"+before, ""); status != http.StatusNoContent {
				t.Fatalf("delete %s: %d", name, status)
			}
			w.Settled()
			return before
		}
		for name, description := range map[string]string{"cart": "x", "web": "heir"} {
			before := remove(name)
			e, err := w.Entity("component", name)
			if err != nil {
				t.Fatalf("%s has not come back: %v", name, err)
			}
			if e.Metadata["uid"] == before || e.Metadata["description"] != description {
				t.Errorf("%s came back as %v", name, e.Metadata)
			}
		}
		web := explained[callboard.Source](t, w, "entities/component/default/web")
		if web.Repository != "acme/heir" || len(web.Lost) != 1 || web.Lost[0].Repository != "acme/web" {
			t.Errorf("the heir: %+v", web)
		}
		history := explained[callboard.Changes](t, w, "entities/component/default/web/history")
		var what []string
		for _, c := range history.Items {
			what = append(what, string(c.What)+" "+c.Cause.Reason+" "+c.Cause.Actor)
		}
		if diff := cmp.Diff([]string{"created delete anonymous", "deleted delete anonymous"}, what[:2]); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}
		// The last good version of a broken file has nothing to come back from.
		remove("bad")
		if err := w.Get("/api/catalog/entities/by-name/component/default/bad", nil); err == nil || !strings.Contains(err.Error(), "404") {
			t.Errorf("the broken one: %v", err)
		}
		for _, uid := range []string{"no-uid", "%00", "00000000-0000-0000-0000-000000000000"} {
			if status := ask(t, w, "DELETE", "/api/catalog/entities/by-uid/"+uid, ""); status != http.StatusNoContent {
				t.Errorf("delete %s: %d", uid, status)
			}
		}
	})
}

// However often a refresh is asked for, GitHub is asked a few times.
func TestRefreshesAreBounded(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		create(t, w, "acme/cart", map[string]string{"catalog-info.yaml": component("cart", "x")})
		create(t, w, "acme/far", map[string]string{"more.yaml": component("far", "x")})
		create(t, w, "acme/root", map[string]string{"catalog-info.yaml": location("root", w.GitHub.URL()+"/acme/far/blob/main/more.yaml")})
		w.Start().Install("acme")
		w.Settled()
		w.GitHub.ResetRequests()
		for range 200 {
			if status := ask(t, w, "POST", "/api/catalog/refresh", `{"entityRef":"Component:default/CART"}`); status != http.StatusOK {
				t.Fatalf("refresh: %d", status)
			}
		}
		if status := ask(t, w, "POST", "/api/catalog/refresh", `{"entityRef":"component:default/far","authorizationToken":"x"}`); status != http.StatusOK {
			t.Fatalf("refresh: %d", status)
		}
		w.Settled()
		total := 0
		for _, n := range w.GitHub.Requests() {
			total += n.Total
		}
		// Looks at cart: one at once and one later; at far and at root, which leads to it: one each.
		if total == 0 || total > 20 {
			t.Errorf("GitHub was asked %d times", total)
		}
		for _, c := range explained[callboard.Items[callboard.Repository]](t, w, "repositories").Items {
			if c.Error != "" || c.Behind {
				t.Errorf("after the refreshes: %+v", c)
			}
		}
	})
}

// All the ways to ask for work at a repository share what they cost, and each
// still does what it says.
func TestAskingForWorkIsBounded(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		create(t, w, "acme/cart", map[string]string{"catalog-info.yaml": component("cart", "x") + "---\n" + component("also", "x"), "more.yaml": component("more", "x"), "last.yaml": component("last", "x")})
		w.Start().Install("acme")
		w.Settled()
		deliveries := explained[callboard.Items[callboard.Delivery]](t, w, "deliveries?state=applied&limit=1")
		l := register(t, w, "acme/cart/blob/main/none.yaml")
		w.Settled()
		w.GitHub.ResetRequests()
		const times = 40
		ok := func(method, path, body string) {
			t.Helper()
			if status := ask(t, w, method, path, body); status/100 != 2 {
				t.Fatalf("%s %s: %d", method, path, status)
			}
		}
		for i := range times {
			ok("POST", "/api/callboard/repositories/acme/cart/refresh?force=true", "")
			ok("POST", "/api/callboard/deliveries/"+deliveries.Items[0].GUID+"/replay", "")
			ok("POST", "/api/catalog/refresh", `{"entityRef":"component:default/also"}`)
			ok("PUT", "/api/catalog/locations/"+l.ID, located(w, fmt.Sprintf("acme/cart/blob/main/%d.yaml", i)))
			ok("POST", "/api/catalog/locations?onConflict=refresh", located(w, "acme/cart/blob/main/more.yaml"))
			if e, err := w.Entity("component", "cart"); err == nil {
				ok("DELETE", "/api/catalog/entities/by-uid/"+e.Metadata["uid"].(string), "")
			}
		}
		ok("PUT", "/api/catalog/locations/"+l.ID, located(w, "acme/cart/blob/main/last.yaml"))
		w.Settled()
		total := 0
		for _, n := range w.GitHub.Requests() {
			total += n.Total
		}
		if total == 0 || total > 3*times {
			t.Errorf("GitHub was asked %d times: %v", total, w.GitHub.Requests())
		}
		expectRefs(t, w, "component:default/cart", "component:default/also", "component:default/more", "component:default/last")
	})
}

// eventsOf reads the lines of a stream until one holds the last words. When the
// stream has begun it calls begun.
func eventsOf(t *testing.T, w *harness.World, lastID, last string, begun func()) (events []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL+"/api/callboard/changes?kind=component", nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Accept-Encoding", "gzip")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("Content-Encoding") != "" {
		t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		events = append(events, lines.Text())
		if lines.Text() == "event: begin" {
			begun()
		}
		if strings.Contains(lines.Text(), last) {
			return events
		}
	}
	t.Fatalf("the stream ended before %q: %v, %q", last, lines.Err(), events)
	return nil
}

// A push arrives in a stream, and a stream does not delay the end of the process.
func TestChangesStream(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		create(t, w, "acme/cart", map[string]string{"catalog-info.yaml": component("cart", "x")})
		w.Start().Install("acme")
		w.Settled()
		got := eventsOf(t, w, "0", `"ref":"component:default/cart"`, func() {})
		if got[1] != "id: 0" || got[2] != "event: begin" || got[len(got)-2] != "event: created" {
			t.Errorf("from the start: %q", got)
		}
		changed := component("cart", "y")
		live := eventsOf(t, w, "", `"ref":"component:default/cart"`, func() {
			commit(t, w, "acme/cart", map[string]*string{"catalog-info.yaml": &changed})
		})
		if event := live[len(live)-1]; live[len(live)-2] != "event: updated" || !strings.Contains(event, `"commit":"`+w.GitHub.Head("acme/cart", "main")) ||
			!strings.Contains(event, `{"path":"/metadata/description","before":"x","after":"y"}`) {
			t.Errorf("the push: %q", live)
		}

		// One that is left open when the process stops.
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL+"/api/callboard/changes", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "text/event-stream")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		w.Stop() // which tears streams off that do not end by themselves
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Errorf("the stream was torn off: %v", err)
		}
	})
}

// The lists of Backstage's module for unprocessed entities.
func TestUnprocessedEntities(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		create(t, w, "acme/cart", map[string]string{"catalog-info.yaml": component("cart", "x")})
		w.Start().Install("acme")
		w.Settled()
		broken := strings.Replace(component("cart", "y"), "lifecycle: production", "lifecycle: [1]", 1) +
			"---\n" + strings.Replace(component("never", "x"), "type: service", "type: 7", 1)
		commit(t, w, "acme/cart", map[string]*string{"catalog-info.yaml": &broken})
		w.Settled()
		type list struct {
			Type     string
			Entities []struct {
				EntityID    string                     `json:"entity_id"`
				EntityRef   string                     `json:"entity_ref"`
				Unprocessed harness.Entity             `json:"unprocessed_entity"`
				Errors      []struct{ Message string } `json:"errors"`
				LocationKey string                     `json:"location_key"`
				Discovered  time.Time                  `json:"last_discovery_at"`
			}
		}
		get := func(path string) (out list) {
			if err := w.Get("/api/catalog/entities/unprocessed/"+path, &out); err != nil {
				t.Fatal(err)
			}
			return out
		}
		failed, pending := get("failed"), get("pending?owner=team-a")
		if failed.Type != "failed" || len(failed.Entities) != 2 || failed.Entities[0].EntityRef != "component:default/cart" ||
			failed.Entities[0].Unprocessed.Metadata["description"] != "x" || len(failed.Entities[0].Errors) == 0 {
			t.Errorf("failed: %+v", failed)
		}
		if pending.Type != "pending" || len(pending.Entities) != 1 || pending.Entities[0].EntityRef != "component:default/never" ||
			pending.Entities[0].Unprocessed.Metadata["name"] != "never" {
			t.Errorf("pending: %+v", pending)
		}
		if key := pending.Entities[0].LocationKey; key != "url:"+w.GitHub.URL()+"/acme/cart/tree/main/catalog-info.yaml" || pending.Entities[0].Discovered.IsZero() {
			t.Errorf("found at %s: %+v", key, pending)
		}
		if none := get("pending?owner=user:jane"); none.Entities == nil || len(none.Entities) != 0 {
			t.Errorf("of somebody else: %+v", none)
		}
		// Of what nobody could read, the location that names it is known.
		target := w.GitHub.URL() + "/acme/nowhere/blob/main/catalog-info.yaml"
		if status := ask(t, w, "POST", "/api/catalog/locations", `{"type":"url","target":"`+target+`"}`); status != http.StatusCreated {
			t.Fatalf("register: %d", status)
		}
		w.Eventually("told", func() error {
			for _, e := range get("pending").Entities {
				if e.LocationKey == "url:"+target && !e.Discovered.IsZero() {
					return nil
				}
			}
			return fmt.Errorf("%+v", get("pending"))
		})
		for _, id := range []string{pending.Entities[0].EntityID, failed.Entities[0].EntityID, "unknown", "!"} {
			if status := ask(t, w, "DELETE", "/api/catalog/entities/unprocessed/delete/"+id, ""); status != http.StatusNoContent {
				t.Errorf("delete %s: %d", id, status)
			}
		}
		w.Settled()
		if _, err := w.Entity("component", "cart"); err == nil {
			t.Error("the last good version is still served")
		}
	})
}
