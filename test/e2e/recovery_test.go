package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/pipeline/schedule"
	"github.com/callboard/callboard/test/githubsim"
	"github.com/callboard/callboard/test/harness"
)

// passing is a clock that goes on when it is told to.
type passing struct {
	mu     sync.Mutex
	passed time.Duration
}

func (p *passing) now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Add(p.passed)
}

func (p *passing) pass(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.passed += d
}

// gaps is what GET /api/callboard/gaps says of one App.
type gaps struct {
	NoGapsSince time.Time
	Items       []struct {
		Open, Found, Redelivered, Lost int
		Broken                         string
		ReadAt                         time.Time
	}
}

func readGaps(w *harness.World) (g gaps, err error) {
	err = w.Get("/api/callboard/gaps", &g)
	if err == nil && len(g.Items) != 1 {
		err = fmt.Errorf("%d Apps", len(g.Items))
	}
	return g, err
}

// closed waits until the log was read again and nothing is missing.
func closed(w *harness.World, after time.Time) (g gaps) {
	w.T.Helper()
	w.Eventually("all gaps are closed", func() (err error) {
		if g, err = readGaps(w); err == nil && (g.NoGapsSince.IsZero() || !g.Items[0].ReadAt.After(after)) {
			err = fmt.Errorf("%+v", g)
		}
		return err
	})
	return g
}

func scansSoFar(t *testing.T, w *harness.World) int {
	t.Helper()
	var list struct{ Items []struct{ State string } }
	if err := w.Get("/api/callboard/scans", &list); err != nil {
		t.Fatal(err)
	}
	return len(list.Items)
}

// While nobody listens, GitHub's log remembers for three days, and a scan
// repairs what it does not remember. The catalog ends alike.
func TestAnOutageOfDays(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		length time.Duration
		lost   bool
	}{
		{"three days", 3*24*time.Hour - time.Hour, false},
		{"four days", 4 * 24 * time.Hour, true},
	}
	for _, setup := range harness.Setups[:2] {
		for _, tt := range tests {
			t.Run(setup.Name+", "+tt.name, func(t *testing.T) {
				t.Parallel()
				clock := &passing{}
				w := harness.New(t, setup, githubsim.WithDeliveryClock(clock.now))
				w.Now, w.Config.Retention = clock.now, 30*24*time.Hour
				w.Config.Scan.Recovery = schedule.Schedule{Frequency: time.Hour}
				create(t, w, "acme/cart", map[string]string{"catalog-info.yaml": component("cart", "before")})
				create(t, w, "acme/old", map[string]string{"catalog-info.yaml": component("old", "")})
				create(t, w, "acme/gone", map[string]string{"catalog-info.yaml": component("gone", "")})
				w.Start().Install("acme")
				w.Settled()
				before, scans := closed(w, time.Time{}), scansSoFar(t, w)
				w.Stop()

				clock.pass(time.Minute)
				missed := miss(t, w)
				if tt.lost {
					missed = 0 // GitHub does not know of them any more
				}
				clock.pass(tt.length)
				w.GitHub.ResetRequests()
				w.Start()
				others := []*harness.World{w}
				if setup.Postgres {
					others = append(others, w.Replica())
				}
				after := closed(w, before.Items[0].ReadAt)
				w.Settled()

				if broken := after.Items[0].Broken != ""; broken != tt.lost {
					t.Errorf("the proof is broken by %q", after.Items[0].Broken)
				}
				if kept := after.NoGapsSince.Equal(before.NoGapsSince); kept == tt.lost {
					t.Errorf("no gaps since %s, before %s", after.NoGapsSince, before.NoGapsSince)
				}
				if scanned := scansSoFar(t, w) > scans; scanned != tt.lost {
					t.Errorf("a scan ran: %t, want %t", scanned, tt.lost)
				}
				if n := w.GitHub.Requests()["POST /app/hook/deliveries/{id}/attempts"].Total; n != missed {
					t.Errorf("GitHub was asked for %d deliveries by all replicas, want %d", n, missed)
				}
				for _, r := range others {
					want := map[string]any{"component:default/cart": "after", "component:default/old": "", "component:default/new": ""}
					got := map[string]any{}
					for ref, e := range r.Written() {
						got[ref] = e.Metadata["description"]
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("catalog (-want +got):\n%s", diff)
					}
				}
			})
		}
	}
}

// miss makes changes that nobody hears of, and says how many deliveries that are.
func miss(t *testing.T, w *harness.World) (n int) {
	t.Helper()
	commit(t, w, "acme/cart", map[string]*string{"catalog-info.yaml": new(component("cart", "after"))})
	create(t, w, "acme/new", map[string]string{"catalog-info.yaml": component("new", "")})
	if err := w.GitHub.RenameRepo("acme/old", "renamed"); err != nil {
		t.Fatal(err)
	}
	if err := w.GitHub.DeleteRepo("acme/gone"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := w.GitHub.WaitDeliveries(ctx); err != nil {
		t.Fatal(err)
	}
	for _, d := range w.GitHub.Deliveries() {
		if !d.OK() {
			n++
		}
	}
	if n < 4 {
		t.Fatalf("only %d deliveries failed", n)
	}
	return n
}

// What GitHub does not even log is what scans are for.
func TestADeliveryThatIsNotLogged(t *testing.T) {
	w := embedded(t)
	w.Config.Scan.Recovery = schedule.Schedule{Frequency: time.Hour}
	create(t, w, "acme/cart", map[string]string{"catalog-info.yaml": component("cart", "before")})
	w.Start().Install("acme")
	w.Settled()
	before := closed(w, time.Time{})
	w.Stop()
	w.GitHub.SetDeliveryFaults(githubsim.DeliveryFaults{Lose: 1})
	commit(t, w, "acme/cart", map[string]*string{"catalog-info.yaml": new(component("cart", "after"))})
	w.Start()
	after := closed(w, before.Items[0].ReadAt)
	w.Settled()
	if after.Items[0].Found != before.Items[0].Found {
		t.Errorf("gaps %+v, before %+v", after, before)
	}
	description := func() string {
		e, err := w.Entity("component", "cart")
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(e.Metadata["description"])
	}
	if got := description(); got != "before" {
		t.Errorf("description is %q, and nobody told", got)
	}
	if status, answer := send(t, w, http.MethodPost, "/api/callboard/scans?owner=acme", ""); status != http.StatusAccepted {
		t.Fatalf("%d %s", status, answer)
	}
	w.Settled()
	if got := description(); got != "after" {
		t.Errorf("description is %q after a scan", got)
	}
}

// A reader of the metrics sees how it stands.
func TestGapMetrics(t *testing.T) {
	w := embedded(t)
	w.Config.Scan.Recovery = schedule.Schedule{Frequency: time.Hour}
	w.Start()
	closed(w, time.Time{})
	_, text := send(t, w, http.MethodGet, "/metrics", "")
	for _, want := range []string{"callboard_gaps_open{", "callboard_gaps_proven_since_timestamp_seconds{", "callboard_gaps_read_timestamp_seconds{"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
}
