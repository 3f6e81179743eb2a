package githubapp

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// collector shows the budgets to Prometheus when it asks. The labels are bounded
// by the installations; the account is left out, because it can be renamed.
type collector struct {
	budgets                                     func() []Budget
	limit, remaining, reserve, spent, postponed *prometheus.Desc
	blocked, running, waiting                   *prometheus.Desc
}

// NewCollector makes the collector of the budgets; cmd/app registers it.
func NewCollector(c *Clients) prometheus.Collector {
	of := []string{"host", "credential", "id"}
	desc := func(name, help string, more ...string) *prometheus.Desc {
		return prometheus.NewDesc("callboard_githubapp_"+name, help, append(of[:3:3], more...), nil)
	}
	return &collector{
		budgets:   c.Budgets,
		limit:     desc("budget_limit_points", "What GitHub gives in an hour.", "resource"),
		remaining: desc("budget_remaining_points", "What is left of it.", "resource"),
		reserve:   desc("budget_reserve_points", "What is kept for pushes.", "resource"),
		spent:     desc("spent_points_total", "What was spent, by purpose.", "purpose"),
		postponed: desc("postponed_requests_total", "Requests that were told to come again, by purpose.", "purpose"),
		blocked:   desc("blocked_until_timestamp_seconds", "The end of a secondary rate limit, 0 without one."),
		running:   desc("running_requests", "Requests under way."),
		waiting:   desc("waiting_requests", "Requests that wait for others to end."),
	}
}

// Describe is part of prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.limit, c.remaining, c.reserve, c.spent, c.postponed, c.blocked, c.running, c.waiting} {
		ch <- d
	}
}

// Collect is part of prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	for _, b := range c.budgets() {
		of := []string{b.Host, b.Credential, strconv.FormatInt(b.ownID(), 10)}
		tell := func(d *prometheus.Desc, t prometheus.ValueType, v float64, more ...string) {
			ch <- prometheus.MustNewConstMetric(d, t, v, append(of[:3:3], more...)...)
		}
		for _, r := range b.Resources {
			if r.Limit > 0 {
				tell(c.limit, prometheus.GaugeValue, float64(r.Limit), r.Name)
				tell(c.remaining, prometheus.GaugeValue, float64(r.Remaining), r.Name)
				tell(c.reserve, prometheus.GaugeValue, float64(r.Reserve), r.Name)
			}
		}
		for _, p := range Purposes() {
			tell(c.spent, prometheus.CounterValue, float64(b.Total[p]), string(p))
			tell(c.postponed, prometheus.CounterValue, float64(b.Postponed[p]), string(p))
		}
		until := 0.0
		if !b.BlockedUntil.IsZero() {
			until = float64(b.BlockedUntil.Unix())
		}
		tell(c.blocked, prometheus.GaugeValue, until)
		tell(c.running, prometheus.GaugeValue, float64(b.Running))
		tell(c.waiting, prometheus.GaugeValue, float64(b.Waiting))
	}
}

// ownID is the id of what the credential stands for: 0 for a token.
func (b Budget) ownID() int64 {
	if b.InstallationID != 0 {
		return b.InstallationID
	}
	return b.AppID
}
