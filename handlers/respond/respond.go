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
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Func is an HTTP handler that may fail. Once it has begun to write the body it
// must return nil.
type Func func(w http.ResponseWriter, r *http.Request) error

// ContentType is the type of every JSON answer (contract catalog 4).
const ContentType = "application/json; charset=utf-8"

// contentType is shared by all answers; nobody changes a header's values in place.
var contentType = []string{ContentType}

// buffers hold answers while they are made. They are a little larger than what
// is sent at once, so that one more element fits.
var buffers = sync.Pool{New: func() any { return new(make([]byte, 0, flushAt+flushAt/8)) }}

// keep gives a buffer back, unless a giant made it grow.
func keep(buf *[]byte, b []byte) {
	if cap(b) <= 4*flushAt {
		*buf = b[:0]
		buffers.Put(buf)
	}
}

// JSON answers with v. It is encoded before anything is sent, so that a failure
// can still become a clean 500. A good answer to a GET that has no ETag gets that
// of its bytes, and is 304 for a client that has it (contract catalog 4.1).
func JSON(w http.ResponseWriter, r *http.Request, status int, v any) error {
	buf := buffers.Get().(*[]byte)
	out := bytes.NewBuffer((*buf)[:0])
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	defer keep(buf, out.Bytes())
	body := bytes.TrimSuffix(out.Bytes(), []byte("\n"))
	if status == http.StatusOK && (r.Method == http.MethodGet || r.Method == http.MethodHead) && w.Header().Get("ETag") == "" {
		sum := fnv.New64a()
		_, _ = sum.Write(body) // never fails
		etag := fmt.Sprintf(`W/"%016x"`, sum.Sum64())
		w.Header().Set("ETag", etag)
		if Unchanged(r, etag) {
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	return Bytes(w, status, body)
}

// Bytes answers with JSON that is ready. Its length is told, so that it is sent
// in one piece.
func Bytes(w http.ResponseWriter, status int, body []byte) error {
	h := w.Header()
	h["Content-Type"] = contentType
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client has gone; nobody is left to tell
	return nil
}

// flushAt is how much of a list is gathered before it is sent. Most pages are
// smaller.
const flushAt = 128 << 10

// List answers 200 with a JSON array of n elements that appendItem writes.
func List(w http.ResponseWriter, r *http.Request, n int, appendItem func(dst []byte, i int) []byte) error {
	return Stream(w, r, "[", "]", n, appendItem)
}

// pieceTakes is how long a client may take for a piece of a large list. What is
// sent at once is bounded by the server's own timeout, which pieces extend.
const pieceTakes = 30 * time.Second

// Stream answers 200 with n elements between two pieces of JSON. A small list is
// sent in one piece, a large one as its elements come: a list of any length takes
// little memory. It ends with its client, also while nothing was sent yet.
func Stream(w http.ResponseWriter, r *http.Request, before, after string, n int, appendItem func(dst []byte, i int) []byte) error {
	buf := buffers.Get().(*[]byte)
	b := append((*buf)[:0], before...)
	defer func() { keep(buf, b) }()
	begun := false
	for i := range n {
		if r.Context().Err() != nil {
			return nil // the client has gone; nobody is left to tell
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = appendItem(b, i)
		if len(b) >= flushAt {
			w.Header()["Content-Type"] = contentType
			// Test recorders know no deadlines, servers do, and set their own for the next request.
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(pieceTakes))
			if _, err := w.Write(b); err != nil {
				return nil //nolint:nilerr // the client has gone; nobody is left to tell
			}
			begun, b = true, b[:0]
		}
	}
	b = append(b, after...)
	if !begun {
		return Bytes(w, http.StatusOK, b)
	}
	_, _ = w.Write(b)
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
