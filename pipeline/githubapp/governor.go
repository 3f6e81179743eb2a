package githubapp

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/callboard/callboard/pipeline/fault"
)

// The budgets that requests are counted in.
const (
	coreResource    = "core"
	graphqlResource = "graphql"
)

// governor lets the requests of one credential go, or turns them into a
// fault.RetryAfter: because GitHub said "not now", and going on asking may get an
// App banned, or because what is left is kept for something more urgent
// (contract github 3).
type governor struct {
	base     http.RoundTripper
	now      func() time.Time
	patience time.Duration // how long a request waits for others to end
	slots    slots

	mu     sync.Mutex
	ledger ledger
}

// RoundTrip implements http.RoundTripper.
func (g *governor) RoundTrip(req *http.Request) (*http.Response, error) {
	rank := rankOf(purposeOf(req.Context()))
	name, points := kindOf(req)
	if !g.slots.acquire(req.Context(), rank, g.patience) {
		if err := req.Context().Err(); err != nil {
			return nil, err
		}
		return nil, g.crowded(rank, name)
	}
	defer g.slots.release(rank)
	began, err := g.admit(rank, name, points)
	if err != nil {
		return nil, err
	}
	res, err := g.base.RoundTrip(req)
	if err != nil {
		g.unanswered(rank, name)
		return nil, err
	}
	wait, limited := g.settle(res, rank, name, began)
	if limited {
		_ = res.Body.Close()
		return nil, rateLimited(wait)
	}
	return res, nil
}

// kindOf says which budget a request is of, and what it weighs in a minute's.
func kindOf(req *http.Request) (name string, points int) {
	switch {
	case strings.HasSuffix(req.URL.Path, "/graphql"):
		return graphqlResource, 1 // a query; we make no mutations
	case req.Method == http.MethodGet || req.Method == http.MethodHead:
		return coreResource, 1
	}
	return coreResource, 5
}

func (g *governor) admit(rank int, name string, points int) (now time.Time, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now = g.now()
	blocked := g.ledger.blocked.After(now)
	again, ok := g.ledger.admit(now, rank, name, points)
	switch {
	case ok:
		return now, nil
	case !blocked && rank != rankPush:
		wait := whole(again.Sub(now))
		return now, fault.RetryAfter(wait, fault.ReasonRateLimited, fmt.Errorf(
			"GitHub's rate limit is near, and the rest is kept for more urgent work; trying again in %s", wait))
	}
	return now, rateLimited(again.Sub(now))
}

// crowded postpones a request that has waited for others too long.
func (g *governor) crowded(rank int, name string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	g.ledger.postponed[rank]++
	wait := whole(g.ledger.stagger(now, rank, g.ledger.window(name, now)).Sub(now))
	return fault.RetryAfter(wait, fault.ReasonRateLimited, fmt.Errorf(
		"%d requests to GitHub are under way already; trying again in %s", g.slots.max, wait))
}

func (g *governor) unanswered(rank int, name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ledger.answered(g.now(), rank, name, 1) // it may have been counted
}

// settle takes over what an answer says. limited is for one that means "not now".
func (g *governor) settle(res *http.Response, rank int, name string, began time.Time) (wait time.Duration, limited bool) {
	secondary := refused(res) && res.Header.Get("X-RateLimit-Remaining") != "0" && isSecondary(res)
	g.mu.Lock()
	defer g.mu.Unlock()
	now, l := g.now(), &g.ledger
	cost := 1
	if res.StatusCode == http.StatusNotModified {
		cost = 0 // the primary limit does not count it
	}
	l.answered(now, rank, name, cost)
	l.heard(now, res.Header, name)
	told := retryAfter(res, now)
	switch {
	case !refused(res):
		if res.StatusCode < http.StatusBadRequest {
			l.good(began)
		}
	case secondary || told > 0:
		l.block(now, began, told)
		limited = true
	case res.Header.Get("X-RateLimit-Remaining") == "0":
		l.exhausted(now, name, resetOf(res, now))
		limited = true
	}
	// From here on only the governor knows of limits: go-github would answer by
	// itself, without a purpose and all at the same time.
	for _, key := range []string{"Limit", "Remaining", "Reset", "Used", "Resource"} {
		res.Header.Del("X-RateLimit-" + key)
	}
	if !limited {
		return 0, false
	}
	w := l.window(name, now)
	until := l.blocked
	if !until.After(now) {
		until = w.reset
	}
	l.postponed[rank]++
	return l.stagger(until, rank, w).Sub(now), true
}

// limited is for a GraphQL answer that says so under status 200: a secondary
// limit, unless the primary one has nothing left.
func (g *governor) limited(rank int, began time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	now, l := g.now(), &g.ledger
	w := l.window(graphqlResource, now)
	until := w.reset
	if until.IsZero() || w.remaining > 0 {
		l.block(now, began, 0)
		until = l.blocked
	}
	l.postponed[rank]++
	return rateLimited(l.stagger(until, rank, w).Sub(now))
}

// charge counts what a GraphQL query cost besides the one point of every request.
func (g *governor) charge(rank, points int) {
	if points <= 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ledger.spend(g.now(), rank, graphqlResource, points)
}

func refused(res *http.Response) bool {
	return res.StatusCode == http.StatusTooManyRequests || res.StatusCode == http.StatusForbidden
}

// isSecondary tells a secondary limit of which the header says nothing. A 403 is
// usually about permissions; only its text tells.
func isSecondary(res *http.Response) bool {
	if res.StatusCode == http.StatusTooManyRequests {
		return true
	}
	body, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	_ = res.Body.Close()
	res.Body = io.NopCloser(strings.NewReader(string(body)))
	text := strings.ToLower(string(body))
	return strings.Contains(text, "secondary rate limit") || strings.Contains(text, "abuse detection")
}

// retryAfter reads seconds or an HTTP date (RFC 9110 10.2.3); 0 for none.
func retryAfter(res *http.Response, now time.Time) time.Duration {
	h := res.Header.Get("Retry-After")
	if h == "" {
		return 0
	}
	if s, err := strconv.ParseUint(h, 10, 31); err == nil {
		return max(time.Duration(s)*time.Second, time.Second)
	}
	if at, err := http.ParseTime(h); err == nil {
		return max(at.Sub(now), time.Second)
	}
	return time.Minute
}

// resetOf is when the primary limit begins anew: not at once, whatever the clocks say.
func resetOf(res *http.Response, now time.Time) time.Time {
	soonest := now.Add(time.Minute)
	reset, err := strconv.ParseInt(res.Header.Get("X-RateLimit-Reset"), 10, 64)
	if at := time.Unix(reset, 0); err == nil && at.After(now) {
		return earlier(at, now.Add(time.Hour))
	}
	return soonest
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// whole is never early, and never at once.
func whole(wait time.Duration) time.Duration {
	return max((wait + time.Second - 1).Truncate(time.Second), time.Second)
}

func rateLimited(wait time.Duration) error {
	wait = whole(wait)
	return fault.RetryAfter(wait, fault.ReasonRateLimited,
		fmt.Errorf("GitHub's rate limit is reached; trying again in %s", wait))
}
