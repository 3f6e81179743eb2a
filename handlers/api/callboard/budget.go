package callboard

import (
	"net/http"
	"time"

	"github.com/callboard/callboard/handlers/respond"
)

// Budgets are what may be spent at GitHub, by credential, and when the scans that
// run will have spent enough.
type Budgets struct {
	Items []Budget   `json:"items"`
	Scans []Forecast `json:"scans"`
}

// Budget is what one credential may spend, as far as GitHub told this process.
type Budget struct {
	Host string `json:"host"`
	// Credential is installation, app, token or anonymous.
	Credential     string `json:"credential"`
	Account        string `json:"account,omitempty"`
	AppID          int64  `json:"appId,omitempty"`
	InstallationID int64  `json:"installationId,omitempty"`
	// Resources are empty where nothing was asked yet.
	Resources []BudgetResource `json:"resources"`
	// SpentLast24h counts points by purpose, Postponed requests that were told to
	// come again, both since the process began at most.
	SpentLast24h map[string]int64 `json:"spentLast24h"`
	Postponed    map[string]int64 `json:"postponed"`
	// BlockedUntil is the end of a secondary rate limit.
	BlockedUntil time.Time `json:"blockedUntil,omitzero"`
	Running      int       `json:"running"`
	Waiting      int       `json:"waiting"`
}

// BudgetResource is an hour of one of GitHub's budgets. Without a limit GitHub
// told none, and nothing is held back.
type BudgetResource struct {
	Name      string `json:"name"`
	Limit     int    `json:"limit,omitempty"`
	Remaining int    `json:"remaining"`
	// Reserve is what only pushes may spend, half of it work asked by hand too.
	Reserve int              `json:"reserve"`
	Reset   time.Time        `json:"reset,omitzero"`
	Spent   map[string]int64 `json:"spent"`
}

// Forecast is when a scan that runs should end.
type Forecast struct {
	Scan    string    `json:"scan"`
	Host    string    `json:"host"`
	Account string    `json:"account"`
	Ends    time.Time `json:"ends"`
	// Requests is how many it still needs, about.
	Requests int `json:"requests"`
}

// Budget is GET budget.
func (a *API) Budget(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	out := Budgets{Items: []Budget{}, Scans: []Forecast{}}
	if a.budgets != nil {
		found, err := a.budgets(r.Context())
		if err != nil {
			return err
		}
		out.Items, out.Scans = append(out.Items, found.Items...), append(out.Scans, found.Scans...)
	}
	return respond.JSON(w, r, http.StatusOK, out)
}
