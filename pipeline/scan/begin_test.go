package scan_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/storage"
)

// ask adds a request as a webhook does, and runs it.
func (f *fixture) ask(installation int64) {
	f.Helper()
	req := event.Scan{Host: host, Owner: "acme", InstallationID: installation}
	payload, err := json.Marshal(req)
	if err != nil {
		f.Fatal(err)
	}
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		_, err := tx.AddMessages(ctx, []storage.Message{{
			Topic: event.TopicScan, Key: event.ScanKey(req), Payload: payload, CreatedAt: f.now,
			Cause: storage.Cause{Reason: storage.ReasonInstallation, Delivery: "d"},
		}})
		return err
	})
	if _, err := f.run(event.ScanKey(req)); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) scans() []storage.Scan {
	f.Helper()
	all, err := f.store.Scans(f.Context(), storage.ScanFilter{})
	if err != nil {
		f.Fatal(err)
	}
	return all
}

func TestTwoRequestsAreOneScan(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.show(3)
	id := f.start()
	same(t, "joined", id, f.start())
	jobs, err := f.step.Jobs(t.Context())
	if err != nil || len(jobs) != 1 {
		t.Fatalf("%d jobs, %v", len(jobs), err)
	}
	if err := jobs[0].Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	same(t, "scans", 1, len(f.scans()))
	same(t, "steps", 1, len(f.undone(event.TopicScan, event.ScanKey(event.Scan{Scan: id}))))
}

func TestAScanFollowsWhereTheInstallationChangedMeanwhile(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.show(9)
	id := f.start()
	if _, err := f.run(event.ScanKey(event.Scan{Scan: id})); err != nil {
		t.Fatal(err)
	}
	f.now = f.now.Add(time.Second)
	f.ask(7)
	f.ask(7)
	same(t, "scans", 1, len(f.scans()))
	f.proceed(id)
	f.refreshed(nil)
	f.proceed(id)
	account := event.ScanKey(event.Scan{Host: host, Owner: "acme"})
	for len(f.undone(event.TopicScan, account)) > 0 {
		f.now = f.now.Add(time.Second)
		if _, err := f.run(account); err != nil {
			t.Fatal(err)
		}
	}
	all := f.scans()
	same(t, "scans", 2, len(all))
	f.now = all[0].StartedAt // who asked before is content with it
	f.ask(7)
	same(t, "scans then", 2, len(f.scans()))
	same(t, "cause", storage.Cause{Reason: "installation", Delivery: "d"}, all[0].Cause)
	f.proceed(all[0].ID)
	cause := f.refreshes()[0].Cause
	same(t, "cause of its refreshes", []string{"installation", "d", all[0].ID}, []string{cause.Reason, cause.Delivery, cause.Scan})
}

// A refresh that was given up is counted, and nobody waits for it.
func TestParkedRefreshesFail(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.show(2)
	id := f.start()
	f.proceed(id)
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		return tx.ParkMessages(ctx, []int64{f.refreshes()[0].ID}, f.now, "poison")
	})
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		return tx.FinishMessages(ctx, []int64{f.refreshes()[1].ID}, f.now)
	})
	for f.scan(id).State == storage.ScanRunning {
		f.now = f.now.Add(time.Second)
		if _, err := f.run(event.ScanKey(event.Scan{Scan: id})); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "failed", 1, f.scan(id).Failed)
}

// Nobody waits for ever, and what was counted in part is not released.
func TestAScanWaitsADay(t *testing.T) {
	t.Parallel()
	for _, held := range []int{0, 1} {
		f := setup(t)
		f.show(2)
		f.know(7)
		f.show(0)
		id := f.start()
		f.proceed(id)
		f.tx(func(ctx context.Context, tx storage.Tx) error {
			if err := tx.FinishMessages(ctx, []int64{f.refreshes()[0].ID}, f.now); err != nil || held == 0 {
				return err
			}
			return tx.PutHold(ctx, storage.Hold{ScanID: id, RepositoryID: 1, Entities: 1, Payload: []byte(`{}`)})
		})
		f.now = f.now.Add(24 * time.Hour)
		if _, err := f.run(event.ScanKey(event.Scan{Scan: id})); err != nil {
			t.Fatal(err)
		}
		s := f.scan(id)
		if want := []storage.ScanState{storage.ScanDone, storage.ScanPaused}[held]; s.State != want || s.Failed != 1 || !strings.Contains(s.Error, "1 repositories were not read within 24h") {
			t.Errorf("ends as %+v", s)
		}
	}
}

// A scan whose step was given up is not joined for ever.
func TestAStuckScanIsReplaced(t *testing.T) {
	t.Parallel()
	f := setup(t)
	id := f.start()
	step := f.undone(event.TopicScan, event.ScanKey(event.Scan{Scan: id}))[0]
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		return tx.ParkMessages(ctx, []int64{step.ID}, f.now, "panic: x")
	})
	f.now = f.now.Add(time.Second)
	if again := f.start(); again == id {
		t.Error("the stuck one was joined")
	}
	if s := f.scan(id); s.State != storage.ScanFailed || s.Error != "panic: x" {
		t.Errorf("the stuck one is %+v", s)
	}
}

// While refreshes wait for a rate limit, a scan looks at them ever less often.
func TestAScanWaitsPatiently(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.show(1)
	id := f.start()
	f.proceed(id)
	looks := 0
	for end := f.now.Add(time.Hour); f.now.Before(end); f.now = f.now.Add(100 * time.Millisecond) {
		if ran, err := f.run(event.ScanKey(event.Scan{Scan: id})); err != nil {
			t.Fatal(err)
		} else if ran {
			looks++
		}
	}
	if looks < 100 || looks > 160 || f.scan(id).State != storage.ScanRunning {
		t.Errorf("%d looks in an hour", looks)
	}
}
