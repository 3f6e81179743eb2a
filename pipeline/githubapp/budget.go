package githubapp

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Budget is what one credential may spend at GitHub, as far as it was told.
type Budget struct {
	Host string
	// Credential is "installation", "app", "token", or "anonymous".
	Credential     string
	Account        string // of an installation, "" while it is not known
	AppID          int64
	InstallationID int64
	Resources      []Resource
	// Last24h and Total are points spent by purpose, since the start at most.
	Last24h map[Purpose]int64
	Total   map[Purpose]int64
	// Postponed counts requests that were told to come again.
	Postponed map[Purpose]int64
	// BlockedUntil is when GitHub may be asked again after a secondary limit.
	BlockedUntil time.Time
	// Running are under way, Waiting wait for one of them to end.
	Running, Waiting int
}

// Resource is a budget of its own within a credential: "core" for REST, "graphql".
type Resource struct {
	Name      string
	Limit     int
	Remaining int
	// Reserve is what only pushes may spend (half of it manual work too).
	Reserve int
	Reset   time.Time
	// Spent is points by purpose since the window began, or we did.
	Spent map[Purpose]int64
}

// Budgets tells of all credentials that were used, in a stable order.
func (c *Clients) Budgets() []Budget {
	var out []Budget
	for _, name := range c.order {
		h, err := c.host(name)
		if err != nil {
			continue
		}
		out = append(out, h.budgets()...)
	}
	return slices.DeleteFunc(out, func(b Budget) bool { return len(b.Resources) == 0 })
}

func (h *host) budgets() (out []Budget) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.apps {
		b := a.jwt.governor.budget()
		b.Host, b.Credential, b.AppID = h.Host.Host, "app", a.ID
		out = append(out, b)
	}
	for _, id := range slices.Sorted(maps.Keys(h.byID)) {
		b := h.byID[id].governor.budget()
		b.Host, b.Credential, b.InstallationID = h.Host.Host, "installation", id
		b.Account = h.accounts[id]
		b.AppID = h.apps[h.appOf[id]].ID
		out = append(out, b)
	}
	if h.token != nil {
		b := h.token.governor.budget()
		b.Host, b.Credential = h.Host.Host, "token"
		if h.Token == "" {
			b.Credential = "anonymous"
		}
		out = append(out, b)
	}
	return out
}

func (g *governor) budget() Budget {
	b := Budget{}
	b.Running, b.Waiting = g.slots.counts()
	g.mu.Lock()
	defer g.mu.Unlock()
	now, l := g.now(), &g.ledger
	b.Last24h, b.Total, b.Postponed = byPurpose(l.lastDay(now)), byPurpose(l.total), byPurpose(l.postponed)
	if l.blocked.After(now) {
		b.BlockedUntil = l.blocked
	}
	for name := range l.windows {
		w := l.window(name, now)
		r := Resource{Name: name, Spent: byPurpose(w.spent)}
		if !w.reset.IsZero() {
			r.Limit, r.Remaining, r.Reset = w.limit, w.remaining, w.reset
			r.Reserve = kept(w.limit, rankScan, l.share)
		}
		b.Resources = append(b.Resources, r)
	}
	slices.SortFunc(b.Resources, func(a, b Resource) int { return cmp.Compare(a.Name, b.Name) })
	return b
}

func byPurpose(n [purposes]int64) map[Purpose]int64 {
	out := make(map[Purpose]int64, purposes)
	for i, p := range Purposes() {
		out[p] = n[i]
	}
	return out
}
