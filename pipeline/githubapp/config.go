// Package githubapp is the only door to GitHub's API: App and token
// credentials, one client and one budget for each, snapshots of repositories,
// lists of repositories and people, and what an App may ask about itself.
//
// It decides nothing about the catalog; it answers what is at the head of a
// repository, and when to come back if GitHub says "not now", or if what is left
// of a budget is kept for something more urgent:
//
//	ctx = githubapp.WithPurpose(ctx, githubapp.PurposeScan)
//	page, err := clients.Repositories(ctx, account, query) // or fault.RetryAfter
//
// What is known of a budget is known to this process. Several replicas spend the
// same one, and see it in the headers of every answer; only the points of a
// minute and the requests that are under way are counted by each for itself,
// far enough below GitHub's limits for two.
package githubapp

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// DefaultHost is GitHub's own.
const DefaultHost = "github.com"

// Host is one entry of integrations.github: a GitHub host and how to sign in.
type Host struct {
	// Host is the name in repository URLs, with the port if there is one.
	Host string
	// BaseURL is scheme and host of repository URLs; "https://<Host>" when empty.
	BaseURL string
	// APIBaseURL is the REST root; derived from Host when empty.
	APIBaseURL string
	// Token is a personal access token; Apps are preferred where both are given.
	Token string
	Apps  []App
}

// App is a GitHub App that Callboard can act as.
type App struct {
	ID int64
	// PrivateKey is the PEM text.
	PrivateKey []byte
}

func (h Host) restURL() (*url.URL, error) {
	s := h.APIBaseURL
	switch {
	case s != "":
	case h.Host == DefaultHost:
		s = "https://api.github.com"
	default:
		s = h.WebURL() + "/api/v3"
	}
	u, err := url.Parse(strings.TrimSuffix(s, "/") + "/")
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("integrations.github %s: apiBaseUrl %q is not an absolute URL", h.Host, s)
	}
	return u, nil
}

// graphqlURL is beside the REST root: /graphql on GitHub.com, /api/graphql on
// an Enterprise Server, whose REST root ends in /api/v3.
func (h Host) graphqlURL(rest *url.URL) string {
	u := *rest
	if path, ok := strings.CutSuffix(u.Path, "/v3/"); ok {
		u.Path = path + "/graphql"
	} else {
		u.Path += "graphql"
	}
	return u.String()
}

// WebURL is scheme and host of repository pages, without a trailing slash.
func (h Host) WebURL() string {
	if h.BaseURL != "" {
		return strings.TrimSuffix(h.BaseURL, "/")
	}
	return "https://" + h.Host
}

func (h Host) validate() error {
	if h.Host == "" || strings.ContainsAny(h.Host, "/ ") {
		return fmt.Errorf("integrations.github: host %q is not a host name", h.Host)
	}
	for _, app := range h.Apps {
		if app.ID <= 0 || len(app.PrivateKey) == 0 {
			return fmt.Errorf("integrations.github %s: an app needs appId and privateKey", h.Host)
		}
	}
	return nil
}

// ErrNotFound means GitHub answers 404: the thing is gone, or not for us to see.
var ErrNotFound = errors.New("GitHub answers 404")

// ErrForbidden means that the credentials are right and a permission is missing:
// somebody must grant it, and asking again does not help.
var ErrForbidden = errors.New("GitHub forbids it")

// ErrNoBranch means that a repository has commits but its default branch is not there.
var ErrNoBranch = errors.New("the default branch does not exist")
