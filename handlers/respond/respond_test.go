package respond_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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

// What is computed has the ETag of its bytes, unless it is no good answer to a
// read or has one already.
func TestComputedAnswersHaveAnETag(t *testing.T) {
	t.Parallel()
	get := func(method, ifNoneMatch string, status int, v any) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/", nil)
		r.Header.Set("If-None-Match", ifNoneMatch)
		return serve(t, io.Discard, r, func(w http.ResponseWriter, r *http.Request) error { return respond.JSON(w, r, status, v) })
	}
	first := get("GET", "", 200, "a")
	etag := first.Header().Get("ETag")
	if !strings.HasPrefix(etag, `W/"`) || first.Body.String() != `"a"` {
		t.Fatalf("%v %s", first.Header(), first.Body)
	}
	if again := get("GET", etag, 200, "a"); again.Code != 304 || again.Body.Len() != 0 || again.Header().Get("ETag") != etag {
		t.Errorf("%d %s %v", again.Code, again.Body, again.Header())
	}
	if other := get("GET", etag, 200, "b"); other.Code != 200 {
		t.Errorf("another answer is %d", other.Code)
	}
	for _, w := range []*httptest.ResponseRecorder{get("POST", etag, 200, "a"), get("GET", etag, 201, "a")} {
		if w.Code == 304 || w.Header().Get("ETag") != "" {
			t.Errorf("%d %v", w.Code, w.Header())
		}
	}
}

func TestUnencodableIsAnError(t *testing.T) {
	t.Parallel()
	w := serve(t, io.Discard, httptest.NewRequest("GET", "/", nil), func(w http.ResponseWriter, r *http.Request) error {
		return respond.JSON(w, r, 200, func() {})
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

// pipes is a listener without a network, so that its time can be a fake one.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// A client that takes nothing holds a large list for half a minute and no longer,
// and one that is only slow gets all of it, however long the whole takes.
func TestListAndItsSlowClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pieces = 20
		took := make(chan time.Duration, 1)
		element := bytes.Repeat([]byte("1"), 200<<10)
		server := &http.Server{WriteTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			_ = respond.List(w, r, pieces, func(dst []byte, _ int) []byte { return append(dst, element...) })
			took <- time.Since(start)
		})}
		listener := make(pipes)
		go func() { _ = server.Serve(listener) }()
		ask := func() net.Conn {
			ours, theirs := net.Pipe()
			listener <- theirs
			if _, err := io.WriteString(ours, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			return ours
		}
		stalled := ask()
		if d := <-took; d != 30*time.Second {
			t.Errorf("a client that takes nothing held the list for %s", d)
		}
		_ = stalled.Close()

		slow := ask()
		var got int64
		for {
			n, err := io.CopyN(io.Discard, slow, 100<<10)
			if got += n; err != nil {
				break
			}
			<-time.After(10 * time.Second) // of a fake clock
		}
		if d := <-took; got < pieces*int64(len(element)) || d < 5*time.Minute {
			t.Errorf("a slow client got %d bytes in %s", got, d)
		}
		_ = slow.Close()
		close(listener)
		_ = server.Close()
	})
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
			return respond.JSON(w, r, 200, 1)
		})
		if w.Code != tt.want {
			t.Errorf("%s with %q: %d", tt.method, tt.ifNoneMatch, w.Code)
		}
	}
}
