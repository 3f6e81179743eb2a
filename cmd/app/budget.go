package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/callboard/callboard/handlers/api/callboard"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/storage"
)

// budgets tells of GitHub's budgets in the words of the API.
func (a *App) budgets(github *githubapp.Clients) func(context.Context) (callboard.Budgets, error) {
	return func(ctx context.Context) (out callboard.Budgets, err error) {
		known := github.Budgets()
		for _, b := range known {
			out.Items = append(out.Items, budgetOf(b))
		}
		running, err := a.store.Scans(ctx, storage.ScanFilter{Kind: storage.ScanRepositories, State: storage.ScanRunning, Limit: 100})
		if err != nil {
			return out, fmt.Errorf("list the scans that run: %w", err)
		}
		for _, s := range running {
			waiting, _, err := a.store.ScanBacklog(ctx, s.ID)
			if err != nil {
				return out, fmt.Errorf("count what scan %s has still to do: %w", s.ID, err)
			}
			out.Scans = append(out.Scans, forecast(s, waiting, resourceOf(known, s), time.Now()))
		}
		return out, nil
	}
}

func budgetOf(b githubapp.Budget) callboard.Budget {
	out := callboard.Budget{
		Host: b.Host, Credential: b.Credential, Account: b.Account, AppID: b.AppID, InstallationID: b.InstallationID,
		Resources: []callboard.BudgetResource{}, SpentLast24h: points(b.Last24h), Postponed: points(b.Postponed),
		BlockedUntil: b.BlockedUntil.UTC(), Running: b.Running, Waiting: b.Waiting,
	}
	for _, r := range b.Resources {
		out.Resources = append(out.Resources, callboard.BudgetResource{
			Name: r.Name, Limit: r.Limit, Remaining: r.Remaining, Reserve: r.Reserve, Reset: r.Reset.UTC(), Spent: points(r.Spent),
		})
	}
	return out
}

func points(n map[githubapp.Purpose]int64) map[string]int64 {
	out := make(map[string]int64, len(n))
	for p, v := range n {
		out[string(p)] = v
	}
	return out
}

// resourceOf is the budget that a scan spends.
func resourceOf(known []githubapp.Budget, s storage.Scan) githubapp.Resource {
	for _, b := range known {
		if b.InstallationID != s.InstallationID || b.Credential == "app" || !strings.EqualFold(b.Host, s.Host) {
			continue
		}
		for _, r := range b.Resources {
			if r.Name == "graphql" {
				return r
			}
		}
	}
	return githubapp.Resource{}
}

// forecast counts a request for each page and each repository that is still to
// be looked at, and goes on at the speed so far.
func forecast(s storage.Scan, waiting int, r githubapp.Resource, now time.Time) callboard.Forecast {
	pages := 0
	if s.PageSize > 0 && s.Total > s.Seen {
		pages = (s.Total - s.Seen + s.PageSize - 1) / s.PageSize
	}
	perHour := 3600.0 // a guess, until it has done anything
	if done, took := s.Pages+max(0, s.Changed-waiting), now.Sub(s.StartedAt); done > 0 && took > 0 {
		perHour = float64(done) / took.Hours()
	}
	return callboard.Forecast{
		Scan: s.ID, Host: s.Host, Account: s.Owner, Requests: pages + waiting,
		Ends: r.Ends(now, pages+waiting, perHour).UTC().Truncate(time.Second),
	}
}
