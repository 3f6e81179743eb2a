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

// limits turns GitHub's "not now" into a fault.RetryAfter and then keeps quiet
// until that time: going on asking may get an App banned (contract github 3).
// There is one for each credential, because budgets are per credential.
type limits struct {
	base http.RoundTripper
	now  func() time.Time

	mu    sync.Mutex
	until time.Time
}

// RoundTrip implements http.RoundTripper.
func (l *limits) RoundTrip(req *http.Request) (*http.Response, error) {
	l.mu.Lock()
	wait := l.until.Sub(l.now())
	l.mu.Unlock()
	if wait > 0 {
		return nil, rateLimited(wait)
	}
	res, err := l.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	wait, limited := l.limitedFor(res)
	if !limited {
		return res, nil
	}
	_ = res.Body.Close()
	l.mu.Lock()
	l.until = l.now().Add(wait)
	l.mu.Unlock()
	return nil, rateLimited(wait)
}

// limitedFor reads the rules of contract github 3: Retry-After, else the reset
// time if nothing remains, else at least a minute.
func (l *limits) limitedFor(res *http.Response) (time.Duration, bool) {
	if res.StatusCode != http.StatusTooManyRequests && res.StatusCode != http.StatusForbidden {
		return 0, false
	}
	if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && s >= 0 {
		return max(time.Duration(s)*time.Second, time.Second), true
	}
	if res.Header.Get("X-RateLimit-Remaining") == "0" {
		if reset, err := strconv.ParseInt(res.Header.Get("X-RateLimit-Reset"), 10, 64); err == nil {
			return max(time.Unix(reset, 0).Sub(l.now()), time.Second), true
		}
		return time.Minute, true
	}
	if res.StatusCode == http.StatusTooManyRequests {
		return time.Minute, true
	}
	// A 403 is usually about permissions; only its text tells a secondary limit.
	body, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	_ = res.Body.Close()
	res.Body = io.NopCloser(strings.NewReader(string(body)))
	return time.Minute, strings.Contains(strings.ToLower(string(body)), "secondary rate limit")
}

func rateLimited(wait time.Duration) error {
	wait = max((wait + time.Second - 1).Truncate(time.Second), time.Second) // never early, never at once
	return fault.RetryAfter(wait, fault.ReasonRateLimited,
		fmt.Errorf("GitHub's rate limit is reached; trying again in %s", wait))
}
