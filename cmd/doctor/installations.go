package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/callboard/callboard/cmd/config"
	"github.com/callboard/callboard/pipeline/githubapp"
)

// maxProbes bounds how many installations are asked for their repositories: each
// costs a request of its quota.
const maxProbes = 20

// installations looks at where the Apps are installed; false when that cannot be told.
func (h hostCheck) installations(ctx context.Context) ([]githubapp.Installation, bool) {
	s := h.about(h.entry.Host + " installations")
	h.Wait("listing installations on " + h.entry.Host)
	all, err := within(ctx, func(ctx context.Context) ([]githubapp.Installation, error) {
		return h.GitHub.Installations(ctx, h.entry.Host)
	})
	if err != nil {
		s.fail("try again; if the App's credentials are refused above, mend those first", "they cannot be listed: %s", reason(err))
		return nil, false
	}
	for _, id := range h.GitHub.Apps(h.entry.Host) {
		a, answered := h.apps[id]
		if answered && !slices.ContainsFunc(all, func(i githubapp.Installation) bool { return i.AppID == id }) {
			s.fail("install it: "+strings.TrimRight(a.HTMLURL, "/")+"/installations/new", "the App %s is installed nowhere, and sees no repository", a.Slug)
		}
	}
	probed := 0
	for _, i := range all {
		if probed < maxProbes && !i.Suspended && ctx.Err() == nil {
			probed++
			h.installation(ctx, i, true)
		} else {
			h.installation(ctx, i, false)
		}
	}
	return all, true
}

// page is where an owner changes an installation.
func (h hostCheck) page(i githubapp.Installation) string {
	if i.AccountType == "User" {
		return fmt.Sprintf("%s/settings/installations/%d", h.web, i.ID)
	}
	return fmt.Sprintf("%s/organizations/%s/settings/installations/%d", h.web, i.Account, i.ID)
}

func (h hostCheck) installation(ctx context.Context, i githubapp.Installation, probe bool) {
	s := h.about(h.entry.Host + "/" + i.Account)
	if i.Suspended {
		s.fail("let it go on at "+h.page(i), "the installation is suspended: nothing of this account is seen")
		return
	}
	// What the App itself lacks was told there.
	a := h.apps[i.AppID]
	missing := h.needs.Missing(i.Permissions, i.Events)
	lacking := h.needs.Missing(a.Permissions, a.Events)
	if n := len(missing.Permissions) - len(lacking.Permissions); n > 0 {
		s.fail("accept the new permissions at "+h.page(i), "permissions that the App asks for are not accepted yet: %s", list(missing.Permissions))
	}
	if !probe {
		s.ok("installed")
		return
	}
	h.Wait("asking what is seen of " + i.Account)
	page, err := within(ctx, func(ctx context.Context) (githubapp.Page, error) {
		account := githubapp.Account{Host: h.entry.Host, Login: i.Account, InstallationID: i.ID, Selected: i.Selected}
		return h.GitHub.Repositories(ctx, account, githubapp.PageQuery{Size: 1})
	})
	switch {
	case err != nil:
		s.fail("try again; if it lasts, install the App anew at "+h.page(i), "its repositories cannot be listed: %s", reason(err))
		return
	case i.Selected:
		s.warn("choose all repositories at "+h.page(i)+", if Callboard should find new ones by itself",
			"only selected repositories are seen: %d", max(page.Total, len(page.Repositories)))
	default:
		s.ok("all repositories are seen: %d", max(page.Total, len(page.Repositories)))
	}
	h.budget(s, i)
}

// budget tells what the answer before said of the installation's quota.
func (h hostCheck) budget(s section, i githubapp.Installation) {
	for _, b := range h.GitHub.Budgets() {
		if b.InstallationID != i.ID || !sameName(b.Host, h.entry.Host) {
			continue
		}
		if !b.BlockedUntil.IsZero() && b.BlockedUntil.After(time.Now()) {
			s.warn("wait", "GitHub asked for a pause until %s", b.BlockedUntil.Local().Format("15:04:05"))
		}
		for _, r := range b.Resources {
			quota(section{s.Report, s.check + " quota " + r.Name}, r.Remaining, r.Limit, r.Reset)
		}
	}
}

// providers looks whether what the configuration names is covered.
func (h hostCheck) providers(installed []githubapp.Installation) {
	covered := func(account string) bool {
		return h.entry.Token != "" || slices.ContainsFunc(installed, func(i githubapp.Installation) bool {
			return !i.Suspended && sameName(i.Account, account)
		})
	}
	check := func(key, account string) {
		switch s := h.about(key); {
		case account == "":
		case covered(account):
			s.ok("%s is covered", account)
		case len(h.entry.Apps) == 0:
			s.warn("make an App: callboard github create-app --org "+account, "%s is read without credentials: public repositories only", account)
		default:
			s.fail("install the App there: "+h.installPage(), "no App is installed on %s: nothing of it is found", account)
		}
	}
	for _, p := range h.Config.Providers {
		if !sameName(p.Host, h.entry.Host) {
			continue
		}
		key := "catalog.providers.github." + p.ID
		check(key, p.Organization)
		if p.App != 0 && !slices.ContainsFunc(h.entry.Apps, func(a config.App) bool { return a.ID == p.App }) {
			h.about(key).fail("name an App of integrations.github", "no App %d is configured for %s", p.App, h.entry.Host)
		}
	}
	for _, o := range h.Config.Orgs {
		for _, org := range o.Orgs {
			if sameName(o.Host, h.entry.Host) {
				check("catalog.providers.githubOrg."+o.ID, org)
			}
		}
	}
}

// installPage is where the first App that answered is installed on another account.
func (h hostCheck) installPage() string {
	for _, a := range h.entry.Apps {
		if info, ok := h.apps[a.ID]; ok {
			return strings.TrimRight(info.HTMLURL, "/") + "/installations/new"
		}
	}
	return h.web + "/settings/apps"
}
