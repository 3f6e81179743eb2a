package clients

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
)

// token is what the clients show: its holder may do everything.
const token = "clients-static-token"

// recorder stands between clients and server and holds every exchange against
// the document that the server hands out.
type recorder struct {
	URL string
	doc *document
}

func record(t *testing.T, server string) *recorder {
	t.Helper()
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	doc := fetchDocument(t, server)
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		FlushInterval: -1,
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("%s %s: read the request: %v", r.Method, r.URL, err)
			return
		}
		asked := r.Clone(t.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.Header.Del("Accept-Encoding") // the proxy's transport asks for gzip and undoes it
		got := httptest.NewRecorder()
		proxy.ServeHTTP(got, r)
		doc.check(t, exchange{request: asked, sent: body, status: got.Code, header: got.Header(), received: got.Body.Bytes()})
		maps.Copy(w.Header(), got.Header())
		w.WriteHeader(got.Code)
		_, _ = w.Write(got.Body.Bytes())
	}))
	t.Cleanup(s.Close)
	return &recorder{URL: s.URL, doc: doc}
}
