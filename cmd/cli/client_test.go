package cli

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/callboard/callboard/handlers/api/callboard"
)

func TestClient(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		status     int
		want       string // the error, "" for none
		absent     bool
	}{
		{"answer", `{"ok":true}`, 200, "", false},
		{"envelope", `{"error":{"name":"InputError","message":"bad \u001b[31mfilter"}}`, 400, "bad [31mfilter", false},
		{"no credentials", `{"error":{"name":"AuthenticationError","message":"Missing credentials"}}`, 401, "Missing credentials (set --token or CALLBOARD_TOKEN)", false},
		{"no such route", "", 404, "GET /api/x: 404 Not Found", true},
		{"a proxy's page", "<html>502</html>", 502, "GET /api/x: 502 Bad Gateway", false},
		{"another program", "<html>", 200, "GET /api/x: this does not look like Callboard: ", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "Bearer hush-hush" {
					t.Errorf("credentials %q", r.Header.Get("Authorization"))
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}))
			defer server.Close()
			c := &client{server: strings.TrimPrefix(server.URL, "http://") + "/", token: "hush-hush"}
			var out struct{ OK bool }
			err := c.get(t.Context(), "/api/x?y=z", &out)
			if tt.want == "" && (err != nil || !out.OK) || tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
			if absent(err) != tt.absent {
				t.Errorf("%v: absent is %v", err, absent(err))
			}
		})
	}
}

// A token goes to the server that was named and to no other.
func TestTokenStays(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Errorf("another host was sent %q", r.Header.Get("Authorization"))
		}
		_, _ = io.WriteString(w, "{}")
	}))
	defer other.Close()
	elsewhere := strings.Replace(other.URL, "127.0.0.1", "localhost", 1)
	server := httptest.NewServer(http.RedirectHandler(elsewhere, http.StatusFound))
	defer server.Close()
	c := &client{server: server.URL, token: "hush-hush"}
	if err := c.get(t.Context(), "/api/x", nil); err != nil {
		t.Error(err)
	}
}

func TestAwait(t *testing.T) {
	t.Parallel()
	now := time.Now()
	awaited := map[int64]bool{1: true, 2: false}
	tests := []struct {
		name        string
		messages    []callboard.Message
		left        int
		state, want string
	}{
		{"done", nil, 0, "", ""},
		{"of somebody else", []callboard.Message{{ID: 3}}, 0, "", ""},
		{"given up before", []callboard.Message{{ID: 2, ParkedAt: now}}, 0, "", ""},
		{"waits", []callboard.Message{{ID: 1}}, 1, "waits for its turn", ""},
		{"too soon", []callboard.Message{{ID: 1, RunAfter: now.Add(time.Hour)}}, 1, "was looked at just now, waits until ", ""},
		{"failed once", []callboard.Message{{ID: 1, Attempts: 1, Error: "no", RunAfter: now.Add(time.Hour)}}, 1, "attempt 1: no", ""},
		{"given up", []callboard.Message{{ID: 1, Attempts: 9, Error: "no", ParkedAt: now}}, 0, "", "was given up after 9 attempts: no"},
	}
	for _, tt := range tests {
		left, state, err := await(tt.messages, awaited)
		if left != tt.left || !strings.HasPrefix(state, tt.state) || (err == nil) != (tt.want == "") || err != nil && err.Error() != tt.want {
			t.Errorf("%s: %d %q %v", tt.name, left, state, err)
		}
	}
}

// --wait ends: when time is up, and when the refresh is given up.
func TestFollowEnds(t *testing.T) {
	t.Parallel()
	parked := make(chan struct{}, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m := callboard.Message{ID: 1, Attempts: 3, Error: "GitHub is down"}
		if strings.HasSuffix(r.URL.Path, "/parked") {
			select {
			case parked <- struct{}{}: // the first look
			default:
			}
			if len(parked) == cap(parked) {
				m.ParkedAt = time.Now()
			}
		}
		_ = json.NewEncoder(w).Encode(callboard.RepositoryDetail{Messages: []callboard.Message{m}})
	}))
	defer server.Close()
	tests := []struct {
		path    string
		timeout time.Duration
		want    string
	}{
		{"/never", 50 * time.Millisecond, "it is still not done"},
		{"/parked", time.Minute, "refresh of acme/x was given up after 3 attempts: GitHub is down"},
	}
	for _, tt := range tests {
		r := &refresher{client: client{server: server.URL}, timeout: tt.timeout}
		if err := r.follow(t.Context(), io.Discard, io.Discard, "acme/x", tt.path); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.path, err, tt.want)
		}
	}
}

// A shell that completes is not kept waiting.
func TestSuggestGivesUp(t *testing.T) {
	t.Parallel()
	c := &client{server: "http://127.0.0.1:1"}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := c.suggest(ctx, "", "x"); got != nil {
		t.Errorf("%v", got)
	}
}
