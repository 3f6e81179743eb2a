package scan

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/storage"
)

// tellEvery is how many pages there are to a line of the log.
const tellEvery = 10

// tell logs a step of a scan where somebody may want to know of it.
func (s *Step) tell(ctx context.Context, m move) {
	scan := m.scan
	attrs := append(about(scan), slog.Int("seen", scan.Seen), slog.Int("total", scan.Total), slog.Int("changed", scan.Changed),
		slog.Int("missing", scan.Missing), slog.Int("failed", scan.Failed), slog.Int("requests", scan.Requests))
	if scan.Error != "" {
		attrs = append(attrs, slog.String(event.LogError, scan.Error))
	}
	took := slog.Int64(event.LogDuration, scan.FinishedAt.Sub(scan.StartedAt).Milliseconds())
	switch {
	case scan.State == storage.ScanPaused:
		s.log.ErrorContext(ctx, "scan paused", attrs...)
	case scan.State == storage.ScanFailed:
		s.log.ErrorContext(ctx, "scan failed", append(attrs, took)...)
	case scan.State == storage.ScanDone:
		s.log.InfoContext(ctx, "scan done", append(attrs, took, slog.Int("removed", scan.Removing))...)
	case scan.Retries == 1:
		s.log.WarnContext(ctx, "scan waits", attrs...)
	case len(m.results) > 0 && scan.Pages%tellEvery == 0:
		s.log.InfoContext(ctx, "scan", attrs...)
	}
}

func about(s storage.Scan) []any {
	return []any{slog.String("scan", s.ID), slog.String("account", s.Owner), slog.String("host", s.Host)}
}

// metrics counts pages and repositories; the rest is read when it is scraped.
type metrics struct {
	store        storage.Reader
	pages        prometheus.Counter
	repositories *prometheus.CounterVec
	scans        *prometheus.Desc
	complete     *prometheus.Desc
}

func newMetrics(store storage.Reader, reg prometheus.Registerer) *metrics {
	m := &metrics{
		store: store,
		pages: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "callboard_scan_pages_total", Help: "Pages of repositories that scans have read.",
		}),
		repositories: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "callboard_scan_repositories_total", Help: "Repositories that scans have compared, by result.",
		}, []string{"result"}),
		scans: prometheus.NewDesc("callboard_scan_scans", "Scans that run, and that wait for approval.", []string{"state"}, nil),
		complete: prometheus.NewDesc("callboard_scan_last_complete_timestamp_seconds",
			"When the last complete scan began, of the account where that is longest ago.", nil, nil),
	}
	for _, result := range []string{resultNew, resultChanged, resultUnchanged, resultSkipped, resultMissing} {
		m.repositories.WithLabelValues(result)
	}
	if reg != nil {
		reg.MustRegister(m.pages, m.repositories, m)
	}
	return m
}

func (m *metrics) count(mv move) {
	if mv.results == nil {
		return
	}
	m.pages.Inc()
	for result, n := range mv.results {
		m.repositories.WithLabelValues(result).Add(float64(n))
	}
}

// scraped is how many scans of a state are read for a scrape.
const scraped = 5000

// Describe is part of prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- m.scans
	ch <- m.complete
}

// Collect is part of prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second) // the interface has no context
	defer cancel()
	for _, state := range []storage.ScanState{storage.ScanRunning, storage.ScanPaused} {
		// There are few: one of each kind for an account.
		all, err := m.store.Scans(ctx, storage.ScanFilter{State: state, Limit: scraped})
		if err != nil {
			ch <- prometheus.NewInvalidMetric(m.scans, err)
			return
		}
		ch <- prometheus.MustNewConstMetric(m.scans, prometheus.GaugeValue, float64(len(all)), string(state))
	}
	done, err := m.store.Scans(ctx, storage.ScanFilter{State: storage.ScanDone, Kind: storage.ScanRepositories, Limit: scraped})
	if err != nil {
		ch <- prometheus.NewInvalidMetric(m.complete, err)
		return
	}
	last := map[string]time.Time{}
	for _, s := range done { // newest first
		account := event.ScanKey(event.Scan{Host: s.Host, Owner: s.Owner})
		if _, newer := last[account]; !newer && s.Complete() {
			last[account] = s.StartedAt
		}
	}
	var oldest time.Time
	for _, at := range last {
		if oldest.IsZero() || at.Before(oldest) {
			oldest = at
		}
	}
	if !oldest.IsZero() {
		ch <- prometheus.MustNewConstMetric(m.complete, prometheus.GaugeValue, float64(oldest.UnixMilli())/1000)
	}
}
