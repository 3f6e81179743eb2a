package githubapp

import (
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/bradleyfalzon/ghinstallation/v2"
)

// installationTransport signs requests with an installation's token.
// ghinstallation keeps the token until shortly before its end and renews it
// under a lock, so that there is no stampede; what it does not notice is a
// token that was revoked before its time, so a 401 gets one more try with a
// new one.
type installationTransport struct {
	apps *ghinstallation.AppsTransport
	id   int64
	// gone is called when GitHub does not know the installation any more.
	gone func()

	mu      sync.Mutex
	current *ghinstallation.Transport
}

// RoundTrip implements http.RoundTripper.
func (t *installationTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	signed := t.signer(nil)
	res, err := signed.RoundTrip(req)
	var refused *ghinstallation.HTTPError
	if errors.As(err, &refused) && refused.Response != nil {
		_ = refused.Response.Body.Close() // its status is all that is wanted
		if refused.Response.StatusCode == http.StatusNotFound {
			t.gone()
			return nil, errGone
		}
	}
	if err != nil || res.StatusCode != http.StatusUnauthorized || req.Body != nil && req.GetBody == nil {
		return res, err
	}
	again := req.Clone(req.Context())
	if req.GetBody != nil {
		if again.Body, err = req.GetBody(); err != nil {
			return res, nil //nolint:nilerr // the first answer stands
		}
	}
	_ = res.Body.Close()
	return t.signer(signed).RoundTrip(again)
}

// signer is the current token's transport, or a new one if the current one is
// the one that was refused.
func (t *installationTransport) signer(refused *ghinstallation.Transport) *ghinstallation.Transport {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current == nil || t.current == refused {
		t.current = ghinstallation.NewFromAppsTransport(t.apps, t.id)
	}
	return t.current
}

// split sends the requests for an installation's tokens through the governor of
// the App, whose JWT they carry, and all others through the installation's.
type split struct{ app, own http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (s split) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasSuffix(req.URL.Path, "/access_tokens") {
		// Everybody waits for a token, whoever asks first.
		return s.app.RoundTrip(req.WithContext(WithPurpose(req.Context(), PurposePush)))
	}
	return s.own.RoundTrip(req)
}

// bearer signs requests with a token, if there is one.
type bearer struct {
	base  http.RoundTripper
	token string
}

// RoundTrip implements http.RoundTripper.
func (b *bearer) RoundTrip(req *http.Request) (*http.Response, error) {
	if b.token != "" {
		req = req.Clone(req.Context())
		req.Header.Set("Authorization", "Bearer "+b.token)
	}
	return b.base.RoundTrip(req)
}
