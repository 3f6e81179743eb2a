package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/test/githubsim"
	"github.com/callboard/callboard/test/harness"
)

// scanned is a scan as the API shows it.
type scanned struct {
	ID, State, Error                                                          string
	Pages, Total, Seen, Changed, Missing, Waiting, Failed, Removing, Requests int
	Holds                                                                     []struct {
		Repository string
		Entities   int
		Refs       []string
	}
}

// askScan begins a scan of acme, or joins the one that runs.
func askScan(t *testing.T, w *harness.World) scanned {
	t.Helper()
	status, body := send(t, w, http.MethodPost, "/api/callboard/scans?owner=acme", "")
	var list struct{ Items []scanned }
	if err := json.Unmarshal(body, &list); status != http.StatusAccepted || err != nil || len(list.Items) != 1 {
		t.Fatalf("%d %s", status, body)
	}
	return list.Items[0]
}

// scanUntil waits until a scan is as it should be.
func scanUntil(w *harness.World, id, what string, is func(scanned) bool) (s scanned) {
	w.T.Helper()
	w.Eventually("scan "+what, func() error {
		s = scanned{}
		if err := w.Get("/api/callboard/scans/"+id, &s); err != nil || is(s) {
			return err
		}
		return fmt.Errorf("%+v", s)
	})
	return s
}

func scanDone(w *harness.World, id string) scanned {
	w.T.Helper()
	return scanUntil(w, id, "done", func(s scanned) bool { return s.State == "done" })
}

// scan does one to its end, and what it released too.
func scan(t *testing.T, w *harness.World) scanned {
	t.Helper()
	s := scanDone(w, askScan(t, w).ID)
	w.Settled()
	return s
}

// silent is an organization of n repositories, of whose webhooks none arrives.
func silent(t *testing.T, w *harness.World, n, page int) (*harness.World, *githubsim.Installation) {
	t.Helper()
	w.Prepare()
	w.Config.Undirected.PageSize = page
	w.App.SetWebhook("", harness.Secret)
	for i := range n {
		create(t, w, fmt.Sprintf("acme/r%d", i), map[string]string{"catalog-info.yaml": component(fmt.Sprintf("c%d", i), "x")})
	}
	in, err := w.GitHub.Install(w.App, "acme", nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.Start(), in
}

func components(ids ...int) []string {
	var out []string
	for _, i := range ids {
		out = append(out, fmt.Sprintf("component:default/c%d", i))
	}
	return out
}

// must ends a test at an error of the simulator.
func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// Whatever happened while no webhook came, a scan finds it.
func TestScanFindsWhatWebhooksLost(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		silent(t, w, 5, 2)
		create(t, w, "acme/empty", nil)
		s := scan(t, w)
		expectRefs(t, w, components(0, 1, 2, 3, 4)...)
		if s.Total != 6 || s.Seen != 6 || s.Failed != 0 || s.Error != "" {
			t.Errorf("first: %+v", s)
		}
		uid := w.Written()["component:default/c1"].Metadata["uid"]

		commit(t, w, "acme/r0", map[string]*string{"catalog-info.yaml": new(component("c0", "newer"))})
		must(t, w.GitHub.RenameRepo("acme/r1", "renamed"), w.GitHub.DeleteRepo("acme/r2"))
		commit(t, w, "acme/r3", map[string]*string{"catalog-info.yaml": nil})
		create(t, w, "acme/r9", map[string]string{"catalog-info.yaml": component("c9", "x")})
		s = scan(t, w)
		expectRefs(t, w, components(0, 1, 4, 9)...)
		if s.Changed != 4 || s.Missing != 1 || s.Removing != 2 || s.Failed != 0 || s.Error != "" {
			t.Errorf("second: %+v", s)
		}
		all := w.Written()
		if e := all["component:default/c0"]; e.Metadata["description"] != "newer" {
			t.Errorf("c0 is %v", e.Metadata)
		}
		if e := all["component:default/c1"]; e.Metadata["uid"] != uid || e.Annotation("backstage.io/source-location") != "url:"+w.GitHub.URL()+"/acme/renamed/tree/main/" {
			t.Errorf("c1 is %v", e.Metadata)
		}
	})
}

// asks is how often GitHub was asked, without what costs nothing.
func asks(w *harness.World) map[string]int {
	out := map[string]int{}
	for route, n := range w.GitHub.Requests() {
		out[route] = n.Total
	}
	delete(out, "POST /app/installations/{id}/access_tokens")
	return out
}

// An account that did not change costs a request a page, two to find the
// installation (to begin, and to know that it is there still), and no write but the
// scan's own.
func TestScanOfAnUnchangedAccount(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		silent(t, w, 7, 3)
		scan(t, w)
		verified := func() (at []time.Time) {
			var list struct {
				Items []struct{ VerifiedAt time.Time }
			}
			must(t, w.Get("/api/callboard/freshness", &list))
			for _, r := range list.Items {
				at = append(at, r.VerifiedAt)
			}
			return at
		}
		state := func() string {
			_, changes := send(t, w, http.MethodGet, "/api/callboard/changes", "")
			_, status := send(t, w, http.MethodGet, "/api/callboard/status", "")
			return string(changes) + string(status)
		}
		before, first := state(), verified()
		w.GitHub.ResetRequests()
		s := scan(t, w)
		if s.Changed+s.Missing+s.Waiting != 0 || s.Seen != 7 {
			t.Errorf("%+v", s)
		}
		if diff := cmp.Diff(map[string]int{"GET /app/installations": 2, "POST /graphql": 3}, asks(w)); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(before, state()); diff != "" {
			t.Errorf("(-before +after):\n%s", diff)
		}
		for i, at := range verified() {
			if !at.After(first[i]) {
				t.Errorf("repository %d was verified at %s, and now at %s", i, first[i], at)
			}
		}
	})
}

// A restart goes on at the page that was not read. What was listed with its
// descriptor costs no request of its own.
func TestScanGoesOnAfterARestart(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		silent(t, w, 9, 2)
		w.GitHub.Inject(githubsim.Fault{Match: "POST /graphql", Skip: 2, Status: http.StatusInternalServerError})
		id := askScan(t, w).ID
		scanUntil(w, id, "at the third page", func(s scanned) bool { return s.Pages == 2 && s.Error != "" })
		w.Stop()
		w.GitHub.ClearFaults()
		w.GitHub.ResetRequests()
		w.Start()
		s := scanDone(w, id)
		w.Settled()
		expectRefs(t, w, components(0, 1, 2, 3, 4, 5, 6, 7, 8)...)
		if asked := asks(w)["POST /graphql"]; asked != 3 || s.Pages != 5 || s.Seen != 9 {
			t.Errorf("%d pages after the restart, %+v", asked, s)
		}
	})
}

// Two replicas that are asked at once do one scan, and each page of it once.
func TestReplicasScanTogether(t *testing.T) {
	t.Parallel()
	for _, setup := range harness.Setups[1:] {
		t.Run(setup.Name, func(t *testing.T) {
			t.Parallel()
			w, _ := silent(t, harness.New(t, setup), 9, 2)
			second := w.Replica()
			w.GitHub.ResetRequests()
			var wg sync.WaitGroup
			ids := make([]string, 6)
			for i := range ids {
				wg.Go(func() { ids[i] = askScan(t, []*harness.World{w, second}[i%2]).ID })
			}
			wg.Wait()
			s := scanDone(w, ids[0])
			w.Settled()
			second.Settled()
			for _, id := range ids {
				if id != s.ID {
					t.Errorf("scan %s beside %s", id, s.ID)
				}
			}
			if asked := asks(w)["POST /graphql"]; asked != 5 || s.Requests != 5 {
				t.Errorf("%d requests, %+v", asked, s)
			}
			expectRefs(t, second, components(0, 1, 2, 3, 4, 5, 6, 7, 8)...)
		})
	}
}

// GitHub may answer small pages only, or refuse them in any way that it has.
func TestScanHalvesItsPages(t *testing.T) {
	t.Parallel()
	for _, refusal := range []int{0, http.StatusGatewayTimeout, http.StatusOK} {
		t.Run(fmt.Sprint(refusal), func(t *testing.T) {
			t.Parallel()
			w := harness.New(t, harness.Setups[0])
			silent(t, w, 9, 8)
			w.GitHub.SetListingFaults(githubsim.ListingFaults{MaxPage: 2, TooHeavy: refusal})
			if s := scan(t, w); s.Seen != 9 {
				t.Errorf("%+v", s)
			}
			expectRefs(t, w, components(0, 1, 2, 3, 4, 5, 6, 7, 8)...)
		})
	}
}

// Whatever GitHub answers for a while, nothing is deleted, and the catalog goes
// on as soon as it is over.
func TestScanBelievesNoBrokenAnswer(t *testing.T) {
	t.Parallel()
	odd := func(name string) bool { return len(name) > 0 && (name[len(name)-1]-'0')%2 == 1 }
	tests := []struct {
		name string
		list githubsim.ListingFaults
		all  *githubsim.Fault // of all but the first request, which is where the App is installed
	}{
		{"empty pages", githubsim.ListingFaults{Empty: true}, nil},
		{"half of them", githubsim.ListingFaults{Hide: odd}, nil},
		{"half of them, each hidden", githubsim.ListingFaults{Hide: odd, Reads: true}, nil},
		{"none of them", githubsim.ListingFaults{Hide: func(string) bool { return true }}, nil},
		{"more than there are", githubsim.ListingFaults{Total: func(n int) int { return n + 1 }}, nil},
		{"fewer than there are", githubsim.ListingFaults{Hide: odd, Total: func(int) int { return 0 }}, nil},
		{"404", githubsim.ListingFaults{}, &githubsim.Fault{Match: "*", Skip: 1, Status: http.StatusNotFound, Body: `{"message":"Not Found"}`}},
		{"500", githubsim.ListingFaults{}, &githubsim.Fault{Match: "*", Skip: 1, Status: http.StatusInternalServerError}},
		{"403", githubsim.ListingFaults{}, &githubsim.Fault{Match: "*", Skip: 1, Status: http.StatusForbidden, Body: `{"message":"Forbidden"}`}},
		{"cut", githubsim.ListingFaults{}, &githubsim.Fault{Match: "*", Skip: 1, CutAfter: 20}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := harness.New(t, harness.Setups[0])
			w.Config.Scan.MaxRemovedEntities = 1
			silent(t, w, 6, 4)
			scan(t, w)
			before := refs(w)
			w.GitHub.SetListingFaults(tt.list)
			if tt.all != nil {
				w.GitHub.Inject(*tt.all)
			}
			id := askScan(t, w).ID
			scanUntil(w, id, "stuck or over", func(s scanned) bool { return s.State != "running" || s.Error != "" || s.Missing > 0 })
			if status := ask(t, w, http.MethodPost, "/api/callboard/scans", ""); tt.all != nil && status != http.StatusServiceUnavailable {
				t.Errorf("asked for another while GitHub is down: %d", status)
			}
			if diff := cmp.Diff(before, refs(w)); diff != "" {
				t.Errorf("meanwhile (-before +after):\n%s", diff)
			}
			w.GitHub.ClearFaults()
			scanUntil(w, id, "over", func(s scanned) bool { return s.State != "running" })
			scan(t, w)
			if diff := cmp.Diff(before, refs(w)); diff != "" {
				t.Errorf("afterwards (-before +after):\n%s", diff)
			}
		})
	}
}

// much is an organization that lost more than may go without approval, and the
// scan that waits for it.
func much(t *testing.T, w *harness.World) scanned {
	t.Helper()
	w.Config.Scan.MaxRemovedEntities = 1
	silent(t, w, 6, 4)
	scan(t, w)
	must(t, w.GitHub.DeleteRepo("acme/r1"), w.GitHub.DeleteRepo("acme/r3"))
	commit(t, w, "acme/r0", map[string]*string{"catalog-info.yaml": new(component("c0", "newer"))})
	s := scanUntil(w, askScan(t, w).ID, "paused", func(s scanned) bool { return s.State == "paused" })
	w.Settled()
	if e, err := w.Entity("component", "c0"); err != nil || e.Metadata["description"] != "newer" {
		t.Errorf("what only changes does not wait: %v, %v", e.Metadata, err)
	}
	expectRefs(t, w, components(0, 1, 2, 3, 4, 5)...)
	if s.Removing != 2 || len(s.Holds) != 2 || s.Holds[0].Repository != "acme/r1" || s.Holds[0].Entities != 1 {
		t.Errorf("%+v", s)
	}
	var status struct{ Scans map[string]int }
	if err := w.Get("/api/callboard/status", &status); err != nil || !maps.Equal(status.Scans, map[string]int{"running": 0, "paused": 1}) {
		t.Errorf("status has %v, %v", status.Scans, err)
	}
	return s
}

func TestScanThatRemovesMuchIsApproved(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		s := much(t, w)
		must(t, w.Post("/api/callboard/scans/"+s.ID+"/approve"))
		w.Settled()
		expectRefs(t, w, components(0, 2, 4, 5)...)
		if s := scan(t, w); s.Missing != 0 {
			t.Errorf("the next one: %+v", s)
		}
	})
}

func TestScanThatRemovesMuchIsRejected(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		s := much(t, w)
		must(t, w.Post("/api/callboard/scans/"+s.ID+"/reject"))
		w.Settled()
		expectRefs(t, w, components(0, 1, 2, 3, 4, 5)...)
		if status := ask(t, w, http.MethodPost, "/api/callboard/scans/"+s.ID+"/approve", ""); status != http.StatusConflict {
			t.Errorf("approved after that: %d", status)
		}
	})
}

// What comes back before anybody decides is not lost.
func TestAPausedScanIsSuperseded(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		w.Config.Scan.MaxRemovedEntities = 1
		silent(t, w, 6, 4)
		scan(t, w)
		before := w.Written()
		w.GitHub.SetListingFaults(githubsim.ListingFaults{Hide: func(string) bool { return true }, Reads: true})
		s := scanUntil(w, askScan(t, w).ID, "over", func(s scanned) bool { return s.State != "running" })
		w.GitHub.ClearFaults()
		scan(t, w)
		if again := scanUntil(w, s.ID, "superseded or done", func(s scanned) bool { return s.State != "paused" }); len(again.Holds) != 0 {
			t.Errorf("%+v", again)
		}
		if diff := cmp.Diff(before, w.Written()); diff != "" {
			t.Errorf("(-before +after):\n%s", diff)
		}
	})
}

// The App may be uninstalled by mistake: everything waits, and is as it was when
// the App is there again.
func TestUninstalledByMistake(t *testing.T) {
	each(t, func(t *testing.T, w *harness.World) {
		w.Config.Scan.MaxRemovedEntities = 1
		_, in := silent(t, w, 6, 4)
		scan(t, w)
		uids := map[string]any{}
		for ref, e := range w.Written() {
			uids[ref] = e.Metadata["uid"]
		}
		in.Uninstall()
		scanUntil(w, askScan(t, w).ID, "paused", func(s scanned) bool { return s.State == "paused" && s.Removing == 6 })
		expectRefs(t, w, components(0, 1, 2, 3, 4, 5)...)
		if _, err := w.GitHub.Install(w.App, "acme", nil); err != nil {
			t.Fatal(err)
		}
		if s := scan(t, w); s.Missing != 0 || s.Changed != 6 {
			t.Errorf("%+v", s)
		}
		again := map[string]any{}
		for ref, e := range w.Written() {
			again[ref] = e.Metadata["uid"]
		}
		if diff := cmp.Diff(uids, again); diff != "" {
			t.Errorf("uids (-before +after):\n%s", diff)
		}
		if s := scan(t, w); s.Changed != 0 {
			t.Errorf("the next one: %+v", s)
		}
	})
}
