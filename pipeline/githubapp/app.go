package githubapp

import (
	"context"
	"errors"
	"time"
)

// ErrTooOld means that a delivery cannot be sent again: GitHub's log does not
// have it any more.
var ErrTooOld = errors.New("GitHub does not have the delivery any more")

// Installation is an App on an account.
type Installation struct {
	ID          int64
	AppID       int64
	Host        string
	Account     string
	AccountType string // Organization or User
	// Selected says that it covers some repositories only.
	Selected    bool
	Suspended   bool
	Permissions map[string]string
	Events      []string
}

// HookDelivery is an attempt to send a webhook, as GitHub's log has it.
type HookDelivery struct {
	ID             int64
	GUID           string // the same for all attempts
	DeliveredAt    time.Time
	Redelivery     bool
	Status         string
	StatusCode     int
	Event          string
	Action         string
	InstallationID int64
	RepositoryID   int64
}

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
func (c *Clients) Apps(host string) []int64 {
	_ = host
	return nil
}

// Installations lists where the Apps of a host are installed: all of them, or an error.
func (c *Clients) Installations(ctx context.Context, host string) ([]Installation, error) {
	_, _ = ctx, host
	return nil, errors.New("listing installations is not built yet")
}

// App asks GitHub about an App.
func (c *Clients) App(ctx context.Context, host string, app int64) (AppInfo, error) {
	_, _, _ = ctx, host, app
	return AppInfo{}, errors.New("asking for an App is not built yet")
}

// Deliveries reads a page of an App's delivery log, newest first. next is the
// cursor of the page after it, "" at the end.
func (c *Clients) Deliveries(ctx context.Context, host string, app int64, cursor string) (page []HookDelivery, next string, err error) {
	_, _, _, _ = ctx, host, app, cursor
	return nil, "", errors.New("reading deliveries is not built yet")
}

// Redeliver asks GitHub to send a delivery again; ErrTooOld if it cannot.
func (c *Clients) Redeliver(ctx context.Context, host string, app, id int64) error {
	_, _, _, _ = ctx, host, app, id
	return errors.New("redelivery is not built yet")
}

// Token asks GitHub about the plain token of a host.
func (c *Clients) Token(ctx context.Context, host string) (TokenInfo, error) {
	_, _ = ctx, host
	return TokenInfo{}, errors.New("asking for a token is not built yet")
}

// ClockSkew says how far this machine's clock is ahead of GitHub's. It needs no
// credentials, because those of an App are refused when the clock is wrong.
func (c *Clients) ClockSkew(ctx context.Context, host string) (time.Duration, error) {
	_, _ = ctx, host
	return 0, errors.New("comparing clocks is not built yet")
}

// CreatedApp is an App that was just made from a manifest, with its secrets.
type CreatedApp struct {
	ID            int64
	Slug          string
	Name          string
	Owner         string
	HTMLURL       string
	ClientID      string
	ClientSecret  string
	WebhookSecret string
	PrivateKey    []byte // PEM
}

// ConvertManifest exchanges the code that GitHub sends after an App was made from
// a manifest for the App's credentials. A code works once, within an hour.
func ConvertManifest(ctx context.Context, h Host, code string) (CreatedApp, error) {
	_, _, _ = ctx, h, code
	return CreatedApp{}, errors.New("converting a manifest is not built yet")
}

type installationJSON struct {
	ID int64 `json:"id"`
}
