package bus_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/pipeline/fault"
	"github.com/callboard/callboard/storage"
)

// A parked message comes along with the next of its key: done with it when that
// goes well, and left as it is when not.
func TestParkedComesAlong(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, f *fixture) {
		f.cfg.Backoff = []time.Duration{}
		var runs atomic.Int32
		f.start(step{plan: func(_ context.Context, msgs []storage.Message) error {
			if msgs[0].Key == "cart" && runs.Add(1) <= 2 {
				return errTest
			}
			return nil
		}})
		f.add("cart")
		f.nextOf("cart", "parked")
		first := f.delivery("d-cart-0")
		f.add("other", "cart") // d-cart-1
		f.nextOf("cart", "parked")
		if d := f.delivery("d-cart-0"); !cmp.Equal(d, first) {
			t.Errorf("a failure beside it changed a parked delivery (-before +after):\n%s", cmp.Diff(first, d))
		}
		if d := f.delivery("d-cart-1"); d.State != storage.DeliveryParked {
			t.Errorf("delivery %+v", d)
		}
		f.add("other", "more", "cart") // d-cart-2
		o := f.nextOf("cart", "applied")
		if o.Messages != 3 || o.Elapsed > deadline {
			t.Errorf("%d messages were done, %s", o.Messages, o.Elapsed)
		}
		for i, attempts := range []int{2, 2, 1} {
			if d := f.delivery(fmt.Sprint("d-cart-", i)); d.State != storage.DeliveryApplied || d.Attempts != attempts {
				t.Errorf("delivery %+v", d)
			}
		}
		parked, err := f.store.ParkedMessages(t.Context(), 10)
		if err != nil || len(parked) > 0 {
			t.Errorf("still parked: %v, %v", parked, err)
		}
	})
}

// A parked message that makes no sense keeps the next of its key from nothing.
func TestParkedPoison(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() error{
		"permanent": func() error { return fault.Permanent(fault.ReasonInvalid, errTest) },
		"panic":     func() error { panic(errTest) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, setups[0])
			f.cfg.Backoff = []time.Duration{}
			f.start(step{plan: func(_ context.Context, msgs []storage.Message) error {
				if msgs[0].Cause.Delivery == "d-cart-0" {
					return fail()
				}
				return nil
			}})
			f.add("cart")
			f.nextOf("cart", "parked")
			f.add("other", "cart")
			if o := f.nextOf("cart", "applied"); o.Messages != 1 {
				t.Errorf("%d messages were done", o.Messages)
			}
			if d := f.delivery("d-cart-0"); d.State != storage.DeliveryParked || d.Attempts != 1 {
				t.Errorf("delivery %+v", d)
			}
		})
	}
}
