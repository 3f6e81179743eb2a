package bus

import (
	"slices"
	"sync"
	"time"
)

// job is what a wake-up names: all messages of one key of a topic.
type job struct{ topic, key string }

// queueLimit bounds the keys that wait in memory. Beyond it wake-ups are
// refused, and the sweeper brings them again.
const queueLimit = 100_000

// scheduler hands jobs to workers: no job runs twice at once, a waiting job is
// there once however often it was woken, and jobs take turns, so that a key
// that is always busy delays no other. Jobs of background topics come after all
// others, and only so many of them run at once.
type scheduler struct {
	mu     sync.Mutex
	cond   *sync.Cond
	closed bool
	slots  map[job]*slot
	queue  []job

	background map[string]bool // by topic; not written once jobs come
	share      int             // how many of them may run at once
	behind     []job           // those that wait
	running    int             // how many of them run
}

// slot is a job that waits or runs.
type slot struct {
	running bool
	// dirty says it was woken while running, so it has to run once more.
	dirty bool
	// messages that the run holds, since when; for the sweeper to leave alone.
	messages []int64
	since    time.Time
	// done is closed at the end of the run that the slot waits for.
	done chan struct{}
}

func newScheduler() *scheduler {
	s := &scheduler{slots: map[job]*slot{}, background: map[string]bool{}, share: 1}
	s.cond = sync.NewCond(&s.mu)
	return s
}

// wake asks for a run. When the job waits, done is closed at the end of that
// run. When it is running already, it will run once more and done is nil:
// nobody waits for a run that has not begun, nor for one in the background. ok
// is false when it is refused.
func (s *scheduler) wake(j job) (done <-chan struct{}, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, false
	}
	sl := s.slots[j]
	switch {
	case sl == nil && len(s.queue)+len(s.behind) >= queueLimit:
		return nil, false
	case sl == nil:
		sl = &slot{}
		s.slots[j] = sl
		s.enqueue(j, sl)
	case sl.running:
		sl.dirty = true
		return nil, true
	}
	if s.background[j.topic] {
		return nil, true
	}
	return sl.done, true
}

// waits says that a run of the job is to come that has not begun.
func (s *scheduler) waits(j job) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	sl := s.slots[j]
	return sl != nil && (!sl.running || sl.dirty)
}

func (s *scheduler) enqueue(j job, sl *slot) {
	*sl = slot{done: make(chan struct{})}
	if s.background[j.topic] {
		s.behind = append(s.behind, j)
	} else {
		s.queue = append(s.queue, j)
	}
	s.cond.Signal()
}

// work runs jobs until close.
func (s *scheduler) work(run func(job)) {
	for {
		j, ok := s.next()
		if !ok {
			return
		}
		run(j)
		s.finish(j)
	}
}

func (s *scheduler) next() (job, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.ready() && !s.closed {
		s.cond.Wait()
	}
	if s.closed {
		return job{}, false
	}
	from := &s.queue
	if len(s.queue) == 0 {
		from = &s.behind
		s.running++
	}
	j := (*from)[0]
	*from = (*from)[1:]
	s.slots[j].running = true
	return j, true
}

// ready says that there is a job to take.
func (s *scheduler) ready() bool {
	return len(s.queue) > 0 || len(s.behind) > 0 && s.running < s.share
}

func (s *scheduler) finish(j job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.background[j.topic] {
		s.running--
	}
	sl := s.slots[j]
	close(sl.done)
	if sl.dirty && !s.closed {
		s.enqueue(j, sl)
		return
	}
	delete(s.slots, j)
}

// hold notes which messages a running job has taken.
func (s *scheduler) hold(j job, ids []int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sl := s.slots[j]; sl != nil {
		if sl.since.IsZero() {
			sl.since = time.Now()
		}
		sl.messages = ids
	}
}

// held are the messages of jobs that have been running for at least d.
func (s *scheduler) held(d time.Duration) []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []int64
	for _, sl := range s.slots {
		if sl.running && !sl.since.IsZero() && time.Since(sl.since) >= d {
			ids = append(ids, sl.messages...)
		}
	}
	return ids
}

// active are the jobs that run.
func (s *scheduler) active() []job {
	s.mu.Lock()
	defer s.mu.Unlock()
	var jobs []job
	for j, sl := range s.slots {
		if sl.running {
			jobs = append(jobs, j)
		}
	}
	return jobs
}

// close ends the workers once they are done with what they run. Waiting jobs
// are left to their rows.
func (s *scheduler) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, j := range slices.Concat(s.queue, s.behind) {
		close(s.slots[j].done)
		delete(s.slots, j)
	}
	s.queue, s.behind = nil, nil
	s.cond.Broadcast()
}
