// Package recovery finds the webhooks that GitHub sent and that did not arrive,
// and asks GitHub to send them again.
//
// GitHub tries once and keeps a log of its attempts for three days (contract
// github 1). The log of each App is read back to where the last reading began:
// what the inbox does not have is a gap. What cannot be recovered that way, a
// scan repairs: it is asked for by message. Nothing is decided from a log entry
// itself; a delivery that comes again goes through the inbox as any other.
//
//	detector := recovery.New(recovery.Config{Hosts: hosts, Schedule: every5Minutes}, store, github, log, registry)
//	jobs, err := detector.Jobs(ctx)
package recovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/gap"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/schedule"
	"github.com/callboard/callboard/storage"
)

// GitHub is what is asked of it; *githubapp.Clients is one.
type GitHub interface {
	// Apps lists the ids of the Apps of a host.
	Apps(host string) []int64
	// Deliveries reads a page of an App's log, newest first; next is "" at the end.
	Deliveries(ctx context.Context, host string, app int64, cursor string) (page []githubapp.HookDelivery, next string, err error)
	// Redeliver asks for an attempt to be made again; githubapp.ErrTooOld if it cannot.
	Redeliver(ctx context.Context, host string, app, id int64) error
}

// Config of a Detector. Zero fields mean the defaults named with them.
type Config struct {
	Hosts    []string
	Schedule schedule.Schedule
	// Window is how far back GitHub has a log and delivers again: 3 days
	// (contract github 1; 7 on Enterprise Server).
	Window time.Duration
	// Retention is how long the inbox remembers a delivery: 30 days.
	Retention time.Duration
	// Patience is how long a run waits for what it asked for, to tell that all has
	// arrived: 30 s; negative for not at all.
	Patience time.Duration
	// Now is the clock: time.Now.
	Now func() time.Time
}

const (
	// maxAsked is how many deliveries are asked for in one run, and maxDeaf how
	// many while nothing came of those before: the receiver may be down.
	maxAsked, maxDeaf = 500, 10
	// maxOpen bounds what is kept in mind. Where more is missing, a scan is cheaper.
	maxOpen = 5000
	// maxPages bounds a reading: 50,000 attempts.
	maxPages = 500
	// overlap is read twice, because the log has an attempt when it is over, and
	// some begin late (contract github 1, throttled_at).
	overlap = 15 * time.Minute
	// A delivery is asked for again after firstWait, then after twice as long, up to lastWait.
	firstWait, lastWait = 4 * time.Minute, 6 * time.Hour
	// watchEvery is how often the inbox is looked into for what was asked for.
	watchEvery = time.Second
	// maxFailures in a row end a run.
	maxFailures = 3
	// ahead is how much later than now an attempt may be dated. A clock that is wrong
	// for a moment must not hide what comes after.
	ahead = time.Minute
	// scanAgain is the least time between two scans that are asked for.
	scanAgain = time.Hour
)

// Detector is the gap detector. Make it with New.
type Detector struct {
	cfg     Config
	store   storage.Store
	github  GitHub
	log     *slog.Logger
	metrics *metrics
}

// New makes one. reg may be nil.
func New(cfg Config, store storage.Store, github GitHub, log *slog.Logger, reg prometheus.Registerer) *Detector {
	if cfg.Window == 0 {
		cfg.Window = 3 * 24 * time.Hour
	}
	if cfg.Retention == 0 {
		cfg.Retention = 30 * 24 * time.Hour
	}
	if cfg.Patience == 0 {
		cfg.Patience = 30 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Detector{cfg: cfg, store: store, github: github, log: log, metrics: newMetrics(store, reg)}
}

// Jobs is the one job of reading all logs, by schedule and after each start.
func (d *Detector) Jobs(context.Context) ([]schedule.Job, error) {
	if len(d.apps()) == 0 {
		return nil, nil
	}
	return []schedule.Job{{Name: "delivery logs", Schedule: d.cfg.Schedule, OnStart: true, Run: d.Run}}, nil
}

// apps are those of the configuration, with nothing known of them yet.
func (d *Detector) apps() (all []gap.App) {
	for _, host := range d.cfg.Hosts {
		for _, id := range d.github.Apps(host) {
			all = append(all, gap.App{Host: host, App: id})
		}
	}
	return all
}

// Run reads the logs of all Apps once. It must not run twice at the same time:
// that would only cost requests.
func (d *Detector) Run(ctx context.Context) error {
	ctx = githubapp.WithPurpose(ctx, githubapp.PurposeScan)
	known, err := gap.Load(ctx, d.store)
	if err != nil {
		return err
	}
	all := d.apps()
	for i, a := range all {
		for _, k := range known {
			if k.Host == a.Host && k.App == a.App {
				all[i] = k
			}
		}
	}
	var errs []error
	waits := false
	for i := range all {
		asked, err := d.one(ctx, all, &all[i])
		waits = waits || asked > 0
		if err != nil {
			errs = append(errs, fmt.Errorf("deliveries of app %d on %s: %w", all[i].App, all[i].Host, err))
		}
	}
	if waits && d.cfg.Patience > 0 {
		errs = append(errs, d.watch(ctx, all))
	}
	return errors.Join(errs...)
}

// one reads the log of an App, of all that are saved together, and closes its
// gaps. It says how many deliveries it asked for.
func (d *Detector) one(ctx context.Context, all []gap.App, a *gap.App) (asked int, err error) {
	began := d.cfg.Now()
	if err := d.look(ctx, a, began); err != nil {
		a.FailedAt, a.Error = began, err.Error()
		d.warnLate(ctx, *a, began)
		return 0, errors.Join(err, d.save(ctx, all, a))
	}
	a.FailedAt, a.Error = time.Time{}, ""
	// What was found is safe before anything is asked for, and a scan with it.
	if err := d.save(ctx, all, a); err != nil {
		return 0, err
	}
	asked, err = d.ask(ctx, a)
	if asked == 0 {
		return 0, err
	}
	return asked, errors.Join(err, d.save(ctx, all, a))
}

// look brings a up to date with what GitHub's log and the inbox have.
func (d *Detector) look(ctx context.Context, a *gap.App, began time.Time) error {
	recovered, err := d.arrived(ctx, a)
	if err != nil {
		return err
	}
	if a.Newest.After(began.Add(ahead)) {
		a.Newest, a.NewestID = time.Time{}, 0
	}
	if first, err := d.first(ctx, a, began); first || err != nil {
		return err
	}
	l, err := d.read(ctx, *a, began)
	if err != nil {
		return err
	}
	found, err := d.missing(ctx, a, l, began)
	if err != nil {
		return err
	}
	why := l.broken(*a, began, d.cfg.Window)
	if a.Since.IsZero() {
		a.Since = began.Add(-min(d.cfg.Window, d.cfg.Retention))
	}
	open := len(a.Open) + recovered
	d.add(ctx, a, found)
	lost := d.expire(ctx, a, began)
	switch {
	case why != "":
		d.breakProof(ctx, a, began, why)
	case lost > 0:
		d.breakProof(ctx, a, began, fmt.Sprintf("%d deliveries did not arrive, and GitHub does not have them any more", lost))
	case open > 0 && len(a.Open) == 0:
		d.tellClosed(ctx, *a)
	}
	a.ReadAt = began
	if l.newest.After(a.Newest) {
		a.Newest, a.NewestID = l.newest, l.newestID
	}
	d.metrics.read(*a)
	return nil
}

// first begins the proof of an installation in which nothing has happened yet:
// nothing that GitHub sent before is missing, because the scan that follows sees
// everything. So nothing is asked for.
func (d *Detector) first(ctx context.Context, a *gap.App, began time.Time) (bool, error) {
	if !a.ReadAt.IsZero() {
		return false, nil
	}
	deliveries, err := d.store.Deliveries(ctx, storage.DeliveryFilter{Limit: 1})
	if err != nil || len(deliveries) > 0 {
		return false, err
	}
	repositories, err := d.store.RepositoryPage(ctx, storage.RepositoryFilter{Limit: 1})
	if err != nil || len(repositories) > 0 {
		return false, err
	}
	page, _, err := d.github.Deliveries(ctx, a.Host, a.App, "")
	if err != nil {
		return false, err
	}
	l := newReading(began)
	for _, entry := range page {
		l.add(entry)
	}
	a.Newest, a.NewestID = l.newest, l.newestID
	a.Since, a.ReadAt = began, began
	return true, nil
}

// breakProof says that something is missing for good, and what is done about it.
func (d *Detector) breakProof(ctx context.Context, a *gap.App, now time.Time, why string) {
	a.Since, a.BrokenAt, a.Broken, a.ScanOwed = now, now, why, true
	d.log.ErrorContext(ctx, "webhooks are missing that cannot be sent again: a full scan repairs the catalog",
		append(about(*a), slog.String("reason", why))...)
}

// warnLate is told from two thirds of the window on: soon gaps cannot be closed any more.
func (d *Detector) warnLate(ctx context.Context, a gap.App, now time.Time) {
	if since := now.Sub(a.ReadAt); !a.ReadAt.IsZero() && since > d.cfg.Window*2/3 {
		d.log.ErrorContext(ctx, "the delivery log cannot be read: soon GitHub will not send missing webhooks again",
			append(about(a), slog.Time("read_at", a.ReadAt), slog.String(event.LogError, a.Error))...)
	}
}

// save writes what is known, also when ctx is over, and with it the request for
// the scan that an App needs.
func (d *Detector) save(ctx context.Context, all []gap.App, a *gap.App) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	now := d.cfg.Now()
	scan := a.ScanOwed && now.Sub(a.ScanAt) >= scanAgain
	if scan {
		a.ScanOwed, a.ScanAt = false, now
	}
	return d.store.InTx(ctx, func(ctx context.Context, tx storage.Tx) error {
		if scan {
			msg, err := scanOf(a.Host)
			if err != nil {
				return err
			}
			if _, err := tx.AddMessages(ctx, []storage.Message{msg}); err != nil {
				return err
			}
		}
		return gap.Save(ctx, tx, all, now)
	})
}

// scanOf asks for a scan of all accounts of a host.
func scanOf(host string) (storage.Message, error) {
	req := event.Scan{Host: host}
	payload, err := json.Marshal(req)
	if err != nil {
		return storage.Message{}, fmt.Errorf("encode a scan of %s: %w", host, err)
	}
	cause := storage.Cause{Reason: storage.ReasonScan, Actor: "gap detector"}
	return storage.Message{Topic: event.TopicScan, Key: event.ScanKey(req), Payload: payload, Cause: cause}, nil
}

func about(a gap.App) []any {
	return []any{slog.String("host", a.Host), slog.Int64("app", a.App)}
}

func labels(a gap.App) []string { return []string{a.Host, strconv.FormatInt(a.App, 10)} }
