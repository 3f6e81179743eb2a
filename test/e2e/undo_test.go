package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"testing"

	"github.com/callboard/callboard/handlers/api/callboard"
	"github.com/callboard/callboard/test/harness"
)

// undone brings something back and answers the outcomes by ref.
func undone(t *testing.T, w *harness.World, body string, status int) map[string]callboard.UndoneItem {
	t.Helper()
	got, raw := send(t, w, "POST", "/api/callboard/tombstones/undo", body)
	if got != status {
		t.Fatalf("undo %s: %d %s, want %d", body, got, raw, status)
	}
	var out callboard.Undone
	if status == 200 {
		if err := json.Unmarshal(raw, &out); err != nil {
			t.Fatal(err)
		}
	}
	items := map[string]callboard.UndoneItem{}
	for _, i := range out.Items {
		items[i.Ref] = i
	}
	return items
}

func tombstoned(t *testing.T, w *harness.World, query string) map[string]callboard.Tombstone {
	t.Helper()
	all := map[string]callboard.Tombstone{}
	for cursor := ""; ; {
		var page callboard.Page[callboard.Tombstone]
		if err := w.Get("/api/callboard/tombstones?limit=2&"+query+cursor, &page); err != nil {
			t.Fatal(err)
		}
		for _, s := range page.Items {
			all[s.Ref] = s
		}
		if page.NextCursor == "" {
			return all
		}
		cursor = "&cursor=" + url.QueryEscape(page.NextCursor)
	}
}

func uids(w *harness.World) map[string]string {
	out := map[string]string{}
	for ref, e := range w.Written() {
		out[ref] = fmt.Sprint(e.Metadata["uid"])
	}
	return out
}

// An App that was uninstalled by mistake and is installed again: everything is
// there as it was, with uid and relations.
func TestInstalledAgain(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		for i := range 3 {
			name := fmt.Sprint("svc-", i)
			create(t, w, "acme/"+name, map[string]string{"catalog-info.yaml": component(name, "x", "dependsOn: [component:default/svc-0]")})
		}
		in, err := w.Start().GitHub.Install(w.App, "acme", nil)
		if err != nil {
			t.Fatal(err)
		}
		w.Settled()
		before := uids(w)
		if len(before) != 3 {
			t.Fatalf("served are %v", before)
		}
		in.Uninstall()
		w.Settled()
		expectRefs(t, w)
		gone := tombstoned(t, w, "repository=acme/svc-1")
		if s := gone["component:default/svc-1"]; s.UID != before["component:default/svc-1"] || s.Cause.Delivery == "" || !s.UndoUntil.After(s.RemovedAt) {
			t.Errorf("gone is %+v", gone)
		}
		w.Install("acme")
		w.Settled()
		for ref, uid := range uids(w) {
			if before[ref] != uid {
				t.Errorf("%s has the uid %s, before %s", ref, uid, before[ref])
			}
		}
		expectRefs(t, w, "component:default/svc-0", "component:default/svc-1", "component:default/svc-2")
		e, err := w.Entity("component", "svc-1")
		if err != nil || len(e.Relations) != 2 {
			t.Errorf("relations %+v, %v", e.Relations, err)
		}
		if left := tombstoned(t, w, ""); len(left) != 0 {
			t.Errorf("tombstones are left: %v", left)
		}
	})
}

// What somebody brings back is served at once, through restarts and pushes,
// until its file is there again.
func TestUndo(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		create(t, w, "acme/cart", map[string]string{
			"catalog-info.yaml": location("all", "./a.yaml", "./b.yaml"),
			"a.yaml":            component("a", "x", "dependsOn: [component:default/b]"), "b.yaml": component("b", "x"),
		})
		w.Start().Install("acme")
		w.Settled()
		before := uids(w)
		commit(t, w, "acme/cart", map[string]*string{"catalog-info.yaml": nil})
		w.Settled()
		expectRefs(t, w)
		undone(t, w, `{}`, 400)
		undone(t, w, `{"refs":["component:default/a"],"scan":"x"}`, 400)
		undone(t, w, `{"repo":"acme/cart"}`, 400)
		undone(t, w, `{"repository":"acme/none"}`, 404)
		undone(t, w, `{"refs":["component:default/none"]}`, 404)
		items := undone(t, w, `{"refs":["component:default/a","component:default/none"]}`, 200)
		if items["component:default/a"].Outcome != callboard.UndoServed || items["component:default/none"].Outcome != callboard.UndoNothing {
			t.Errorf("answered %+v", items)
		}
		if got := undone(t, w, `{"repository":"Acme/Cart"}`, 200); got["component:default/b"].Outcome != callboard.UndoServed {
			t.Errorf("answered %+v", got)
		}
		w.Settled()
		back := func(orphan string) {
			t.Helper()
			for ref, e := range w.Written() {
				if fmt.Sprint(e.Metadata["uid"]) != before[ref] || e.Annotation("backstage.io/orphan") != orphan {
					t.Errorf("%s has uid %v (before %s), orphan %q", ref, e.Metadata["uid"], before[ref], e.Annotation("backstage.io/orphan"))
				}
			}
			expectRefs(t, w, "component:default/a", "component:default/b", "location:default/all")
			if a, err := w.Entity("component", "a"); err != nil || len(a.Relations) != 2 {
				t.Errorf("relations %+v, %v", a.Relations, err)
			}
		}
		back("true")
		var history callboard.Changes
		if err := w.Get("/api/callboard/entities/component/default/a/history", &history); err != nil ||
			history.Items[0].Cause.Reason != "undo" || history.Items[0].Cause.Actor == "" {
			t.Errorf("history %+v, %v", history.Items, err)
		}
		w.Stop()
		w.Start()
		commit(t, w, "acme/cart", map[string]*string{"README.md": new("x")})
		if err := w.Post("/api/callboard/repositories/acme/cart/refresh?force=true"); err != nil {
			t.Fatal(err)
		}
		w.Settled()
		back("true")
		commit(t, w, "acme/cart", map[string]*string{"catalog-info.yaml": new(location("all", "./a.yaml", "./b.yaml"))})
		w.Settled()
		back("")
	})
}

// A name that another repository took meanwhile stays with it, and whoever asks
// is told.
func TestUndoOfATakenName(t *testing.T) {
	w := embedded(t)
	create(t, w, "acme/old", map[string]string{"catalog-info.yaml": component("cart", "old")})
	w.Start().Install("acme")
	w.Settled()
	commit(t, w, "acme/old", map[string]*string{"catalog-info.yaml": nil})
	w.Settled()
	create(t, w, "acme/new", map[string]string{"catalog-info.yaml": component("cart", "new")})
	w.Settled()
	const ref = "component:default/cart"
	item := undone(t, w, `{"repository":"acme/old"}`, 200)[ref]
	if item.Outcome != callboard.UndoConflict || item.ServedBy == nil || item.ServedBy.Repository != "acme/new" {
		t.Errorf("answered %+v", item)
	}
	if e, err := w.Entity("component", "cart"); err != nil || e.Metadata["description"] != "new" {
		t.Errorf("served is %v, %v", e.Metadata, err)
	}
	var conflicts callboard.Page[callboard.Conflict]
	if err := w.Get("/api/callboard/conflicts?ref="+ref, &conflicts); err != nil || len(conflicts.Items) != 1 || conflicts.Items[0].Lost[0].Repository != "acme/old" {
		t.Errorf("conflicts %+v, %v", conflicts.Items, err)
	}
	commit(t, w, "acme/new", map[string]*string{"catalog-info.yaml": nil})
	w.Settled()
	if e, err := w.Entity("component", "cart"); err != nil || e.Metadata["description"] != "old" || e.Annotation("backstage.io/orphan") != "true" {
		t.Errorf("served is %v, %v", e.Metadata, err)
	}
	if status := ask(t, w, "DELETE", "/api/catalog/entities/by-uid/"+uids(w)[ref], ""); status != 204 {
		t.Errorf("deleted: %d", status)
	}
	w.Settled()
	expectRefs(t, w)
}
