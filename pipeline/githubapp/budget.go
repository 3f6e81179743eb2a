package githubapp

import "time"

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
func (c *Clients) Budgets() []Budget { return nil }
