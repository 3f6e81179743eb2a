package doctor

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/callboard/callboard/cmd/config"
	"github.com/callboard/callboard/cmd/manifest"
	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/test/githubsim"
)

// world is a GitHub with an App, and something at the end of its webhook.
type world struct {
	t      *testing.T
	sim    *githubsim.Server
	app    *githubsim.App
	hook   string       // where the receiver listens
	status atomic.Int32 // what it answers
	cfg    *config.Config
}

func newWorld(t *testing.T, o githubsim.AppOptions, opts ...githubsim.Option) *world {
	t.Helper()
	sim, err := githubsim.Open(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	w := &world{t: t, sim: sim}
	w.status.Store(http.StatusAccepted)
	receiver := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(int(w.status.Load())) }))
	t.Cleanup(receiver.Close)
	w.hook = receiver.URL + "/api/events/http/github"
	if o.WebhookURL == "" {
		o.WebhookURL = w.hook
	}
	if o.WebhookSecret == "" {
		o.WebhookSecret = "secret"
	}
	o.Owner = "acme"
	for _, name := range []string{"cart", "pay"} {
		if _, err := sim.CreateRepo("acme", name, githubsim.RepoOptions{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if w.app, err = sim.AddApp("callboard", o); err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(sim.URL(), "http://")
	w.cfg = &config.Config{
		DataDir: t.TempDir(), WebhookSecrets: []config.Secret{"secret"}, Bus: config.Bus{Kind: "memory"},
		GitHub:    []config.GitHub{{Host: host, BaseURL: sim.URL(), Apps: []config.App{{ID: w.app.ID(), PrivateKey: config.Secret(w.app.KeyPEM())}}}},
		Providers: []discovery.Provider{{ID: "acme", Host: host, Organization: "acme"}},
	}
	return w
}

func (w *world) install(repos ...string) *githubsim.Installation {
	w.t.Helper()
	in, err := w.sim.Install(w.app, "acme", repos)
	if err != nil {
		w.t.Fatal(err)
	}
	w.delivered()
	return in
}

func (w *world) delivered() {
	w.t.Helper()
	if err := w.sim.WaitDeliveries(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// examine runs the doctor, and gives lines such as "ok App 7: text -> advice".
func (w *world) examine() string {
	w.t.Helper()
	var hosts []githubapp.Host
	for _, g := range w.cfg.GitHub {
		h := githubapp.Host{Host: g.Host, BaseURL: g.BaseURL, Token: g.Token.Reveal()}
		for _, a := range g.Apps {
			h.Apps = append(h.Apps, githubapp.App{ID: a.ID, PrivateKey: []byte(a.PrivateKey.Reveal())})
		}
		hosts = append(hosts, h)
	}
	clients, err := githubapp.New(hosts, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	d := Doctor{Config: w.cfg, GitHub: clients, Poll: 5 * time.Millisecond}
	return examine(w.t.Context(), d)
}

func examine(ctx context.Context, d Doctor) string {
	var b strings.Builder
	report := &Report{Wait: func(string) {}, Result: func(r Result) {
		b.WriteString(string(r.Status) + " " + r.Check + ": " + r.Detail)
		if r.Do != "" {
			b.WriteString(" -> " + r.Do)
		}
		b.WriteByte('\n')
	}}
	d.Run(ctx, report)
	if report.Failed() != strings.Contains("\n"+b.String(), "\nfailed ") {
		b.WriteString("FAILED IS WRONG\n")
	}
	return b.String()
}

// exactly are the permissions and events that are needed, without the people's.
func exactly() githubsim.AppOptions {
	o := githubsim.AppOptions{Permissions: map[string]string{}}
	for _, p := range manifest.Needed(false).Permissions {
		o.Permissions[p.Name] = p.Level
	}
	for _, e := range manifest.Needed(false).Events {
		o.Events = append(o.Events, e.Name)
	}
	return o
}

// withToken has a token instead of an App.
func withToken(t *testing.T, scopes ...string) *world {
	t.Helper()
	w := newWorld(t, exactly())
	w.sim.AddToken("ghp_SIGNED", scopes...)
	host := w.cfg.GitHub[0].Host
	w.cfg.GitHub[0].Apps, w.cfg.GitHub[0].Token = nil, "ghp_SIGNED"
	w.cfg.Orgs = []config.OrgProvider{{ID: "p", Host: host, Orgs: []string{"acme"}}}
	return w
}

// What is out of order is told, each with what to do, and nothing else is.
func TestGitHub(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		make func(t *testing.T) *world
		want []string // parts of lines that are not ok; none means that all is well
	}{
		{"all is well", func(t *testing.T) *world {
			w := newWorld(t, exactly())
			w.install()
			return w
		}, nil},
		{"a ping is sent again rather than a push", func(t *testing.T) *world {
			w := newWorld(t, exactly())
			if err := w.app.Ping(); err != nil {
				t.Fatal(err)
			}
			w.install()
			return w
		}, nil},
		{"permission and events are missing", func(t *testing.T) *world {
			w := newWorld(t, githubsim.AppOptions{Permissions: map[string]string{"metadata": "read"}, Events: []string{"push"}})
			w.install()
			return w
		}, []string{
			"permissions: missing: contents:read (reading catalog files) -> change it at",
			"/organizations/acme/settings/apps/callboard/permissions", "does not get: repository (", "meta (",
		}},
		{"people need members", func(t *testing.T) *world {
			w := newWorld(t, exactly())
			w.cfg.Orgs = []config.OrgProvider{{ID: "p", Host: w.cfg.GitHub[0].Host, Orgs: []string{"acme"}}}
			w.install()
			return w
		}, []string{"members:read (users and groups)", "organization (", "team_add (", "membership ("}},
		{"secrets differ", func(t *testing.T) *world {
			w := newWorld(t, exactly())
			w.install()
			w.status.Store(http.StatusForbidden)
			return w
		}, []string{"delivery: the webhook secrets differ"}},
		{"nobody answers", func(t *testing.T) *world {
			w := newWorld(t, exactly())
			w.install()
			w.app.SetWebhook("http://127.0.0.1:1/webhooks/github", "secret")
			return w
		}, []string{"delivery: GitHub cannot reach http://127.0.0.1:1/webhooks/github: failed to connect"}},
		{"something else answers", func(t *testing.T) *world {
			w := newWorld(t, exactly())
			w.install()
			w.status.Store(http.StatusNotFound)
			return w
		}, []string{"answers 404 -> see that the webhook URL"}},
		{"Callboard fails", func(t *testing.T) *world {
			w := newWorld(t, exactly())
			w.install()
			w.status.Store(http.StatusInternalServerError)
			return w
		}, []string{"Callboard answers 500"}},
		{"another path", func(t *testing.T) *world {
			w := newWorld(t, exactly())
			w.app.SetWebhook(strings.TrimSuffix(w.hook, "/github"), "secret")
			w.install()
			return w
		}, []string{"is not a path of Callboard's -> end the URL in /api/events/http/github or /webhooks/github"}},
		{"no webhook", func(t *testing.T) *world {
			w := newWorld(t, exactly())
			w.app.SetWebhook("", "")
			w.install()
			return w
		}, []string{"webhook: none is configured"}},
		{"not signed", func(t *testing.T) *world {
			w := newWorld(t, exactly())
			w.app.SetWebhook(w.hook, "")
			w.install()
			return w
		}, []string{"deliveries are not signed"}},
		{"nothing was ever sent", func(t *testing.T) *world {
			w := newWorld(t, exactly())
			w.sim.SetDeliveryFaults(githubsim.DeliveryFaults{Lose: 1})
			w.install()
			return w
		}, []string{"warning", "GitHub has sent nothing"}},
		{"installed nowhere", func(t *testing.T) *world {
			w := newWorld(t, exactly())
			if err := w.app.Ping(); err != nil {
				t.Fatal(err)
			}
			w.delivered()
			return w
		}, []string{"the App callboard is installed nowhere", "/installations/new", "no App is installed on acme"}},
		{"suspended", func(t *testing.T) *world {
			w := newWorld(t, exactly())
			w.install().Suspend(true)
			w.delivered()
			return w
		}, []string{"/acme: the installation is suspended", "/organizations/acme/settings/installations/", "no App is installed on acme"}},
		{"selected", func(t *testing.T) *world {
			w := newWorld(t, exactly())
			w.install("acme/cart")
			return w
		}, []string{"warning", "only selected repositories are seen: 1"}},
		{"another key", func(t *testing.T) *world {
			w := newWorld(t, exactly())
			w.install()
			w.cfg.GitHub[0].Apps[0].ID++
			return w
		}, []string{"GitHub does not take the App's credentials", "they cannot be listed"}},
		{"a provider of another organization", func(t *testing.T) *world {
			w := newWorld(t, exactly())
			w.install()
			host := w.cfg.GitHub[0].Host
			w.cfg.Providers = append(w.cfg.Providers, discovery.Provider{ID: "x", Host: host, Organization: "umbrella"}, discovery.Provider{ID: "y", Host: host, App: 1})
			return w
		}, []string{"catalog.providers.github.x: no App is installed on umbrella", "catalog.providers.github.y: no App 1 is configured"}},
		{"GitHub is away", func(t *testing.T) *world {
			w := newWorld(t, exactly())
			_ = w.sim.Close()
			return w
		}, []string{"the API cannot be asked"}},
		{"the clock is wrong", func(t *testing.T) *world {
			w := newWorld(t, exactly(), githubsim.WithClock(func() time.Time { return time.Now().Add(5 * time.Minute) }))
			w.install()
			return w
		}, []string{"clock: this machine is", "behind GitHub", "credentials", "they cannot be listed"}},
		{"the clock is nearly wrong", func(t *testing.T) *world {
			w := newWorld(t, exactly(), githubsim.WithClock(func() time.Time { return time.Now().Add(-45 * time.Second) }))
			w.install()
			return w
		}, []string{"warning", "ahead of GitHub"}},
		{"neither App nor token", func(t *testing.T) *world {
			w := newWorld(t, exactly())
			w.cfg.GitHub[0].Apps = nil
			return w
		}, []string{"warning", "neither an App nor a token", "read without credentials"}},
		{"token", func(t *testing.T) *world { return withToken(t, "repo", "read:org") }, nil},
		{"token that may too little", func(t *testing.T) *world { return withToken(t, "gist") }, []string{"missing scopes: repo (or public_repo", "read:org (users"}},
		{"token that is none", func(t *testing.T) *world {
			w := withToken(t, "repo")
			w.cfg.GitHub[0].Token = "another-token"
			return w
		}, []string{"token: GitHub does not take it"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := tt.make(t).examine()
			if strings.Contains(got, "FAILED IS WRONG") || strings.Contains(got, "BEGIN") || strings.Contains(got, "SIGNED") {
				t.Error(got)
			}
			var bad []string
			for line := range strings.Lines(got) {
				if !strings.HasPrefix(line, "ok ") {
					bad = append(bad, line)
				}
			}
			all := strings.Join(bad, "")
			if tt.want == nil && all != "" {
				t.Errorf("not ok:\n%s", all)
			}
			for _, want := range tt.want {
				if !strings.Contains(all, want) {
					t.Errorf("nothing of %q in\n%s", want, got)
				}
			}
			warnings := len(tt.want) > 0 && tt.want[0] == "warning"
			if warnings && strings.Contains(all, "failed ") {
				t.Errorf("more than warnings:\n%s", all)
			}
		})
	}
}
