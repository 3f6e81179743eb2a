package githubapp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/google/go-github/v60/github"
)

// ErrTooOld means that a delivery cannot be sent again: GitHub's log does not
// have it any more.
var ErrTooOld = errors.New("GitHub does not have the delivery any more")

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

// Deliveries reads a page of an App's delivery log, newest first. next is the
// cursor of the page after it, "" at the end.
func (c *Clients) Deliveries(ctx context.Context, host string, app int64, cursor string) (page []HookDelivery, next string, err error) {
	cl, err := c.jwt(host, app)
	if err != nil {
		return nil, "", err
	}
	q := url.Values{"per_page": {"100"}}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	var log []struct {
		ID             int64     `json:"id"`
		GUID           string    `json:"guid"`
		DeliveredAt    time.Time `json:"delivered_at"`
		Redelivery     bool      `json:"redelivery"`
		Status         string    `json:"status"`
		StatusCode     int       `json:"status_code"`
		Event          string    `json:"event"`
		Action         string    `json:"action"`
		InstallationID int64     `json:"installation_id"`
		RepositoryID   int64     `json:"repository_id"`
	}
	res, err := cl.get(ctx, "app/hook/deliveries?"+q.Encode(), &log)
	if err != nil {
		return nil, "", fmt.Errorf("read the delivery log of app %d: %w", app, err)
	}
	for _, d := range log {
		page = append(page, HookDelivery(d))
	}
	if next = res.Cursor; next == cursor && next != "" {
		return nil, "", fmt.Errorf("read the delivery log of app %d: GitHub's next page is the same page", app)
	}
	return page, next, nil
}

// Redeliver asks GitHub to send a delivery again; ErrTooOld if it cannot.
func (c *Clients) Redeliver(ctx context.Context, host string, app, id int64) error {
	cl, err := c.jwt(host, app)
	if err != nil {
		return err
	}
	res, err := cl.send(ctx, http.MethodPost, fmt.Sprintf("app/hook/deliveries/%d/attempts", id), nil)
	var accepted *github.AcceptedError
	switch {
	case errors.As(err, &accepted):
		return nil
	case res != nil && (res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusUnprocessableEntity):
		return fmt.Errorf("delivery %d: %w", id, ErrTooOld)
	case err != nil:
		return fmt.Errorf("send delivery %d again: %w", id, err)
	}
	return nil
}
