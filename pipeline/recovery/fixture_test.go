package recovery_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/callboard/callboard/pipeline/gap"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/inbox"
	"github.com/callboard/callboard/pipeline/recovery"
	"github.com/callboard/callboard/pipeline/schedule"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/sqlite"
	"github.com/callboard/callboard/test/githubsim"
)

const day = 24 * time.Hour

// world is a GitHub that sends webhooks, an inbox that may be down, and a
// detector between them, all by one clock.
type world struct {
	*testing.T
	sim      *githubsim.Server
	host     string
	app      *githubsim.App
	store    storage.Store
	detector *recovery.Detector
	clients  *githubapp.Clients
	metrics  *prometheus.Registry
	config   recovery.Config
	log      bytes.Buffer

	// answer is the receiver's while it is not 0: the inbox is not asked then.
	answer atomic.Int64
	// refuse is part of the payloads that are not taken in.
	refuse atomic.Value

	mu  sync.Mutex
	now time.Time
}

func newWorld(t *testing.T, change func(*recovery.Config), opts ...githubsim.Option) *world {
	t.Helper()
	w := &world{T: t, now: time.Now().Truncate(time.Second), metrics: prometheus.NewRegistry()}
	w.refuse.Store("nothing of this")
	sim, err := githubsim.Open(append(opts, githubsim.WithDeliveryClock(w.clock))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "callboard.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	w.sim, w.store, w.host = sim, store, strings.TrimPrefix(sim.URL(), "http://")
	receiver := w.receive()
	w.app, err = sim.AddApp("callboard", githubsim.AppOptions{WebhookURL: receiver.URL, WebhookSecret: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	clients, err := githubapp.New([]githubapp.Host{{
		Host: w.host, BaseURL: sim.URL(), Apps: []githubapp.App{{ID: w.app.ID(), PrivateKey: []byte(w.app.KeyPEM())}},
	}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	w.clients = clients
	w.config = recovery.Config{
		Hosts: []string{w.host}, Schedule: schedule.Schedule{Frequency: 5 * time.Minute}, Now: w.clock,
		Patience: -1, // the next reading tells
	}
	if change != nil {
		change(&w.config)
	}
	log := slog.New(slog.NewTextHandler(&w.log, nil))
	w.detector = recovery.New(w.config, store, clients, log, w.metrics)
	if _, err := sim.CreateRepo("acme", "cart", githubsim.RepoOptions{}, map[string]string{"README.md": "x"}); err != nil {
		t.Fatal(err)
	}
	if _, err := sim.Install(w.app, "acme", nil); err != nil {
		t.Fatal(err)
	}
	w.sent()
	return w
}

// receive runs the inbox behind a server, as the program does.
func (w *world) receive() *httptest.Server {
	in := inbox.New(w.store, inbox.Config{Host: w.host, Now: w.clock}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- in.Run(ctx) }()
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if code := w.answer.Load(); code != 0 || err != nil {
			rw.WriteHeader(int(code))
			return
		}
		if bytes.Contains(body, []byte(w.refuse.Load().(string))) {
			rw.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, err = in.Accept(r.Context(), inbox.Received{
			GUID: r.Header.Get("X-Github-Delivery"), Event: r.Header.Get("X-Github-Event"), Payload: body,
		})
		if err != nil && r.Context().Err() == nil {
			w.Errorf("inbox: %v", err)
		}
		rw.WriteHeader(http.StatusAccepted)
	}))
	w.Cleanup(func() {
		_ = w.sim.Close() // it goes on sending
		server.Close()
		cancel()
		if err := <-ended; err != nil {
			w.Error(err)
		}
	})
	return server
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// up and down say whether webhooks are taken in.
func (w *world) up()   { w.answer.Store(0) }
func (w *world) down() { w.answer.Store(http.StatusServiceUnavailable) }

func (w *world) push(n int) {
	w.Helper()
	for i := range n {
		text := strconv.Itoa(i) + w.clock().String()
		if _, err := w.sim.Commit("acme/cart", "main", "change", map[string]*string{"a.txt": &text}); err != nil {
			w.Fatal(err)
		}
		w.sent()
	}
}

// sent waits until GitHub has sent everything.
func (w *world) sent() {
	w.Helper()
	if err := w.sim.WaitDeliveries(w.Context()); err != nil {
		w.Fatal(err)
	}
}

func (w *world) run() {
	w.Helper()
	if err := w.detector.Run(w.Context()); err != nil {
		w.Fatal(err)
	}
	w.sent()
}

func (w *world) state() gap.App {
	w.Helper()
	apps, err := gap.Load(w.Context(), w.store)
	if err != nil || len(apps) != 1 {
		w.Fatalf("%d apps, %v", len(apps), err)
	}
	return apps[0]
}

// want compares found, redelivered, recovered, lost and open.
func (w *world) want(found, redelivered, recovered, lost int64, open int) gap.App {
	w.Helper()
	a := w.state()
	if a.Found != found || a.Redelivered != redelivered || a.Recovered != recovered || a.Lost != lost || len(a.Open) != open {
		w.Errorf("found %d, redelivered %d, recovered %d, lost %d, open %d; want %d, %d, %d, %d, %d\n%s", a.Found, a.Redelivered,
			a.Recovered, a.Lost, len(a.Open), found, redelivered, recovered, lost, open, w.log.String())
	}
	return a
}

// arrived says how many of the pushes that GitHub has in its log the inbox has.
func (w *world) arrived() (n int) {
	w.Helper()
	seen := map[string]bool{}
	for _, d := range w.sim.Deliveries() {
		if d.Event == "push" && !seen[d.GUID] {
			seen[d.GUID] = true
		}
	}
	guids := make([]string, 0, len(seen))
	for guid := range seen {
		guids = append(guids, guid)
	}
	known, err := w.store.KnownDeliveries(w.Context(), guids)
	if err != nil {
		w.Fatal(err)
	}
	return len(known)
}

func (w *world) scans() int {
	w.Helper()
	msgs, err := w.store.UndoneMessages(w.Context(), "account.scan.v1", "scan/"+w.host+"/")
	if err != nil {
		w.Fatal(err)
	}
	return len(msgs)
}

func (w *world) requests() (n int) {
	for path, c := range w.sim.Requests() {
		if strings.Contains(path, "hook/deliveries") {
			n += c.Total
		}
	}
	return n
}

var errBroken = errors.New("no way there")

// alsoBroken has a second host with an App that never answers.
type alsoBroken struct{ *githubapp.Clients }

func (b alsoBroken) Apps(host string) []int64 {
	if host == "ghe.invalid" {
		return []int64{7}
	}
	return b.Clients.Apps(host)
}

func (b alsoBroken) Deliveries(ctx context.Context, host string, app int64, cursor string) ([]githubapp.HookDelivery, string, error) {
	if host == "ghe.invalid" {
		return nil, "", errBroken
	}
	return b.Clients.Deliveries(ctx, host, app, cursor)
}
