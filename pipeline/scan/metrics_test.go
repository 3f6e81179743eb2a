package scan_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/scan"
	"github.com/callboard/callboard/storage"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	f := setup(t)
	reg := prometheus.NewRegistry()
	f.step = scan.New(scan.Config{Policy: discovery.All(""), Now: func() time.Time { return f.now }}, f.store, f.github,
		slog.New(slog.DiscardHandler), reg)
	f.show(2)
	f.know(7)
	began := f.now
	f.proceed(f.start())
	f.now = f.now.Add(time.Hour)
	f.start()
	same(t, "metrics", map[string]float64{
		"callboard_scan_pages_total": 1, "callboard_scan_scans running": 1, "callboard_scan_scans paused": 0,
		"callboard_scan_repositories_total new": 0, "callboard_scan_repositories_total changed": 0,
		"callboard_scan_repositories_total unchanged": 2, "callboard_scan_repositories_total skipped": 0,
		"callboard_scan_repositories_total missing":      0,
		"callboard_scan_last_complete_timestamp_seconds": float64(began.Unix()),
	}, gathered(t, reg))
}

// What waits for approval is counted however many scans came after it.
func TestAPausedScanIsCountedForLong(t *testing.T) {
	t.Parallel()
	f := setup(t)
	reg := prometheus.NewRegistry()
	f.step = scan.New(scan.Config{Policy: discovery.All(""), Now: func() time.Time { return f.now }}, f.store, f.github,
		slog.New(slog.DiscardHandler), reg)
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		old := storage.Scan{ID: "paused", Kind: storage.ScanPeople, Host: host, Owner: "acme", State: storage.ScanPaused, StartedAt: f.now}
		if err := tx.PutScan(ctx, old); err != nil {
			return err
		}
		for i := range 1100 {
			at := f.now.Add(time.Duration(i+1) * time.Minute)
			s := storage.Scan{ID: fmt.Sprint(i), Kind: storage.ScanPeople, Host: host, Owner: "umbrella", State: storage.ScanDone, StartedAt: at, FinishedAt: at}
			if err := tx.PutScan(ctx, s); err != nil {
				return err
			}
		}
		return nil
	})
	if got := gathered(t, reg)["callboard_scan_scans paused"]; got != 1 {
		t.Errorf("%v scans are paused", got)
	}
}

// gathered are the values of all metrics, by name and label.
func gathered(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	got := map[string]float64{}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return got
}
