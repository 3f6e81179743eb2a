package scan_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/callboard/callboard/storage"
)

// paused is a scan that would remove more than may be.
func paused(t *testing.T) (*fixture, string) {
	t.Helper()
	f := setup(t)
	f.show(6)
	f.know(7)
	for id := range int64(6) {
		f.declare(id+1, 3)
	}
	f.show(5)
	id := f.start()
	f.proceed(id)
	f.refreshed(map[int64]int{6: 3})
	if s := f.proceed(id); s.State != storage.ScanPaused || s.Removing != 3 || !strings.Contains(s.Error, "would remove 3 of the 18 entities of acme (in 1 repositories)") {
		t.Fatalf("ends as %+v", s)
	}
	if !strings.Contains(f.log.String(), `level=ERROR msg="scan paused"`) {
		t.Errorf("the log says:\n%s", f.log.String())
	}
	return f, id
}

func TestWhatWouldRemoveMuchWaits(t *testing.T) {
	t.Parallel()
	f, id := paused(t)
	same(t, "asked for", 0, len(f.refreshes()))
	if err := f.step.Approve(t.Context(), id, "boss"); err != nil {
		t.Fatal(err)
	}
	same(t, "released", []string{"6 gone released"}, normal(words(f.refreshes())))
	same(t, "in whose name", "boss", f.refreshes()[0].Cause.Actor)
	if s := f.scan(id); s.State != storage.ScanRunning || s.ApprovedBy != "boss" || s.Error != "" {
		t.Errorf("approved, it is %+v", s)
	}
	if log := f.log.String(); strings.Contains(log, `msg="scan done"`) || !strings.Contains(log, `msg="scan approved"`) {
		t.Errorf("before anything has gone the log says:\n%s", log)
	}
	f.refreshed(nil)
	if s := f.proceed(id); s.State != storage.ScanDone || s.Removing != 3 || s.Error != "" {
		t.Errorf("ends as %+v", s)
	}
	for _, again := range []func(context.Context, string, string) error{f.step.Approve, f.step.Reject} {
		if err := again(t.Context(), id, "boss"); !errors.Is(err, storage.ErrStale) {
			t.Errorf("decided twice: %v", err)
		}
		if err := again(t.Context(), "none", "boss"); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("decided about none: %v", err)
		}
	}
}

func normal(words []string) []string {
	for i, w := range words {
		parts := strings.Fields(w)
		slices.Sort(parts[1:])
		words[i] = strings.Join(parts, " ")
	}
	return words
}

func TestWhatIsRejectedStays(t *testing.T) {
	t.Parallel()
	f, id := paused(t)
	if err := f.step.Reject(t.Context(), id, "boss"); err != nil {
		t.Fatal(err)
	}
	holds, err := f.store.Holds(t.Context(), id)
	s := f.scan(id)
	if err != nil || len(holds) != 0 || len(f.refreshes()) != 0 || s.State != storage.ScanDone || !strings.Contains(s.Error, "rejected by boss") {
		t.Errorf("%d holds, %d refreshes, %+v, %v", len(holds), len(f.refreshes()), s, err)
	}
}

func TestANewScanSupersedesAPausedOne(t *testing.T) {
	t.Parallel()
	f, id := paused(t)
	f.show(6)
	f.now = f.now.Add(time.Minute)
	if s := f.proceed(f.start()); s.State != storage.ScanDone {
		t.Errorf("the new one ends as %+v", s)
	}
	holds, err := f.store.Holds(t.Context(), id)
	if s := f.scan(id); s.State != storage.ScanSuperseded || err != nil || len(holds) != 0 {
		t.Errorf("the old one is %+v with %d holds, %v", s, len(holds), err)
	}
}

// A few entities go without asking, and so does a small share of many.
func TestWhatRemovesLittleDoesNotWait(t *testing.T) {
	t.Parallel()
	for _, entities := range []int{2, 30} {
		f := setup(t)
		f.show(6)
		f.know(7)
		for id := range int64(6) {
			f.declare(id+1, entities)
		}
		f.show(5)
		id := f.start()
		f.proceed(id)
		f.refreshed(map[int64]int{6: min(entities, 10)})
		f.proceed(id)
		same(t, "released", []string{"6 gone released"}, normal(words(f.refreshes())))
		same(t, "as found by", id, f.refreshes()[0].Cause.Scan)
		same(t, "how much", min(entities, 10), f.refreshes()[0].Released)
		f.refreshed(nil)
		if s := f.proceed(id); s.State != storage.ScanDone || s.ApprovedBy != "" || s.Removing != min(entities, 10) {
			t.Errorf("%d: ends as %+v", entities, s)
		}
	}
}

// What follows from a release is counted together with it, and after an approval
// from zero.
func TestWhatFollowsIsCounted(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.show(6)
	f.know(7)
	for id := range int64(6) {
		f.declare(id+1, 3)
	}
	f.show(5)
	id := f.start()
	expect := func(when string, state storage.ScanState, removing int, why string) {
		t.Helper()
		if s := f.proceed(id); s.State != state || s.Removing != removing || !strings.HasPrefix(s.Error, why) {
			t.Errorf("%s: %+v", when, s)
		}
	}
	approve := func() {
		t.Helper()
		if err := f.step.Approve(t.Context(), id, "boss"); err != nil {
			t.Fatal(err)
		}
	}
	expect("listed", storage.ScanRunning, 0, "")
	f.refreshed(map[int64]int{6: 2})
	expect("few", storage.ScanRunning, 2, "")
	f.refreshed(map[int64]int{6: 1})
	expect("one more", storage.ScanPaused, 3, "it removed 2 entities, and with them would remove 1 of the 18 entities of acme")
	approve()
	f.refreshed(map[int64]int{6: 2})
	expect("few after the approval", storage.ScanRunning, 5, "")
	f.refreshed(map[int64]int{6: 2})
	expect("many after the approval", storage.ScanPaused, 7, "it removed 2 entities")
	approve()
	f.refreshed(nil)
	expect("all", storage.ScanDone, 7, "")
}

// follow marks what a scan holds as following from another removal.
func (f *fixture) follow(scan string) {
	f.Helper()
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		holds, err := tx.Holds(ctx, scan)
		if err != nil {
			return err
		}
		for _, h := range holds {
			h.Payload = []byte(strings.Replace(string(h.Payload), `{`, `{"follows":true,"look":true,`, 1))
			if err := tx.PutHold(ctx, h); err != nil {
				return err
			}
		}
		return nil
	})
}

// No listing shows what follows from a removal, so the next scan takes it over,
// and what was rejected is looked at again.
func TestWhatFollowsIsNotForgotten(t *testing.T) {
	t.Parallel()
	f, id := paused(t)
	f.follow(id)
	f.show(6)
	f.now = f.now.Add(time.Minute)
	next := f.start()
	f.proceed(next)
	all := f.refreshes()
	if len(all) != 1 || !all[0].Follows || all[0].Released != 0 || all[0].Cause.Scan != next {
		t.Fatalf("asked for %+v", all)
	}
	f.refreshed(map[int64]int{6: 3})
	same(t, "state", storage.ScanPaused, f.proceed(next).State)
	f.change(6, func(r *storage.Repository) { r.SettingsHash = "now" })
	f.follow(next)
	if err := f.step.Reject(t.Context(), next, "boss"); err != nil {
		t.Fatal(err)
	}
	if r, err := f.store.Repository(t.Context(), 6); err != nil || r.SettingsHash != "" {
		t.Errorf("not to be read again: %+v, %v", r, err)
	}
}

// An App that is installed no more is said to be.
func TestAPauseSaysThatTheAppIsGone(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.show(2)
	f.know(7)
	f.declare(1, 3)
	f.github.installed = nil
	id := f.start()
	f.proceed(id)
	f.refreshed(map[int64]int{1: 3})
	if s := f.proceed(id); s.State != storage.ScanPaused || !strings.HasPrefix(s.Error, "the App is not installed on acme any more: it would remove 3") {
		t.Errorf("%+v", s)
	}
}
