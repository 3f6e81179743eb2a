package recovery

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/callboard/callboard/pipeline/gap"
	"github.com/callboard/callboard/storage"
)

// metrics count what this process found and did. How it stands is asked of the
// database when somebody looks, because another process may have done it.
type metrics struct {
	found, redelivered, recovered, lost *prometheus.CounterVec
}

func newMetrics(store storage.Reader, reg prometheus.Registerer) *metrics {
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "callboard_gaps_" + name + "_total", Help: help}, appLabels)
	}
	m := &metrics{
		found:       counter("found", "Webhooks that GitHub sent and that did not arrive."),
		redelivered: counter("redelivered", "Requests to GitHub to send one again."),
		recovered:   counter("recovered", "Webhooks that arrived after all."),
		lost:        counter("lost", "Webhooks that GitHub does not have any more."),
	}
	if reg != nil {
		reg.MustRegister(m.found, m.redelivered, m.recovered, m.lost, newStanding(store))
	}
	return m
}

// read makes the series of an App appear before anything is missing.
func (m *metrics) read(a gap.App) {
	for _, c := range []*prometheus.CounterVec{m.found, m.redelivered, m.recovered, m.lost} {
		c.WithLabelValues(labels(a)...)
	}
}

var appLabels = []string{"host", "app"}

// standing is how it stands, from the database.
type standing struct {
	store             storage.Reader
	open, since, read *prometheus.Desc
}

func newStanding(store storage.Reader) *standing {
	gauge := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("callboard_gaps_"+name, help, appLabels, nil)
	}
	return &standing{
		store: store,
		open:  gauge("open", "Webhooks that have not arrived yet."),
		since: gauge("proven_since_timestamp_seconds", "Since when it is proven that no others are missing."),
		read:  gauge("read_timestamp_seconds", "When GitHub's delivery log was last read."),
	}
}

// Describe is part of prometheus.Collector.
func (s *standing) Describe(ch chan<- *prometheus.Desc) {
	ch <- s.open
	ch <- s.since
	ch <- s.read
}

// Collect is part of prometheus.Collector.
func (s *standing) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second) // the interface has no context
	defer cancel()
	apps, err := gap.Read(ctx, s.store)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(s.open, err)
		return
	}
	for _, a := range apps {
		for desc, value := range map[*prometheus.Desc]float64{
			s.open: float64(len(a.Open)), s.since: unix(a.Since), s.read: unix(a.ReadAt),
		} {
			ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels(a)...)
		}
	}
}

// unix is 0 for what was never.
func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
