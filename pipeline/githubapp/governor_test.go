package githubapp_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/test/githubsim"
)

// spend asks for a purpose until it is postponed, and counts what went.
func (f fixture) spend(t *testing.T, c *githubapp.Clients, p githubapp.Purpose) (went int, wait time.Duration) {
	t.Helper()
	for ; went < 1000; went++ {
		_, err := c.Open(githubapp.WithPurpose(t.Context(), p), f.name("acme", "one"), nil)
		if err == nil {
			continue
		}
		fate, ok := fault.Of(err)
		if !ok || fate.Reason != fault.ReasonRateLimited || fate.Permanent {
			t.Fatalf("%s: %v", p, err)
		}
		return went, fate.After
	}
	t.Fatalf("%s is never postponed", p)
	return 0, 0
}

// With 100 requests an hour, each purpose leaves what is kept for the more urgent
// ones, and GitHub never has to refuse.
func TestBudgetIsSpentByPurpose(t *testing.T) {
	f := simulator(t, githubsim.WithRateLimit(100))
	f.repo(t, "acme/one", map[string]string{"a": "b"})
	f.install(t, "acme")
	c := f.clients(t)
	for _, tt := range []struct {
		purpose  githubapp.Purpose
		went     int
		min, max time.Duration
	}{
		// Half of it at once: the next is due in an hour's thirtieth.
		{githubapp.PurposeScan, 51, time.Minute, 3 * time.Minute},
		{githubapp.PurposeDocs, 29, 50 * time.Minute, 2 * time.Hour},
		{githubapp.PurposeManual, 10, 50 * time.Minute, 2 * time.Hour},
		{githubapp.PurposePush, 10, 50 * time.Minute, 2 * time.Hour},
	} {
		went, wait := f.spend(t, c, tt.purpose)
		if went != tt.went || wait < tt.min || wait > tt.max {
			t.Errorf("%s: %d went, the next in %s; want %d, and %s to %s", tt.purpose, went, wait, tt.went, tt.min, tt.max)
		}
	}
	if r := f.Requests()["POST /graphql"]; r.Total != 100 || r.Failed != 0 {
		t.Errorf("GitHub was asked %d times and refused %d", r.Total, r.Failed)
	}
	var own githubapp.Budget
	for _, b := range c.Budgets() {
		if b.Credential == "installation" {
			own = b
		}
	}
	graphql := own.Resources[len(own.Resources)-1]
	if own.Account != "acme" || own.Last24h[githubapp.PurposeScan] != 51 || own.Postponed[githubapp.PurposePush] != 1 ||
		graphql.Limit != 100 || graphql.Remaining != 0 || graphql.Reserve != 20 || graphql.Spent[githubapp.PurposeDocs] != 29 || graphql.Reset.IsZero() {
		t.Errorf("the budget is %+v", own)
	}
	metrics := prometheus.NewPedanticRegistry()
	metrics.MustRegister(githubapp.NewCollector(c))
	if families, err := metrics.Gather(); err != nil || len(families) != 8 {
		t.Errorf("%d metrics, %v", len(families), err)
	}
}

// A host without limits has none here.
func TestUnknownBudgetDoesNotLimit(t *testing.T) {
	f := simulator(t)
	f.repo(t, "acme/one", map[string]string{"a": "b"})
	f.install(t, "acme")
	c := f.clients(t)
	ctx := githubapp.WithPurpose(t.Context(), githubapp.PurposeScan)
	for range 1000 {
		if _, err := c.Open(ctx, f.name("acme", "one"), nil); err != nil {
			t.Fatal(err)
		}
	}
}

// A hundred at once are never too many for GitHub.
func TestConcurrencyIsBounded(t *testing.T) {
	f := simulator(t)
	f.repo(t, "acme/one", map[string]string{"a": "b"})
	f.install(t, "acme")
	f.SetSecondaryLimits(githubsim.SecondaryLimits{Concurrent: 5})
	c, err := githubapp.New([]githubapp.Host{{
		Host: f.host, BaseURL: f.URL(), Apps: []githubapp.App{{ID: f.app.ID(), PrivateKey: f.app.KeyPEM()}},
	}}, 0, githubapp.WithLimits(githubapp.Limits{Concurrent: 4}))
	if err != nil {
		t.Fatal(err)
	}
	f.SetLatency(time.Millisecond)
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			ctx := githubapp.WithPurpose(t.Context(), githubapp.Purposes()[i%4])
			if _, err := c.Open(ctx, f.name("acme", "one"), nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestRetryAfter(t *testing.T) {
	tests := []struct {
		name     string
		value    string
		min, max time.Duration
	}{
		{"seconds", "90", 90 * time.Second, 92 * time.Second},
		{"zero", "0", time.Second, 2 * time.Second},
		{"a date", time.Now().Add(5 * time.Minute).UTC().Format(http.TimeFormat), 4 * time.Minute, 5*time.Minute + 2*time.Second},
		{"nonsense", "soon", time.Minute, time.Minute + 2*time.Second},
		{"a year", "31536000", time.Hour, 24*time.Hour + 2*time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := simulator(t)
			f.repo(t, "acme/one", map[string]string{"a": "b"})
			f.install(t, "acme")
			c := f.clients(t)
			if _, err := c.Open(t.Context(), f.name("acme", "one"), nil); err != nil {
				t.Fatal(err)
			}
			remove := f.Inject(githubsim.Fault{Match: "*graphql*", Status: http.StatusForbidden, Header: map[string]string{"Retry-After": tt.value}})
			f.spend(t, c, githubapp.PurposePush)
			remove()
			// Now it is ours to keep quiet, although GitHub would answer.
			if went, wait := f.spend(t, c, githubapp.PurposePush); went != 0 || wait < tt.min-time.Second || wait > tt.max {
				t.Errorf("%d went, the next in %s; want %s to %s", went, wait, tt.min, tt.max)
			}
		})
	}
}

// Two hosts, and an App and a token, have budgets of their own.
func TestBudgetsAreApart(t *testing.T) {
	f, other := simulator(t, githubsim.WithRateLimit(10)), simulatorBeside(t)
	f.repo(t, "acme/one", map[string]string{"a": "b"})
	f.repo(t, "open/one", map[string]string{"a": "b"})
	other.repo(t, "acme/one", map[string]string{"a": "b"})
	f.install(t, "acme")
	other.install(t, "acme")
	f.AddToken("secret", "repo")
	c, err := githubapp.New([]githubapp.Host{
		{Host: f.host, BaseURL: f.URL(), Token: "secret", Apps: []githubapp.App{{ID: f.app.ID(), PrivateKey: f.app.KeyPEM()}}},
		{Host: other.host, BaseURL: other.URL(), Apps: []githubapp.App{{ID: other.app.ID(), PrivateKey: other.app.KeyPEM()}}},
	}, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.spend(t, c, githubapp.PurposePush)
	if _, err := c.Open(t.Context(), f.name("open", "one"), nil); err != nil {
		t.Errorf("with the token, where the App is not installed: %v", err)
	}
	if _, err := c.Open(t.Context(), other.name("acme", "one"), nil); err != nil {
		t.Errorf("on the other host: %v", err)
	}
	var got []string
	for _, b := range c.Budgets() {
		got = append(got, b.Credential)
	}
	if want := "app installation token app installation"; strings.Join(got, " ") != want {
		t.Errorf("the budgets are of %v, want %s", got, want)
	}
}

func simulatorBeside(t *testing.T) fixture {
	t.Helper()
	sim, err := githubsim.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	app, err := sim.AddApp("beside", githubsim.AppOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return fixture{sim, app, strings.TrimPrefix(sim.URL(), "http://")}
}

func TestForecast(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	reset := now.Add(30 * time.Minute)
	tests := []struct {
		resource githubapp.Resource
		requests int
		perHour  float64
		want     time.Duration
	}{
		{githubapp.Resource{}, 100, 3600, 100 * time.Second},
		{githubapp.Resource{}, 0, 3600, 0},
		{githubapp.Resource{Limit: 5000, Remaining: 5000, Reserve: 1000, Reset: reset}, 100, 3600, 100 * time.Second},
		{githubapp.Resource{Limit: 100, Remaining: 100, Reserve: 20, Reset: reset}, 65, 3e6, 15 * time.Minute},
		{githubapp.Resource{Limit: 100, Remaining: 20, Reserve: 20, Reset: reset}, 50, 3e6, 30 * time.Minute},
		{githubapp.Resource{Limit: 100, Remaining: 100, Reserve: 20, Reset: reset}, 80*10 + 65, 3e6, 30*time.Minute + 9*time.Hour + 30*time.Minute},
		{githubapp.Resource{Limit: 100, Remaining: 100, Reserve: 20, Reset: reset}, 100, 20, 5 * time.Hour}, // its own speed is the limit
	}
	for i, tt := range tests {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			got := tt.resource.Ends(now, tt.requests, tt.perHour).Sub(now)
			if d := (got - tt.want).Abs(); d > time.Second {
				t.Errorf("ends in %s, want %s", got, tt.want)
			}
		})
	}
}
