package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/rule"
	"github.com/callboard/callboard/pipeline/schedule"
	"github.com/callboard/callboard/test/harness"
)

// hub is an organization in which one repository brings in a file of each of n
// others. None of its webhooks arrives.
func hub(t *testing.T, w *harness.World, n int) {
	t.Helper()
	w.Prepare()
	w.App.SetWebhook("", harness.Secret)
	var targets []string
	for i := range n {
		create(t, w, fmt.Sprintf("acme/t%d", i), map[string]string{"meta.yaml": component(fmt.Sprintf("c%d", i), "x")})
		targets = append(targets, fmt.Sprintf("%s/acme/t%d/blob/main/meta.yaml", w.GitHub.URL(), i))
	}
	create(t, w, "acme/hub", map[string]string{"catalog-info.yaml": location("hub", targets...)})
	if _, err := w.GitHub.Install(w.App, "acme", nil); err != nil {
		t.Fatal(err)
	}
	w.Start()
	scan(t, w)
	if got := len(refs(w)); got != n+1 {
		t.Fatalf("%d refs of a hub with %d targets", got, n)
	}
}

func paused(w *harness.World, id string) scanned {
	w.T.Helper()
	return scanUntil(w, id, "paused", func(s scanned) bool { return s.State == "paused" })
}

// What goes because something else has gone is counted like everything else.
func TestWhatARemovalTakesAlongWaits(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		hub(t, w, 30)
		before := refs(w)
		must(t, w.GitHub.DeleteRepo("acme/hub"))
		s := paused(w, askScan(t, w).ID)
		delete(before, "location:default/hub")
		if diff := cmp.Diff(before, refs(w)); diff != "" {
			t.Errorf("paused, and gone are (-before +after):\n%s", diff)
		}
		if s.Removing != 31 || len(s.Holds) != 30 || !slices.Equal(s.Holds[0].Refs, components(0)) {
			t.Errorf("%+v", s)
		}
		// The next scan sees nothing of it, and forgets nothing of it.
		s = paused(w, askScan(t, w).ID)
		if diff := cmp.Diff(before, refs(w)); diff != "" || len(s.Holds) != 30 {
			t.Errorf("%d are held; gone are (-before +after):\n%s", len(s.Holds), diff)
		}
		must(t, w.Post("/api/callboard/scans/"+s.ID+"/approve"))
		if s := scanDone(w, s.ID); s.Removing != 30 {
			t.Errorf("ends as %+v", s)
		}
		expectRefs(t, w)
	})
}

func TestWhatARemovalTakesAlongGoesWhereItIsLittle(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		hub(t, w, 5)
		must(t, w.GitHub.DeleteRepo("acme/hub"))
		if s := scan(t, w); s.Removing != 6 {
			t.Errorf("ends as %+v", s)
		}
		expectRefs(t, w)
	})
}

// settled is a start under other settings, and the scan that they made.
func settled(t *testing.T, w *harness.World, change func()) scanned {
	t.Helper()
	w.Stop()
	change()
	w.Start()
	var list struct{ Items []scanned }
	must(t, w.Get("/api/callboard/scans?owner=acme&limit=1", &list))
	return list.Items[0]
}

// covering is a provider of acme, or of what somebody typed instead.
func covering(w *harness.World, organization, repositories string) func() {
	return func() {
		p := discovery.Provider{
			ID: "acme", Host: strings.TrimPrefix(w.GitHub.URL(), "http://"), Organization: organization,
			CatalogPath: discovery.DefaultPath, Schedule: schedule.Schedule{Manual: true},
		}
		if repositories != "" {
			p.Filter.Repository = regexp.MustCompile("^(?:" + repositories + ")$")
		}
		w.Config.Providers = []discovery.Provider{p}
	}
}

// A letter in the configuration must not empty the catalog.
func TestATypoEmptiesNothing(t *testing.T) {
	typos := map[string]func(*harness.World) func(){
		"organization": func(w *harness.World) func() { return covering(w, "acmee", "") },
		"repository":   func(w *harness.World) func() { return covering(w, "acme", "nope") },
		"rules": func(w *harness.World) func() {
			return func() { w.Config.Catalog.Rules = rule.Rules{} }
		},
	}
	for name, typo := range typos {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, w *harness.World) {
				w.Config.Scan.MaxRemovedEntities = 1
				w.Prepare()
				covering(w, "acme", "")()
				silent(t, w, 6, 100)
				scan(t, w)
				before := w.Written()
				right := *w.Config
				s := paused(w, settled(t, w, typo(w)).ID)
				if diff := cmp.Diff(before, w.Written()); diff != "" {
					t.Errorf("gone without asking (-before +after):\n%s", diff)
				}
				if s.Removing != 6 || len(s.Holds) != 6 || !strings.Contains(s.Error, "correct it and restart") {
					t.Errorf("%+v", s)
				}
				// Nor does a push carry the typo out.
				_, err := w.GitHub.Commit("acme/r0", "main", "push", map[string]*string{"README.md": new("more")})
				must(t, err, w.Post("/api/callboard/repositories/acme/r0/refresh"))
				w.Settled()
				if diff := cmp.Diff(before, w.Written()); diff != "" {
					t.Errorf("gone by a push (-before +after):\n%s", diff)
				}
				s = settled(t, w, func() { *w.Config = right })
				scanDone(w, s.ID)
				w.Settled()
				if diff := cmp.Diff(before, w.Written()); diff != "" {
					t.Errorf("corrected (-before +after):\n%s", diff)
				}
				if s := scan(t, w); s.Changed+s.Missing != 0 {
					t.Errorf("the next scan: %+v", s)
				}
				s = paused(w, settled(t, w, typo(w)).ID)
				must(t, w.Post("/api/callboard/scans/"+s.ID+"/approve"))
				scanDone(w, s.ID)
				expectRefs(t, w)
			})
		})
	}
}

// What is below the limits needs no approval, also where no provider covers the
// account any more.
func TestOtherSettingsRemoveLittleAtOnce(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		w.Prepare()
		covering(w, "acme", "")()
		silent(t, w, 6, 100)
		scan(t, w)
		s := scanDone(w, settled(t, w, covering(w, "acmee", "")).ID)
		expectRefs(t, w)
		if s.Removing != 6 {
			t.Errorf("%+v", s)
		}
		if status := ask(t, w, http.MethodPost, "/api/callboard/scans?owner=acme", ""); status != http.StatusNotFound {
			t.Errorf("a scan of what nobody covers: %d", status)
		}
	})
}
