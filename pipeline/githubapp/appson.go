package githubapp

import (
	"context"
	"strings"
)

// AppsOn are the Apps that are installed on an organization, as the last listing
// of installations had it; empty for a user's account, and nil where that is not
// known. It asks nothing.
func (c *Clients) AppsOn(host, owner string) []int64 {
	h, ok := c.hosts[strings.ToLower(host)]
	if !ok {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.installed[strings.ToLower(owner)]
}

// LearnApps lists the installations of a host, unless that was done since the
// start: AppsOn needs it.
func (c *Clients) LearnApps(ctx context.Context, host string) error {
	h, ok := c.hosts[strings.ToLower(host)]
	if !ok || len(h.apps) == 0 {
		return nil
	}
	h.mu.Lock()
	known := h.installed != nil
	h.mu.Unlock()
	if known {
		return nil
	}
	_, err := c.Installations(ctx, host)
	return err
}

// note keeps a complete list for AppsOn.
func (h *host) note(list []Installation) {
	installed := make(map[string][]int64, len(list))
	for _, in := range list {
		key := strings.ToLower(in.Account)
		if installed[key] == nil {
			installed[key] = []int64{}
		}
		if in.Organization() {
			installed[key] = append(installed[key], in.AppID)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.installed = installed
}
