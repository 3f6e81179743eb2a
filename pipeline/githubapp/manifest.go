package githubapp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

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
// a manifest for the App's credentials. A code works once, within an hour. Of h,
// only the addresses are used.
func ConvertManifest(ctx context.Context, h Host, code string) (CreatedApp, error) {
	c, err := New([]Host{{Host: h.Host, BaseURL: h.BaseURL, APIBaseURL: h.APIBaseURL}}, 0)
	if err != nil {
		return CreatedApp{}, err
	}
	own, err := c.host(h.Host)
	if err != nil {
		return CreatedApp{}, err
	}
	var a struct {
		ID            int64       `json:"id"`
		Slug          string      `json:"slug"`
		Name          string      `json:"name"`
		Owner         accountJSON `json:"owner"`
		HTMLURL       string      `json:"html_url"`
		ClientID      string      `json:"client_id"`
		ClientSecret  string      `json:"client_secret"`
		WebhookSecret string      `json:"webhook_secret"`
		PEM           string      `json:"pem"`
	}
	path := "app-manifests/" + url.PathEscape(code) + "/conversions"
	res, err := own.tokenClient(c).send(ctx, http.MethodPost, path, &a)
	switch {
	case res != nil && (res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusUnprocessableEntity):
		return CreatedApp{}, errors.New("GitHub does not take the code: it was used before, or is older than an hour")
	case err != nil:
		return CreatedApp{}, fmt.Errorf("exchange the code for the App's credentials: %w", err)
	case a.ID == 0 || a.PEM == "":
		return CreatedApp{}, errors.New("GitHub's answer has no App or no private key in it")
	}
	return CreatedApp{
		ID: a.ID, Slug: a.Slug, Name: a.Name, Owner: a.Owner.Login, HTMLURL: a.HTMLURL,
		ClientID: a.ClientID, ClientSecret: a.ClientSecret, WebhookSecret: a.WebhookSecret, PrivateKey: []byte(a.PEM),
	}, nil
}
