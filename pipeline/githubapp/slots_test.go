package githubapp

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callboard/callboard/pipeline/fault"
)

// Slots go to the most urgent first, and scans leave some.
func TestSlots(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slots{max: 10, share: 0.2}
		var order []string
		enter := func(rank int) {
			go func() {
				if s.acquire(t.Context(), rank, time.Hour) {
					order = append(order, fmt.Sprint(Purposes()[rank]))
				}
			}()
			synctest.Wait()
		}
		for range 9 {
			enter(rankScan)
		}
		if running, waiting := s.counts(); running != 8 || waiting != 1 {
			t.Errorf("%d scans run and %d wait, want 8 and 1", running, waiting)
		}
		enter(rankPush)
		enter(rankPush)
		if running, _ := s.counts(); running != 10 {
			t.Errorf("%d run, want all slots taken", running)
		}
		order = nil
		for _, rank := range []int{rankDocs, rankManual, rankPush, rankPush} {
			enter(rank)
		}
		for range 4 {
			s.release(rankScan)
			synctest.Wait()
		}
		want := "[push push manual docs]"
		if got := fmt.Sprint(order); got != want {
			t.Errorf("the order is %s, want %s", got, want)
		}
		for range 20 {
			if running, _ := s.counts(); running > 0 {
				s.release(rankPush)
			}
			synctest.Wait()
		}
	})
}

// Who waits too long, or gives up, leaves nothing behind.
func TestSlotsPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slots{max: 1}
		if !s.acquire(t.Context(), rankPush, time.Second) {
			t.Fatal("the first does not get a slot")
		}
		began := time.Now()
		if s.acquire(t.Context(), rankPush, 3*time.Second) || time.Since(began) != 3*time.Second {
			t.Errorf("a slot after %s", time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if s.acquire(ctx, rankPush, time.Hour) || time.Since(began) != 4*time.Second {
			t.Errorf("a slot after %s", time.Since(began))
		}
		s.release(rankPush)
		if !s.acquire(t.Context(), rankScan, time.Second) {
			t.Error("the slot is lost")
		}
	})
}

// Many at once: never too many, and all get there.
func TestSlotsManyAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slots{max: 7, share: 0.3}
		random := rand.New(rand.NewPCG(1, 2))
		done := make(chan int, 500)
		for range 500 {
			rank, work := random.IntN(purposes), time.Duration(random.IntN(1000))*time.Millisecond
			go func() {
				if !s.acquire(t.Context(), rank, time.Hour) {
					t.Error("no slot in an hour")
					return
				}
				if running, _ := s.counts(); running > 7 {
					t.Errorf("%d run at once", running)
				}
				<-time.After(work)
				s.release(rank)
				done <- rank
			}()
		}
		for range 500 {
			<-done
		}
		if running, waiting := s.counts(); running+waiting > 0 {
			t.Errorf("%d run and %d wait at the end", running, waiting)
		}
	})
}

// hanging answers when it is told to.
type hanging chan *http.Response

// RoundTrip implements http.RoundTripper.
func (h hanging) RoundTrip(*http.Request) (*http.Response, error) {
	if res := <-h; res != nil {
		return res, nil
	}
	return nil, errors.New("connection refused")
}

// Behind too many others a request is postponed, not failed; one that breaks, or
// is refused, gives its place back.
func TestCrowded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answers := make(hanging)
		g := &governor{base: answers, now: time.Now, patience: 10 * time.Second, slots: slots{max: 1}}
		ask := func() error {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.github.com/", nil)
			if err != nil {
				return err
			}
			res, err := g.RoundTrip(req)
			if err == nil {
				_ = res.Body.Close()
			}
			return err
		}
		first := make(chan error)
		go func() { first <- ask() }()
		synctest.Wait()
		began := time.Now()
		fate, ok := fault.Of(ask())
		if !ok || fate.Reason != fault.ReasonRateLimited || fate.After <= 0 || time.Since(began) != g.patience {
			t.Errorf("after %s: %+v", time.Since(began), fate)
		}
		answers <- nil
		if err := <-first; err == nil {
			t.Error("a broken connection is no error")
		}
		for _, status := range []int{http.StatusOK, http.StatusInternalServerError, http.StatusForbidden} {
			go func() { first <- ask() }()
			answers <- &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody}
			if err := <-first; err != nil {
				t.Errorf("%d: %v", status, err)
			}
		}
		if running, waiting := g.slots.counts(); running+waiting > 0 {
			t.Errorf("%d run and %d wait", running, waiting)
		}
	})
}
