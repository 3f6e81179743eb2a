package githubapp

import (
	"context"
	"slices"
	"sync"
	"time"
)

// slots bounds how many requests are under way at once (contract github 3: 100
// for all who use the credential). A slot that gets free goes to the most urgent
// who waits, and work that nobody waits for never takes the last ones.
type slots struct {
	mu      sync.Mutex
	max     int
	share   float64
	running [purposes]int
	waiting [purposes][]chan struct{}
}

// acquire waits for a slot, with patience. It answers false when that ends, or
// the context does.
func (s *slots) acquire(ctx context.Context, rank int, patience time.Duration) bool {
	s.mu.Lock()
	if s.first(rank) && s.fits(rank) {
		s.running[rank]++
		s.mu.Unlock()
		return true
	}
	ready := make(chan struct{})
	s.waiting[rank] = append(s.waiting[rank], ready)
	s.mu.Unlock()

	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-ready:
		return true
	case <-ctx.Done():
	case <-timer.C:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.waiting[rank], ready); i >= 0 {
		s.waiting[rank] = slices.Delete(s.waiting[rank], i, i+1)
		return false
	}
	return true // given at the last moment
}

// first says that nobody waits who is as urgent. mu is held.
func (s *slots) first(rank int) bool {
	return !slices.ContainsFunc(s.waiting[:rank+1], func(w []chan struct{}) bool { return len(w) > 0 })
}

// fits says whether one more of a rank may run. mu is held.
func (s *slots) fits(rank int) bool {
	all, behind := 0, 0
	for r, n := range s.running {
		if all += n; r >= rank {
			behind += n
		}
	}
	return all < s.max && behind < max(1, s.max-kept(s.max, rank, s.share))
}

func (s *slots) release(rank int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[rank]--
	for r := range s.waiting {
		for s.first(r-1) && len(s.waiting[r]) > 0 && s.fits(r) {
			close(s.waiting[r][0])
			s.waiting[r] = slices.Delete(s.waiting[r], 0, 1)
			s.running[r]++
		}
	}
}

func (s *slots) counts() (running, waiting int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for r := range s.running {
		running += s.running[r]
		waiting += len(s.waiting[r])
	}
	return running, waiting
}
