package middleware_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/callboard/callboard/handlers/middleware"
)

func get(t *testing.T, h http.Handler, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("GET", "/some/path", nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func answer(n int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("ETag", `W/"a"`)
		_, _ = io.WriteString(w, strings.Repeat("x", n))
	})
}

func TestChain(t *testing.T) {
	t.Parallel()
	var got []string
	mark := func(name string) middleware.Middleware {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got = append(got, name); next.ServeHTTP(w, r) })
		}
	}
	get(t, middleware.Chain(answer(1), mark("a"), mark("b")))
	if strings.Join(got, "") != "ab" {
		t.Errorf("order %v", got)
	}
}

func TestCompress(t *testing.T) {
	t.Parallel()
	h := middleware.Compress(answer(10_000))
	w := get(t, h, "Accept-Encoding", "gzip, zstd")
	if w.Header().Get("Content-Encoding") != "gzip" || w.Header().Get("ETag") != `W/"a"` || w.Header().Get("Vary") != "Accept-Encoding" {
		t.Fatalf("headers %v", w.Header())
	}
	zr, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(zr); err != nil || len(b) != 10_000 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if w := get(t, h); w.Header().Get("Content-Encoding") != "" || w.Body.Len() != 10_000 {
		t.Errorf("compressed for a client that did not ask")
	}
	if w := get(t, middleware.Compress(answer(100)), "Accept-Encoding", "gzip"); w.Header().Get("Content-Encoding") != "" {
		t.Error("a small answer was compressed")
	}
}

func TestRecover(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	w := get(t, middleware.Recover(logger)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret") })))
	if w.Code != 500 || strings.Contains(w.Body.String(), "secret") || !strings.Contains(log.String(), "secret") {
		t.Errorf("%d %s; log %s", w.Code, w.Body, log.String())
	}
	defer func() {
		if v := recover(); v != http.ErrAbortHandler { //nolint:errorlint // the very value is wanted
			t.Errorf("an asked-for abort became %v", v)
		}
	}()
	get(t, middleware.Recover(logger)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })))
}

func TestObserve(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	metrics := prometheus.NewRegistry()
	logger := slog.New(slog.NewTextHandler(&log, nil))
	mux := http.NewServeMux()
	mux.Handle("GET /some/{what}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Fail") != "" {
			w.WriteHeader(http.StatusTeapot)
		}
		_, _ = io.WriteString(w, "four")
	}))
	mux.Handle("GET /own", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	h := middleware.Observe(logger, metrics, "GET /own")(mux)
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/own", nil))
	if log.Len() > 0 {
		t.Errorf("a second line for a handler that writes its own: %s", log.String())
	}
	get(t, h)
	if log.Len() > 0 {
		t.Errorf("a good request is logged at info level: %s", log.String())
	}
	get(t, h, "Fail", "yes")
	for _, want := range []string{"status=418", "bytes=4", "path=/some/path", "method=GET", "duration_ms="} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("log lacks %s: %s", want, log.String())
		}
	}
	text := get(t, promhttp.HandlerFor(metrics, promhttp.HandlerOpts{})).Body.String()
	for _, want := range []string{
		`callboard_http_request_duration_seconds_count{route="GET /some/{what}",status="2xx"} 1`,
		`callboard_http_request_duration_seconds_count{route="GET /some/{what}",status="4xx"} 1`,
		`callboard_http_request_duration_seconds_count{route="GET /own",status="4xx"} 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	h := get(t, middleware.SecurityHeaders(answer(1))).Header()
	if h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") ||
		h.Get("X-Frame-Options") != "DENY" || h.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("headers %v", h)
	}
}
