// Package app is one process: it opens what the configuration names, wires it
// together, runs it, and stops it in order. It owns no logic of its own.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"github.com/callboard/callboard/cmd/config"
	"github.com/callboard/callboard/handlers"
	"github.com/callboard/callboard/handlers/api/catalog"
	"github.com/callboard/callboard/handlers/webhook"
	"github.com/callboard/callboard/pipeline/bus"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/inbox"
	"github.com/callboard/callboard/pipeline/localfile"
	"github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/pipeline/people"
	"github.com/callboard/callboard/pipeline/refresh"
	"github.com/callboard/callboard/pipeline/schedule"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/view"
)

// Options are what the command line adds to the configuration.
type Options struct {
	Log     *slog.Logger
	Version string
	// Now is the clock of what waits for hours or looks back over days; time.Now
	// where it is nil.
	Now func() time.Time
}

// App is the process. Make it with New, then Run it once.
type App struct {
	cfg      *config.Config
	log      *slog.Logger
	store    storage.Store
	view     *view.View
	inbox    *inbox.Inbox
	bus      *bus.Bus
	files    *localfile.Watcher // nil where no location names a file
	runner   *schedule.Runner
	server   *http.Server
	listener net.Listener
	cleanup  []func() error
}

// New opens and wires everything and listens, but works on nothing yet. On
// error everything that was opened is closed again.
func New(ctx context.Context, cfg *config.Config, opts Options) (_ *App, err error) {
	a := &App{cfg: cfg, log: opts.Log}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	if err := a.setup(ctx, opts); err != nil {
		return nil, err
	}
	return a, nil
}

// setup is long because it is the one straight line on which everything that
// exists is made, each thing after what it needs.
func (a *App) setup(ctx context.Context, opts Options) error {
	cfg := a.cfg
	if len(cfg.WebhookSecrets) == 0 {
		return errors.New("no webhook secret is configured: set integrations.github[].apps[].webhookSecret, " +
			"or events.modules.github.webhookSecret where a token is used; without one anybody could write to the catalog")
	}
	sayAccess(ctx, a.log, cfg.Listen, cfg.Auth)
	sayOrphans(ctx, a.log, cfg.Catalog)
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	if opts.Now == nil {
		opts.Now = time.Now
	}
	github, err := githubapp.New(hosts(cfg.GitHub), cfg.GitHubTimeout,
		githubapp.WithLimits(githubapp.Limits{Reserve: cfg.BudgetReserve}), githubapp.WithClock(opts.Now))
	if err != nil {
		return err
	}
	metrics.MustRegister(githubapp.NewCollector(github))
	transport, err := transportFor(cfg.Bus)
	if err != nil {
		return err
	}
	if a.store, err = openStore(ctx, cfg.Database, a.log); err != nil {
		return err
	}
	a.cleanup = append(a.cleanup, a.store.Close)

	a.view = view.New(a.store, a.log)
	a.store.OnCommit(func(c storage.Commit) {
		if c.Revision > 0 {
			a.view.Wake()
		}
	})
	a.bus = bus.New(a.store, transport, bus.Config{Workers: cfg.Workers, Retention: cfg.Retention, Undo: cfg.Scan.Undo, Now: opts.Now}, a.log, metrics)
	refreshing := refreshConfig(cfg)
	refreshing.Now = opts.Now
	step := refresh.New(refreshing, a.store, source{github}, a.log)
	bus.Register(a.bus, step)
	bus.RegisterBackground(a.bus, refresh.Looks{Step: step})
	bus.RegisterBackground(a.bus, refresh.Scanned{Step: step})
	a.localFiles(step)
	members := people.New(peopleConfig(cfg), a.store, github, peopleCatalog{step}, a.log)
	bus.RegisterBackground(a.bus, members) // as for scans
	scans := a.scans(github, step, refreshing, metrics)
	a.runner = schedule.NewRunner(a.store, a.jobs(a.gaps(github, opts.Now, metrics).Jobs, scans.Jobs, members.Jobs), a.log)
	routing := inbox.Config{Host: deliveryHost(github.Hosts()), Policy: refreshing.Policy, People: members.Covers, Now: opts.Now}
	bus.Register(a.bus, inbox.InstallationStep{Store: a.store, Config: routing})
	a.inbox = inbox.New(a.store, routing, a.log)

	var secrets []string
	for _, s := range cfg.WebhookSecrets {
		secrets = append(secrets, s.Reveal())
	}
	hook, err := webhook.New(webhook.Config{Secrets: secrets}, a.inbox, a.log)
	if err != nil {
		return err
	}
	if err := a.registerLocations(ctx, github.Hosts()); err != nil {
		return err
	}
	if err := a.readAgain(ctx, step, scans); err != nil {
		return err
	}
	if err := members.Begin(ctx); err != nil {
		return err
	}
	if a.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Listen); err != nil {
		return fmt.Errorf("backend.listen: %w", err)
	}
	a.cleanup = append(a.cleanup, func() error { _ = a.listener.Close(); return nil })
	closing := make(chan struct{})
	a.server = &http.Server{
		Handler: handlers.New(handlers.Deps{
			Store: a.store, View: a.view, Replayer: a.inbox, Remover: step, Scanner: scans, Undoer: step, Undo: cfg.Scan.Undo, Closing: closing, Webhook: hook, Metrics: metrics,
			Log: a.log, Version: opts.Version, Access: accessConfig(cfg.Auth), Settings: settings(refreshing), Excluded: step.Excluded,
			Budgets: a.budgets(github),
			Locations: catalog.LocationConfig{
				Hosts: github.Hosts(), Conflict: location.OnConflict(cfg.Catalog.LocationConflict),
				Readonly: cfg.Catalog.Readonly, Inspector: step,
			},
		}),
		ReadHeaderTimeout: 10 * time.Second,
		WriteTimeout:      time.Minute, // more than any wait; lists and streams extend it piece by piece
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10, // a filter may be long, and its cost grows with it
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	a.server.RegisterOnShutdown(func() { close(closing) })
	return nil
}

// Addr is where it listens.
func (a *App) Addr() string { return a.listener.Addr().String() }

// Grace is how long open requests may take to end.
const grace = 10 * time.Second

// Run works until ctx ends, then stops in order: ingress first, then requests,
// then the steps that run, then the store.
func (a *App) Run(ctx context.Context) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, gctx := errgroup.WithContext(work)
	g.Go(func() error { return a.view.Run(gctx) })
	g.Go(func() error {
		select {
		case <-a.view.Ready(): // the rows that it was loaded from are garbage now, a fifth of the process
			debug.FreeOSMemory()
		case <-gctx.Done():
		}
		return nil
	})
	g.Go(func() error { return a.inbox.Run(gctx) })
	g.Go(func() error { return a.bus.Run(gctx) })
	if a.files != nil {
		g.Go(func() error { return a.files.Run(gctx) })
	}
	g.Go(func() error { return a.runner.Run(gctx) })
	g.Go(func() error {
		if err := a.server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		select {
		case <-ctx.Done():
		case <-gctx.Done(): // a part failed: the others stop with it
		}
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		err := a.server.Shutdown(end)
		if errors.Is(err, context.DeadlineExceeded) {
			err = a.server.Close() // somebody streams; they will come again
		}
		stop()
		return err
	})
	a.log.InfoContext(ctx, "serving", slog.String("address", a.Addr()), slog.String("database", a.cfg.Database.Client),
		slog.String("bus", a.cfg.Bus.Kind))
	err := g.Wait()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, a.close())
}

// close undoes what setup did, last first.
func (a *App) close() error {
	var errs []error
	for _, undo := range slices.Backward(a.cleanup) {
		errs = append(errs, undo())
	}
	a.cleanup = nil
	return errors.Join(errs...)
}
