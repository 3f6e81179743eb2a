package githubapp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v60/github"

	"github.com/callboard/callboard/pipeline/fault"
)

// maxGraphQLBytes bounds an answer; blobs are asked for in batches far below it.
const maxGraphQLBytes = 32 << 20

// graphqlError is an entry of the errors array.
type graphqlError struct {
	Type    string `json:"type"`
	Message string `json:"message"`
	Path    []any  `json:"path"`
}

func (e graphqlError) Error() string { return "GitHub: " + e.Message }

// heavy says that GitHub could not do the query in its time or within its limits.
func (e graphqlError) heavy() bool {
	switch e.Type {
	case "RESOURCE_LIMITS_EXCEEDED", "MAX_NODE_LIMIT_EXCEEDED", "TIMEOUT":
		return true
	}
	// What GitHub says after ten seconds has no type.
	return strings.HasPrefix(e.Message, "Something went wrong while executing your query") ||
		strings.Contains(e.Message, "result of a timeout")
}

// query posts one GraphQL query and decodes data into out. A missing object
// whose path is only an alias of ours is not an error: it is null in data.
func (c *client) query(ctx context.Context, text string, variables map[string]any, out any) error {
	errs, err := c.post(ctx, text, variables, out)
	switch {
	case err != nil:
		return err
	case len(errs) == 0:
		return nil
	case errs[0].Type == "NOT_FOUND" && len(errs[0].Path) == 1:
		return ErrNotFound
	}
	return errs[0]
}

// post posts one GraphQL query. It gives the errors that stand beside the data
// to the caller, who must not take what they left out for absent.
func (c *client) post(ctx context.Context, text string, variables map[string]any, out any) ([]graphqlError, error) {
	began := c.governor.now()
	raw, err := c.exchange(ctx, text, variables)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data   json.RawMessage `json:"data"`
		Errors []graphqlError  `json:"errors"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return nil, fmt.Errorf("GitHub's answer is not JSON: %w", err)
	}
	for _, e := range answer.Errors {
		switch {
		case e.Type == "RATE_LIMITED":
			return nil, c.governor.limited(rankOf(purposeOf(ctx)), began)
		case e.heavy():
			return nil, fmt.Errorf("%w: %s", ErrTooHeavy, e.Message)
		}
	}
	if len(answer.Data) == 0 || string(answer.Data) == "null" {
		if len(answer.Errors) == 0 {
			return nil, errors.New("GitHub's answer has neither data nor errors")
		}
		return answer.Errors, nil
	}
	if err := json.Unmarshal(answer.Data, out); err != nil {
		return nil, fmt.Errorf("GitHub's answer has another shape: %w", err)
	}
	return answer.Errors, nil
}

// exchange posts a query and reads the whole answer. What GitHub does not do in
// its time, or what a proxy before it does not wait for, is too heavy.
func (c *client) exchange(ctx context.Context, text string, variables map[string]any) ([]byte, error) {
	body, err := json.Marshal(map[string]any{"query": text, "variables": variables})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.graphqlURL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "callboard")
	res, err := c.http.Do(req)
	if err != nil {
		if err = classify(err); errors.Is(err, errSlow) && ctx.Err() == nil {
			return nil, fault.Unavailable(fmt.Errorf("%w: %w", ErrTooHeavy, err))
		}
		return nil, err
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return nil, fault.Unavailable(fmt.Errorf("%w: %w", ErrTooHeavy, statusError(res.StatusCode)))
	default:
		return nil, statusError(res.StatusCode)
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxGraphQLBytes+1))
	if err != nil {
		return nil, fault.Unavailable(fmt.Errorf("read GitHub's answer: %w", err))
	}
	if len(raw) > maxGraphQLBytes {
		return nil, fmt.Errorf("%w: its answer is over %d bytes", ErrTooHeavy, maxGraphQLBytes)
	}
	return raw, nil
}

// statusError is an HTTP status that is not success.
func statusError(status int) error {
	switch status {
	case http.StatusNotFound:
		return ErrNotFound
	case http.StatusUnauthorized:
		return errors.New("GitHub answers 401: the credentials are wrong or were revoked")
	case http.StatusForbidden:
		return fmt.Errorf("%w (403): the App or token lacks a permission (it needs contents: read and metadata: read)", ErrForbidden)
	}
	err := fmt.Errorf("GitHub answers %d %s", status, http.StatusText(status))
	if status >= http.StatusInternalServerError {
		return fault.Unavailable(err)
	}
	return err
}

var errSlow = errors.New("GitHub did not answer in time")

// classify gives transport errors and go-github's their fate. The URL of a
// request is of no use to who reads a diagnostic, so it is left out.
func classify(err error) error {
	var token *ghinstallation.HTTPError
	var answer *github.ErrorResponse
	var transport *url.Error
	var network net.Error
	fate, decided := fault.Of(err)
	switch {
	case decided:
		return fate
	case errors.Is(err, errGone):
		return errGone
	case errors.As(err, &token) && token.Response != nil:
		if token.Response.StatusCode == http.StatusForbidden {
			return fmt.Errorf("%w (403): the installation is suspended", ErrForbidden)
		}
		return statusError(token.Response.StatusCode)
	case errors.As(err, &answer):
		return statusError(answer.Response.StatusCode)
	case errors.As(err, &network) && network.Timeout():
		return fault.Unavailable(errSlow)
	case errors.As(err, &transport):
		return fault.Unavailable(fmt.Errorf("ask GitHub: %w", transport.Err))
	}
	return fmt.Errorf("ask GitHub: %w", err)
}
