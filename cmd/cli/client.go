package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// client asks a running Callboard. Every command that needs one has the same
// flags and the same environment for it.
type client struct {
	server, token string
}

const (
	defaultServer = "http://localhost:7007"
	// requestTimeout bounds one request, maxAnswer what is read of its answer.
	requestTimeout = 30 * time.Second
	maxAnswer      = 256 << 20
)

// flags adds what names the server. The environment is read when it is asked,
// so that --help shows no token.
func (c *client) flags(f *pflag.FlagSet) {
	f.StringVar(&c.server, "server", "", "address of Callboard (or CALLBOARD_URL; default "+defaultServer+")")
	f.StringVar(&c.token, "token", "", "token of backend.auth.externalAccess (or CALLBOARD_TOKEN, which other users of the machine do not see)")
}

func (c *client) address() string {
	server := firstOf(c.server, os.Getenv("CALLBOARD_URL"), defaultServer)
	if !strings.Contains(server, "://") {
		server = "http://" + server
	}
	return strings.TrimRight(server, "/")
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// answerError is an answer that is none, in the server's words.
type answerError struct {
	status  int
	message string
}

func (e *answerError) Error() string {
	if e.status == http.StatusUnauthorized {
		return e.message + " (set --token or CALLBOARD_TOKEN)"
	}
	return e.message
}

// absent says whether the server has no such thing.
func absent(err error) bool {
	answer, ok := errors.AsType[*answerError](err)
	return ok && answer.status == http.StatusNotFound
}

// get asks for what is at a path such as /api/catalog/entities?….
func (c *client) get(ctx context.Context, path string, out any) error {
	return c.call(ctx, http.MethodGet, path, nil, out)
}

// post sends a body as JSON, or none for nil.
func (c *client) post(ctx context.Context, path string, body, out any) error {
	return c.call(ctx, http.MethodPost, path, body, out)
}

func (c *client) call(ctx context.Context, method, path string, body, out any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := c.request(ctx, method, path, body)
	if err != nil {
		return err
	}
	what, _, _ := strings.Cut(method+" "+path, "?") // a query may be long
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask Callboard (set --server or CALLBOARD_URL if it runs elsewhere): %w", err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("read the answer to %s: %w", what, err)
	case len(raw) > maxAnswer:
		return fmt.Errorf("%s: the answer is longer than %d MiB", what, maxAnswer>>20)
	case res.StatusCode/100 != 2:
		return newAnswerError(res, what, raw)
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("%s: this does not look like Callboard: %w", what, err)
	}
	return nil
}

func (c *client) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	var sent io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		sent = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.address()+path, sent)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token := firstOf(c.token, os.Getenv("CALLBOARD_TOKEN")); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req, nil
}

func newAnswerError(res *http.Response, what string, raw []byte) error {
	var envelope struct{ Error struct{ Message string } }
	if json.Unmarshal(raw, &envelope) == nil && envelope.Error.Message != "" {
		return &answerError{res.StatusCode, plain(envelope.Error.Message)}
	}
	return &answerError{res.StatusCode, fmt.Sprintf("%s: %s", what, plain(res.Status))}
}

// segments joins the parts of a path, each escaped.
func segments(prefix string, parts ...string) string {
	for _, p := range parts {
		prefix += "/" + url.PathEscape(p)
	}
	return prefix
}
