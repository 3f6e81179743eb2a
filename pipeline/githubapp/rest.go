package githubapp

import (
	"context"
	"fmt"
	"net/http"

	"github.com/google/go-github/v60/github"
)

// maxPages bounds every list that GitHub pages: 100 entries a page.
const maxPages = 1000

// get asks for a path and decodes the answer into out. A struct of our own with
// the few fields that we need is sturdier than go-github's.
func (c *client) get(ctx context.Context, path string, out any) (*github.Response, error) {
	return c.send(ctx, http.MethodGet, path, out)
}

func (c *client) send(ctx context.Context, method, path string, out any) (*github.Response, error) {
	req, err := c.rest.NewRequest(method, path, nil)
	if err != nil {
		return nil, fmt.Errorf("ask GitHub for %s: %w", path, err)
	}
	res, err := c.rest.Do(ctx, req, out)
	if err != nil {
		return res, classify(err)
	}
	return res, nil
}
