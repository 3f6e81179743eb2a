// Package harness starts what an end-to-end test needs: a local GitHub with an
// App on it, and the whole program beside it in this process, on the databases
// and buses that the product runs on.
package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/callboard/callboard/cmd/app"
	"github.com/callboard/callboard/cmd/config"
	"github.com/callboard/callboard/pipeline/rule"
	"github.com/callboard/callboard/pipeline/schedule"
	"github.com/callboard/callboard/test/githubsim"
	"github.com/callboard/callboard/test/services"
)

// Secret signs the webhooks of a World.
const Secret = "harness-secret"

// Setup is a combination that the product runs on.
type Setup struct {
	Name     string
	Postgres bool
	Redis    bool
}

// Setups are the two sizes of the product, and the mixed one.
var Setups = []Setup{
	{Name: "sqlite-memory"},
	{Name: "postgres-redis", Postgres: true, Redis: true},
	{Name: "postgres-memory", Postgres: true},
}

// World is a GitHub and a Callboard that belong together.
type World struct {
	T      testing.TB
	GitHub *githubsim.Server
	App    *githubsim.App
	Config *config.Config
	// URL of Callboard, empty while it does not run.
	URL string
	// Now is the clock of what waits for hours or looks back over days; nil for the
	// machine's.
	Now func() time.Time

	stop func() error
}

// New makes a GitHub with an App, and the configuration of a Callboard for it.
func New(t testing.TB, setup Setup, opts ...githubsim.Option) *World {
	t.Helper()
	sim, err := githubsim.Open(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	w := &World{T: t, GitHub: sim}
	w.Config = &config.Config{
		Listen: "127.0.0.1:0", Workers: 8, Retention: time.Hour, MaxFiles: 10_000, MaxFileBytes: 5 << 20,
		Database:       config.Database{Client: "better-sqlite3", Path: filepath.Join(t.TempDir(), "callboard.db")},
		Bus:            config.Bus{Kind: "memory"},
		Catalog:        config.Catalog{Rules: rule.Everything(), Owner: "warn", LocationConflict: "reject"},
		WebhookSecrets: []config.Secret{Secret},
		Auth:           config.Auth{Open: true},
		Undirected:     config.DefaultDiscovery(), Scan: config.DefaultScan(), BudgetReserve: 0.2,
	}
	// Nothing happens by the clock unless a test asks for it.
	w.Config.Undirected.Schedule = schedule.Schedule{Manual: true}
	w.Config.Scan.Recovery = schedule.Schedule{Manual: true}
	if setup.Postgres {
		w.Config.Database = config.Database{Client: "pg", DSN: config.Secret(services.Postgres(t))}
	}
	if setup.Redis {
		w.Config.Bus = config.Bus{Kind: "redis", RedisURL: config.Secret(services.Redis(t))}
	}
	return w
}

// Prepare makes the App and connects its webhook to where Callboard will listen.
func (w *World) Prepare() {
	w.T.Helper()
	if w.App != nil {
		return
	}
	w.Config.Listen = FreeAddress(w.T)
	a, err := w.GitHub.AddApp("callboard", githubsim.AppOptions{
		WebhookURL: "http://" + w.Config.Listen + "/api/events/http/github", WebhookSecret: Secret,
	})
	if err != nil {
		w.T.Fatal(err)
	}
	w.App = a
	w.Config.GitHub = []config.GitHub{{
		Host: strings.TrimPrefix(w.GitHub.URL(), "http://"), BaseURL: w.GitHub.URL(),
		Apps: []config.App{{ID: a.ID(), PrivateKey: config.Secret(a.KeyPEM())}},
	}}
}

// Location is an entry of catalog.locations.
func Location(target string) config.Location {
	return config.Location{Type: "url", Target: target, Place: "harness"}
}

// Start runs Callboard until the test ends or Stop is called.
func (w *World) Start() *World {
	w.T.Helper()
	w.Prepare()
	log := slog.New(slog.NewTextHandler(testWriter{w.T}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	a, err := app.New(context.Background(), w.Config, app.Options{Log: log, Version: "test", Now: w.Now})
	if err != nil {
		w.T.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	w.URL = "http://" + a.Addr()
	w.stop = func() error { cancel(); return <-done }
	w.T.Cleanup(w.Stop)
	w.Eventually("ready", func() error { return w.Get("/.backstage/health/v1/readiness", nil) })
	return w
}

// Replica starts another Callboard on the same database and bus. GitHub goes
// on sending to the first.
func (w *World) Replica() *World {
	w.T.Helper()
	cfg := *w.Config
	cfg.Listen = FreeAddress(w.T)
	r := &World{T: w.T, GitHub: w.GitHub, App: w.App, Config: &cfg, Now: w.Now}
	return r.Start()
}

// Stop ends Callboard in order; Start runs it again on the same database.
func (w *World) Stop() {
	w.T.Helper()
	if w.stop == nil {
		return
	}
	if err := w.stop(); err != nil {
		w.T.Errorf("stop: %v", err)
	}
	w.stop = nil
}

// Install installs the App on an account, which brings in its repositories.
func (w *World) Install(account string) {
	w.T.Helper()
	if _, err := w.GitHub.Install(w.App, account, nil); err != nil {
		w.T.Fatal(err)
	}
}

// authorize takes the first token of the configuration, where there is one.
func (w *World) authorize(req *http.Request) {
	for _, e := range w.Config.Auth.External {
		if e.Token != "" {
			req.Header.Set("Authorization", "Bearer "+e.Token.Reveal())
			return
		}
	}
}

// Get asks Callboard and decodes the answer; a status other than 200 is an error.
func (w *World) Get(path string, out any) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL+path, nil)
	if err != nil {
		return err
	}
	w.authorize(req)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %d %s", path, res.StatusCode, body)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(body, out)
}

// patience is how long something may take before a test gives up on it; it is
// far above what is promised, because CI machines stall.
const patience = 30 * time.Second

// Eventually repeats check until it succeeds.
func (w *World) Eventually(what string, check func() error) {
	w.T.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var err error
	for time.Now().Before(deadline) {
		if err = check(); err == nil {
			return
		}
		<-tick.C
	}
	w.T.Fatalf("%s: not after %s: %v", what, patience, err)
}

// Settled waits until GitHub has sent everything and Callboard has done it.
func (w *World) Settled() {
	w.T.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.GitHub.WaitDeliveries(ctx); err != nil {
		w.T.Fatal(err)
	}
	w.Eventually("settled", func() error {
		var status struct {
			Backlog  int   `json:"backlog"`
			Revision int64 `json:"revision"`
			Stored   int64 `json:"storedRevision"`
		}
		if err := w.Get("/api/callboard/status", &status); err != nil {
			return err
		}
		if status.Backlog > 0 || status.Revision < status.Stored {
			return fmt.Errorf("%+v", status)
		}
		return nil
	})
}

// Entity is an entity as the API serves it.
type Entity struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Metadata   map[string]any `json:"metadata"`
	Spec       map[string]any `json:"spec"`
	Relations  []Relation     `json:"relations"`
	Status     *struct {
		Items []struct {
			Type    string `json:"type"`
			Level   string `json:"level"`
			Message string `json:"message"`
		} `json:"items"`
	} `json:"status"`
}

// Relation is a relation as the API serves it.
type Relation struct {
	Type      string `json:"type"`
	TargetRef string `json:"targetRef"`
}

// Ref is kind:namespace/name, lower case.
func (e Entity) Ref() string {
	return strings.ToLower(fmt.Sprintf("%s:%s/%s", e.Kind, e.Metadata["namespace"], e.Metadata["name"]))
}

// Annotation of the entity.
func (e Entity) Annotation(key string) string {
	m, _ := e.Metadata["annotations"].(map[string]any)
	s, _ := m[key].(string)
	return s
}

// Written are the entities that somebody wrote: all but generated Locations.
func (w *World) Written() map[string]Entity {
	w.T.Helper()
	var all []Entity
	if err := w.Get("/api/catalog/entities", &all); err != nil {
		w.T.Fatal(err)
	}
	out := map[string]Entity{}
	for _, e := range all {
		if !strings.HasPrefix(e.Ref(), "location:default/generated-") {
			out[e.Ref()] = e
		}
	}
	return out
}

// Entity reads one by name.
func (w *World) Entity(kind, name string) (Entity, error) {
	var e Entity
	err := w.Get("/api/catalog/entities/by-name/"+kind+"/default/"+name, &e)
	return e, err
}

// Post sends an empty POST; any 2xx is good.
func (w *World) Post(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL+path, nil)
	if err != nil {
		return err
	}
	w.authorize(req)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		body, _ := io.ReadAll(res.Body)
		return fmt.Errorf("POST %s: %d %s", path, res.StatusCode, body)
	}
	return nil
}
