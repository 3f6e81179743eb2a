package schedule

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/google/uuid"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/storage"
)

// Job is recurring work. Its name is its identity: whoever runs a job of that
// name, in whatever process, runs the same one.
type Job struct {
	Name     string
	Schedule Schedule
	// OnStart runs it after each start of a process as well.
	OnStart bool
	// Run is given the schedule's timeout as its deadline. A run that fails or is
	// cut off is tried again in a minute, then in two, and so on up to the
	// schedule's next time, so it must be harmless to do it twice.
	Run func(ctx context.Context) error
}

const (
	// askEvery is how often the jobs are asked for. What another process ran
	// meanwhile is seen by the way.
	askEvery = time.Minute
	// leaseFor is how long a dead process keeps a job from others.
	leaseFor = 30 * time.Second
	// retryFirst is when a failed run is tried again for the first time.
	retryFirst = time.Minute
	// recordTimeout bounds what is written after the end.
	recordTimeout = 5 * time.Second
)

// Runner runs jobs at their times, once for all processes on a store. Between
// the times it only looks, once a minute, which jobs there are.
type Runner struct {
	store  storage.Store
	jobs   func(context.Context) ([]Job, error)
	log    *slog.Logger
	holder string
	now    func() time.Time

	// The rest is the loop's alone.
	started time.Time
	known   []Job
	asked   time.Time
	running map[string]bool
	blocked map[string]time.Time // not worth trying before, unless it was run here
	ended   chan end
}

// end is what a started job leaves to the loop.
type end struct {
	job  string
	ours bool // it was run here
}

// NewRunner makes one. jobs is asked at the start and every minute, because
// accounts come and go; it must not cost requests to GitHub.
func NewRunner(store storage.Store, jobs func(context.Context) ([]Job, error), log *slog.Logger) *Runner {
	return &Runner{
		store: store, jobs: jobs, log: log, holder: uuid.NewString(), now: time.Now,
		running: map[string]bool{}, blocked: map[string]time.Time{}, ended: make(chan end),
	}
}

// Run works until ctx ends, and waits for the jobs that run. Call it once.
func (r *Runner) Run(ctx context.Context) error {
	r.started = r.now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			for len(r.running) > 0 {
				delete(r.running, (<-r.ended).job)
			}
			return nil
		case e := <-r.ended:
			delete(r.running, e.job)
			if e.ours {
				delete(r.blocked, e.job)
			}
		case <-timer.C:
		}
		at := r.look(ctx)
		timer.Reset(max(at.Sub(r.now()), 0))
	}
}

// look starts what is due and says when to look again.
func (r *Runner) look(ctx context.Context) time.Time {
	now := r.now()
	if now.Sub(r.asked) >= askEvery {
		r.ask(ctx, now)
	}
	wake := r.asked.Add(askEvery)
	if len(r.known) == 0 {
		return wake
	}
	states, err := r.states(ctx)
	if err != nil {
		if ctx.Err() == nil {
			r.log.WarnContext(ctx, "look for recurring work", slog.String(event.LogError, err.Error()))
		}
		return now.Add(leaseFor)
	}
	for _, job := range r.known {
		if r.running[job.Name] {
			continue
		}
		at, ok := r.due(job, states[job.Name], now)
		if !ok {
			continue
		}
		if until := r.blocked[job.Name]; at.Before(until) {
			at = until
		}
		if !at.After(now) {
			r.running[job.Name] = true
			r.blocked[job.Name] = now.Add(leaseFor)
			go r.start(ctx, job)
			continue
		}
		if at.Before(wake) {
			wake = at
		}
	}
	return wake
}

func (r *Runner) ask(ctx context.Context, now time.Time) {
	r.asked = now
	jobs, err := r.jobs(ctx)
	if err != nil { // those of before go on
		if ctx.Err() == nil {
			r.log.WarnContext(ctx, "ask for recurring work", slog.String(event.LogError, err.Error()))
		}
		return
	}
	r.known = jobs
}

// due is when to run a job.
func (r *Runner) due(job Job, s state, now time.Time) (time.Time, bool) {
	at, ok := job.Schedule.Next(s.Began, r.started, now)
	if !ok {
		return at, false
	}
	if job.OnStart && s.Began.Before(r.started) {
		return r.started.Add(job.Schedule.InitialDelay), true
	}
	if !s.Began.IsZero() && job.Schedule.Cron == "" {
		at = at.Add(jitter(job))
	}
	if s.Attempts > 0 {
		if again := s.Began.Add(retryFirst << min(s.Attempts-1, 10)); again.Before(at) {
			at = later(again, r.started.Add(job.Schedule.InitialDelay))
		}
	}
	return at, true
}

// jitter lengthens the frequency by up to a tenth, always the same for a job, so
// that a hundred accounts do not stay in step. Nobody waits longer for a first run.
func jitter(job Job) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(job.Name))
	return job.Schedule.Frequency / 10 / 1000 * time.Duration(h.Sum32()%1000)
}

// start runs a job if it is ours to run, and always tells the loop that it ended.
func (r *Runner) start(ctx context.Context, job Job) {
	s, ours, err := r.take(ctx, job)
	defer func() { r.ended <- end{job.Name, ours} }()
	if err != nil {
		if ctx.Err() == nil {
			r.log.WarnContext(ctx, "begin recurring work", slog.String("job", job.Name), slog.String(event.LogError, err.Error()))
		}
		return
	}
	if !ours {
		return
	}
	r.log.DebugContext(ctx, "recurring work begins", slog.String("job", job.Name))
	err = r.run(ctx, job)
	took := slog.Int64(event.LogDuration, r.now().Sub(s.Began).Milliseconds())
	switch {
	case err == nil:
		s.Attempts, s.Ended, s.Error = 0, r.now(), ""
		r.log.DebugContext(ctx, "recurring work is done", slog.String("job", job.Name), took)
	case ctx.Err() != nil: // this process stops: whoever is there goes on
		s.Error = "cut off: the process stopped"
	default:
		s.Error = err.Error()
		r.log.WarnContext(ctx, "recurring work", slog.String("job", job.Name), slog.Int(event.LogAttempt, s.Attempts), took,
			slog.String(event.LogError, s.Error))
	}
	if err := r.record(ctx, job, s); err != nil {
		r.log.WarnContext(ctx, "end recurring work", slog.String("job", job.Name), slog.String(event.LogError, err.Error()))
	}
}

// run runs a job while its lease is renewed; without the lease it has to stop.
func (r *Runner) run(ctx context.Context, job Job) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		r.renew(ctx, job, cancel)
	}()
	defer func() { cancel(nil); <-renewed }()
	work, stop := ctx, context.CancelFunc(func() {})
	if job.Schedule.Timeout > 0 {
		work, stop = context.WithTimeout(ctx, job.Schedule.Timeout)
	}
	defer stop()
	defer func() {
		switch p := recover(); {
		case p != nil:
			err = fmt.Errorf("panic: %v", p)
			r.log.ErrorContext(ctx, "recurring work panicked", slog.String("job", job.Name), slog.String("stack", string(debug.Stack())))
		case err != nil && errors.Is(work.Err(), context.DeadlineExceeded):
			err = fmt.Errorf("not done in %s: %w", job.Schedule.Timeout, err)
		case err != nil && context.Cause(ctx) != nil:
			err = errors.Join(err, context.Cause(ctx))
		}
	}()
	return job.Run(work)
}
