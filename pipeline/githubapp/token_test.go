package githubapp

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// issuer hands out tokens and knows which of them are good. It is called without
// a network, so that a test's clock can run ahead.
type issuer struct {
	mu     sync.Mutex
	tokens int
	good   string
	ends   time.Time
	asked  atomic.Int64
}

// RoundTrip implements http.RoundTripper.
func (i *issuer) RoundTrip(req *http.Request) (*http.Response, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	answer := func(status int, body string) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
	}
	if strings.HasSuffix(req.URL.Path, "/access_tokens") {
		i.tokens++
		i.good, i.ends = fmt.Sprint("token", i.tokens), time.Now().Add(time.Hour)
		return answer(http.StatusCreated, fmt.Sprintf(`{"token":%q,"expires_at":%q}`, i.good, i.ends.Format(time.RFC3339)))
	}
	i.asked.Add(1)
	if req.Header.Get("Authorization") != "token "+i.good || time.Now().After(i.ends) {
		return answer(http.StatusUnauthorized, `{"message":"Bad credentials"}`)
	}
	return answer(http.StatusOK, `{"data":{"repository":{"databaseId":1,"name":"one","owner":{"login":"acme"},"isEmpty":true}}}`)
}

var testKey = sync.OnceValue(func() []byte {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
})

// A token is renewed once, whoever needs it: at first, shortly before its end,
// and when it was revoked.
func TestTokensAreRenewedOnce(t *testing.T) {
	t.Parallel()
	testKey()
	synctest.Test(t, func(t *testing.T) {
		c, err := New([]Host{{Host: "github.com", Apps: []App{{ID: 1, PrivateKey: testKey()}}}}, 0)
		if err != nil {
			t.Fatal(err)
		}
		github := &issuer{}
		c.base = github
		c.hosts["github.com"].apps[0].jwt.governor.base = github
		fifty := func(want int) {
			t.Helper()
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					if _, err := c.Open(t.Context(), Name{Host: "github.com", Owner: "acme", Name: "one", InstallationID: 7}, nil); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if github.tokens != want {
				t.Errorf("%d tokens were made, want %d", github.tokens, want)
			}
		}
		fifty(1)
		<-time.After(58 * time.Minute)
		fifty(1)
		<-time.After(90 * time.Second) // half a minute before its end
		fifty(2)
		<-time.After(3 * time.Hour)
		fifty(3)
		github.mu.Lock()
		github.good = "revoked"
		github.mu.Unlock()
		fifty(4)
	})
}
