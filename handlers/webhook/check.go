package webhook

import (
	"bytes"
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
	tooLarge := refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", h.cfg.MaxBytes))
	if r.ContentLength > h.cfg.MaxBytes {
		w.Header().Set("Connection", "close") // what follows is not read
		return nil, tooLarge
	}
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
		return nil, tooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.Header().Set("Connection", "close")
		return nil, refuse(http.StatusRequestTimeout, "the body did not arrive in time").because(err)
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "the body could not be read").because(err)
	}
	// Left in place it would pass for the client having gone while we commit.
	_ = conn.SetReadDeadline(time.Time{})
	return buf.Bytes(), nil
}

// checkSignature compares in constant time and tries every secret, whichever
// fits: how long it takes says nothing. SHA-1 is not accepted.
func checkSignature(secrets [][]byte, header string, body []byte) *refusal {
	if header == "" {
		return refuse(http.StatusUnauthorized, "the X-Hub-Signature-256 header is missing")
	}
	given, ok := strings.CutPrefix(header, "sha256=")
	sum, err := hex.DecodeString(given)
	if !ok || err != nil {
		return invalidSignature
	}
	good := false
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, secret)
		mac.Write(body)
		if hmac.Equal(mac.Sum(nil), sum) {
			good = true
		}
	}
	if !good {
		return invalidSignature
	}
	return nil
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
