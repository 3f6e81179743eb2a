package scan_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/scan"
	"github.com/callboard/callboard/storage"
)

// under makes settings current, and answers the repositories that were read under others.
func (f *fixture) under(settings string) (outdated []storage.Repository) {
	f.Helper()
	current := func(r storage.Repository) bool { return r.SettingsHash == settings }
	f.step = scan.New(scan.Config{
		Policy: discovery.All(""), MaxRemovedShare: 0.1, MaxRemovedEntities: 2, Now: func() time.Time { return f.now }, Current: current,
	}, f.store, f.github, slog.New(slog.NewTextHandler(&f.log, nil)), nil)
	all, err := f.store.Repositories(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	for _, r := range all {
		if !current(r) {
			outdated = append(outdated, r)
		}
	}
	return outdated
}

// resettle is a start under settings.
func (f *fixture) resettle(settings string) {
	f.Helper()
	if err := f.step.Settings(f.Context(), f.under(settings)); err != nil {
		f.Fatal(err)
	}
}

// all are the scans of the account, newest first.
func (f *fixture) all() []storage.Scan {
	f.Helper()
	all, err := f.store.Scans(f.Context(), storage.ScanFilter{Owner: "acme"})
	if err != nil {
		f.Fatal(err)
	}
	return all
}

// typo is an account of six repositories that a typo would empty, and the scan
// that is paused for it.
func typo(t *testing.T) (*fixture, string) {
	t.Helper()
	f := setup(t)
	f.show(6)
	f.know(7)
	for id := range int64(6) {
		f.declare(id+1, 1)
		f.change(id+1, func(r *storage.Repository) { r.SettingsHash = "good" })
	}
	f.resettle("good")
	same(t, "scans without a change", 0, len(f.all()))
	f.resettle("bad")
	all := f.all()
	same(t, "scans", 1, len(all))
	same(t, "asked for", []string{"1 look", "2 look", "3 look", "4 look", "5 look", "6 look"}, words(f.refreshes()))
	same(t, "cause", storage.Cause{Reason: "settings", Actor: "configuration", Repository: "acme/r1", Scan: all[0].ID}, f.refreshes()[0].Cause)
	f.hold("bad", map[int64]int{1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1})
	s := f.proceed(all[0].ID)
	if s.State != storage.ScanPaused || s.Removing != 6 || s.Complete() || !strings.Contains(s.Error, "if the configuration is wrong, correct it and restart. Else callboard scan approve") {
		t.Fatalf("ends as %+v", s)
	}
	same(t, "pages", 0, len(f.github.asked))
	return f, s.ID
}

// hold does what is asked for, and says under which settings.
func (f *fixture) hold(settings string, held map[int64]int) {
	f.Helper()
	f.refreshed(held)
	f.tx(func(ctx context.Context, tx storage.Tx) error {
		holds, err := tx.Holds(ctx, f.all()[0].ID)
		if err != nil {
			return err
		}
		for _, h := range holds {
			h.Payload = []byte(strings.Replace(string(h.Payload), `{`, `{"settings":"`+settings+`",`, 1))
			if err := tx.PutHold(ctx, h); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestATypoIsCorrected(t *testing.T) {
	t.Parallel()
	f, id := typo(t)
	f.resettle("bad") // another start with the typo asks nothing again
	same(t, "asked for", 0, len(f.refreshes()))
	same(t, "state", storage.ScanPaused, f.scan(id).State)
	f.resettle("good")
	if s := f.proceed(id); s.State != storage.ScanDone || s.Removing != 0 || s.Error != "" || len(f.refreshes()) != 0 {
		t.Errorf("ends as %+v and asks for %v", s, words(f.refreshes()))
	}
}

func TestATypoIsApproved(t *testing.T) {
	t.Parallel()
	f, id := typo(t)
	if err := f.step.Approve(t.Context(), id, "boss"); err != nil {
		t.Fatal(err)
	}
	same(t, "released", "1 look released", normal(words(f.refreshes()))[0])
	f.refreshed(nil)
	if s := f.proceed(id); s.State != storage.ScanDone || s.Removing != 6 {
		t.Errorf("ends as %+v", s)
	}
}

// A scan that comes after a paused one of settings asks and counts by itself.
func TestAScanSupersedesPausedSettings(t *testing.T) {
	t.Parallel()
	f, id := typo(t)
	f.now = f.now.Add(time.Minute)
	next := f.start()
	f.proceed(next)
	same(t, "superseded", storage.ScanSuperseded, f.scan(id).State)
	same(t, "asked for", 6, len(f.refreshes()))
	f.hold("bad", map[int64]int{1: 1, 2: 1, 3: 1})
	if s := f.proceed(next); s.State != storage.ScanPaused || s.Removing != 3 || !strings.Contains(s.Error, "correct it and restart") {
		t.Errorf("ends as %+v", s)
	}
	f.resettle("good")
	same(t, "corrected", storage.ScanDone, f.proceed(next).State)
}

// Settings that change while a scan runs are counted with it, and a scan that is
// asked for while settings are read again lists too.
func TestSettingsAndAScanAreOne(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.show(6)
	f.know(7)
	f.resettle("new")
	id := f.all()[0].ID
	same(t, "joined", id, f.start())
	f.proceed(id)
	same(t, "listed", 6, f.scan(id).Seen)
	f.resettle("newer")
	same(t, "scans", 1, len(f.all()))
	for _, a := range f.refreshes() {
		same(t, "part of", id, a.Cause.Scan)
	}
	f.refreshed(map[int64]int{1: 2, 2: 2})
	same(t, "removing", 4, f.proceed(id).Removing)
}
