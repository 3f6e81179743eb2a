package handlers_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/callboard/callboard/handlers"
	"github.com/callboard/callboard/handlers/api/callboard"
)

func TestBudget(t *testing.T) {
	t.Parallel()
	reset := time.Date(2026, 11, 1, 13, 0, 0, 0, time.UTC)
	full := callboard.Budgets{
		Items: []callboard.Budget{{
			Host: "github.com", Credential: "installation", Account: "acme", InstallationID: 7,
			Resources: []callboard.BudgetResource{{
				Name: "graphql", Limit: 5000, Remaining: 4000, Reserve: 1000, Reset: reset, Spent: map[string]int64{"push": 3},
			}},
			SpentLast24h: map[string]int64{"push": 5}, Postponed: map[string]int64{"scan": 2},
		}},
		Scans: []callboard.Forecast{{Scan: "s", Host: "github.com", Account: "acme", Ends: reset, Requests: 9}},
	}
	tests := []struct {
		name   string
		tell   func(context.Context) (callboard.Budgets, error)
		status int
		want   string
	}{
		{"without GitHub", nil, http.StatusOK, `{"items":[],"scans":[]}`},
		{"before anything was asked", func(context.Context) (callboard.Budgets, error) { return callboard.Budgets{}, nil }, http.StatusOK, `{"items":[],"scans":[]}`},
		{"in full", func(context.Context) (callboard.Budgets, error) { return full, nil }, http.StatusOK,
			`{"items":[{"host":"github.com","credential":"installation","account":"acme","installationId":7,` +
				`"resources":[{"name":"graphql","limit":5000,"remaining":4000,"reserve":1000,"reset":"2026-11-01T13:00:00Z","spent":{"push":3}}],` +
				`"spentLast24h":{"push":5},"postponed":{"scan":2},"running":0,"waiting":0}],` +
				`"scans":[{"scan":"s","host":"github.com","account":"acme","ends":"2026-11-01T13:00:00Z","requests":9}]}`},
		{"broken", func(context.Context) (callboard.Budgets, error) { return full, errors.New("secret reason") }, http.StatusInternalServerError, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			f.deps.Budgets, f.deps.Metrics = tt.tell, prometheus.NewRegistry()
			f.Handler = handlers.New(f.deps)
			w := f.get("/api/callboard/budget")
			if got := strings.TrimSpace(w.Body.String()); w.Code != tt.status || tt.want != "" && got != tt.want || strings.Contains(got, "secret") {
				t.Errorf("%d %s\nwant %s", w.Code, got, tt.want)
			}
		})
	}
}
