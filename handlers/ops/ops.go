// Package ops answers those who run Callboard: is it alive, is it ready, how
// much of everything. It decides nothing and shows no content.
package ops

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/storage/view"
)

// pingLimit is how long the database may take to answer a readiness probe.
const pingLimit = 2 * time.Second

// Pinger is the database, as far as readiness needs it.
type Pinger interface {
	Ping(ctx context.Context) error
}

// API holds the handlers.
type API struct {
	store Pinger
	view  *view.View
	log   *slog.Logger
	text  http.Handler
}

// New makes the handlers and registers what they measure.
func New(store Pinger, v *view.View, metrics *prometheus.Registry, version string, log *slog.Logger) *API {
	metrics.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "callboard_build_info", Help: "Always 1; the label says which build runs.",
			ConstLabels: prometheus.Labels{"version": version},
		}, func() float64 { return 1 }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "callboard_view_entities", Help: "Entities that are served.",
		}, func() float64 { return float64(v.Len()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "callboard_view_revision", Help: "Catalog revision that is served.",
		}, func() float64 { return float64(v.Revision()) }),
	)
	return &API{store: store, view: v, log: log, text: promhttp.HandlerFor(metrics, promhttp.HandlerOpts{})}
}

type health struct {
	Status  string `json:"status"`
	Message string `json:"message,omitempty"`
}

// Liveness is GET /.backstage/health/v1/liveness: the process answers.
func (a *API) Liveness(w http.ResponseWriter, r *http.Request) error {
	return respond.JSON(w, r, http.StatusOK, health{Status: "ok"})
}

// Readiness is GET /.backstage/health/v1/readiness: the catalog is loaded and
// the database answers. What is wrong with the database goes to the log.
func (a *API) Readiness(w http.ResponseWriter, r *http.Request) error {
	select {
	case <-a.view.Ready():
	default:
		return respond.JSON(w, r, http.StatusServiceUnavailable, health{"error", "the catalog is not loaded yet"})
	}
	ctx, cancel := context.WithTimeout(r.Context(), pingLimit)
	defer cancel()
	if err := a.store.Ping(ctx); err != nil {
		a.log.WarnContext(r.Context(), "database does not answer", slog.Any(event.LogError, err))
		return respond.JSON(w, r, http.StatusServiceUnavailable, health{"error", "the database does not answer"})
	}
	return respond.JSON(w, r, http.StatusOK, health{Status: "ok"})
}

// Metrics is GET /metrics, in Prometheus' text format.
func (a *API) Metrics(w http.ResponseWriter, r *http.Request) { a.text.ServeHTTP(w, r) }
