package handlers_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/callboard/callboard/handlers"
	"github.com/callboard/callboard/handlers/access"
	"github.com/callboard/callboard/handlers/webhook"
	"github.com/callboard/callboard/storage"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	f := setup(t) // not running yet
	if w := f.get("/.backstage/health/v1/liveness"); w.Code != 200 || w.Body.String() != `{"status":"ok"}` {
		t.Errorf("liveness: %d %s", w.Code, w.Body)
	}
	if w := f.get("/.backstage/health/v1/readiness"); w.Code != 503 || !strings.Contains(w.Body.String(), "not loaded") {
		t.Errorf("readiness before the load: %d %s", w.Code, w.Body)
	}
	f.run()
	if w := f.get("/.backstage/health/v1/readiness"); w.Code != 200 || w.Body.String() != `{"status":"ok"}` {
		t.Errorf("readiness: %d %s", w.Code, w.Body)
	}
	if err := f.store.Close(); err != nil {
		t.Fatal(err)
	}
	if w := f.get("/.backstage/health/v1/readiness"); w.Code != 503 || w.Body.String() != `{"status":"error","message":"the database does not answer"}` {
		t.Errorf("readiness without a database: %d %s", w.Code, w.Body)
	}
}

func TestDatabaseErrorsAreMasked(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	if err := f.store.Close(); err != nil {
		t.Fatal(err)
	}
	if w := f.get("/api/callboard/status"); w.Code != 500 || !strings.Contains(w.Body.String(), "An internal error occurred logId=") || strings.Contains(w.Body.String(), "sql") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := f.get("/api/catalog/entities"); w.Code != 200 {
		t.Errorf("reads of the catalog must not need the database: %d", w.Code)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	f.get("/api/catalog/entities")
	f.get("/no/such/path")
	body := f.get("/metrics").Body.String()
	for _, want := range []string{
		`callboard_build_info{version="v1<2>"} 1`, "callboard_view_entities 5", "callboard_view_revision ",
		`callboard_http_request_duration_seconds_count{route="GET /api/catalog/entities",status="2xx"} 1`,
		`callboard_http_request_duration_seconds_count{route="/",status="4xx"} 1`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}

func TestLanding(t *testing.T) {
	t.Parallel()
	f := setup(t, append(shop(), row("x:default/x", "x", `{"kind":"<b>&","metadata":{"name":"x"}}`))...)
	w := f.get("/")
	body := w.Body.String()
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	for _, want := range []string{"<h2>6 entities</h2>", "Version v1&lt;2&gt;", `>&lt;b&gt;&amp;</a>`, "kind=%3Cb%3E%26&amp;", `href="/api/callboard/status"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if strings.Contains(body, "<b>") {
		t.Error("a kind is not escaped")
	}
}

func TestWebhookRoutes(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	large := strings.Repeat("x", 2<<20) // beyond the cap of the APIs
	for _, path := range []string{"/api/events/http/github", "/webhooks/github", "/webhooks/github/", "/API/Events/http/GitHub", "/Webhooks/GitHub"} {
		if w := f.do("POST", path, large, "Sec-Fetch-Site", "cross-site"); w.Code != 202 {
			t.Errorf("%s: %d", path, w.Code)
		}
		if w := f.do("PUT", path, "x"); w.Header().Get("Got") != "PUT" {
			t.Errorf("%s: a wrong method must reach the webhook handler, which has words for it", path)
		}
	}
}

// Words of the table match in any case, at any depth; parameters stay as given.
func TestFolding(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	tests := []struct {
		method, path string
		status       int
		contains     string
	}{
		{"GET", "/API/Callboard/Deliveries/Replay", 404, "No delivery with GUID Replay"},
		{"POST", "/api/callboard/DELIVERIES/HTTP/REPLAY/", 404, "No delivery with GUID HTTP"},
		{"GET", "/api/callboard/Repositories/Entities/GitHub", 404, "No repository Entities/GitHub"},
		{"POST", "/api/callboard/repositories/Acme/One/Refresh", 404, "No repository Acme/One"},
		{"GET", "/api/catalog/Entities/By-UID/By-Name", 404, "No entity with uid By-Name"},
		{"GET", "/Api/Catalog/Entities/By-Name/Component/DEFAULT/Cart", 200, `"uid":"c-4"`},
		{"GET", "/.Backstage/Health/V1/Liveness", 200, "ok"},
		{"GET", "/Metrics", 200, "callboard_"},
		{"GET", "/{}", 404, ""},
	}
	for _, tt := range tests {
		if w := f.do(tt.method, tt.path, ""); w.Code != tt.status || !strings.Contains(w.Body.String(), tt.contains) {
			t.Errorf("%s %s: %d %.200s", tt.method, tt.path, w.Code, w.Body)
		}
	}
}

// broken is a body that ends with an error.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// What a client does wrong is the client's failure, and one line at level info;
// a refused delivery has the webhook handler's own line and no second.
func TestOneLineForARefusedRequest(t *testing.T) {
	t.Parallel()
	f := setup(t, shop()...)
	tests := []struct {
		name, path, contentType string
		body                    error
		status                  int
		message, line           string
	}{
		{"aborted", "/api/catalog/entities/by-refs", "application/json", io.ErrUnexpectedEOF, 400, `"InputError","message":"request aborted"`, "level=INFO msg=request "},
		{"late", "/api/catalog/entities/by-refs", "application/json", fmt.Errorf("read tcp: %w", os.ErrDeadlineExceeded), 408, `"RequestTimeoutError","message":"the body did not arrive in time"`, "level=INFO msg=request "},
		{"too large", "/api/catalog/entities/by-refs", "application/json", &http.MaxBytesError{Limit: 1}, 400, `"InputError","message":"request entity too large"`, "level=INFO msg=request "},
		{"refused delivery", "/webhooks/github", "text/plain", io.EOF, 415, "must be application/json", `level=WARN msg="delivery refused" `},
	}
	for _, tt := range tests {
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, nil))
		hook, err := webhook.New(webhook.Config{Secrets: []string{"s"}}, nil, logger)
		if err != nil {
			t.Fatal(err)
		}
		h := handlers.New(handlers.Deps{Store: f.store, View: f.view, Webhook: hook, Metrics: prometheus.NewRegistry(), Log: logger, Access: access.Config{Open: true}})
		r := httptest.NewRequest("POST", tt.path, broken{tt.body})
		r.Header.Set("Content-Type", tt.contentType)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.message) {
			t.Errorf("%s: %d %s", tt.name, w.Code, w.Body)
		}
		if strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), tt.line) {
			t.Errorf("%s: the log is %s", tt.name, log.String())
		}
	}
}

func BenchmarkServe(b *testing.B) {
	var rows []storage.Entity
	for i := range 2000 {
		name := fmt.Sprintf("c%04d", i)
		rows = append(rows, component(name, name, `,"tags":["go"]`))
	}
	f := setup(b, rows...)
	for name, path := range map[string]string{
		"by-name": "/api/catalog/entities/by-name/component/default/c0042", "list-100": "/api/catalog/entities?filter=kind=component&limit=100",
		"list-100-fields": "/api/catalog/entities?filter=kind=component&limit=100&fields=kind,metadata.name", "facets": "/api/catalog/entity-facets?facet=kind&facet=spec.type",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if w := f.get(path); w.Code != 200 {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}
