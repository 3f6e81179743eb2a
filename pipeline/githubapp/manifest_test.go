package githubapp_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/callboard/callboard/pipeline/githubapp"
)

// What an App is made of is given out once, and it works.
func TestConvertManifest(t *testing.T) {
	f := simulator(t)
	form := url.Values{"confirm": {"yes"}, "manifest": {`{"name":"made","url":"https://callboard.test",
		"hook_attributes":{"url":"https://callboard.test/webhooks/github"},"redirect_url":"http://127.0.0.1:1/done",
		"default_permissions":{"contents":"read","metadata":"read"},"default_events":["push"]}`}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.URL()+"/settings/apps/new", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultTransport.RoundTrip(req) // does not follow
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	back, err := res.Location()
	if err != nil {
		t.Fatalf("%d: %v", res.StatusCode, err)
	}
	h := githubapp.Host{Host: f.host, BaseURL: f.URL()}
	a, err := githubapp.ConvertManifest(t.Context(), h, back.Query().Get("code"))
	if err != nil {
		t.Fatal(err)
	}
	if a.Slug != "made" || a.ClientID == "" || a.ClientSecret == "" || a.WebhookSecret == "" || a.Owner == "" || a.HTMLURL == "" {
		t.Errorf("the App is %+v", a)
	}
	h.Apps = []githubapp.App{{ID: a.ID, PrivateKey: a.PrivateKey}}
	c, err := githubapp.New([]githubapp.Host{h}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if own, err := c.App(t.Context(), f.host, a.ID); err != nil || own.Slug != "made" {
		t.Errorf("it says of itself %+v, %v", own, err)
	}
	for _, code := range []string{back.Query().Get("code"), "../../user", ""} {
		if _, err := githubapp.ConvertManifest(t.Context(), h, code); err == nil {
			t.Errorf("code %q works", code)
		}
	}
}
