package githubapp

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Installation is an App on an account.
type Installation struct {
	ID          int64
	AppID       int64
	Host        string
	Account     string
	AccountType string // Organization or User
	// Selected says that it covers some repositories only.
	Selected    bool
	Suspended   bool
	Permissions map[string]string
	Events      []string
}

// Organization says that the account is none of a user. A host that does not say
// is believed to mean an organization.
func (in Installation) Organization() bool { return in.AccountType != "User" }

// installationJSON is an installation as the REST API shows it.
type installationJSON struct {
	ID                  int64             `json:"id"`
	AppID               int64             `json:"app_id"`
	Account             accountJSON       `json:"account"`
	TargetType          string            `json:"target_type"`
	RepositorySelection string            `json:"repository_selection"`
	SuspendedAt         *time.Time        `json:"suspended_at"`
	Permissions         map[string]string `json:"permissions"`
	Events              []string          `json:"events"`
}

// Installations lists where the Apps of a host are installed: all of them, or an
// error. Those that are known and not listed any more are forgotten.
func (c *Clients) Installations(ctx context.Context, host string) ([]Installation, error) {
	h, err := c.host(host)
	if err != nil {
		return nil, err
	}
	var out []Installation
	listed := map[int64]bool{}
	// Where two Apps are on one account, the first one is learnt last.
	for i, a := range slices.Backward(h.apps) {
		for page := 1; page != 0; {
			if page > maxPages {
				return nil, fmt.Errorf("app %d has more than %d installations", a.ID, 100*maxPages)
			}
			var list []installationJSON
			res, err := a.jwt.get(ctx, fmt.Sprintf("app/installations?per_page=100&page=%d", page), &list)
			if err != nil {
				return nil, fmt.Errorf("list the installations of app %d: %w", a.ID, err)
			}
			for _, in := range list {
				if in.ID == 0 || in.Account.Login == "" {
					return nil, fmt.Errorf("list the installations of app %d: GitHub lists one without an id or account", a.ID)
				}
				if listed[in.ID] {
					continue // it moved between two pages
				}
				listed[in.ID] = true
				h.learn(in.ID, i, in.Account.Login)
				out = append(out, in.installation(h.Host.Host, a.ID))
			}
			page = res.NextPage
		}
	}
	h.keep(listed)
	h.note(out)
	return out, nil
}

func (in installationJSON) installation(host string, app int64) Installation {
	kind := in.TargetType
	if kind == "" {
		kind = in.Account.Type
	}
	return Installation{
		ID: in.ID, AppID: app, Host: host, Account: in.Account.Login, AccountType: kind,
		Selected: in.RepositorySelection == "selected", Suspended: in.SuspendedAt != nil,
		Permissions: in.Permissions, Events: in.Events,
	}
}

// keep forgets the installations that a complete list does not have.
func (h *host) keep(listed map[int64]bool) {
	h.mu.Lock()
	var gone []int64
	for id := range h.appOf {
		if !listed[id] {
			gone = append(gone, id)
		}
	}
	h.mu.Unlock()
	for _, id := range gone {
		h.forget(id)
	}
}
