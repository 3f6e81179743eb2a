package githubsim

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// limits counts requests per budget and resource within the hour, GitHub's
// primary rate limit, and what the secondary limits are about.
type limits struct {
	mu        sync.Mutex
	perHour   int
	anonymous int
	windows   map[string]*window

	secondary SecondaryLimits
	running   map[string]int     // requests at work, by credential
	minutes   map[string]*window // points of the minute, by resource and budget
}

// SecondaryLimits are off where they are 0. GitHub.com has 100, 900 and 2000
// (contracts/github.md section 3). No header tells how near they are.
type SecondaryLimits struct {
	// Concurrent requests of one credential, REST and GraphQL together.
	Concurrent int
	// RESTPoints and GraphQLPoints a minute: a read costs 1, a write 5.
	RESTPoints, GraphQLPoints int
}

// SetSecondaryLimits changes the secondary limits, and starts the minute again.
func (s *Server) SetSecondaryLimits(l SecondaryLimits) {
	s.limits.mu.Lock()
	defer s.limits.mu.Unlock()
	s.limits.secondary = l
	clear(s.limits.minutes)
}

// secondaryError refuses a request until retryAfter has passed.
type secondaryError struct{ retryAfter time.Duration }

func (e *secondaryError) Error() string { return "secondary rate limit" }

// write is GitHub's answer: 403 and how long to stay away.
func (e *secondaryError) write(w http.ResponseWriter) {
	seconds := max(1, int((e.retryAfter+time.Second-1)/time.Second))
	SecondaryLimit("", http.StatusForbidden, time.Duration(seconds)*time.Second).write(w)
}

// begin counts a request of a credential as running, where it may.
func (l *limits) begin(credential string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.secondary.Concurrent > 0 && l.running[credential] >= l.secondary.Concurrent {
		return &secondaryError{time.Minute}
	}
	l.running[credential]++
	return nil
}

func (l *limits) end(credential string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running[credential]--; l.running[credential] <= 0 {
		delete(l.running, credential)
	}
}

// points spends the points of a request, where the minute has them.
func (l *limits) points(budget, resource, method string, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	limit, cost := l.secondary.RESTPoints, 1
	if resource == "graphql" {
		limit = l.secondary.GraphQLPoints
	} else if method != http.MethodGet && method != http.MethodHead {
		cost = 5
	}
	if limit == 0 {
		return nil
	}
	name := resource + " " + budget
	w := l.minutes[name]
	if w == nil || !now.Before(w.reset) {
		w = &window{limit: limit, reset: now.Add(time.Minute)}
		l.minutes[name] = w
	}
	if w.used+cost > w.limit {
		return &secondaryError{w.reset.Sub(now)}
	}
	w.used += cost
	return nil
}

type window struct {
	limit, used int
	reset       time.Time
}

func (l *limits) init(o options) {
	l.perHour, l.anonymous, l.windows = o.rateLimit, o.anonymousLimit, map[string]*window{}
	l.running, l.minutes = map[string]int{}, map[string]*window{}
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

// exhaustedError is GitHub's answer when nothing is left of the hour.
type exhaustedError struct{ message string }

func (e *exhaustedError) Error() string { return e.message }

func exhausted(budget string) error {
	return &exhaustedError{fmt.Sprintf("API rate limit exceeded for %s.", budget)}
}
