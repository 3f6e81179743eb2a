package schedule_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/pipeline/schedule"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/sqlite"
)

// world is a store on which processes come and go, in a bubble of time.
type world struct {
	*testing.T
	path  string
	began time.Time
	text  bytes.Buffer
	log   *slog.Logger

	mu   sync.Mutex
	runs []string
}

// inBubble runs fn with a clock that goes on when everything waits.
func inBubble(t *testing.T, fn func(w *world)) {
	path := filepath.Join(t.TempDir(), "callboard.db")
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, path: path, began: time.Now()}
		w.log = slog.New(slog.NewTextHandler(&w.text, nil))
		fn(w)
	})
}

// process is a runner with a store of its own on the same database.
type process struct {
	w     *world
	store *sqlite.Store
	jobs  []schedule.Job
	err   error // of asking for the jobs
	stop  func()
}

// start runs jobs until stop is called.
func (w *world) start(jobs ...schedule.Job) *process {
	w.Helper()
	store, err := sqlite.Open(w.Context(), w.path)
	if err != nil {
		w.Fatal(err)
	}
	p := &process{w: w, store: store, jobs: jobs}
	ctx, cancel := context.WithCancel(w.Context())
	done := make(chan struct{})
	runner := schedule.NewRunner(store, func(context.Context) ([]schedule.Job, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return p.jobs, p.err
	}, w.log)
	go func() {
		defer close(done)
		if err := runner.Run(ctx); err != nil {
			w.Errorf("Run: %v", err)
		}
	}()
	p.stop = sync.OnceFunc(func() {
		cancel()
		<-done
		if err := store.Close(); err != nil {
			w.Error(err)
		}
	})
	w.Cleanup(p.stop)
	return p
}

func (p *process) become(jobs []schedule.Job, err error) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.jobs, p.err = jobs, err
}

// note says that something happened, with the time since the beginning.
func (w *world) note(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs = append(w.runs, what+" "+time.Since(w.began).String())
}

// job notes its runs, which take some time and end with err.
func (w *world) job(name string, s schedule.Schedule, takes time.Duration, err error) schedule.Job {
	return schedule.Job{Name: name, Schedule: s, Run: func(ctx context.Context) error {
		w.note(name)
		if takes == 0 {
			return err
		}
		select {
		case <-time.After(takes):
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
}

// after goes on to a time since the beginning, when everything waits.
func (w *world) after(d time.Duration) {
	<-time.After(d - time.Since(w.began))
	synctest.Wait()
}

func (w *world) want(runs ...string) {
	w.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if diff := cmp.Diff(runs, w.runs); diff != "" {
		w.Errorf("runs (-want +got):\n%s\n%s", diff, w.text.String())
	}
	w.runs = nil
}

const name = "job"

func TestAJobRunsAtItsTimes(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		hourly := schedule.Schedule{Frequency: 100 * time.Minute, InitialDelay: time.Minute}
		p := w.start(w.job(name, hourly, 0, nil))
		w.after(time.Second)
		w.want()
		w.after(4 * time.Hour)
		first := w.runs
		if len(first) != 3 || first[0] != name+" 1m0s" {
			w.Fatalf("runs are %v", first)
		}
		gap := func(i int) time.Duration {
			a, _ := time.ParseDuration(strings.TrimPrefix(first[i], name+" "))
			b, _ := time.ParseDuration(strings.TrimPrefix(first[i+1], name+" "))
			return b - a
		}
		if gap(0) != gap(1) || gap(0) < 100*time.Minute || gap(0) >= 110*time.Minute {
			w.Errorf("between the runs are %s and %s, want 100 to 110 minutes, always the same", gap(0), gap(1))
		}
		w.runs = nil
		p.stop()

		w.start(w.job(name, hourly, 0, nil)) // a restart runs nothing again
		w.after(4*time.Hour + 30*time.Minute)
		w.want()
	})
}

// Whatever runs after each start is then on its schedule.
func TestAJobThatRunsOnStart(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		job := w.job(name, schedule.Schedule{Cron: "@hourly", InitialDelay: 10 * time.Second}, 0, nil)
		job.OnStart = true
		manual := w.job("manual", schedule.Schedule{Manual: true}, 0, nil)
		manual.OnStart = true
		p := w.start(job, manual)
		w.after(70 * time.Minute)
		w.want("job 10s", "job 1h0m0s")
		p.stop()
		w.start(job, manual)
		w.after(2 * time.Hour)
		w.want("job 1h10m10s", "job 2h0m0s")
	})
}

func TestWhatWasMissedIsDoneOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		nightly := w.job(name, schedule.Schedule{Cron: "0 3 * * *"}, 0, nil) // a bubble begins at midnight
		p := w.start(nightly)
		w.after(4 * time.Hour)
		w.want("job 3h0m0s")
		p.stop()
		w.after(76 * time.Hour)
		w.start(nightly)
		w.after(78 * time.Hour)
		w.want("job 76h0m0s")
		w.after(100 * time.Hour)
		w.want("job 99h0m0s")
	})
}

func TestReplicasShareTheWork(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		jobs := []schedule.Job{
			w.job("cron", schedule.Schedule{Cron: "*/10 * * * *"}, 3*time.Minute, nil),
			w.job("short", schedule.Schedule{Cron: "* * * * *"}, 0, nil),
		}
		w.start(jobs...)
		w.start(jobs...)
		w.start(jobs...)
		w.after(20*time.Minute + time.Second)
		var cron []string
		for _, run := range w.runs {
			if strings.HasPrefix(run, "cron") {
				cron = append(cron, run)
			}
		}
		if diff := cmp.Diff([]string{"cron 10m0s", "cron 20m0s"}, cron); diff != "" {
			w.Errorf("runs (-want +got):\n%s", diff)
		}
		if n := len(w.runs) - len(cron); n != 20 {
			w.Errorf("the short job ran %d times in 20 minutes: %v", n, w.runs)
		}
	})
}

func TestAFailedRunIsTriedAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		failures := 3
		job := w.job(name, schedule.Schedule{Cron: "@hourly", Timeout: time.Minute}, 0, nil)
		job.Run = func(context.Context) error {
			w.note("run")
			if failures--; failures >= 0 {
				return errors.New("no luck")
			}
			return nil
		}
		w.start(job)
		w.after(3 * time.Hour)
		w.want("run 1h0m0s", "run 1h1m0s", "run 1h3m0s", "run 1h7m0s", "run 2h0m0s", "run 3h0m0s")
	})
}

func TestAFailureNeverComesSoonerThanTheSchedule(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.start(w.job(name, schedule.Schedule{Cron: "*/2 * * * *"}, 0, errors.New("never")))
		w.after(9 * time.Minute)
		w.want("job 2m0s", "job 3m0s", "job 4m0s", "job 6m0s", "job 8m0s")
	})
}

func TestPanicsAndTimeoutsAreErrors(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		panics := schedule.Job{Name: "panics", Schedule: schedule.Schedule{Frequency: time.Hour}, Run: func(context.Context) error {
			panic("at the disco")
		}}
		slow := w.job("slow", schedule.Schedule{Frequency: time.Hour, Timeout: 50 * time.Second}, time.Hour, nil)
		p := w.start(panics, slow)
		w.after(55 * time.Second)
		p.stop()
		for _, want := range []string{"panic: at the disco", "not done in 50s"} {
			if !strings.Contains(w.text.String(), want) {
				w.Errorf("the log lacks %q:\n%s", want, w.text.String())
			}
		}
	})
}

// A process that dies leaves its job to the others, when its lease is over.
func TestADeadProcessIsFollowed(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		job := w.job(name, schedule.Schedule{Cron: "@daily"}, 0, nil)
		p := w.start(job)
		w.after(24*time.Hour - time.Second)
		now := time.Now()
		// Somebody begins early and is never heard of again.
		err := p.store.InTx(w.Context(), func(ctx context.Context, tx storage.Tx) error {
			if _, err := tx.AcquireLease(ctx, "schedule/"+name, "dead", now, now.Add(90*time.Second)); err != nil {
				return err
			}
			value := []byte(`{"began":"` + now.Format(time.RFC3339Nano) + `","attempts":1}`)
			return tx.PutCheckpoint(ctx, storage.Checkpoint{Name: "schedule/" + name, Value: value, UpdatedAt: now})
		})
		if err != nil {
			w.Fatal(err)
		}
		w.after(25 * time.Hour)
		w.mu.Lock()
		defer w.mu.Unlock()
		// Its lease is over at 24h1m29s, and tried every half minute.
		if len(w.runs) != 1 || w.runs[0] < name+" 24h1m29s" || w.runs[0] > name+" 24h2m" {
			w.Errorf("runs are %v", w.runs)
		}
	})
}

// What a stopped process was at is begun anew by whoever is there.
func TestAStoppedProcessIsFollowed(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		job := w.job(name, schedule.Schedule{Cron: "@daily"}, 10*time.Minute, nil)
		a := w.start(job)
		w.after(24*time.Hour + 5*time.Second)
		w.want("job 24h0m0s")
		w.start(job)
		w.after(24*time.Hour + 2*time.Minute)
		w.want() // it runs still
		a.stop()
		w.after(25 * time.Hour)
		if len(w.runs) != 1 || w.runs[0] > name+" 24h3m" {
			w.Errorf("runs are %v", w.runs)
		}
	})
}

// Without the lease a run has to end.
func TestALostLeaseStopsTheRun(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		job := w.job(name, schedule.Schedule{Cron: "@hourly"}, 0, nil)
		job.Run = func(ctx context.Context) error {
			w.note("begins")
			<-ctx.Done()
			w.note("ends")
			return ctx.Err()
		}
		p := w.start(job)
		w.after(time.Hour + time.Second)
		err := p.store.InTx(w.Context(), func(ctx context.Context, tx storage.Tx) error {
			// As if the lease had been over for a moment.
			now := time.Now().Add(time.Hour)
			_, err := tx.AcquireLease(ctx, "schedule/"+name, "other", now, now.Add(time.Hour))
			return err
		})
		if err != nil {
			w.Fatal(err)
		}
		w.after(2 * time.Hour)
		w.want("begins 1h0m0s", "ends 1h0m10s")
		if !strings.Contains(w.text.String(), "another process took the work over") {
			w.Errorf("the log does not say why:\n%s", w.text.String())
		}
	})
}

func TestJobsComeAndGo(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		everyTen := schedule.Schedule{Cron: "*/10 * * * *"}
		one, other := w.job("one", everyTen, 0, nil), w.job("other", everyTen, 0, nil)
		p := w.start()
		w.after(15 * time.Minute)
		p.become([]schedule.Job{one, other, w.job("manual", schedule.Schedule{Manual: true}, 0, nil)}, nil)
		w.after(25 * time.Minute)
		slices.Sort(w.runs)
		// What was never run counts from the start of the process: it is due at once.
		w.want("one 16m0s", "one 20m0s", "other 16m0s", "other 20m0s")
		p.become(nil, errors.New("nobody knows"))
		w.after(35 * time.Minute)
		slices.Sort(w.runs)
		w.want("one 30m0s", "other 30m0s")
		p.become([]schedule.Job{other}, nil)
		w.after(45 * time.Minute)
		w.want("other 40m0s")
	})
}
