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
	if s := f.proceed(id); s.State != storage.ScanPaused || s.Removing != 3 || !strings.Contains(s.Error, "would remove 3 of the 18 entities of acme (in 1 of its repositories)") {
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
	s := f.scan(id)
	if s.State != storage.ScanDone || s.ApprovedBy != "boss" || s.Error != "" {
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
		s := f.proceed(id)
		if s.State != storage.ScanDone || s.ApprovedBy != "" {
			t.Errorf("%d: ends as %+v", entities, s)
		}
		same(t, "released", []string{"6 gone released"}, normal(words(f.refreshes())))
		same(t, "as found by", id, f.refreshes()[0].Cause.Scan)
	}
}
