package bus

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSchedulerTakesTurns(t *testing.T) {
	t.Parallel()
	s := newScheduler()
	a, b := job{"t", "a"}, job{"t", "b"}
	done, ok := s.wake(a)
	again, _ := s.wake(a)
	if !ok || done == nil || done != again {
		t.Error("two wake-ups of a waiting job do not share its run")
	}
	if !s.waits(a) || s.waits(b) {
		t.Error("of two jobs the one that was woken waits")
	}
	s.wake(b)

	first, _ := s.next()
	if s.waits(a) {
		t.Error("a job waits although its run has begun")
	}
	if ch, ok := s.wake(a); ch != nil || !ok {
		t.Error("waking a running job must not wait")
	}
	if !s.waits(a) {
		t.Error("a job that was woken while it ran has no run to come")
	}
	s.finish(first)
	select {
	case <-done:
	default:
		t.Error("done is open after the run")
	}
	second, _ := s.next()
	third, _ := s.next()
	if diff := cmp.Diff([]string{"a", "b", "a"}, []string{first.key, second.key, third.key}); diff != "" {
		t.Errorf("a busy key delayed another (-want +got):\n%s", diff)
	}
	s.finish(second)
	s.finish(third)
	if len(s.slots) != 0 || len(s.queue) != 0 {
		t.Errorf("left behind: %v %v", s.slots, s.queue)
	}
}

// What runs in the background comes last, takes its share and no more, and
// nobody waits for it.
func TestSchedulerBackground(t *testing.T) {
	t.Parallel()
	s := newScheduler()
	s.background["b"], s.share = true, 2
	for i := range 3 {
		if done, ok := s.wake(job{"b", fmt.Sprint(i)}); done != nil || !ok {
			t.Errorf("waking the background: %v, %v", done, ok)
		}
	}
	s.wake(job{"t", "a"})
	var taken []string
	take := func() {
		j, _ := s.next()
		taken = append(taken, j.key)
	}
	take()
	take()
	take()
	if s.ready() {
		t.Error("more is taken of the background than its share")
	}
	s.wake(job{"t", "c"})
	take()
	s.finish(job{"b", "0"})
	take()
	if diff := cmp.Diff([]string{"a", "0", "1", "c", "2"}, taken); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	for _, j := range []job{{"t", "a"}, {"t", "c"}, {"b", "1"}, {"b", "2"}} {
		s.finish(j)
	}
	if len(s.slots) != 0 || s.running != 0 {
		t.Errorf("left behind: %v, %d", s.slots, s.running)
	}
}

func TestSchedulerClose(t *testing.T) {
	t.Parallel()
	s := newScheduler()
	s.background["b"] = true
	done, _ := s.wake(job{"t", "a"})
	s.wake(job{"b", "a"})
	s.close()
	<-done
	if _, ok := s.next(); ok {
		t.Error("a closed scheduler gives work")
	}
	if _, ok := s.wake(job{"t", "a"}); ok {
		t.Error("a closed scheduler takes work")
	}
}

func TestSchedulerIsBounded(t *testing.T) {
	t.Parallel()
	s := newScheduler()
	for i := range queueLimit {
		if _, ok := s.wake(job{"t", fmt.Sprint(i)}); !ok {
			t.Fatalf("refused at %d", i)
		}
	}
	if _, ok := s.wake(job{"t", "more"}); ok {
		t.Error("no limit")
	}
	if _, ok := s.wake(job{"t", "0"}); !ok {
		t.Error("a waiting job was refused")
	}
}

func TestSchedulerHeld(t *testing.T) {
	t.Parallel()
	s := newScheduler()
	s.wake(job{"t", "a"})
	s.wake(job{"t", "b"})
	j, _ := s.next()
	if got := s.held(0); got != nil {
		t.Errorf("held before anything was read: %v", got)
	}
	s.hold(j, []int64{3, 4})
	if diff := cmp.Diff([]int64{3, 4}, s.held(0)); diff != "" {
		t.Errorf("held (-want +got):\n%s", diff)
	}
	s.finish(j)
	if got := s.held(0); got != nil {
		t.Errorf("held after the end: %v", got)
	}
}
