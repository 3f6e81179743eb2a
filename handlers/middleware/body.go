package middleware

import (
	"net/http"
	"time"
)

// LimitBody bounds what a handler can read of a request, and how long the body
// may take to arrive: a read after that fails with os.ErrDeadlineExceeded.
//
// The deadline is the connection's. Nobody needs to take it away: net/http does
// at the end of the body, and sets its own for the next request. Until then it
// must stay, because net/http reads what a handler left before it answers.
func LimitBody(n int64, wait time.Duration) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Body != nil && r.Body != http.NoBody {
				// Test recorders know no deadlines, servers do.
				_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(wait))
				r.Body = http.MaxBytesReader(w, r.Body, n)
			}
			next.ServeHTTP(w, r)
		})
	}
}
