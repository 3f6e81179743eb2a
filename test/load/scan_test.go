package load

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/test/harness"
)

// latency is what a request to GitHub takes in the measurements of scans.
const latency = 50 * time.Millisecond

// BenchmarkScan is an organization that the App is installed on, found by a
// scan, and then scanned again without anything having changed.
func BenchmarkScan(b *testing.B) {
	for _, repos := range []int{1000, 5000} {
		b.Run(fmt.Sprint(repos), func(b *testing.B) {
			each(b, func(b *testing.B, w *harness.World) {
				repositories(b, w, repos)
				w.GitHub.SetLatency(latency)
				p := w.Process()
				w.GitHub.ResetRequests()
				began, used := time.Now(), cpu(p.PID())
				w.Install("acme")
				within(b, w, repos)
				what := fmt.Sprintf("scan of %d new repositories, %d entities, at %s a request", repos, 2*repos, ms(latency))
				record(b, what, fmt.Sprintf("%.1f s, %.1f CPU s, %d GitHub requests",
					time.Since(began).Seconds(), (cpu(p.PID())-used).Seconds(), requests(w)))
				if n := requests(w); repos == 1000 && n > 60 {
					b.Errorf("%d requests; 60 were promised", n)
				}
				if repos == 5000 {
					unchangedOrg(b, w, p)
				}
			})
		})
	}
}

// unchangedOrg measures a scan that finds nothing, and then doing nothing.
func unchangedOrg(b *testing.B, w *harness.World, p *harness.Process) {
	w.Settled()
	store := database(b, w)
	defer store.Close()
	before, err := store.Repositories(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	w.GitHub.ResetRequests()
	began, used := time.Now(), cpu(p.PID())
	if err := w.Post("/api/callboard/scans"); err != nil {
		b.Fatal(err)
	}
	scan := scanned(b, w)
	if scan.Changed != 0 || scan.Missing != 0 {
		b.Errorf("an unchanged organization: %+v", scan)
	}
	record(b, "scan of 5,000 unchanged repositories", fmt.Sprintf("%.1f s, %.2f CPU s, %d GitHub requests",
		time.Since(began).Seconds(), (cpu(p.PID())-used).Seconds(), requests(w)))
	w.Settled()
	if n := requests(w); n > 55 {
		b.Errorf("%d requests; 55 were promised", n)
	}
	after, err := store.Repositories(b.Context())
	if diff := cmp.Diff(before, after); err != nil || diff != "" {
		b.Errorf("rows of repositories were written: %v\n%s", err, diff)
	}
	w.GitHub.ResetRequests()
	used = cpu(p.PID())
	const idle = 20 * time.Second
	time.Sleep(idle) // an idle stretch is what is measured
	share := float64(cpu(p.PID())-used) / float64(idle) * 100
	record(b, "idle, 5,000 repositories", fmt.Sprintf("%.2f %% of a CPU, %d GitHub requests", share, requests(w)))
}

// within waits until all entities are served, those of the generated Locations too.
func within(b *testing.B, w *harness.World, repos int) {
	b.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	var s struct{ Entities, Repositories, Backlog int }
	for time.Now().Before(deadline) {
		if err := w.Get("/api/callboard/status", &s); err == nil && s.Entities >= 3*repos {
			return
		}
		time.Sleep(20 * time.Millisecond) // often enough for a figure in tenths of a second
	}
	b.Fatalf("not complete after five minutes: %+v", s)
}

// scanned waits for the newest scan to end.
func scanned(b *testing.B, w *harness.World) (scan struct {
	State                    string
	Changed, Missing, Failed int
}) {
	b.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	for time.Now().Before(deadline) {
		list := struct {
			Items []struct {
				State                    string
				Changed, Missing, Failed int
			}
		}{}
		if err := w.Get("/api/callboard/scans?limit=1", &list); err != nil {
			b.Fatal(err)
		}
		if len(list.Items) == 1 && list.Items[0].State != "running" {
			return list.Items[0]
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.Fatal("the scan does not end")
	return scan
}

func requests(w *harness.World) (total int) {
	for _, n := range w.GitHub.Requests() {
		total += n.Total
	}
	return total
}
