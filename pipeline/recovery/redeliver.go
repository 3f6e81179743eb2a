package recovery

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/pipeline/gap"
	"github.com/callboard/callboard/pipeline/githubapp"
)

// add takes new gaps in and tells of them.
func (d *Detector) add(ctx context.Context, a *gap.App, found []gap.Gap) {
	if len(found) == 0 {
		return
	}
	a.Open = append(a.Open, found...)
	a.Found += int64(len(found))
	d.metrics.found.WithLabelValues(labels(*a)...).Add(float64(len(found)))
	d.log.WarnContext(ctx, "webhooks did not arrive: GitHub is asked to send them again", append(about(*a),
		slog.Int("found", len(found)), slog.Int("open", len(a.Open)), slog.Time("oldest", found[0].At))...)
}

// expire gives up on those that are older than GitHub sends again, and on the
// oldest where they are too many to keep in mind. It says how many.
func (d *Detector) expire(ctx context.Context, a *gap.App, now time.Time) int {
	all := len(a.Open)
	a.Open = slices.DeleteFunc(a.Open, func(g gap.Gap) bool { return now.Sub(g.At) > d.cfg.Window })
	if n := len(a.Open) - maxOpen; n > 0 {
		a.Open = slices.Delete(a.Open, 0, n)
	}
	return d.lose(ctx, a, all-len(a.Open))
}

func (d *Detector) lose(ctx context.Context, a *gap.App, n int) int {
	if n > 0 {
		a.Lost += int64(n)
		d.metrics.lost.WithLabelValues(labels(*a)...).Add(float64(n))
		d.log.DebugContext(ctx, "gave up on webhooks", append(about(*a), slog.Int("lost", n))...)
	}
	return n
}

// ask asks GitHub for those whose time has come, the oldest first, because they
// go first. It ends early when GitHub has no time for it, and says how many it asked for.
func (d *Detector) ask(ctx context.Context, a *gap.App) (asked int, err error) {
	limit := maxAsked
	if a.Deaf {
		limit = maxDeaf
	}
	var tooOld []string
	for i, failures := 0, 0; i < len(a.Open) && asked < limit && failures < maxFailures; i++ {
		g, now := &a.Open[i], d.cfg.Now()
		if now.Before(g.NextAt) {
			continue
		}
		again := d.github.Redeliver(ctx, a.Host, a.App, g.Attempt)
		if postponed(again) {
			err = again
			break
		}
		asked++
		g.Asked++
		g.NextAt, g.Error = now.Add(min(firstWait<<min(g.Asked-1, 10), lastWait)), ""
		switch {
		case again == nil:
			failures = 0
		case errors.Is(again, githubapp.ErrTooOld):
			tooOld = append(tooOld, g.GUID)
		default:
			failures++
			g.Error = again.Error()
		}
	}
	if asked == 0 {
		return 0, err
	}
	a.Deaf = true // until one arrives
	a.Redelivered += int64(asked - len(tooOld))
	d.metrics.redelivered.WithLabelValues(labels(*a)...).Add(float64(asked - len(tooOld)))
	a.Open = slices.DeleteFunc(a.Open, func(g gap.Gap) bool { return slices.Contains(tooOld, g.GUID) })
	if d.lose(ctx, a, len(tooOld)) > 0 {
		d.breakProof(ctx, a, d.cfg.Now(), "GitHub does not send deliveries again that did not arrive")
	}
	d.log.InfoContext(ctx, "asked GitHub to send webhooks again", append(about(*a), slog.Int("asked", asked),
		slog.Int("open", len(a.Open)))...)
	if err != nil {
		d.log.WarnContext(ctx, "the rest is asked for later", append(about(*a), slog.String(event.LogError, err.Error()))...)
	}
	return asked, err
}

// watch waits for what was asked for, and tells of it as soon as it is there. It
// looks into the inbox only.
func (d *Detector) watch(ctx context.Context, all []gap.App) error {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Patience)
	defer cancel()
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for open := 1; open > 0; {
		select {
		case <-ctx.Done():
			return nil // the next reading tells
		case <-tick.C:
		}
		open = 0
		for i := range all {
			a := &all[i]
			came, err := d.arrived(ctx, a)
			if err != nil && ctx.Err() == nil {
				return err
			}
			open += len(a.Open)
			if came == 0 {
				continue
			}
			if len(a.Open) == 0 {
				d.tellClosed(ctx, *a)
			}
			if err := d.save(ctx, all, a); err != nil {
				return err
			}
		}
	}
	return nil
}

// arrived takes those that the inbox has by now out of those that are open.
func (d *Detector) arrived(ctx context.Context, a *gap.App) (int, error) {
	n, err := a.Arrived(ctx, d.store)
	d.metrics.recovered.WithLabelValues(labels(*a)...).Add(float64(n))
	a.Deaf = a.Deaf && n == 0 && len(a.Open) > 0
	return n, err
}

func (d *Detector) tellClosed(ctx context.Context, a gap.App) {
	d.log.InfoContext(ctx, "all webhooks that were missing have arrived", append(about(a), slog.Int64("recovered", a.Recovered),
		slog.Time("no_gaps_since", a.Since))...)
}

// postponed says that GitHub has no time for us, or does not answer at all.
func postponed(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	f, ok := fault.Of(err)
	return ok && (f.Reason == fault.ReasonRateLimited || f.Reason == fault.ReasonUnavailable)
}
