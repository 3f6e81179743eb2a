package githubapp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

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
		return fmt.Errorf("read GitHub's answer: %w", err)
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
			return rateLimited(time.Minute)
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
	return fmt.Errorf("GitHub answers %d %s", status, http.StatusText(status))
}

// classify keeps our own faults and strips the noise from transport errors:
// the URL of a request is of no use to who reads a diagnostic.
func classify(err error) error {
	if _, ok := fault.Of(err); ok {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "Client.Timeout") {
		return fmt.Errorf("GitHub did not answer in time: %w", err)
	}
	return fmt.Errorf("ask GitHub: %w", err)
}
