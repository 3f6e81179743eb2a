// Package middleware holds what every request passes through: security headers,
// the log line and the metrics, compression, recovery from panics, and the caps
// on bodies. The order is decided where they are put together, in handlers.
package middleware

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"slices"

	"github.com/klauspost/compress/gzhttp"

	"github.com/callboard/callboard/handlers/respond"
)

// Middleware wraps a handler.
type Middleware func(http.Handler) http.Handler

// Chain wraps h so that the first of the middlewares is the outermost.
func Chain(h http.Handler, middlewares ...Middleware) http.Handler {
	for _, middleware := range slices.Backward(middlewares) {
		h = middleware(h)
	}
	return h
}

// policy lets a page of ours load nothing: there is nothing to load yet.
const policy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// security tells browsers not to guess types, not to frame us and not to pass
// our addresses on. All answers share the values, which nobody changes in place.
var security = http.Header{
	"Content-Security-Policy": {policy},
	"Referrer-Policy":         {"no-referrer"},
	"X-Content-Type-Options":  {"nosniff"},
	"X-Frame-Options":         {"DENY"},
}

// SecurityHeaders sets them. A handler may set another policy.
func SecurityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		maps.Copy(w.Header(), security)
		next.ServeHTTP(w, r)
	})
}

// minCompressed is from where compression is worth its time: a small entity is not.
const minCompressed = 2 << 10

// Compress compresses answers for clients that ask for it. Only gzip and its
// fastest level: a zstd encoder keeps megabytes for each answer, and a list is
// made faster than a better level compresses it. ETags are weak, so they need
// no suffix.
func Compress(next http.Handler) http.Handler {
	wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(minCompressed), gzhttp.CompressionLevel(1), gzhttp.EnableZstd(false))
	if err != nil {
		panic(fmt.Sprintf("middleware: the options of compression are wrong: %v", err)) // they are constants
	}
	return wrap(next)
}

// Recover makes a panic a 500, with the stack in the log.
func Recover(log *slog.Logger) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				v := recover()
				if v == nil {
					return
				}
				if v == http.ErrAbortHandler { //nolint:errorlint // net/http compares the panic's value so too
					panic(v) // asked for: net/http closes the connection
				}
				err := fmt.Errorf("panic: %v\n%s", v, debug.Stack())
				respond.Adapter{Log: log}.Fail(w, r, err)
			}()
			next.ServeHTTP(w, r)
		})
	}
}
