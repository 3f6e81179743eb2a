package handlers_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/callboard/callboard/handlers"
	"github.com/callboard/callboard/handlers/access"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/view"
)

const sha = "1111111111111111111111111111111111111111"

// Every read of the catalog waits, by either verb.
var waitingReads = []struct{ method, path, body string }{
	{"GET", "/entities", ""},
	{"GET", "/entities/by-query?limit=1", ""},
	{"POST", "/entities/by-query", `{"limit":1}`},
	{"GET", "/entities/by-name/component/default/new", ""},
	{"GET", "/entities/by-name/component/default/new/ancestry", ""},
	{"GET", "/entities/by-uid/n", ""},
	{"POST", "/entities/by-refs", `{"entityRefs":["component:default/new"]}`},
	{"GET", "/entity-facets?facet=metadata.name", ""},
	{"POST", "/entity-facets", `{"facets":["metadata.name"]}`},
}

func withCommit(path string) string {
	if strings.Contains(path, "?") {
		return path + "&minCommit=" + sha
	}
	return path + "?minCommit=" + sha
}

// A reader that waits sees what was written after it asked.
func TestWaitForRevisionAndCommit(t *testing.T) {
	t.Parallel()
	for _, byCommit := range []bool{false, true} {
		f := setup(t, shop()...)
		wanted := f.view.Revision() + 1
		f.delivery(storage.Delivery{GUID: "g", Event: "push", RepositoryID: 1, Commit: sha, State: storage.DeliveryReceived})
		answers := make(chan *httptest.ResponseRecorder, len(waitingReads))
		for _, read := range waitingReads {
			go func() {
				if byCommit {
					answers <- f.do(read.method, "/api/catalog"+withCommit(read.path), read.body, "Prefer", "wait=30")
				} else {
					answers <- f.do(read.method, "/api/catalog"+read.path, read.body, "Prefer", "respond-async, wait=30", "Callboard-Min-Revision", fmt.Sprint(wanted))
				}
			}()
		}
		f.put(component("new", "n", ""))
		f.finish("g", storage.DeliveryOutcome{State: storage.DeliveryApplied, Revision: wanted})
		for range waitingReads {
			w := <-answers
			if w.Code != 200 || w.Header().Get("Callboard-Revision") != fmt.Sprint(wanted) {
				t.Errorf("by commit %v: %d, revision %s: %s", byCommit, w.Code, w.Header().Get("Callboard-Revision"), w.Body)
			}
		}
	}
}

func (f *fixture) finish(guid string, o storage.DeliveryOutcome) {
	f.t.Helper()
	o.GUID, o.DoneAt = guid, began
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		return tx.FinishDeliveries(ctx, []storage.DeliveryOutcome{o})
	})
}

// Which commits are shown: those whose deliveries are done, and those that a
// repository is at.
func TestShownCommits(t *testing.T) {
	t.Parallel()
	other := func(c string) string { return strings.Repeat(c, 40) }
	f := setup(t, shop()...)
	f.repository(storage.Repository{ID: 7, Host: "h", Owner: "acme", Name: "one", State: storage.RepositoryActive, AppliedSHA: other("a")})
	for i, d := range []storage.Delivery{
		{Commit: other("b"), State: storage.DeliveryIgnored}, {Commit: other("c"), State: storage.DeliveryUnchanged},
		{Commit: other("d"), State: storage.DeliveryReceived}, {Commit: other("d"), State: storage.DeliveryApplied},
		{Commit: other("e"), State: storage.DeliveryParked, Reason: "GitHub answers 500"},
	} {
		d.GUID, d.Event = fmt.Sprintf("g-%d", i), "push"
		f.delivery(d)
	}
	tests := []struct{ commit, want string }{
		{other("a"), ""}, {other("A"), ""}, {other("b"), ""}, {other("c"), ""},
		{other("d"), "delivery g-2 of it is received"},
		{other("e"), "delivery g-4 of it is parked, GitHub answers 500"},
		{other("f"), "no delivery of it has arrived"},
		{strings.Repeat("f", 64), "no delivery of it has arrived"},
	}
	for _, tt := range tests {
		path := "/entities?limit=1&minCommit=" + tt.commit
		w := f.get("/api/catalog"+path, "Prefer", "wait=0")
		if tt.want == "" {
			if w.Code != 200 {
				t.Errorf("%s: %d %s", tt.commit, w.Code, w.Body)
			}
			continue
		}
		message := fmt.Sprintf("The catalog is at revision %d and did not show commit %s within 0s: %s", f.view.Revision(), tt.commit, tt.want)
		same(t, tt.commit, envelope(503, "ServiceUnavailableError", message, "GET", path), w.Body.String())
		if w.Header().Get("Retry-After") != "1" || w.Header().Get("Callboard-Revision") != fmt.Sprint(f.view.Revision()) {
			t.Errorf("%s: %v", tt.commit, w.Header())
		}
	}
}

func TestWaitErrors(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	const header = "Header 'Callboard-Min-Revision' must be a revision, a number from 0 on"
	for _, v := range []string{"x", "-1", "1.5", "99999999999999999999"} {
		same(t, v, envelope(400, "InputError", header, "GET", "/entities"), f.get("/api/catalog/entities", "Callboard-Min-Revision", v).Body.String())
	}
	for _, v := range []string{"main", sha[1:], sha + "0", strings.Repeat("g", 40)} {
		u := "/entities/by-uid/c-1?minCommit=" + v
		same(t, v, envelope(400, "InputError", "Query parameter 'minCommit' must be a whole commit id, 40 or 64 hexadecimal digits", "GET", u), f.get("/api/catalog"+u).Body.String())
	}
	if w := f.get("/api/catalog/entities", "Callboard-Min-Revision", "9999", "Prefer", "wait=0"); w.Code != 503 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if err := f.store.Close(); err != nil {
		t.Fatal(err)
	}
	if w := f.get("/api/catalog/entities?minCommit=" + sha); w.Code != 500 || !strings.Contains(w.Body.String(), "An internal error occurred") {
		t.Errorf("without a database: %d %s", w.Code, w.Body)
	}
}

// still is an empty catalog at revision 3: a real store would not keep to a fake clock.
type still struct{ storage.Reader }

func (still) EachEntity(context.Context, func(storage.Entity) error) (int64, error) { return 3, nil }
func (still) Changes(context.Context, int64, int) ([]storage.Change, error)         { return nil, nil }

// How long a request waits, by a fake clock, and how many may.
func TestWaitingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := view.New(still{}, quiet)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go func() { _ = v.Run(ctx) }()
		<-v.Ready()
		h := handlers.New(handlers.Deps{View: v, Metrics: prometheus.NewRegistry(), Log: quiet, Webhook: http.NotFoundHandler(), Access: access.Config{Open: true}})
		from := func(address, prefer string) *httptest.ResponseRecorder {
			r := httptest.NewRequest("GET", "/api/catalog/entities", nil)
			r.Header.Set("Callboard-Min-Revision", "4")
			r.Header.Set("Prefer", prefer)
			r.RemoteAddr = address
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w
		}
		ask := func(prefer string) *httptest.ResponseRecorder { return from("192.0.2.1:1", prefer) }
		for prefer, want := range map[string]time.Duration{"": 5 * time.Second, "wait=x": 5 * time.Second, "WAIT=12": 12 * time.Second, "wait=9999": 30 * time.Second, "handling=lenient,wait=1": time.Second} {
			start := time.Now()
			w := ask(prefer)
			message := fmt.Sprintf("The catalog is at revision 3 and did not reach revision 4 within %s", want)
			if took := time.Since(start); took != want || w.Code != 503 || !strings.Contains(w.Body.String(), message) {
				t.Errorf("%q: after %s %d %s", prefer, took, w.Code, w.Body)
			}
		}
		for i := range 1000 {
			go from(fmt.Sprintf("192.0.2.%d:%d", i%10, i), "")
		}
		synctest.Wait()
		if w := from("192.0.2.99:1", ""); w.Code != 503 || !strings.Contains(w.Body.String(), "There may be 1000 requests that wait") || w.Header().Get("Retry-After") != "1" {
			t.Errorf("one too many: %d %s", w.Code, w.Body)
		}
		v.Apply(t.Context(), view.Batch{Revision: 4})
		synctest.Wait()
		if w := ask(""); w.Code != 200 || w.Body.String() != "[]" {
			t.Errorf("afterwards: %d %s", w.Code, w.Body)
		}
	})
}

// Waiting requests are answered when the process begins to stop.
func TestWaitingEndsWithTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := view.New(still{}, quiet)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go func() { _ = v.Run(ctx) }()
		<-v.Ready()
		closing := make(chan struct{})
		h := handlers.New(handlers.Deps{View: v, Metrics: prometheus.NewRegistry(), Log: quiet, Webhook: http.NotFoundHandler(), Access: access.Config{Open: true}, Closing: closing})
		answers := make(chan *httptest.ResponseRecorder)
		go func() {
			r := httptest.NewRequest("GET", "/api/catalog/entities", nil)
			r.Header.Set("Callboard-Min-Revision", "4")
			r.Header.Set("Prefer", "wait=30")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			answers <- w
		}()
		synctest.Wait()
		start := time.Now()
		close(closing)
		w := <-answers
		if w.Code != 503 || !strings.Contains(w.Body.String(), "This process is stopping") || w.Header().Get("Retry-After") != "1" || !time.Now().Equal(start) {
			t.Errorf("after %s: %d %s", time.Since(start), w.Code, w.Body)
		}
	})
}

// Freshness of single entities: what version it is and from which commit.
func TestFreshness(t *testing.T) {
	t.Parallel()
	cart := component("cart", "c", "")
	cart.Commit = sha
	f := setup(t, cart, component("hand", "h", ""))
	for _, path := range []string{"/entities/by-name/component/default/cart", "/entities/by-uid/c"} {
		h := f.get("/api/catalog" + path).Header()
		if h.Get("Last-Modified") != "Sun, 01 Nov 2026 12:00:00 GMT" || h.Get("Callboard-Commit") != sha || h.Get("Callboard-Revision") != fmt.Sprint(f.view.Revision()) {
			t.Errorf("%s: %v", path, h)
		}
		// Relations of neighbours change the answer and not its date, so only the
		// ETag says that the client has it.
		if w := f.get("/api/catalog"+path, "If-Modified-Since", h.Get("Last-Modified")); w.Code != 200 {
			t.Errorf("%s by date: %d", path, w.Code)
		}
		if w := f.get("/api/catalog"+path, "If-Modified-Since", "Sat, 01 Jan 2000 00:00:00 GMT", "If-None-Match", h.Get("ETag")); w.Code != 304 || w.Header().Get("Callboard-Commit") != sha {
			t.Errorf("%s by ETag: %d %v", path, w.Code, w.Header())
		}
	}
	if h := f.get("/api/catalog/entities/by-uid/h").Header(); len(h.Values("Callboard-Commit")) > 0 {
		t.Errorf("no commit is known: %v", h)
	}
}
