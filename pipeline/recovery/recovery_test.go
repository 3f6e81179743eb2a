package recovery_test

import (
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/callboard/callboard/pipeline/gap"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/recovery"
	"github.com/callboard/callboard/storage/sqlite"
	"github.com/callboard/callboard/test/githubsim"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// go-github puts a copy in the place of the body of a refusal and never closes
		// the body, so the timer of the request goes on until it is over.
		goleak.IgnoreAnyFunction("net/http.setRequestCancel.func4"))
}

// On the very first start the scan sees everything, so nothing is missing.
func TestTheFirstStartBeginsTheProof(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.down()
	w.push(2)
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "empty.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	w.store = store
	w.detector = recovery.New(w.config, store, w.clients, slog.New(slog.DiscardHandler), nil)
	w.run()
	if a := w.want(0, 0, 0, 0, 0); !a.Since.Equal(w.clock()) {
		t.Errorf("no gaps since %s, want %s", a.Since, w.clock())
	}
	w.pass(time.Minute)
	w.run() // what was sent before is still nobody's loss
	if n := w.scans(); n != 0 {
		t.Errorf("%d scans are asked for", n)
	}
}

// An installation that was there before the detector is looked through as far back as the log goes.
func TestTheFirstReadingOfAnOldInstallation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.down()
	w.push(2)
	w.up()
	w.pass(time.Hour)
	w.run()
	w.run()
	if a := w.want(2, 2, 2, 0, 0); !a.Since.Equal(w.clock().Add(-3 * day)) {
		t.Errorf("no gaps since %s", a.Since)
	}
}

func TestAnOutageIsRecovered(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		length time.Duration
	}{
		{"of minutes", 10 * time.Minute},
		{"of nearly three days", 3*day - time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.run()
			since := w.state().Since
			w.pass(time.Minute)
			w.down()
			w.push(3)
			w.pass(tt.length)
			w.up()
			w.run()
			w.want(3, 3, 0, 0, 3)
			live, err := gap.Read(t.Context(), w.store)
			if err != nil {
				t.Fatal(err)
			}
			if at, ok := gap.NoneSince(live); !ok || !at.Equal(since) || w.arrived() != 3 {
				t.Errorf("no gaps since %s, %t, and %d arrived; want %s", at, ok, w.arrived(), since)
			}
			w.pass(5 * time.Minute)
			w.run()
			if a := w.want(3, 3, 3, 0, 0); !a.Since.Equal(since) || w.scans() != 0 {
				t.Errorf("no gaps since %s, %d scans", a.Since, w.scans())
			}
			for _, want := range []string{"webhooks did not arrive", "found=3", "all webhooks that were missing have arrived"} {
				if !strings.Contains(w.log.String(), want) {
					t.Errorf("the log lacks %q:\n%s", want, w.log.String())
				}
			}
		})
	}
}

// What GitHub does not have any more, a scan repairs.
func TestAnOutageBeyondTheWindow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.run()
	w.down()
	w.push(2)
	w.pass(4*day - time.Minute)
	w.push(1)
	w.pass(time.Minute)
	w.up()
	w.run()
	a := w.want(1, 1, 0, 0, 1)
	if !a.Since.Equal(w.clock()) || !strings.Contains(a.Broken, "GitHub keeps it for 72h") || w.scans() != 1 {
		t.Errorf("no gaps since %s, broken by %q, %d scans", a.Since, a.Broken, w.scans())
	}
	if !strings.Contains(w.log.String(), "level=ERROR") || !strings.Contains(w.log.String(), "a full scan repairs the catalog") {
		t.Errorf("the log does not tell:\n%s", w.log.String())
	}
	w.pass(5 * time.Minute)
	w.run()
	w.want(1, 1, 1, 0, 0)
	if w.scans() != 1 {
		t.Errorf("%d scans are asked for", w.scans())
	}
}

// Deliveries that GitHub does not log are beyond the detector.
func TestWhatIsNotInTheLogIsNotSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.run()
	w.sim.SetDeliveryFaults(githubsim.DeliveryFaults{Lose: 1})
	w.push(1)
	w.run()
	w.want(0, 0, 0, 0, 0)
}

func TestALogThatWasCutBreaksTheProof(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, githubsim.WithDeliveryLog(2))
	w.run()
	w.pass(time.Minute)
	w.push(1)
	w.run()
	if a := w.state(); a.Broken != "" || w.scans() != 0 {
		t.Fatalf("broken by %q", a.Broken)
	}
	w.pass(time.Minute)
	w.push(3)
	w.run()
	if a := w.want(0, 0, 0, 0, 0); !strings.Contains(a.Broken, "lacks what it had until") || w.scans() != 1 {
		t.Errorf("broken by %q, %d scans", a.Broken, w.scans())
	}
	w.pass(10 * time.Minute) // and again: one scan an hour is enough, but it comes
	w.push(3)
	w.run()
	if n := w.scans(); n != 1 || !w.state().ScanOwed {
		t.Errorf("%d scans within the hour", n)
	}
	w.pass(time.Hour)
	w.run()
	if n := w.scans(); n != 2 || w.state().ScanOwed {
		t.Errorf("%d scans after the hour", n)
	}
}

// Quiet days cost one request a reading, and prove as much.
func TestQuietDays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.run()
	since := w.state().Since
	for range 5 {
		w.pass(day)
		w.sim.ResetRequests()
		w.run()
		if n := w.requests(); n != 1 {
			t.Errorf("a reading costs %d requests", n)
		}
	}
	if a := w.want(0, 0, 0, 0, 0); !a.Since.Equal(since) {
		t.Errorf("no gaps since %s, want %s: %s", a.Since, since, a.Broken)
	}
}

func TestALongLogIsReadToWhereTheLastReadingBegan(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.push(120)
	w.run()
	w.pass(time.Hour)
	w.push(105)
	w.pass(time.Hour)
	w.push(5)
	w.run()
	w.pass(time.Minute)
	w.sim.ResetRequests()
	w.run()
	if n := w.requests(); n != 1 {
		t.Errorf("a reading costs %d requests, want one of 100", n)
	}
	w.want(0, 0, 0, 0, 0)
}

// An answer may have come from something in between, or the database is an older copy.
func TestWhatSomebodyElseAcceptedIsMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.run()
	w.answer.Store(http.StatusOK)
	w.push(2)
	w.up()
	w.run()
	w.pass(5 * time.Minute)
	w.run()
	w.want(2, 2, 2, 0, 0)
}

// What the inbox may have forgotten is no gap, unless GitHub says that it failed.
func TestTheInboxForgets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *recovery.Config) { c.Retention = time.Hour })
	w.run()
	w.answer.Store(http.StatusOK)
	w.push(2)
	w.down()
	w.push(1)
	w.up()
	w.pass(2 * time.Hour)
	w.run()
	w.want(1, 1, 0, 0, 1)
}

// While the receiver is down, asking is pointless; afterwards everything comes.
func TestNoStormWhileTheReceiverIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.run()
	w.down()
	w.push(15)
	w.run()
	w.want(15, 15, 0, 0, 15)
	w.pass(time.Minute)
	w.run() // too early
	w.want(15, 15, 0, 0, 15)
	w.pass(10 * time.Minute)
	w.run() // a few are enough to hear whether it is up
	w.want(15, 25, 0, 0, 15)
	w.up()
	w.pass(time.Hour)
	w.run()
	w.want(15, 35, 0, 0, 15)
	w.pass(time.Minute)
	w.run()
	w.want(15, 40, 10, 0, 5)
	w.pass(time.Minute)
	w.run()
	w.want(15, 40, 15, 0, 0)
}

// One that is never taken in ends with a scan, and stands in nobody's way.
func TestADeliveryThatIsAlwaysRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.run()
	w.refuse.Store("poison")
	if _, err := w.sim.Commit("acme/cart", "main", "poison", map[string]*string{"a.txt": new(string)}); err != nil {
		t.Fatal(err)
	}
	w.sent()
	for range 80 {
		w.run()
		w.pass(time.Hour)
	}
	a := w.state()
	if a.Found != 1 || a.Lost != 1 || a.Recovered != 0 || len(a.Open) != 0 || w.scans() != 1 {
		t.Errorf("found %d, lost %d, recovered %d, open %d, %d scans", a.Found, a.Lost, a.Recovered, len(a.Open), w.scans())
	}
	if a.Redelivered < 8 || a.Redelivered > 24 {
		t.Errorf("it was asked for %d times in three days", a.Redelivered)
	}
	w.refuse.Store("nothing of this")
	w.down()
	w.push(1)
	w.up()
	w.run()
	w.run()
	w.want(2, a.Redelivered+1, 1, 1, 0)
}

func TestGitHubRefusesToSendAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.run()
	w.down()
	w.push(2)
	w.up()
	w.sim.Inject(githubsim.Fault{Match: "POST /app/hook/deliveries/*", Status: http.StatusUnprocessableEntity, Times: 1})
	w.run()
	if a := w.want(2, 1, 0, 1, 1); w.scans() != 1 || !a.Since.Equal(w.clock()) {
		t.Errorf("%d scans, no gaps since %s", w.scans(), a.Since)
	}
}

func TestGitHubHasNoTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.run()
	w.down()
	w.push(2)
	w.up()
	w.sim.Inject(githubsim.SecondaryLimit("POST /app/hook/deliveries/*", http.StatusForbidden, time.Minute))
	if err := w.detector.Run(t.Context()); err == nil {
		t.Error("a limit is no error")
	}
	w.want(2, 0, 0, 0, 2) // found, and nothing counts as asked
}

func TestGitHubIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.run()
	readAt := w.state().ReadAt
	w.sim.Inject(githubsim.Fault{Match: "GET /app/hook/deliveries", Status: http.StatusBadGateway})
	for _, after := range []time.Duration{time.Hour, 2 * day} {
		w.pass(after)
		if err := w.detector.Run(t.Context()); err == nil {
			t.Error("an unread log is no error")
		}
		if a := w.state(); !a.ReadAt.Equal(readAt) || a.Error == "" || !a.FailedAt.Equal(w.clock()) {
			t.Errorf("state %+v", a)
		}
		late := strings.Contains(w.log.String(), "soon GitHub will not send missing webhooks again")
		if late != (after == 2*day) {
			t.Errorf("after %s:\n%s", after, w.log.String())
		}
	}
	w.sim.ClearFaults()
	w.run()
	if a := w.state(); a.Error != "" || !a.FailedAt.IsZero() || a.Broken != "" {
		t.Errorf("state %+v", a)
	}
}

func TestJobs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	jobs, err := w.detector.Jobs(t.Context())
	if err != nil || len(jobs) != 1 || !jobs[0].OnStart || jobs[0].Schedule.Frequency != 5*time.Minute {
		t.Errorf("jobs are %+v, %v", jobs, err)
	}
	none, err := githubapp.New([]githubapp.Host{{Host: "github.com", Token: "t"}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	jobs, err = recovery.New(recovery.Config{Hosts: []string{"github.com"}}, w.store, none, slog.Default(), nil).Jobs(t.Context())
	if len(jobs) != 0 || err != nil {
		t.Errorf("without an App there are jobs: %v, %v", jobs, err)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.run()
	w.down()
	w.push(2)
	w.run()
	families, err := w.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			got[f.GetName()] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	now := float64(w.clock().Unix())
	want := map[string]float64{
		"callboard_gaps_found_total": 2, "callboard_gaps_redelivered_total": 2, "callboard_gaps_recovered_total": 0,
		"callboard_gaps_lost_total": 0, "callboard_gaps_open": 2, "callboard_gaps_read_timestamp_seconds": now,
		"callboard_gaps_proven_since_timestamp_seconds": now - (3 * day).Seconds(),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

func TestOneAppDoesNotHideAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *recovery.Config) { c.Hosts = append([]string{"ghe.invalid"}, c.Hosts...) })
	broken := alsoBroken{w.clients}
	w.detector = recovery.New(w.config, w.store, broken, slog.New(slog.DiscardHandler), nil)
	err := w.detector.Run(t.Context())
	if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "app 7 on ghe.invalid") {
		t.Errorf("error is %v", err)
	}
	apps, err := gap.Load(t.Context(), w.store)
	if err != nil || len(apps) != 2 || apps[0].Error == "" || apps[1].ReadAt.IsZero() {
		t.Errorf("apps are %+v, %v", apps, err)
	}
	if _, ok := gap.NoneSince(apps); ok {
		t.Error("an App that was never read is proven")
	}
}

// A log that is dated wrongly for a moment hides nothing of what comes after.
func TestAnEntryOfTheFuture(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		rely func(*world) // what the detector goes by, when the clocks are right again
	}{
		{"GitHub's clock was ahead", func(w *world) { w.pass(-day); w.run() }},
		{"all clocks were ahead", func(w *world) { w.run(); w.pass(-day); w.run() }},
		{"at the first start", func(w *world) {
			store, err := sqlite.Open(w.Context(), filepath.Join(w.TempDir(), "empty.db"))
			if err != nil {
				w.Fatal(err)
			}
			w.Cleanup(func() { _ = store.Close() })
			w.pass(-day)
			d := recovery.New(w.config, store, w.clients, slog.New(slog.DiscardHandler), nil)
			if err := d.Run(w.Context()); err != nil {
				w.Fatal(err)
			}
			apps, err := gap.Load(w.Context(), store)
			if err != nil || apps[0].Newest.After(w.clock()) {
				w.Errorf("the newest is %s, %v", apps[0].Newest, err)
			}
			w.run()
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.run()
			w.pass(time.Minute)
			w.pass(day)
			w.push(1)
			tt.rely(w)
			w.pass(10 * time.Minute)
			w.down()
			w.push(3)
			w.up()
			w.pass(10 * time.Minute)
			w.run()
			if a := w.want(3, 3, 0, 0, 3); a.Newest.After(w.clock()) || a.Broken != "" {
				t.Errorf("the newest is %s, now it is %s; broken %q", a.Newest, w.clock(), a.Broken)
			}
			w.run()
			w.want(3, 3, 3, 0, 0)
		})
	}
}
