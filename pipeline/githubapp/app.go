package githubapp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/callboard/callboard/pipeline/fault"
)

// AppInfo is what GitHub says of an App.
type AppInfo struct {
	ID          int64
	Slug        string
	Name        string
	Owner       string
	OwnerType   string // Organization or User
	HTMLURL     string
	Permissions map[string]string
	Events      []string
	Hook        HookConfig
	// Date is GitHub's clock, zero where it does not tell.
	Date time.Time
}

// HookConfig is where and how an App's webhooks are sent.
type HookConfig struct {
	URL         string
	ContentType string
	InsecureSSL bool
	// HasSecret says that deliveries are signed.
	HasSecret bool
}

// TokenInfo is what GitHub says of the plain token of a host.
type TokenInfo struct {
	// Scopes are those of a classic token; fine-grained ones have none.
	Scopes []string
	Limit  int
	Left   int
	Reset  time.Time
}

// HasApps says whether a host has any App.
func (c *Clients) HasApps(host string) bool { return len(c.Apps(host)) > 0 }

// Apps lists the ids of the Apps of a host.
func (c *Clients) Apps(host string) (ids []int64) {
	h, err := c.host(host)
	if err != nil {
		return nil
	}
	for _, a := range h.apps {
		ids = append(ids, a.ID)
	}
	return ids
}

// jwt is the client that speaks as an App.
func (c *Clients) jwt(host string, id int64) (*client, error) {
	h, err := c.host(host)
	if err != nil {
		return nil, err
	}
	for _, a := range h.apps {
		if a.ID == id {
			return a.jwt, nil
		}
	}
	return nil, fault.Permanent(fault.ReasonInvalid, fmt.Errorf("integrations.github %s has no app %d", host, id))
}

// App asks GitHub about an App.
func (c *Clients) App(ctx context.Context, host string, app int64) (AppInfo, error) {
	cl, err := c.jwt(host, app)
	if err != nil {
		return AppInfo{}, err
	}
	var a struct {
		ID          int64             `json:"id"`
		Slug        string            `json:"slug"`
		Name        string            `json:"name"`
		Owner       accountJSON       `json:"owner"`
		HTMLURL     string            `json:"html_url"`
		Permissions map[string]string `json:"permissions"`
		Events      []string          `json:"events"`
	}
	res, err := cl.get(ctx, "app", &a)
	if err != nil {
		return AppInfo{}, fmt.Errorf("ask for app %d: %w", app, err)
	}
	out := AppInfo{
		ID: a.ID, Slug: a.Slug, Name: a.Name, Owner: a.Owner.Login, OwnerType: a.Owner.Type,
		HTMLURL: a.HTMLURL, Permissions: a.Permissions, Events: a.Events, Date: dateOf(res.Header),
	}
	var hook struct {
		URL         string `json:"url"`
		ContentType string `json:"content_type"`
		InsecureSSL any    `json:"insecure_ssl"` // "0", "1", 0 or 1
		Secret      string `json:"secret"`
	}
	if _, err := cl.get(ctx, "app/hook/config", &hook); err != nil {
		return AppInfo{}, fmt.Errorf("ask for the webhook of app %d: %w", app, err)
	}
	out.Hook = HookConfig{
		URL: hook.URL, ContentType: hook.ContentType, HasSecret: hook.Secret != "",
		InsecureSSL: fmt.Sprint(hook.InsecureSSL) == "1",
	}
	return out, nil
}

// Token asks GitHub about the plain token of a host. It costs nothing.
func (c *Clients) Token(ctx context.Context, host string) (TokenInfo, error) {
	h, err := c.host(host)
	if err != nil {
		return TokenInfo{}, err
	}
	var answer struct {
		Resources struct {
			Core struct {
				Limit     int   `json:"limit"`
				Remaining int   `json:"remaining"`
				Reset     int64 `json:"reset"`
			} `json:"core"`
		} `json:"resources"`
	}
	res, err := h.tokenClient(c).get(ctx, "rate_limit", &answer)
	if res != nil && res.StatusCode == http.StatusNotFound {
		err = nil // an Enterprise Server without limits says so
	}
	if err != nil {
		return TokenInfo{}, fmt.Errorf("ask for the token's limits: %w", err)
	}
	core := answer.Resources.Core
	out := TokenInfo{Limit: core.Limit, Left: core.Remaining}
	if core.Reset > 0 {
		out.Reset = time.Unix(core.Reset, 0)
	}
	for scope := range strings.SplitSeq(res.Header.Get("X-OAuth-Scopes"), ",") {
		if scope = strings.TrimSpace(scope); scope != "" {
			out.Scopes = append(out.Scopes, scope)
		}
	}
	return out, nil
}

// ClockSkew says how far this machine's clock is ahead of GitHub's. It needs no
// credentials, because those of an App are refused when the clock is wrong.
func (c *Clients) ClockSkew(ctx context.Context, host string) (time.Duration, error) {
	h, err := c.host(host)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.rest.JoinPath("rate_limit").String(), nil)
	if err != nil {
		return 0, fmt.Errorf("ask for the time: %w", err)
	}
	asked := c.now()
	res, err := (&http.Client{Transport: c.base, Timeout: c.timeout}).Do(req)
	if err != nil {
		return 0, classify(err)
	}
	_ = res.Body.Close()
	date := dateOf(res.Header) // whatever the status
	if date.IsZero() {
		return 0, errors.New("GitHub does not tell the time")
	}
	// The header has whole seconds, cut; and it was written half-way.
	midway := asked.Add(c.now().Sub(asked) / 2)
	return midway.Sub(date.Add(time.Second / 2)).Truncate(time.Second), nil
}

func dateOf(h http.Header) time.Time {
	at, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return at
}

type accountJSON struct {
	Login string `json:"login"`
	Type  string `json:"type"`
}
