package callboard

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/callboard/callboard/handlers/access"
	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/sqlite"
	"github.com/callboard/callboard/storage/view"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// streamed is the API over a store, served over real connections.
type streamed struct {
	*testing.T
	api   *API
	store storage.Store
	url   string
	// ended gets a value for each request that is over.
	ended chan struct{}
}

func serveStreams(t *testing.T, closing <-chan struct{}, limit func(s *streaming)) *streamed {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "callboard.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	log := slog.New(slog.DiscardHandler)
	v := view.New(store, log)
	store.OnCommit(func(storage.Commit) { v.Wake() })
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- v.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
	<-v.Ready()
	s := &streamed{T: t, store: store, api: New(store, v, Config{Version: "test", Now: time.Now, Closing: closing}), ended: make(chan struct{}, 100)}
	limit(&s.api.streaming)
	handler := respond.Adapter{Log: log}.Handler(s.api.Changes)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { s.ended <- struct{}{} }()
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// add appends changes of components, each with a field of a size, and waits
// until reads show them.
func (s *streamed) add(n, size int) {
	s.Helper()
	var last int64
	err := s.store.InTx(s.Context(), func(ctx context.Context, tx storage.Tx) error {
		if err := tx.LockCatalog(ctx); err != nil {
			return err
		}
		var changes []storage.Change
		for i := range n {
			value, err := json.Marshal(strings.Repeat("x", size))
			if err != nil {
				return err
			}
			changes = append(changes, storage.Change{
				Ref: fmt.Sprintf("component:default/c%d", i), What: storage.ChangeUpdated, At: time.Unix(1, 0),
				Fields: []storage.FieldChange{{Path: "/x", After: value}},
			})
		}
		revisions, err := tx.AddChanges(ctx, changes)
		last = revisions[n-1]
		return err
	})
	if err == nil {
		err = s.api.view.WaitRevision(s.Context(), last)
	}
	if err != nil {
		s.Fatal(err)
	}
}

func (s *streamed) open(query string) *http.Response {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), http.MethodGet, s.url+"/changes"+query, nil)
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// lines are those of a stream.
func (s *streamed) lines(query string) *bufio.Scanner {
	s.Helper()
	lines := bufio.NewScanner(s.open(query).Body) //nolint:bodyclose // open closes it when the test ends
	lines.Buffer(nil, 1<<20)
	return lines
}

// until reads lines up to the one that begins so.
func (s *streamed) until(lines *bufio.Scanner, prefix string) (read []string) {
	s.Helper()
	for lines.Scan() {
		if read = append(read, lines.Text()); strings.HasPrefix(lines.Text(), prefix) {
			return read
		}
	}
	s.Fatalf("no %q in %q (%v)", prefix, read, lines.Err())
	return nil
}

func TestStreamGoesOnWhereItWasLeft(t *testing.T) {
	t.Parallel()
	s := serveStreams(t, nil, func(s *streaming) { s.heartbeat, s.gap = 10*time.Millisecond, time.Millisecond })
	s.add(3*streamBatch, 1)
	lines := s.lines("?since=1&ref=component:default/c1,component:default/c40")
	s.until(lines, `data: {"revision":1,"newest":48,"reset":false}`)
	got := s.until(lines, "id: 41")
	if !slices.Contains(got, "id: 2") || slices.Contains(got, "id: 3") {
		t.Errorf("chosen: %q", got)
	}
	s.until(lines, "event: updated")
	// Silence: a comment, and the id that spares the way through what was not chosen.
	s.until(lines, ": still here")
	if next := s.until(lines, "id: "); next[0] != "id: 48" {
		t.Errorf("after the comment: %q", next)
	}
	s.add(2, 1)
	if got := s.until(lines, "data: "); !slices.Contains(got, "id: 50") {
		t.Errorf("live: %q", got)
	}
}

func TestStreamOfACatalogBegunAnew(t *testing.T) {
	t.Parallel()
	s := serveStreams(t, nil, func(*streaming) {})
	s.add(2, 1)
	lines := s.lines("?since=900")
	s.until(lines, `data: {"revision":2,"newest":2,"reset":true}`)
}

// A replica that is behind another goes on where that one was, once it is there.
func TestStreamWaitsForWhatThisReplicaDoesNotShowYet(t *testing.T) {
	t.Parallel()
	s := serveStreams(t, nil, func(s *streaming) { s.gap = time.Millisecond })
	s.add(3, 1)
	behind := view.New(s.store, slog.New(slog.DiscardHandler))
	s.api.view = behind // it has loaded nothing yet
	lines := s.lines("?since=2")
	s.until(lines, `data: {"revision":2,"newest":0,"reset":false}`)
	behind.Apply(t.Context(), view.Batch{Revision: 1})
	behind.Apply(t.Context(), view.Batch{Revision: 3})
	if got := s.until(lines, "id: "); got[len(got)-1] != "id: 3" {
		t.Errorf("after the beginning: %q", got)
	}
}

// A client that reads nothing is cut off and gives its slot back.
func TestStalledClientIsCutOff(t *testing.T) {
	t.Parallel()
	s := serveStreams(t, nil, func(s *streaming) { s.patience, s.room = 50*time.Millisecond, access.NewRoom("streams", 1) })
	s.add(64, 1<<19) // more than both ends of a connection hold
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /changes?since=0 HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-s.ended
	// Its slot is free again, and the stream can be read by somebody who reads.
	lines := s.lines("?since=63")
	s.until(lines, "id: 64")
}

func TestStreamsAreCounted(t *testing.T) {
	t.Parallel()
	closing := make(chan struct{})
	s := serveStreams(t, closing, func(s *streaming) { s.room = access.NewRoom("streams", 1) })
	first := s.open("")
	defer first.Body.Close()
	s.until(bufio.NewScanner(first.Body), "event: begin")
	second := s.open("")
	defer second.Body.Close()
	body, err := io.ReadAll(second.Body)
	if err != nil || second.StatusCode != 503 || second.Header.Get("Retry-After") == "" || !strings.Contains(string(body), "ServiceUnavailableError") {
		t.Errorf("the second: %d %s %v", second.StatusCode, body, err)
	}
	<-s.ended
	close(closing) // the process stops
	if _, err := io.Copy(io.Discard, first.Body); err != nil {
		t.Errorf("the stream was torn off: %v", err)
	}
	<-s.ended
}

func FuzzCursor(f *testing.F) {
	q := url.Values{"rule": {"x"}, "cursor": {""}}
	for _, seed := range []string{"", "!", "e30", writeCursor(q, diagnosticsAfter{Ref: "component:default/x"}), writeCursor(q, int64(7)), "bnVsbA"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, given string) {
		q := url.Values{"rule": {"x"}, "cursor": {given}}
		after, err := readCursor[diagnosticsAfter](q)
		if err != nil {
			return
		}
		q.Set("cursor", writeCursor(q, after))
		if again, err := readCursor[diagnosticsAfter](q); err != nil || given != "" && again != after {
			t.Errorf("%q: %+v came back as %+v, %v", given, after, again, err)
		}
	})
}

func FuzzFeedFilter(f *testing.F) {
	f.Add("component", "default", "component:default/x,api:y")
	f.Add(",", "", "a")
	f.Fuzz(func(t *testing.T, kind, namespace, ref string) {
		filter, err := readFeedFilter(url.Values{"kind": {kind}, "namespace": {namespace}, "ref": {ref}})
		if err == nil && len(filter.kinds)+len(filter.namespaces)+len(filter.refs) > 3*feedValues {
			t.Errorf("%d, %d and %d values", len(filter.kinds), len(filter.namespaces), len(filter.refs))
		}
		if err == nil && kind == "" && namespace == "" && ref == "" && !filter.chooses("component:default/x") {
			t.Error("no filter chooses nothing")
		}
	})
}
