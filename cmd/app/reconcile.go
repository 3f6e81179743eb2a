package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/callboard/callboard/pipeline/bus"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/recovery"
	"github.com/callboard/callboard/pipeline/refresh"
	"github.com/callboard/callboard/pipeline/scan"
	"github.com/callboard/callboard/pipeline/schedule"
)

// recurring is whatever has jobs of its own.
type recurring func(context.Context) ([]schedule.Job, error)

// scans makes the step that finds what webhooks did not tell.
func (a *App) scans(github *githubapp.Clients, step *refresh.Step, cfg refresh.Config, metrics prometheus.Registerer) *scan.Step {
	s := scan.New(scan.Config{
		Policy: cfg.Policy, Current: step.Current,
		MaxRemovedShare: a.cfg.Scan.MaxRemovedShare, MaxRemovedEntities: a.cfg.Scan.MaxRemovedEntities,
	}, a.store, github, a.log, metrics)
	bus.RegisterBackground(a.bus, s) // a page may hang as long as GitHub does, and pushes must not wait for it
	return s
}

// gaps makes the detector of webhooks that did not arrive.
func (a *App) gaps(github *githubapp.Clients, now func() time.Time, metrics prometheus.Registerer) *recovery.Detector {
	return recovery.New(recovery.Config{
		Hosts: github.Hosts(), Schedule: a.cfg.Scan.Recovery, Window: a.cfg.Scan.Window, Retention: a.cfg.Retention, Now: now,
	}, a.store, github, a.log, metrics)
}

// jobs are those of all that recurs. A part that cannot say what it has to do
// must not keep the others from theirs, so its error is told and left.
func (a *App) jobs(parts ...recurring) recurring {
	return func(ctx context.Context) (all []schedule.Job, err error) {
		for _, part := range parts {
			some, bad := part(ctx)
			if bad != nil {
				a.log.WarnContext(ctx, "recurring work", "error", bad)
				continue
			}
			all = append(all, some...)
		}
		return all, nil
	}
}
