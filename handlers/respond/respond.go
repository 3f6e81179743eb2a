// Package respond turns what a handler returns into an answer: JSON, stored
// bytes, or the error envelope of Backstage (contract catalog 4.2).
//
// It knows no route and no store. A failure that is not the client's is logged
// under an id, and the client gets the id and nothing else.
package respond

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Func is an HTTP handler that may fail. Once it has begun to write the body it
// must return nil.
type Func func(w http.ResponseWriter, r *http.Request) error

// ContentType is the type of every JSON answer (contract catalog 4).
const ContentType = "application/json; charset=utf-8"

// JSON answers with v. It is encoded before anything is sent, so that a failure
// can still become a clean 500.
func JSON(w http.ResponseWriter, status int, v any) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	return Bytes(w, status, bytes.TrimSuffix(buf.Bytes(), []byte("\n")))
}

// Bytes answers with JSON that is ready.
func Bytes(w http.ResponseWriter, status int, body []byte) error {
	w.Header().Set("Content-Type", ContentType)
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client has gone; nobody is left to tell
	return nil
}

// flushAt is how much of a list is gathered before it is sent.
const flushAt = 64 << 10

// List answers 200 with a JSON array of n elements that appendItem writes.
func List(w http.ResponseWriter, r *http.Request, n int, appendItem func(dst []byte, i int) []byte) error {
	return Stream(w, r, "[", "]", n, appendItem)
}

// Stream answers 200 with n elements between two pieces of JSON. It sends them
// as they come: a list of any length takes little memory. It ends with its
// client, also while nothing was sent yet.
func Stream(w http.ResponseWriter, r *http.Request, before, after string, n int, appendItem func(dst []byte, i int) []byte) error {
	w.Header().Set("Content-Type", ContentType)
	w.WriteHeader(http.StatusOK)
	buf := append(make([]byte, 0, 4<<10), before...)
	for i := range n {
		if r.Context().Err() != nil {
			return nil // the client has gone; nobody is left to tell
		}
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = appendItem(buf, i)
		if len(buf) >= flushAt {
			if _, err := w.Write(buf); err != nil {
				return nil //nolint:nilerr // the client has gone; nobody is left to tell
			}
			buf = buf[:0]
		}
	}
	_, _ = w.Write(append(buf, after...))
	return nil
}

// Unchanged says whether the client has the version that etag names already
// (RFC 9110, 13.1.2). The answer is then 304 with the same ETag and no body.
func Unchanged(r *http.Request, etag string) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	for candidate := range strings.SplitSeq(strings.Join(r.Header.Values("If-None-Match"), ","), ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == strings.TrimPrefix(etag, "W/") {
			return true
		}
	}
	return false
}
