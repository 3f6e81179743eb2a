package recovery_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// Whatever happens to the receiver: in the end every push that GitHub logged has
// arrived, or the proof was broken and a scan asked for. "No gaps since T" is
// never said of a time from which one is missing.
func TestNothingIsForgotten(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			w, rnd := newWorld(t, nil), rand.New(rand.NewPCG(seed, 7))
			w.run()
			for range 30 {
				switch rnd.IntN(6) {
				case 0, 1:
					w.push(1 + rnd.IntN(3))
				case 2:
					w.down()
				case 3:
					w.up()
				case 4:
					w.pass(time.Duration(rnd.Int64N(int64(20 * time.Hour))))
				case 5:
					w.run()
					w.honest()
				}
			}
			w.up()
			for range 4 { // a few to hear that it is up, then all
				w.pass(6 * time.Hour)
				w.run()
				w.honest()
			}
			a := w.state()
			if len(a.Open) > 0 {
				t.Errorf("%d are open still", len(a.Open))
			}
			if whole := a.Lost == 0 && a.Broken == ""; whole == (w.scans() > 0) {
				t.Errorf("%d scans are asked for, though lost %d and broken by %q", w.scans(), a.Lost, a.Broken)
			}
		})
	}
}

// honest fails if a push is missing that was sent after the proof began, and is
// not among those that are known to be missing.
func (w *world) honest() {
	w.Helper()
	a := w.state()
	open := map[string]bool{}
	for _, g := range a.Open {
		open[g.GUID] = true
	}
	for _, d := range w.sim.Deliveries() {
		if d.Event != "push" || d.DeliveredAt.Before(a.Since) || d.Redelivery || open[d.GUID] {
			continue
		}
		known, err := w.store.KnownDeliveries(w.Context(), []string{d.GUID})
		if err != nil {
			w.Fatal(err)
		}
		if !known[d.GUID] && d.DeliveredAt.Before(a.ReadAt) {
			w.Errorf("no gaps since %s, but that of %s is missing\n%s", a.Since, d.DeliveredAt, w.log.String())
		}
	}
}
