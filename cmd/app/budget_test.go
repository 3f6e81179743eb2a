package app

import (
	"testing"
	"time"

	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/storage"
)

func TestForecastOfAScan(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	scan := storage.Scan{
		ID: "s", Host: "github.com", Owner: "acme", InstallationID: 7,
		Total: 1000, Seen: 500, PageSize: 100, Pages: 5, Changed: 100, StartedAt: now.Add(-time.Minute),
	}
	tests := []struct {
		name     string
		waiting  int
		resource githubapp.Resource
		requests int
		ends     time.Duration
	}{
		// 55 of 110 requests a minute are done.
		{"half-way", 50, githubapp.Resource{}, 55, time.Minute},
		{"with nothing left", 50, githubapp.Resource{Limit: 5000, Remaining: 1000, Reserve: 1000, Reset: now.Add(20 * time.Minute)}, 55, 21 * time.Minute},
		{"at the end", 0, githubapp.Resource{}, 5, 2857 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := forecast(scan, tt.waiting, tt.resource, now)
			if d := (f.Ends.Sub(now) - tt.ends).Abs(); f.Requests != tt.requests || d > time.Second || f.Account != "acme" {
				t.Errorf("%d requests until %s, want %d and %s", f.Requests, f.Ends.Sub(now), tt.requests, tt.ends)
			}
		})
	}
	known := []githubapp.Budget{
		{Host: "github.com", Credential: "app", Resources: []githubapp.Resource{{Name: "graphql", Limit: 1}}},
		{Host: "github.com", Credential: "installation", InstallationID: 8, Resources: []githubapp.Resource{{Name: "graphql", Limit: 2}}},
		{Host: "GitHub.com", Credential: "installation", InstallationID: 7, Resources: []githubapp.Resource{{Name: "core", Limit: 3}, {Name: "graphql", Limit: 4}}},
	}
	if r := resourceOf(known, scan); r.Limit != 4 {
		t.Errorf("the budget is %+v", r)
	}
}
