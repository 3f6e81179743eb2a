package githubsim

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// limits counts requests per budget and resource within the hour, GitHub's
// primary rate limit. Secondary limits are injected as faults.
type limits struct {
	mu        sync.Mutex
	perHour   int
	anonymous int
	windows   map[string]*window
}

type window struct {
	limit, used int
	reset       time.Time
}

func (l *limits) init(o options) {
	l.perHour, l.anonymous, l.windows = o.rateLimit, o.anonymousLimit, map[string]*window{}
}

// SetRateLimit changes the requests an hour, and starts everybody's hour again.
func (s *Server) SetRateLimit(perHour int) {
	s.limits.mu.Lock()
	defer s.limits.mu.Unlock()
	s.limits.perHour = perHour
	clear(s.limits.windows)
}

// state is the current window of a budget after spending cost.
func (l *limits) state(budget, resource string, cost int, now time.Time) window {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := resource + " " + budget
	w := l.windows[name]
	if w == nil || !now.Before(w.reset) {
		w = &window{limit: l.perHour, reset: now.Add(time.Hour).Truncate(time.Second)}
		if budget == "anonymous" {
			w.limit = l.anonymous
		}
		l.windows[name] = w
	}
	w.used = min(w.limit, w.used+cost)
	return *w
}

func (w window) remaining() int { return w.limit - w.used }

func (w window) json(resource string) object {
	return object{
		"limit": w.limit, "used": w.used, "remaining": w.remaining(),
		"reset": w.reset.Unix(), "resource": resource,
	}
}

func (w window) write(h http.Header, resource string) {
	h.Set("X-RateLimit-Limit", strconv.Itoa(w.limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(w.remaining()))
	h.Set("X-RateLimit-Used", strconv.Itoa(w.used))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(w.reset.Unix(), 10))
	h.Set("X-RateLimit-Resource", resource)
}

// exhausted is GitHub's answer when nothing is left.
func exhausted(budget string) error {
	return &apiError{http.StatusForbidden, fmt.Sprintf("API rate limit exceeded for %s.", budget)}
}
