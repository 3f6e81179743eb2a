package respond_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/callboard/callboard/handlers/respond"
)

func serve(t *testing.T, log io.Writer, r *http.Request, fn respond.Func) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	respond.Adapter{Log: slog.New(slog.NewTextHandler(log, nil)), Mount: "/api/catalog"}.Handler(fn).ServeHTTP(w, r)
	return w
}

func TestErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err    error
		status int
		name   string
	}{
		{respond.Input("a %d", 1), 400, "InputError"},
		{respond.NotAllowed("a 1"), 403, "NotAllowedError"},
		{respond.NotFound("a 1"), 404, "NotFoundError"},
		{respond.Timeout("a 1"), 408, "RequestTimeoutError"},
		{respond.Conflict("a 1"), 409, "ConflictError"},
		{respond.NotImplemented("a 1"), 501, "NotImplementedError"},
		{respond.Unavailable("a 1"), 503, "ServiceUnavailableError"},
		{fmt.Errorf("wrapped: %w", respond.NotFound("a 1")), 404, "NotFoundError"},
	}
	for _, tt := range tests {
		r := httptest.NewRequest("POST", "/API/Catalog/entities/by-uid/1?x=%20y", nil)
		w := serve(t, io.Discard, r, func(http.ResponseWriter, *http.Request) error { return tt.err })
		want := fmt.Sprintf(`{"error":{"name":%q,"message":"a 1"},"request":{"method":"POST","url":"/entities/by-uid/1?x=%%20y"},"response":{"statusCode":%d}}`, tt.name, tt.status)
		if w.Code != tt.status || w.Body.String() != want || w.Header().Get("Content-Type") != respond.ContentType {
			t.Errorf("%v: %d %s", tt.err, w.Code, w.Body)
		}
	}
}

func TestInternalErrorsAreMasked(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	w := serve(t, &log, httptest.NewRequest("GET", "/api/catalog/entities", nil), func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("ETag", `"x"`)
		return errors.New("password=hunter2")
	})
	id := regexp.MustCompile(`"name":"Error","message":"An internal error occurred logId=([0-9a-f]{20})"`).FindStringSubmatch(w.Body.String())
	if w.Code != 500 || id == nil || strings.Contains(w.Body.String(), "hunter2") || w.Header().Get("ETag") != "" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), id[1]) || !strings.Contains(log.String(), "hunter2") {
		t.Errorf("the log lacks id or cause: %s", log.String())
	}
}

func TestGoneClientIsNoError(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var log bytes.Buffer
	w := serve(t, &log, httptest.NewRequestWithContext(ctx, "GET", "/", nil), func(_ http.ResponseWriter, r *http.Request) error { return r.Context().Err() })
	if log.Len() > 0 || w.Body.Len() > 0 {
		t.Errorf("logged %q, wrote %q", log.String(), w.Body)
	}
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("POST", "/api/catalog/x", strings.NewReader("0123456789"))
	w := serve(t, io.Discard, r, func(w http.ResponseWriter, r *http.Request) error {
		_, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 5))
		return err
	})
	if w.Code != 400 || !strings.Contains(w.Body.String(), `"request entity too large"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestUnencodableIsAnError(t *testing.T) {
	t.Parallel()
	w := serve(t, io.Discard, httptest.NewRequest("GET", "/", nil), func(w http.ResponseWriter, _ *http.Request) error {
		return respond.JSON(w, 200, func() {})
	})
	if w.Code != 500 {
		t.Errorf("%d", w.Code)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 3, 20000} {
		w := serve(t, io.Discard, httptest.NewRequest("GET", "/", nil), func(w http.ResponseWriter, r *http.Request) error {
			return respond.List(w, r, n, func(dst []byte, _ int) []byte { return append(dst, "1234567"...) })
		})
		if want := "[" + strings.TrimSuffix(strings.Repeat("1234567,", n), ",") + "]"; w.Body.String() != want {
			t.Errorf("%d items: %d bytes, want %d", n, w.Body.Len(), len(want))
		}
	}
}

func TestListEndsWithItsClient(t *testing.T) {
	t.Parallel()
	ctx, leave := context.WithCancel(t.Context())
	made := 0
	serve(t, io.Discard, httptest.NewRequestWithContext(ctx, "GET", "/", nil), func(w http.ResponseWriter, r *http.Request) error {
		return respond.List(w, r, 1000, func(dst []byte, _ int) []byte {
			if made++; made == 3 {
				leave()
			}
			return append(dst, '1')
		})
	})
	if made != 3 {
		t.Errorf("%d elements were made, for a client that left at the third", made)
	}
}

func TestUnchanged(t *testing.T) {
	t.Parallel()
	tests := []struct {
		method, ifNoneMatch string
		want                int
	}{
		{"GET", "", 200}, {"GET", `"a"`, 304}, {"HEAD", `W/"a"`, 304}, {"GET", `"b", W/"a"`, 304}, {"GET", "*", 304}, {"GET", `"b"`, 200}, {"POST", `"a"`, 200},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(tt.method, "/", nil)
		r.Header.Set("If-None-Match", tt.ifNoneMatch)
		w := serve(t, io.Discard, r, func(w http.ResponseWriter, r *http.Request) error {
			if respond.Unchanged(r, `W/"a"`) {
				w.WriteHeader(http.StatusNotModified)
				return nil
			}
			return respond.JSON(w, 200, 1)
		})
		if w.Code != tt.want {
			t.Errorf("%s with %q: %d", tt.method, tt.ifNoneMatch, w.Code)
		}
	}
}
