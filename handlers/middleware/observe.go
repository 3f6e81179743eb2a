package middleware

import (
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/callboard/callboard/pipeline/event"
)

// Observe writes one log line and one observation for each request. The label
// is the pattern of the route, so that there are as many series as routes.
// What went well is logged at debug level: the metrics count it. Handlers under
// one of the patterns in ownLine write the request's one line themselves.
func Observe(log *slog.Logger, metrics prometheus.Registerer, ownLine ...string) Middleware {
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "callboard_http_request_duration_seconds",
		Help:    "How long requests took, by route and status class.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
	}, []string{"route", "status"})
	metrics.MustRegister(seconds)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			rec := &recorder{ResponseWriter: w, status: http.StatusOK}
			next.ServeHTTP(rec, r)
			took := time.Since(start)
			seconds.WithLabelValues(r.Pattern, strconv.Itoa(rec.status/100)+"xx").Observe(took.Seconds())
			level := levelOf(rec.status)
			if slices.Contains(ownLine, r.Pattern) || !log.Enabled(r.Context(), level) {
				return
			}
			log.LogAttrs(r.Context(), level, "request",
				slog.String("method", r.Method),
				slog.String("path", bounded(r.URL.Path)),
				slog.Int("status", rec.status),
				slog.Int64("bytes", rec.bytes),
				slog.Float64(event.LogDuration, float64(took.Microseconds())/1000))
		})
	}
}

func levelOf(status int) slog.Level {
	switch {
	case status >= 500:
		return slog.LevelWarn // the cause has a line of its own
	case status >= 400:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// bounded keeps a caller from filling the log.
func bounded(path string) string {
	const most = 256
	if len(path) > most {
		return strings.ToValidUTF8(path[:most], "") + "…"
	}
	return path
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
	wrote  bool
}

func (r *recorder) WriteHeader(status int) {
	if !r.wrote {
		r.status, r.wrote = status, true
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	r.wrote = true
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Flush lets streams through; compression looks for it here.
func (r *recorder) Flush() {
	r.wrote = true
	_ = http.NewResponseController(r.ResponseWriter).Flush() // the next write fails, if this did
}

// Unwrap gives http.ResponseController the writer beneath.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
