package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/callboard/callboard/pipeline/inbox"
)

// checkType wants JSON as it is: GitHub's form-encoded hooks are refused, and so
// is anything compressed.
func checkType(header http.Header) *refusal {
	value := header.Get("Content-Type")
	if value == "" {
		return refuse(http.StatusUnsupportedMediaType, "the request has no content type; it must be application/json")
	}
	mediaType, params, err := mime.ParseMediaType(value)
	if err != nil || mediaType != "application/json" {
		return refuse(http.StatusUnsupportedMediaType, "the content type must be application/json")
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return refuse(http.StatusUnsupportedMediaType, "the charset must be utf-8")
	}
	if encoding := header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return refuse(http.StatusUnsupportedMediaType, "the content encoding must be identity")
	}
	return nil
}

// read takes the whole body, bounded in size and time.
func (h *handler) read(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
	// Test recorders know no deadlines, servers do; then the error says so later.
	conn := http.NewResponseController(w)
	_ = conn.SetReadDeadline(time.Now().Add(h.cfg.ReadTimeout))
	var buf bytes.Buffer
	// A length that is only claimed buys no more than this.
	buf.Grow(int(min(max(r.ContentLength, 0)+bytes.MinRead, 1<<20)))
	_, err := io.Copy(&buf, http.MaxBytesReader(w, r.Body, h.cfg.MaxBytes))
	var maxBytes *http.MaxBytesError
	switch {
	case errors.As(err, &maxBytes):
		return nil, h.tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, refuse(http.StatusRequestTimeout, "the body did not arrive in time").because(err)
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "the body could not be read").because(err)
	}
	// Left in place it would pass for the client having gone while we commit.
	_ = conn.SetReadDeadline(time.Time{})
	return buf.Bytes(), nil
}

func (h *handler) tooLarge() *refusal {
	return refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", h.cfg.MaxBytes))
}

// hold reserves memory for a large body and says how much; not ok when there is
// none left within the time that a sender waits.
func (h *handler) hold(r *http.Request) (n int64, ok bool) {
	n = r.ContentLength
	if n < 0 {
		n = h.cfg.MaxBytes // chunked: it may be as long as allowed
	}
	if n <= largeBody {
		return 0, true
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.cfg.ReadTimeout/2)
	defer cancel()
	return n, h.large.Acquire(ctx, min(n, maxLarge)) == nil
}

// signature reads the header. SHA-1 is not accepted.
func signature(header string) ([]byte, *refusal) {
	if header == "" {
		return nil, refuse(http.StatusUnauthorized, "the X-Hub-Signature-256 header is missing")
	}
	given, ok := strings.CutPrefix(header, "sha256=")
	sum, err := hex.DecodeString(given)
	if !ok || err != nil || len(sum) != sha256.Size {
		return nil, invalidSignature
	}
	return sum, nil
}

// signed compares in constant time and tries every secret, whichever fits: how
// long it takes says nothing.
func (h *handler) signed(sum, body []byte) bool {
	good := false
	for _, secret := range h.secrets {
		mac := hmac.New(sha256.New, secret)
		mac.Write(body)
		if hmac.Equal(mac.Sum(nil), sum) {
			good = true
		}
	}
	return good
}

func checkHeaders(in inbox.Received) *refusal {
	for name, value := range map[string]string{"X-GitHub-Event": in.Event, "X-GitHub-Delivery": in.GUID} {
		if value == "" {
			return refuse(http.StatusBadRequest, "the "+name+" header is missing")
		}
	}
	for _, value := range []string{in.Event, in.GUID, in.Host} {
		if len(value) > maxHeader || strings.ContainsFunc(value, func(c rune) bool { return c <= ' ' || c > '~' }) {
			return refuse(http.StatusBadRequest, "a X-GitHub header is malformed")
		}
	}
	return nil
}

func bounded(s string) string {
	if len(s) > maxHeader {
		return s[:maxHeader]
	}
	return s
}
