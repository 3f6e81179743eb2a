package webhook_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/callboard/callboard/handlers/webhook"
	"github.com/callboard/callboard/pipeline/inbox"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "a secret"

var quiet = slog.New(slog.DiscardHandler)

func sign(key string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// keeper remembers what it was given.
type keeper struct {
	mu  sync.Mutex
	got []inbox.Received
	err error
}

func (k *keeper) Accept(_ context.Context, r inbox.Received) (inbox.Receipt, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err == nil {
		k.got = append(k.got, r)
	}
	return inbox.Receipt{}, k.err
}

func newHandler(t testing.TB, cfg webhook.Config, in webhook.Accepter) http.Handler {
	t.Helper()
	if cfg.Secrets == nil {
		cfg.Secrets = []string{secret}
	}
	h, err := webhook.New(cfg, in, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func request(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/api/events/http/github?x=1", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-GitHub-Event", "push")
	r.Header.Set("X-GitHub-Delivery", "g-1")
	r.Header.Set("X-Hub-Signature-256", sign(secret, []byte(body)))
	return r
}

func TestNewNeedsSecrets(t *testing.T) {
	t.Parallel()
	for _, secrets := range [][]string{nil, {}, {""}, {"good", ""}} {
		if _, err := webhook.New(webhook.Config{Secrets: secrets}, &keeper{}, quiet); err == nil {
			t.Errorf("%q were accepted", secrets)
		}
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	envelope := func(status int, name, message string) string {
		return fmt.Sprintf(`{"error":{"name":%q,"message":%q},"request":{"method":"POST","url":"/http/github?x=1"},"response":{"statusCode":%d}}`,
			name, message, status)
	}
	header := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Del(name)
			for _, v := range values {
				r.Header.Add(name, v)
			}
		}
	}
	const (
		body  = `{"ref":"x"}`
		wrong = `{"message":"invalid signature"}`
	)
	sha1Of := func(s string) string {
		mac := hmac.New(sha1.New, []byte(secret))
		mac.Write([]byte(s))
		return "sha1=" + hex.EncodeToString(mac.Sum(nil))
	}
	tests := []struct {
		name   string
		change func(*http.Request)
		status int
		want   string
	}{
		{"good", header("X"), 202, `{"status":"accepted"}`},
		{"charset", header("Content-Type", "application/json; charset=UTF-8"), 202, `{"status":"accepted"}`},
		{"upper case type", header("Content-Type", "Application/JSON"), 202, `{"status":"accepted"}`},
		{"no content type", header("Content-Type"), 415,
			envelope(415, "UnsupportedMediaTypeError", "the request has no content type; it must be application/json")},
		{"form", header("Content-Type", "application/x-www-form-urlencoded"), 415,
			envelope(415, "UnsupportedMediaTypeError", "the content type must be application/json")},
		{"other charset", header("Content-Type", "application/json; charset=latin1"), 415,
			envelope(415, "UnsupportedMediaTypeError", "the charset must be utf-8")},
		{"compressed", header("Content-Encoding", "gzip"), 415,
			envelope(415, "UnsupportedMediaTypeError", "the content encoding must be identity")},
		{"no signature", header("X-Hub-Signature-256"), 401,
			envelope(401, "AuthenticationError", "the X-Hub-Signature-256 header is missing")},
		{"wrong signature", header("X-Hub-Signature-256", sign("other", []byte(body))), 403, wrong},
		{"signature of other body", header("X-Hub-Signature-256", sign(secret, []byte(body+" "))), 403, wrong},
		{"short signature", header("X-Hub-Signature-256", sign(secret, []byte(body))[:40]), 403, wrong},
		{"no hex", header("X-Hub-Signature-256", "sha256=zz"), 403, wrong},
		{"no value", header("X-Hub-Signature-256", "sha256="), 403, wrong},
		{"no prefix", header("X-Hub-Signature-256", strings.TrimPrefix(sign(secret, []byte(body)), "sha256=")), 403, wrong},
		{"sha1", header("X-Hub-Signature-256", sha1Of(body)), 403, wrong},
		{"empty secret", header("X-Hub-Signature-256", sign("", []byte(body))), 403, wrong},
		{"no event", header("X-GitHub-Event"), 400, envelope(400, "InputError", "the X-GitHub-Event header is missing")},
		{"no delivery", header("X-GitHub-Delivery"), 400, envelope(400, "InputError", "the X-GitHub-Delivery header is missing")},
		{"long delivery", header("X-GitHub-Delivery", strings.Repeat("g", 129)), 400, envelope(400, "InputError", "a X-GitHub header is malformed")},
		{"space in host", header("X-GitHub-Enterprise-Host", "a b"), 400, envelope(400, "InputError", "a X-GitHub header is malformed")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k := &keeper{}
			r := request(body)
			tt.change(r)
			w := httptest.NewRecorder()
			newHandler(t, webhook.Config{}, k).ServeHTTP(w, r)
			if w.Code != tt.status || w.Body.String() != tt.want {
				t.Errorf("%d %s\nwant %d %s", w.Code, w.Body, tt.status, tt.want)
			}
			if ct := w.Header().Get("Content-Type"); ct != "application/json; charset=utf-8" {
				t.Errorf("content type %q", ct)
			}
			if kept := len(k.got) == 1; kept != (tt.status == 202) {
				t.Errorf("kept %d deliveries", len(k.got))
			}
		})
	}
}

func TestMethod(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodHead} {
		r := request("{}")
		r.Method = method
		w := httptest.NewRecorder()
		newHandler(t, webhook.Config{}, &keeper{}).ServeHTTP(w, r)
		if w.Code != 405 || w.Header().Get("Allow") != "POST" {
			t.Errorf("%s: %d %v", method, w.Code, w.Header())
		}
	}
}

func TestReceived(t *testing.T) {
	t.Parallel()
	k := &keeper{}
	r := request(` {"ref": "ü"}`)
	r.Header.Set("X-GitHub-Enterprise-Host", "ghe.acme.test")
	newHandler(t, webhook.Config{}, k).ServeHTTP(httptest.NewRecorder(), r)
	want := []inbox.Received{{GUID: "g-1", Event: "push", Host: "ghe.acme.test", Payload: []byte(` {"ref": "ü"}`)}}
	if diff := cmp.Diff(want, k.got); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	h := newHandler(t, webhook.Config{Secrets: []string{"new", "old"}}, &keeper{})
	for key, want := range map[string]int{"new": 202, "old": 202, "older": 403} {
		r := request("{}")
		r.Header.Set("X-Hub-Signature-256", sign(key, []byte("{}")))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d", key, w.Code)
		}
	}
}

func TestInboxErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err    error
		status int
		retry  string
	}{
		{inbox.ErrPayload, 400, ""},
		{fmt.Errorf("%w: at 3", inbox.ErrPayload), 400, ""},
		{inbox.ErrClosed, 503, "5"},
		{errors.New("pq: password of db.internal"), 503, "5"},
	}
	for _, tt := range tests {
		w := httptest.NewRecorder()
		newHandler(t, webhook.Config{}, &keeper{err: tt.err}).ServeHTTP(w, request("{}"))
		if w.Code != tt.status || w.Header().Get("Retry-After") != tt.retry {
			t.Errorf("%v: %d, Retry-After %q", tt.err, w.Code, w.Header().Get("Retry-After"))
		}
		if strings.Contains(w.Body.String(), "internal") {
			t.Errorf("the answer tells of our insides: %s", w.Body)
		}
	}
}

// serve runs a real server, because deadlines and body limits need one.
func serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func TestSize(t *testing.T) {
	t.Parallel()
	k := &keeper{}
	s := serve(t, newHandler(t, webhook.Config{}, k))
	const limit = 25 << 20
	for _, chunked := range []bool{false, true} {
		for size, want := range map[int]int{limit: 202, limit + 1: 413, limit + 1<<20: 413} {
			body := append([]byte(`{"a":"`), bytes.Repeat([]byte("x"), size-8)...)
			body = append(body, `"}`...)
			var reader io.Reader = bytes.NewReader(body)
			if chunked {
				reader = io.MultiReader(reader) // hides the length
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, reader)
			if err != nil {
				t.Fatal(err)
			}
			r.Header = request("").Header
			r.Header.Set("X-Hub-Signature-256", sign(secret, body))
			resp, err := s.Client().Do(r)
			if err != nil {
				// The server may close while we still send.
				if want != 413 {
					t.Error(err)
				}
				continue
			}
			_ = resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("%d bytes (chunked %v): %d, want %d", size, chunked, resp.StatusCode, want)
			}
		}
	}
	if len(k.got) != 2 {
		t.Errorf("kept %d deliveries", len(k.got))
	}
}

// A body that trickles is cut off; one that came in time may be committed for
// longer than that.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	s := serve(t, newHandler(t, webhook.Config{ReadTimeout: 100 * time.Millisecond}, &keeper{}))
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Hub-Signature-256: sha256="+strings.Repeat("0", 64)+"\r\nContent-Length: 100\r\n\r\n{")
	if err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") {
		t.Errorf("%q, %v", answer, err)
	}
}

// A body that comes without a signature is not even read.
func TestUnsignedBodyIsNotRead(t *testing.T) {
	t.Parallel()
	s := serve(t, newHandler(t, webhook.Config{ReadTimeout: time.Hour}, &keeper{}))
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err = fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 20000000\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 401 ") {
		t.Errorf("%q, %v", answer, err)
	}
}

type slow struct{ wait time.Duration }

func (s slow) Accept(ctx context.Context, _ inbox.Received) (inbox.Receipt, error) {
	select {
	case <-time.After(s.wait):
		return inbox.Receipt{}, nil
	case <-ctx.Done():
		return inbox.Receipt{}, ctx.Err()
	}
}

func TestReadDeadlineEndsWithTheBody(t *testing.T) {
	t.Parallel()
	s := serve(t, newHandler(t, webhook.Config{ReadTimeout: 50 * time.Millisecond}, slow{wait: 250 * time.Millisecond}))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = request("{}").Header
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 202 {
		t.Errorf("%d: the deadline of the body ended the commit", resp.StatusCode)
	}
}

// With the real inbox: what is answered 202 is in the store, a duplicate too.
func TestWithInbox(t *testing.T) {
	t.Parallel()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "callboard.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	in := inbox.New(store, inbox.Config{}, quiet)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- in.Run(ctx) }()
	h := newHandler(t, webhook.Config{}, in)
	body := `{"ref":"refs/heads/main","after":"a","repository":{"id":7,"full_name":"acme/cart","default_branch":"main"}}`
	for range 2 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request(body))
		if w.Code != 202 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if d, err := store.Delivery(t.Context(), "g-1"); err != nil || d.State != storage.DeliveryReceived {
			t.Errorf("%v, %v", d, err)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request("[]"))
	if w.Code != 400 {
		t.Errorf("an array: %d", w.Code)
	}
	if n, _, err := store.MessageBacklog(t.Context()); n != 1 || err != nil {
		t.Errorf("%d messages, %v", n, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Whatever headers and body come, only what is signed gets in.
func FuzzServe(f *testing.F) {
	f.Add("POST", "application/json", sign(secret, []byte("{}")), "push", "g-1", []byte("{}"))
	f.Add("POST", "application/json; charset=\"", "sha256=", "\x00", "ü", []byte("\xff"))
	f.Add("GET", "", "sha1=00", "", "", []byte(nil))
	k := &keeper{}
	h := newHandler(f, webhook.Config{MaxBytes: 1 << 10}, k)
	f.Fuzz(func(t *testing.T, method, contentType, signature, name, guid string, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/webhooks/github", bytes.NewReader(body))
		r.Method = method
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("X-Hub-Signature-256", signature)
		r.Header.Set("X-GitHub-Event", name)
		r.Header.Set("X-GitHub-Delivery", guid)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code == http.StatusAccepted && (signature != sign(secret, body) && !strings.EqualFold(signature[7:], sign(secret, body)[7:]) || method != "POST") {
			t.Errorf("%s with signature %q was accepted", method, signature)
		}
		if w.Code >= 500 {
			t.Errorf("status %d", w.Code)
		}
	})
}

func BenchmarkServe(b *testing.B) {
	h := newHandler(b, webhook.Config{}, &keeper{err: inbox.ErrPayload})
	body := `{"a":"` + strings.Repeat("x", 8<<10) + `"}`
	signature := sign(secret, []byte(body))
	b.ReportAllocs()
	for b.Loop() {
		r := request(body)
		r.Header.Set("X-Hub-Signature-256", signature)
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}
