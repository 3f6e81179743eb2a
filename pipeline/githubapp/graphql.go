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

// query posts one GraphQL query and decodes data into out. A missing object
// whose path is only an alias of ours is not an error: it is null in data.
func (c *client) query(ctx context.Context, text string, variables map[string]any, out any) error {
	body, err := json.Marshal(map[string]any{"query": text, "variables": variables})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.graphqlURL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "callboard")
	res, err := c.http.Do(req)
	if err != nil {
		return classify(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxGraphQLBytes+1))
	if err != nil {
		return fault.Unavailable(fmt.Errorf("read GitHub's answer: %w", err))
	}
	if len(raw) > maxGraphQLBytes {
		return fmt.Errorf("GitHub's answer is over %d bytes", maxGraphQLBytes)
	}
	if res.StatusCode != http.StatusOK {
		return statusError(res.StatusCode)
	}
	var answer struct {
		Data   json.RawMessage `json:"data"`
		Errors []graphqlError  `json:"errors"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("GitHub's answer is not JSON: %w", err)
	}
	for _, e := range answer.Errors {
		switch {
		case e.Type == "RATE_LIMITED":
			return c.governor.limited(rankOf(purposeOf(ctx)))
		case e.Type == "NOT_FOUND" && len(e.Path) == 1:
			return ErrNotFound
		default:
			return fmt.Errorf("GitHub: %s", e.Message)
		}
	}
	if err := json.Unmarshal(answer.Data, out); err != nil {
		return fmt.Errorf("GitHub's answer has another shape: %w", err)
	}
	return nil
}

// statusError is an HTTP status that is not success.
func statusError(status int) error {
	switch status {
	case http.StatusNotFound:
		return ErrNotFound
	case http.StatusUnauthorized:
		return errors.New("GitHub answers 401: the credentials are wrong or were revoked")
	case http.StatusForbidden:
		return errors.New("GitHub answers 403: the App or token lacks a permission (it needs contents: read and metadata: read)")
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
		return statusError(token.Response.StatusCode) // the installation is gone, suspended …
	case errors.As(err, &answer):
		return statusError(answer.Response.StatusCode)
	case errors.As(err, &network) && network.Timeout():
		return fault.Unavailable(errSlow)
	case errors.As(err, &transport):
		return fault.Unavailable(fmt.Errorf("ask GitHub: %w", transport.Err))
	}
	return fmt.Errorf("ask GitHub: %w", err)
}
