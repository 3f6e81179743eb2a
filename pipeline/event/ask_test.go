package event_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/sqlite"
)

var began = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// desk is where is asked, with a worker that does at once what is due.
type desk struct {
	t     *testing.T
	store storage.Store
	now   time.Time
	looks []time.Time // one for all that is due at a moment
	done  map[int64]time.Time
}

func open(t *testing.T) *desk {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "callboard.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return &desk{t: t, store: store, now: began, done: map[int64]time.Time{}}
}

func (d *desk) tx(fn func(ctx context.Context, tx storage.Tx) error) {
	d.t.Helper()
	if err := d.store.InTx(d.t.Context(), fn); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) ask(req event.Refresh, cause storage.Cause, changed bool) (id int64) {
	d.t.Helper()
	msg, err := event.RefreshMessage(req, cause)
	if err != nil {
		d.t.Fatal(err)
	}
	msg.CreatedAt = d.now
	d.tx(func(ctx context.Context, tx storage.Tx) error {
		id, err = event.Ask(ctx, tx, d.now, msg, changed)
		return err
	})
	if at, done := d.done[id]; done {
		d.t.Fatalf("asked at %s, and answered with a look of %s", d.now.Sub(began), at.Sub(began))
	}
	return id
}

func (d *desk) undone(key string) []storage.Message {
	d.t.Helper()
	all, err := d.store.UndoneMessages(d.t.Context(), event.TopicRefresh, key)
	if err != nil {
		d.t.Fatal(err)
	}
	return all
}

// work does what is due.
func (d *desk) work(key string) {
	d.t.Helper()
	due := slices.DeleteFunc(d.undone(key), func(m storage.Message) bool { return m.RunAfter.After(d.now) })
	if len(due) == 0 {
		return
	}
	var ids []int64
	for _, m := range due {
		ids = append(ids, m.ID)
		d.done[m.ID] = d.now
	}
	d.looks = append(d.looks, d.now)
	d.tx(func(ctx context.Context, tx storage.Tx) error { return tx.FinishMessages(ctx, ids, d.now) })
}

var one = event.Refresh{Host: "github.com", RepositoryID: 1, Owner: "acme", Name: "one"}

func look(force bool) event.Refresh {
	r := one
	r.Look, r.Force = !force, force
	return r
}

// However often and by whom it is asked, GitHub is asked a few times, and nobody
// waits longer than AskAgain.
func TestFloods(t *testing.T) {
	t.Parallel()
	manual := func(actor string) storage.Cause { return storage.Cause{Reason: storage.ReasonManual, Actor: actor} }
	tests := []struct {
		name string
		ask  func(d *desk, n int)
		most int // looks in 30 s
	}{
		{"one caller", func(d *desk, _ int) { d.ask(look(false), manual("ann"), false) }, 14},
		{"many callers", func(d *desk, n int) { d.ask(look(false), manual(fmt.Sprint("user", n)), false) }, 14},
		{"looks and forced ones", func(d *desk, n int) { d.ask(look(n%2 == 0), manual("ann"), false) }, 14},
		{"replays of many deliveries", func(d *desk, n int) {
			d.ask(look(true), storage.Cause{Reason: storage.ReasonReplay, Delivery: fmt.Sprint("g", n)}, false)
		}, 14},
		{"looks and changes", func(d *desk, n int) { d.ask(look(false), manual("ann"), n%2 == 0) }, 42},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			for n := range 300 {
				tt.ask(d, n)
				d.work("github.com/1")
				for _, m := range d.undone("github.com/1") {
					if wait := m.RunAfter.Sub(m.CreatedAt); wait > event.AskAgain {
						t.Fatalf("asked at %s, due %s later", m.CreatedAt.Sub(began), wait)
					}
				}
				d.now = d.now.Add(100 * time.Millisecond)
			}
			d.now = d.now.Add(event.AskAgain)
			d.work("github.com/1")
			if len(d.looks) > tt.most || len(d.looks) < 6 || !d.looks[0].Equal(began) {
				t.Errorf("%d looks, want at most %d; the first at %s", len(d.looks), tt.most, d.looks[0].Sub(began))
			}
			if left := d.undone("github.com/1"); len(left) > 0 {
				t.Errorf("%d are left", len(left))
			}
		})
	}
}

// Who shares a look with whom.
func TestAskShares(t *testing.T) {
	t.Parallel()
	ann := storage.Cause{Reason: storage.ReasonManual, Actor: "ann"}
	bob, replay := ann, storage.Cause{Reason: storage.ReasonReplay, Actor: "ann", Delivery: "g-1"}
	bob.Actor = "bob"
	other, byBob := replay, replay
	other.Delivery, byBob.Actor = "g-2", "bob"
	gone := look(true)
	gone.Gone = "deleted"
	tests := []struct {
		name           string
		first, then    event.Refresh
		cause, another storage.Cause
		same           bool
	}{
		{"the same", look(false), look(false), ann, ann, true},
		{"less", look(true), look(false), ann, ann, true},
		{"nothing but the head", look(true), one, ann, ann, true},
		{"more", look(false), look(true), ann, ann, false},
		{"more than the head", one, look(false), ann, ann, false},
		{"something else", look(true), gone, ann, ann, false},
		{"for another caller", look(false), look(false), ann, bob, false},
		{"for another delivery", look(true), look(true), replay, other, false},
		{"for the same delivery", look(true), look(true), replay, byBob, true},
	}
	for _, tt := range tests {
		d := open(t)
		d.ask(look(false), storage.Cause{}, false) // at once
		d.work("github.com/1")
		first := d.ask(tt.first, tt.cause, false)
		if then := d.ask(tt.then, tt.another, false); (first == then) != tt.same {
			t.Errorf("%s: messages %d and %d", tt.name, first, then)
		}
		all := d.undone("github.com/1")
		for _, m := range all {
			if !m.RunAfter.Equal(all[0].RunAfter) || !m.RunAfter.Equal(began.Add(event.AskAgain)) {
				t.Errorf("%s: due at %s", tt.name, m.RunAfter.Sub(began))
			}
		}
	}
}

// A message that is about to go is not waited for with, and other repositories
// and topics have nothing to do with it.
func TestAskApart(t *testing.T) {
	t.Parallel()
	d := open(t)
	cause := storage.Cause{Reason: storage.ReasonManual}
	d.ask(look(false), cause, false)
	waiting := d.ask(look(false), cause, false)
	d.now = d.now.Add(event.AskAgain - 500*time.Millisecond)
	if late := d.ask(look(false), cause, false); late == waiting {
		t.Error("the message may have been taken already")
	}
	two := look(false)
	two.RepositoryID = 2
	d.ask(two, cause, false)
	if all := d.undone("github.com/2"); len(all) != 1 || all[0].RunAfter.After(d.now) {
		t.Errorf("another repository waits: %+v", all)
	}
	msg := storage.Message{Topic: event.TopicInstallation, Key: "installation/1", Payload: []byte(`{}`), Cause: cause}
	d.tx(func(ctx context.Context, tx storage.Tx) error {
		for range 2 {
			if _, err := event.Ask(ctx, tx, d.now, msg, false); err != nil {
				return err
			}
		}
		if waits, err := event.Asked(ctx, tx, d.now, msg); err != nil || !waits {
			t.Errorf("the second waits: %v, %v", waits, err)
		}
		msg.Payload = []byte(`{"x":1}`)
		if waits, err := event.Asked(ctx, tx, d.now, msg); err != nil || waits {
			t.Errorf("another waits: %v, %v", waits, err)
		}
		return nil
	})
}
