package githubapp

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v60/github"

	"github.com/callboard/callboard/pipeline/fault"
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
}

// host is a Host with what is known of its installations.
type host struct {
	Host
	rest    *url.URL
	graphql string
	apps    []app

	mu      sync.Mutex
	token   *client
	byID    map[int64]*client // installation id → client
	byOwner map[string]int64  // lower-case owner → installation id
	appOf   map[int64]int     // installation id → index of apps
}

type app struct {
	App
	jwt *github.Client
}

// client speaks to GitHub with one credential.
type client struct {
	rest       *github.Client
	http       *http.Client
	graphqlURL string
}

// New checks the configuration. It does not call the network. timeout bounds
// one request; 0 is DefaultTimeout.
func New(hosts []Host, timeout time.Duration) (*Clients, error) {
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	c := &Clients{hosts: map[string]*host{}, base: newTransport(), now: time.Now, timeout: timeout}
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
		}
		for _, a := range cfg.Apps {
			tr, err := c.appTransport(h, a)
			if err != nil {
				return nil, err
			}
			h.apps = append(h.apps, app{App: a, jwt: c.client(h, tr).rest})
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

func (c *Clients) limited() *limits { return &limits{base: c.base, now: c.now} }

// Hosts lists the names of the configured hosts, in configured order.
func (c *Clients) Hosts() []string { return c.order }

func (c *Clients) client(h *host, tr http.RoundTripper) *client {
	hc := &http.Client{Transport: tr, Timeout: c.timeout}
	rest := github.NewClient(hc)
	rest.BaseURL = h.rest
	rest.UserAgent = "callboard"
	return &client{rest: rest, http: hc, graphqlURL: h.graphql}
}

// clientFor finds the credential for a repository: the installation that an
// event named, else the one that covers the owner, else the token.
func (c *Clients) clientFor(ctx context.Context, name, owner, repo string, installation int64) (*client, error) {
	h, ok := c.hosts[strings.ToLower(name)]
	if !ok {
		return nil, fault.Permanent(fault.ReasonInvalid, fmt.Errorf("no integrations.github entry for host %s", name))
	}
	if len(h.apps) == 0 {
		return h.tokenClient(c), nil
	}
	id, err := h.installation(ctx, owner, repo, installation)
	if err != nil {
		return nil, err
	}
	if id == 0 {
		if h.Token != "" {
			return h.tokenClient(c), nil
		}
		return nil, fmt.Errorf("no installation of the App covers %s/%s: %w", owner, repo, ErrNotFound)
	}
	return h.installationClient(c, id)
}

// tokenClient is also the client without any credential, for public repositories.
func (h *host) tokenClient(c *Clients) *client {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.token == nil {
		h.token = c.client(h, &bearer{base: c.limited(), token: h.Token})
	}
	return h.token
}

func (h *host) installationClient(c *Clients, id int64) (*client, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if cl, ok := h.byID[id]; ok {
		return cl, nil
	}
	apps, err := c.appTransport(h, h.apps[h.appOf[id]].App)
	if err != nil {
		return nil, err
	}
	cl := c.client(h, &installationTransport{apps: apps, id: id})
	h.byID[id] = cl
	return cl, nil
}

// appTransport signs requests as the App itself. Each has a limit of its own,
// because the budget of an installation is its own.
func (c *Clients) appTransport(h *host, a App) (*ghinstallation.AppsTransport, error) {
	tr, err := ghinstallation.NewAppsTransport(c.limited(), a.ID, a.PrivateKey)
	if err != nil {
		return nil, fmt.Errorf("integrations.github %s: privateKey of app %d: %w", h.Host.Host, a.ID, err)
	}
	tr.BaseURL = strings.TrimSuffix(h.rest.String(), "/")
	return tr, nil
}

// installation answers 0 when no App is installed there.
func (h *host) installation(ctx context.Context, owner, repo string, hint int64) (int64, error) {
	key := strings.ToLower(owner)
	h.mu.Lock()
	_, known := h.appOf[hint]
	if hint != 0 && (known || len(h.apps) == 1) {
		h.mu.Unlock()
		return hint, nil
	}
	id, ok := h.byOwner[key]
	h.mu.Unlock()
	if ok {
		return id, nil
	}
	return h.find(ctx, owner, repo)
}

// find asks each App whether it is installed on a repository.
func (h *host) find(ctx context.Context, owner, repo string) (int64, error) {
	for i, a := range h.apps {
		inst, res, err := a.jwt.Apps.FindRepositoryInstallation(ctx, owner, repo)
		if res != nil && res.StatusCode == http.StatusNotFound {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("find the installation for %s/%s: %w", owner, repo, classify(err))
		}
		h.mu.Lock()
		h.byOwner[strings.ToLower(owner)], h.appOf[inst.GetID()] = inst.GetID(), i
		h.mu.Unlock()
		return inst.GetID(), nil
	}
	h.mu.Lock()
	delete(h.byOwner, strings.ToLower(owner))
	h.mu.Unlock()
	return 0, nil
}

// Covered asks whether an App is installed on a repository right now. The
// answer no is evidence that it was taken away, even where everybody may read
// the repository. Without an App there is nothing to ask, and the answer is yes.
func (c *Clients) Covered(ctx context.Context, n Name) (bool, error) {
	h, ok := c.hosts[strings.ToLower(n.Host)]
	if !ok || len(h.apps) == 0 {
		return true, nil
	}
	id, err := h.find(ctx, n.Owner, n.Name)
	return id != 0, err
}
