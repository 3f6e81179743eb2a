package scan_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/scan"
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
	same(t, "metrics", map[string]float64{
		"callboard_scan_pages_total": 1, "callboard_scan_scans running": 1, "callboard_scan_scans paused": 0,
		"callboard_scan_repositories_total new": 0, "callboard_scan_repositories_total changed": 0,
		"callboard_scan_repositories_total unchanged": 2, "callboard_scan_repositories_total skipped": 0,
		"callboard_scan_repositories_total missing":      0,
		"callboard_scan_last_complete_timestamp_seconds": float64(began.Unix()),
	}, got)
}
