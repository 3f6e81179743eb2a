package respond

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/callboard/callboard/pipeline/event"
)

// Error is a failure that the client is told of, under Backstage's name for it.
type Error struct {
	Name    string `json:"name"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return e.Name + ": " + e.Message }

// statuses is the one table from error names to status codes (contract catalog
// 4.2, which lets an error have a status of its own: RequestTimeoutError has).
var statuses = map[string]int{
	"InputError":              http.StatusBadRequest,
	"AuthenticationError":     http.StatusUnauthorized,
	"NotAllowedError":         http.StatusForbidden,
	"NotFoundError":           http.StatusNotFound,
	"RequestTimeoutError":     http.StatusRequestTimeout,
	"ConflictError":           http.StatusConflict,
	"NotModifiedError":        http.StatusNotModified,
	"NotImplementedError":     http.StatusNotImplemented,
	"ServiceUnavailableError": http.StatusServiceUnavailable,
}

// Input says that the request is wrong.
func Input(format string, args ...any) error { return named("InputError", format, args) }

// NotFound says that what was asked for is not there.
func NotFound(format string, args ...any) error { return named("NotFoundError", format, args) }

// NotAllowed says that the caller may not do that.
func NotAllowed(format string, args ...any) error { return named("NotAllowedError", format, args) }

// Timeout says that the request took too long to arrive.
func Timeout(format string, args ...any) error { return named("RequestTimeoutError", format, args) }

// Conflict says that the state of things forbids it.
func Conflict(format string, args ...any) error { return named("ConflictError", format, args) }

// NotImplemented says that Callboard cannot do that yet.
func NotImplemented(format string, args ...any) error {
	return named("NotImplementedError", format, args)
}

// Unavailable says that it will work later.
func Unavailable(format string, args ...any) error {
	return named("ServiceUnavailableError", format, args)
}

func named(name, format string, args []any) error {
	return &Error{Name: name, Message: fmt.Sprintf(format, args...)}
}

// Adapter renders the failures of handlers.
type Adapter struct {
	Log *slog.Logger
	// Mount is the path of the plugin, which the envelope leaves away.
	Mount string
}

// envelope is the body of every error (contract catalog 4.2).
type envelope struct {
	Error   *Error `json:"error"`
	Request struct {
		Method string `json:"method"`
		URL    string `json:"url"`
	} `json:"request"`
	Response struct {
		StatusCode int `json:"statusCode"`
	} `json:"response"`
}

// Handler makes an http.Handler of fn.
func (a Adapter) Handler(fn Func) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := fn(w, r); err != nil {
			a.Fail(w, r, err)
		}
	})
}

// Fail answers with an error.
func (a Adapter) Fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return // the client has gone, which is no failure of ours
	}
	status, shown := a.classify(r, err)
	body := envelope{Error: shown}
	body.Request.Method, body.Request.URL = r.Method, a.relative(r)
	body.Response.StatusCode = status
	h := w.Header()
	for _, name := range []string{"ETag", "Last-Modified", "Content-Encoding", "Content-Length", "Link"} {
		h.Del(name)
	}
	_ = JSON(w, r, status, body) // strings and numbers: it cannot fail
}

// classify finds status and wording. What is not in the table is our failure:
// it is logged whole and shown by a number only.
func (a Adapter) classify(r *http.Request, err error) (int, *Error) {
	if known, ok := errors.AsType[*Error](err); ok {
		if status, ok := statuses[known.Name]; ok {
			return status, known
		}
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusBadRequest, &Error{Name: "InputError", Message: "request entity too large"}
	}
	var id [10]byte
	_, _ = rand.Read(id[:]) // never fails
	logID := hex.EncodeToString(id[:])
	a.Log.ErrorContext(r.Context(), "request failed",
		slog.String("log_id", logID), slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Any(event.LogError, err))
	return http.StatusInternalServerError, &Error{Name: "Error", Message: "An internal error occurred logId=" + logID}
}

// relative is the request's URL as the plugin sees it, query included. Paths
// compare in any case, so the mount is cut by length.
func (a Adapter) relative(r *http.Request) string {
	uri := r.RequestURI
	if uri == "" {
		uri = r.URL.RequestURI()
	}
	if len(uri) >= len(a.Mount) && strings.EqualFold(uri[:len(a.Mount)], a.Mount) {
		if uri = uri[len(a.Mount):]; !strings.HasPrefix(uri, "/") {
			uri = "/" + uri
		}
	}
	return uri
}
