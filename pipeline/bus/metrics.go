package bus

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/callboard/callboard/storage"
)

// What became of a wake-up.
const (
	wakePublished = "published"
	wakeLocal     = "local"
	wakeDropped   = "dropped"
	wakeMalformed = "malformed"
)

type metrics struct {
	messages *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	wakeups  *prometheus.CounterVec
	swept    prometheus.Counter
}

func newMetrics(store storage.Store, now func() time.Time, reg prometheus.Registerer) *metrics {
	m := &metrics{
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "callboard_bus_messages_total",
			Help: "Messages of finished runs by topic and result.",
		}, []string{"topic", "result"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "callboard_bus_run_seconds",
			Help:    "Duration of one plan and apply.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"topic"}),
		wakeups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "callboard_bus_wakeups_total",
			Help: "Wake-ups: published, kept local because the transport was away, dropped, malformed.",
		}, []string{"result"}),
		swept: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "callboard_bus_swept_messages_total",
			Help: "Messages that the sweeper brought back.",
		}),
	}
	for _, r := range []string{wakePublished, wakeLocal, wakeDropped, wakeMalformed} {
		m.wakeups.WithLabelValues(r)
	}
	if reg != nil {
		if now == nil {
			now = time.Now
		}
		reg.MustRegister(m.messages, m.seconds, m.wakeups, m.swept, newBacklog(store, now))
	}
	return m
}

// initTopic makes the series of a topic appear before anything happened.
func (m *metrics) initTopic(topic string) {
	for _, result := range []string{
		string(storage.DeliveryApplied), string(storage.DeliveryUnchanged), string(storage.DeliveryIgnored),
		resultContinued, resultRetry, resultPostponed, resultParked,
	} {
		m.messages.WithLabelValues(topic, result)
	}
	m.seconds.WithLabelValues(topic)
}

func (m *metrics) handled(topic, result string, n int) {
	m.messages.WithLabelValues(topic, result).Add(float64(n))
}

func (m *metrics) run(topic string, d time.Duration) {
	m.seconds.WithLabelValues(topic).Observe(d.Seconds())
}

// backlog asks the database when it is scraped, so that it costs nothing in between.
type backlog struct {
	store   storage.Reader
	now     func() time.Time
	waiting *prometheus.Desc
	age     *prometheus.Desc
}

func newBacklog(store storage.Reader, now func() time.Time) *backlog {
	return &backlog{
		store:   store,
		now:     now,
		waiting: prometheus.NewDesc("callboard_bus_backlog_messages", "Messages neither done nor parked.", nil, nil),
		age:     prometheus.NewDesc("callboard_bus_backlog_oldest_seconds", "Age of the oldest of them.", nil, nil),
	}
}

// Describe is part of prometheus.Collector.
func (b *backlog) Describe(ch chan<- *prometheus.Desc) {
	ch <- b.waiting
	ch <- b.age
}

// Collect is part of prometheus.Collector.
func (b *backlog) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second) // the interface has no context
	defer cancel()
	n, oldest, err := b.store.MessageBacklog(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(b.waiting, err)
		return
	}
	age := 0.0
	if n > 0 {
		age = max(0, b.now().Sub(oldest).Seconds())
	}
	ch <- prometheus.MustNewConstMetric(b.waiting, prometheus.GaugeValue, float64(n))
	ch <- prometheus.MustNewConstMetric(b.age, prometheus.GaugeValue, age)
}
