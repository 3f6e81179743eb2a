package githubapp

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v60/github"
)

// DefaultTimeout bounds one request, body included.
const DefaultTimeout = 20 * time.Second

// Clients makes and keeps the clients of all configured hosts.
type Clients struct {
	hosts map[string]*host
	order []string
	base  http.RoundTripper
	now   func() time.Time
	// timeout bounds one request.
	timeout time.Duration
	limits  Limits
}

// Limits are what of GitHub's is left to others and to pushes.
type Limits struct {
	// Reserve is the share of each budget that docs and scans leave alone, and
	// manual work half of it: 0.2 unless set, 0.9 at most.
	Reserve float64
	// Concurrent is how many requests a credential has under way at once: 50 unless
	// set, of the 100 that GitHub allows all who use it.
	Concurrent int
}

// Option changes a default of New.
type Option func(*Clients)

// WithLimits sets the limits; those that are zero keep their default.
func WithLimits(l Limits) Option {
	return func(c *Clients) {
		if l.Reserve > 0 {
			c.limits.Reserve = min(l.Reserve, 0.9)
		}
		if l.Concurrent > 0 {
			c.limits.Concurrent = l.Concurrent
		}
	}
}

// WithClock sets the clock of the budgets; time.Now by default.
func WithClock(now func() time.Time) Option { return func(c *Clients) { c.now = now } }

// host is a Host with what is known of its installations.
type host struct {
	Host
	rest    *url.URL
	graphql string
	apps    []app

	mu       sync.Mutex
	token    *client
	byID     map[int64]*client // installation id → client
	byOwner  map[string]int64  // lower-case owner → installation id
	appOf    map[int64]int     // installation id → index of apps
	accounts map[int64]string  // installation id → owner as GitHub writes it
	gone     map[int64]bool    // installations that are no more
	absences absences          // where no App is installed any more
	asking   chan struct{}     // one asks for an absence, and all others wait for the answer
	// installed are the Apps on each account, by lower-case login; nil until they are listed.
	installed map[string][]int64
}

type app struct {
	App
	jwt *client
}

// client speaks to GitHub with one credential.
type client struct {
	rest       *github.Client
	http       *http.Client
	graphqlURL string
	governor   *governor
	// plain is for a personal token, or none.
	plain bool
}

// New checks the configuration. It does not call the network. timeout bounds
// one request; 0 is DefaultTimeout.
func New(hosts []Host, timeout time.Duration, opts ...Option) (*Clients, error) {
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	c := &Clients{
		hosts: map[string]*host{}, base: newTransport(), now: time.Now, timeout: timeout,
		limits: Limits{Reserve: 0.2, Concurrent: 50},
	}
	for _, o := range opts {
		o(c)
	}
	for _, cfg := range hosts {
		if err := cfg.validate(); err != nil {
			return nil, err
		}
		rest, err := cfg.restURL()
		if err != nil {
			return nil, err
		}
		h := &host{
			Host: cfg, rest: rest, graphql: cfg.graphqlURL(rest),
			byID: map[int64]*client{}, byOwner: map[string]int64{}, appOf: map[int64]int{},
			accounts: map[int64]string{}, gone: map[int64]bool{}, asking: make(chan struct{}, 1),
		}
		for _, a := range cfg.Apps {
			g := c.govern()
			tr, err := h.signAs(a, g)
			if err != nil {
				return nil, err
			}
			h.apps = append(h.apps, app{App: a, jwt: c.client(h, tr, g)})
		}
		key := strings.ToLower(cfg.Host)
		if _, twice := c.hosts[key]; twice {
			return nil, fmt.Errorf("integrations.github: host %s is configured twice", cfg.Host)
		}
		c.hosts[key] = h
		c.order = append(c.order, cfg.Host)
	}
	return c, nil
}

// newTransport keeps enough idle connections for all workers.
func newTransport() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 32
	return t
}

// govern makes the governor of a credential: budgets are per credential.
func (c *Clients) govern() *governor {
	return &governor{
		base: c.base, now: c.now, patience: c.timeout / 2,
		slots:  slots{max: c.limits.Concurrent, share: c.limits.Reserve},
		ledger: ledger{share: c.limits.Reserve},
	}
}

// Hosts lists the names of the configured hosts, in configured order.
func (c *Clients) Hosts() []string { return c.order }

func (c *Clients) client(h *host, tr http.RoundTripper, g *governor) *client {
	hc := &http.Client{Transport: tr, Timeout: c.timeout}
	rest := github.NewClient(hc)
	rest.BaseURL = h.rest
	rest.UserAgent = "callboard"
	return &client{rest: rest, http: hc, graphqlURL: h.graphql, governor: g}
}

// tokenClient is also the client without any credential, for public repositories.
func (h *host) tokenClient(c *Clients) *client {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.token == nil {
		g := c.govern()
		h.token = c.client(h, &bearer{base: g, token: h.Token}, g)
		h.token.plain = true
	}
	return h.token
}

func (h *host) installationClient(c *Clients, id int64) (*client, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if cl, ok := h.byID[id]; ok {
		return cl, nil
	}
	a, g := h.apps[h.appOf[id]], c.govern()
	apps, err := h.signAs(a.App, split{app: a.jwt.governor, own: g})
	if err != nil {
		return nil, err
	}
	cl := c.client(h, &installationTransport{apps: apps, id: id, gone: func() { h.forget(id) }}, g)
	h.byID[id] = cl
	return cl, nil
}

// signAs signs requests as the App itself. ghinstallation wants one for each
// installation.
func (h *host) signAs(a App, tr http.RoundTripper) (*ghinstallation.AppsTransport, error) {
	apps, err := ghinstallation.NewAppsTransport(tr, a.ID, a.PrivateKey)
	if err != nil {
		return nil, fmt.Errorf("integrations.github %s: privateKey of app %d: %w", h.Host.Host, a.ID, err)
	}
	apps.BaseURL = strings.TrimSuffix(h.rest.String(), "/")
	return apps, nil
}
