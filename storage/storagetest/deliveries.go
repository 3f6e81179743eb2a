package storagetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/callboard/callboard/storage"
)

func delivery(guid string, received time.Duration) storage.Delivery {
	return storage.Delivery{
		GUID: guid, Event: "push", Action: "", InstallationID: 7, RepositoryID: 42, Repository: "Acme/Cart",
		GitRef: "refs/heads/main", Commit: "c0ffee", Pusher: "ann", Payload: []byte("{\"a\":\"\x00\xff\"}"),
		ReceivedAt: at(received), State: storage.DeliveryReceived,
	}
}

func guids(ds []storage.Delivery) []string {
	var all []string
	for _, d := range ds {
		all = append(all, d.GUID)
	}
	return all
}

var deliveries = []scenario{
	{"a delivery is kept as it came", func(f fixture) {
		d := delivery("g1", 0)
		f.write(func(tx writes) {
			if !must(tx.AddDelivery(tx.ctx, d)) {
				f.Error("the first delivery counts as known")
			}
			same(f, "in the transaction", d, must(tx.Delivery(tx.ctx, "g1")))
		})
		same(f, "after it", d, get[storage.Delivery](f)(f.store.Delivery(f.Context(), "g1")))
	}},
	{"a known GUID changes nothing", func(f fixture) {
		first, again := delivery("g1", 0), delivery("g1", time.Hour)
		again.Event, again.Payload = "ping", []byte("other")
		f.write(func(tx writes) { must(tx.AddDelivery(tx.ctx, first)) })
		f.write(func(tx writes) {
			if must(tx.AddDelivery(tx.ctx, again)) {
				f.Error("a second delivery of one GUID counts as added")
			}
		})
		same(f, "delivery", first, get[storage.Delivery](f)(f.store.Delivery(f.Context(), "g1")))
	}},
	{"of many deliveries those are added that are new, each once", func(f fixture) {
		known := delivery("known", 0)
		f.write(func(tx writes) { must(tx.AddDelivery(tx.ctx, known)) })
		first, again, other := delivery("new", time.Second), delivery("new", time.Minute), delivery("other", time.Hour)
		other.Payload, other.Event, other.RepositoryID = nil, "ping", -1
		f.write(func(tx writes) {
			got := must(tx.AddDeliveries(tx.ctx, []storage.Delivery{first, delivery("known", time.Minute), again, other}))
			same(f, "added", []bool{true, false, false, true}, got)
		})
		for _, d := range []storage.Delivery{known, first, other} {
			same(f, d.GUID, d, get[storage.Delivery](f)(f.store.Delivery(f.Context(), d.GUID)))
		}
		same(f, "in the order in which they came", []string{"other", "new", "known"},
			guids(get[[]storage.Delivery](f)(f.store.Deliveries(f.Context(), storage.DeliveryFilter{}))))
	}},
	{"an unknown GUID is not found", func(f fixture) {
		_, err := f.store.Delivery(f.Context(), "nobody")
		wantErr(f, err, storage.ErrNotFound)
	}},
	{"those that are known are told", func(f fixture) {
		f.write(func(tx writes) {
			for _, guid := range []string{"a", "b", "c"} {
				must(tx.AddDelivery(tx.ctx, delivery(guid, 0)))
			}
			same(f, "before the end", map[string]bool{"c": true}, must(tx.KnownDeliveries(tx.ctx, []string{"c", "d"})))
		})
		known := func(guids ...string) map[string]bool {
			f.Helper()
			return get[map[string]bool](f)(f.store.KnownDeliveries(f.Context(), guids))
		}
		same(f, "known", map[string]bool{"a": true, "c": true}, known("c", "x", "a", "A", "a"))
		same(f, "none of them", 0, len(known("x")))
		same(f, "of none", 0, len(known()))
	}},
	{"an outcome is written", func(f fixture) {
		d := delivery("g1", 0)
		f.write(func(tx writes) {
			must(tx.AddDelivery(tx.ctx, d))
			tx.do(tx.FinishDeliveries(tx.ctx, []storage.DeliveryOutcome{
				{GUID: "g1", State: storage.DeliveryApplied, Reason: "r", Summary: "2 changed", Revision: 9, Attempts: 3, DoneAt: at(time.Second)},
				{GUID: "unknown", State: storage.DeliveryApplied},
			}))
		})
		d.State, d.Reason, d.Summary, d.Revision, d.Attempts, d.DoneAt = storage.DeliveryApplied, "r", "2 changed", 9, 3, at(time.Second)
		same(f, "delivery", d, get[storage.Delivery](f)(f.store.Delivery(f.Context(), "g1")))
	}},
	{"a listing is filtered, newest first, without payloads", listDeliveries},
	{"a listing goes on before a GUID", func(f fixture) {
		f.write(func(tx writes) {
			for i := range 7 { // two share each instant: arrival decides
				must(tx.AddDelivery(tx.ctx, delivery(fmt.Sprint("g", i), time.Duration(i/2)*time.Second)))
			}
		})
		var all []string
		before := ""
		for {
			page := get[[]storage.Delivery](f)(f.store.Deliveries(f.Context(), storage.DeliveryFilter{Before: before, Limit: 3}))
			if len(page) == 0 {
				break
			}
			all = append(all, guids(page)...)
			before = page[len(page)-1].GUID
		}
		same(f, "pages", []string{"g6", "g5", "g4", "g3", "g2", "g1", "g0"}, all)
		same(f, "before an unknown one", 0, len(get[[]storage.Delivery](f)(
			f.store.Deliveries(f.Context(), storage.DeliveryFilter{Before: "unknown"}))))
	}},
	{"a limit of 0 is 100", func(f fixture) {
		f.write(func(tx writes) {
			for i := range 101 {
				must(tx.AddDelivery(tx.ctx, delivery(fmt.Sprint("g", i), time.Duration(i))))
			}
		})
		same(f, "deliveries", 100, len(get[[]storage.Delivery](f)(f.store.Deliveries(f.Context(), storage.DeliveryFilter{}))))
	}},
	{"pruning takes what is over and old", prune},
}

func listDeliveries(f fixture) {
	a, b, c := delivery("a", 0), delivery("b", time.Second), delivery("c", 2*time.Second)
	b.Repository, b.Event, b.State = "acme/CART", "repository", storage.DeliveryIgnored
	c.Repository, c.Commit = "acme/other", "beef"
	f.write(func(tx writes) {
		for _, d := range []storage.Delivery{b, c, a} {
			must(tx.AddDelivery(tx.ctx, d))
		}
	})
	tests := []struct {
		name   string
		filter storage.DeliveryFilter
		want   []string
	}{
		{"all", storage.DeliveryFilter{}, []string{"c", "b", "a"}},
		{"repository in any case", storage.DeliveryFilter{Repository: "aCME/cart"}, []string{"b", "a"}},
		{"state", storage.DeliveryFilter{State: storage.DeliveryReceived}, []string{"c", "a"}},
		{"event", storage.DeliveryFilter{Event: "repository"}, []string{"b"}},
		{"commit", storage.DeliveryFilter{Commit: "c0ffee"}, []string{"b", "a"}},
		{"together", storage.DeliveryFilter{Repository: "acme/cart", State: storage.DeliveryReceived, Event: "push"}, []string{"a"}},
		{"limit", storage.DeliveryFilter{Limit: 2}, []string{"c", "b"}},
		{"before", storage.DeliveryFilter{Repository: "acme/cart", Before: "b"}, []string{"a"}},
		{"nothing", storage.DeliveryFilter{Event: "team"}, nil},
	}
	for _, tt := range tests {
		f.Run(tt.name, func(t *testing.T) {
			got, err := f.store.Deliveries(t.Context(), tt.filter)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "deliveries", tt.want, guids(got))
		})
	}
	a.Payload = nil
	all := get[[]storage.Delivery](f)(f.store.Deliveries(f.Context(), storage.DeliveryFilter{}))
	same(f, "row", a, all[2])
}

func prune(f fixture) {
	finished := map[string]storage.DeliveryState{
		"applied": storage.DeliveryApplied, "unchanged": storage.DeliveryUnchanged, "ignored": storage.DeliveryIgnored,
		"failed": storage.DeliveryFailed, "parked": storage.DeliveryParked,
	}
	f.write(func(tx writes) {
		for guid, state := range finished {
			must(tx.AddDelivery(tx.ctx, delivery(guid, 0)))
			tx.do(tx.FinishDeliveries(tx.ctx, []storage.DeliveryOutcome{{GUID: guid, State: state, DoneAt: at(time.Second)}}))
		}
		must(tx.AddDelivery(tx.ctx, delivery("waiting", 0)))
		must(tx.AddDelivery(tx.ctx, delivery("late", 0)))
		tx.do(tx.FinishDeliveries(tx.ctx, []storage.DeliveryOutcome{{GUID: "late", State: storage.DeliveryApplied, DoneAt: at(time.Hour)}}))
		ignored := delivery("ignored at once", 0)
		ignored.State = storage.DeliveryIgnored
		must(tx.AddDelivery(tx.ctx, ignored))

		done := must(tx.AddMessages(tx.ctx, []storage.Message{message("done"), message("done late")}))
		parked := must(tx.AddMessages(tx.ctx, []storage.Message{message("parked")}))
		must(tx.AddMessages(tx.ctx, []storage.Message{message("pending")}))
		tx.do(tx.FinishMessages(tx.ctx, done[:1], at(time.Second)))
		tx.do(tx.FinishMessages(tx.ctx, done[1:], at(time.Hour)))
		tx.do(tx.ParkMessages(tx.ctx, parked, at(time.Second), "no"))

		tx.do(tx.PutEntities(tx.ctx, []storage.Entity{anEntity("component:default/alive"), anEntity("component:default/dead")}))
		tx.do(tx.BuryEntities(tx.ctx, []string{"component:default/dead"}, at(time.Second), storage.Cause{}))
		must(tx.AcquireLease(tx.ctx, "over", "a", at(0), at(time.Second)))
		must(tx.AcquireLease(tx.ctx, "held", "a", at(0), at(time.Hour)))
	})
	// Three final deliveries, the one that was ignored at once, a message, a tombstone
	// and a lease. In slices of at most four rows.
	for _, want := range []int64{4, 3, 0} {
		f.write(func(tx writes) { same(f, "rows", want, must(tx.Prune(tx.ctx, at(time.Minute), at(time.Minute), 4))) })
	}
	left := guids(get[[]storage.Delivery](f)(f.store.Deliveries(f.Context(), storage.DeliveryFilter{})))
	same(f, "deliveries", 4, len(left)) // failed, parked, waiting, late
	f.write(func(tx writes) {
		same(f, "held", false, must(tx.AcquireLease(tx.ctx, "held", "b", at(time.Minute), at(time.Hour))))
	})
	same(f, "parked", 1, len(get[[]storage.Message](f)(f.store.ParkedMessages(f.Context(), 10))))
	same(f, "pending", 1, len(get[[]storage.Message](f)(f.store.PendingMessages(f.Context(), "t", "pending", at(0)))))
	same(f, "entities", 1, len(get[[]storage.Entity](f)(f.store.Entities(f.Context(), []string{"component:default/alive"}))))
}
