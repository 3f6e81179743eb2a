package githubapp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/callboard/callboard/pipeline/fault"
)

// errGone is the end of an installation. The App may have been installed again,
// which gives another id.
var errGone = fmt.Errorf("the App was uninstalled: %w", ErrNotFound)

func (c *Clients) host(name string) (*host, error) {
	h, ok := c.hosts[strings.ToLower(name)]
	if !ok {
		return nil, fault.Permanent(fault.ReasonInvalid, fmt.Errorf("no integrations.github entry for host %s", name))
	}
	return h, nil
}

// place is what a credential is looked for: a repository, or an account where
// repo is "". installation is a hint, 0 for none.
type place struct {
	host, owner, repo string
	installation      int64
}

func (n Name) place() place { return place{n.Host, n.Owner, n.Name, n.InstallationID} }

func (p place) String() string { return strings.TrimSuffix(p.owner+"/"+p.repo, "/") }

// with works with the credential for a place, and once more if the installation
// turns out to be gone: somebody may have installed the App again.
func (c *Clients) with(ctx context.Context, p place, work func(*client) error) error {
	for again := false; ; again = true {
		cl, err := c.clientFor(ctx, p)
		if err != nil {
			return err
		}
		if err = work(cl); again || !errors.Is(err, errGone) {
			return err
		}
	}
}

// clientFor finds the credential for a place: the installation that an event
// named, else the one that covers it, else the token.
func (c *Clients) clientFor(ctx context.Context, p place) (*client, error) {
	h, err := c.host(p.host)
	if err != nil {
		return nil, err
	}
	if len(h.apps) == 0 {
		return h.tokenClient(c), nil
	}
	id, err := h.installation(ctx, p)
	if err != nil {
		return nil, err
	}
	if id == 0 {
		if h.Token != "" {
			return h.tokenClient(c), nil
		}
		return nil, fmt.Errorf("no installation of the App covers %s: %w", p, ErrNotFound)
	}
	return h.installationClient(c, id)
}

// installation answers 0 when no App is installed there.
func (h *host) installation(ctx context.Context, p place) (int64, error) {
	h.mu.Lock()
	_, known := h.appOf[p.installation]
	if p.installation != 0 && !h.gone[p.installation] && (known || len(h.apps) == 1) {
		h.mu.Unlock()
		return p.installation, nil
	}
	id, ok := h.byOwner[strings.ToLower(p.owner)]
	h.mu.Unlock()
	if ok {
		return id, nil
	}
	return h.find(ctx, p)
}

// find asks each App whether it is installed there.
func (h *host) find(ctx context.Context, p place) (int64, error) {
	owner := url.PathEscape(p.owner)
	paths := []string{"repos/" + owner + "/" + url.PathEscape(p.repo) + "/installation"}
	if p.repo == "" {
		paths = []string{"orgs/" + owner + "/installation", "users/" + owner + "/installation"}
	}
	for i, a := range h.apps {
		for _, path := range paths {
			var in installationJSON
			res, err := a.jwt.get(ctx, path, &in)
			if res != nil && res.StatusCode == http.StatusNotFound {
				continue
			}
			if err != nil {
				return 0, fmt.Errorf("find the installation for %s: %w", p, err)
			}
			h.learn(in.ID, i, p.owner)
			return in.ID, nil
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.byOwner, strings.ToLower(p.owner))
	return 0, nil
}

func (h *host) learn(id int64, app int, owner string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.byOwner[strings.ToLower(owner)], h.appOf[id], h.accounts[id] = id, app, owner
	delete(h.gone, id)
	h.absences.end(owner)
}

// forget makes the next request look again for who covers the owner.
func (h *host) forget(id int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for owner, own := range h.byOwner {
		if own == id {
			delete(h.byOwner, owner)
		}
	}
	delete(h.byID, id)
	delete(h.appOf, id)
	delete(h.accounts, id)
	h.gone[id] = true
}
