package githubsim

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Fault spoils requests. It waits Latency, and then, as far as they are set,
// hangs, answers with Status, or lets the request run and cuts its answer.
type Fault struct {
	// Match names the requests: a route as Requests lists it, or a pattern with
	// * for any text over "METHOD /path", such as "GET /repos/*/git/trees/*".
	// "" and "*" match everything but the admin API.
	Match string `json:"match"`
	// Times ends the fault after so many requests, 0 never. Skip lets as many
	// pass first.
	Times int `json:"times,omitempty"`
	Skip  int `json:"skip,omitempty"`
	// Probability is the share of requests that are hit; 0 means all.
	Probability float64 `json:"probability,omitempty"`

	Latency time.Duration `json:"latency,omitempty"`
	// Hang holds the request until the client gives up.
	Hang bool `json:"hang,omitempty"`
	// Status with Header and Body is the answer instead of the real one.
	Status int               `json:"status,omitempty"`
	Header map[string]string `json:"header,omitempty"`
	Body   string            `json:"body,omitempty"`
	// CutAfter breaks the connection after so many bytes of the answer's body.
	CutAfter int `json:"cutAfter,omitempty"`
}

// PrimaryLimit is the answer of an exhausted hourly budget.
func PrimaryLimit(match string, reset time.Time) Fault {
	return Fault{Match: match, Status: http.StatusForbidden, Header: map[string]string{
		"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "0", "X-RateLimit-Used": "5000",
		"X-RateLimit-Reset": strconv.FormatInt(reset.Unix(), 10), "X-RateLimit-Resource": "core",
	}, Body: string(errorBody("API rate limit exceeded for installation ID 1."))}
}

// SecondaryLimit is the answer of a secondary limit; status is 403 or 429.
func SecondaryLimit(match string, status int, retryAfter time.Duration) Fault {
	return Fault{Match: match, Status: status, Header: map[string]string{
		"Retry-After": strconv.Itoa(int(retryAfter / time.Second)),
	}, Body: `{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",` +
		`"documentation_url":"https://docs.github.com/free-pro-team@latest/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`}
}

// GraphQLError answers GraphQL requests with one error of a type such as
// RATE_LIMITED or RESOURCE_LIMITS_EXCEEDED, in a 200 as GitHub does.
func GraphQLError(kind, message string) Fault {
	return Fault{
		Match: routeGraphQL, Status: http.StatusOK,
		Body: fmt.Sprintf(`{"data":null,"errors":[{"type":%q,"message":%q}]}`, kind, message),
	}
}

type activeFault struct {
	Fault
	ID   int64 `json:"id"`
	Seen int   `json:"seen"`
	Hits int   `json:"hits"`
}

// RequestCount is what became of the requests of one route.
type RequestCount struct {
	Total int `json:"total"`
	// NotModified were answered 304, Failed 4xx or 5xx or were cut.
	NotModified int `json:"notModified"`
	Failed      int `json:"failed"`
}

type faults struct {
	mu      sync.Mutex
	random  *rand.Rand
	active  []*activeFault
	lastID  int64
	latency time.Duration
	counts  map[string]RequestCount
}

func (f *faults) init(seed uint64) {
	f.random = rand.New(rand.NewPCG(seed, 2))
	f.counts = map[string]RequestCount{}
}

// Inject adds a fault and answers what removes it again. The first fault that
// matches a request decides; faults of nothing but latency add up.
func (s *Server) Inject(fault Fault) (remove func()) {
	id := s.faults.add(fault)
	return func() { s.faults.remove(id) }
}

// ClearFaults removes all faults, those of lists and the latency included.
func (s *Server) ClearFaults() {
	s.SetListingFaults(ListingFaults{})
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.active, s.faults.latency = nil, 0
}

// SetLatency makes every API and git request take longer.
func (s *Server) SetLatency(d time.Duration) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.latency = d
}

// Requests counts the requests begun since the start or the last ResetRequests, by
// route.
func (s *Server) Requests() map[string]RequestCount {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	out := make(map[string]RequestCount, len(s.faults.counts))
	maps.Copy(out, s.faults.counts)
	return out
}

// ResetRequests sets all counts to zero.
func (s *Server) ResetRequests() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	clear(s.faults.counts)
}

func (f *faults) add(fault Fault) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lastID++
	f.active = append(f.active, &activeFault{Fault: fault, ID: f.lastID})
	return f.lastID
}

func (f *faults) remove(id int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active = slices.DeleteFunc(f.active, func(a *activeFault) bool { return a.ID == id })
}

// count changes the count of a route.
func (f *faults) count(route string, change func(*RequestCount)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.counts[route]
	change(&c)
	f.counts[route] = c
}

// outcome counts how a request ended; status 0 is a broken connection.
func (f *faults) outcome(route string, status int) {
	switch {
	case status == http.StatusNotModified:
		f.count(route, func(c *RequestCount) { c.NotModified++ })
	case status == 0 || status >= 400:
		f.count(route, func(c *RequestCount) { c.Failed++ })
	}
}

// choose finds the fault for a request, if any, and the latency to add.
func (f *faults) choose(route, request string) (*Fault, time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	latency := f.latency
	for _, a := range f.active {
		if a.Match != "" && a.Match != route && !wildcard(a.Match, request) {
			continue
		}
		if a.Times > 0 && a.Hits >= a.Times {
			continue
		}
		if a.Seen++; a.Seen <= a.Skip || a.Probability > 0 && f.random.Float64() >= a.Probability {
			continue
		}
		a.Hits++
		latency += a.Latency
		if a.Status != 0 || a.Hang || a.CutAfter > 0 {
			chosen := a.Fault
			return &chosen, latency
		}
	}
	return nil, latency
}

// wildcard matches text against a pattern in which * is any text.
func wildcard(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	if !strings.HasPrefix(text, parts[0]) {
		return false
	}
	text = text[len(parts[0]):]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return strings.HasSuffix(text, parts[len(parts)-1])
}

// recorder tells the outcome before the client can know it, so that whoever
// has an answer finds it counted. It cuts the body where a fault says so.
type recorder struct {
	http.ResponseWriter
	outcome func(status int)
	told    bool
	cut     bool
	left    int
}

func (w *recorder) tell(status int) {
	if !w.told {
		w.told = true
		w.outcome(status)
	}
}

func (w *recorder) WriteHeader(status int) {
	if !w.cut {
		w.tell(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if !w.cut {
		w.tell(http.StatusOK)
		return w.ResponseWriter.Write(b)
	}
	if len(b) <= w.left {
		w.left -= len(b)
		return w.ResponseWriter.Write(b)
	}
	w.tell(0)
	_, _ = w.ResponseWriter.Write(b[:w.left])
	_ = http.NewResponseController(w.ResponseWriter).Flush()
	panic(http.ErrAbortHandler) // the documented way to break a connection
}

func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// observed counts a route and applies its faults before the handler.
func (s *Server) observed(route string, next http.HandlerFunc) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		s.faults.count(route, func(c *RequestCount) { c.Total++ })
		w := &recorder{ResponseWriter: rw, outcome: func(status int) { s.faults.outcome(route, status) }}
		defer func() {
			if w.cut { // the answer was shorter than the cut
				w.tell(http.StatusOK)
			}
			w.tell(0)
		}()
		credential := r.Header.Get("Authorization")
		if slow := (*secondaryError)(nil); errors.As(s.limits.begin(credential), &slow) {
			slow.write(w)
			return
		}
		defer s.limits.end(credential)
		fault, latency := s.faults.choose(route, r.Method+" "+r.URL.Path)
		if !pause(r, latency) {
			return
		}
		switch {
		case fault == nil:
		case fault.Hang:
			<-r.Context().Done()
			return
		case fault.Status != 0:
			fault.write(w)
			return
		default:
			w.cut, w.left = true, fault.CutAfter
		}
		next(w, r)
	}
}

// write answers with the status of a fault.
func (f Fault) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	for k, v := range f.Header {
		w.Header().Set(k, v)
	}
	body := f.Body
	if body == "" {
		body = string(errorBody(http.StatusText(f.Status)))
	}
	w.WriteHeader(f.Status)
	_, _ = w.Write([]byte(body))
}

// pause waits unless the client goes away.
func pause(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
