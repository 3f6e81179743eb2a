package clients

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// exchange is a request with its answer.
type exchange struct {
	request  *http.Request
	sent     []byte
	status   int
	header   http.Header
	received []byte
}

// document holds exchanges against the OpenAPI document of a server.
type document struct {
	doc *openapi3.T
	mux *http.ServeMux // from a request to its operation

	mu sync.Mutex
	// succeeded counts the answers below 400 to each operation.
	succeeded map[string]int
}

type exchangeKey struct{}

// fetchDocument reads the document and takes it more strictly than it is meant
// for clients: what it does not name must not be there.
func fetchDocument(t *testing.T, server string) *document {
	t.Helper()
	res, err := http.Get(server + "/api/catalog/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var raw any
	if err := json.NewDecoder(res.Body).Decode(&raw); err != nil {
		t.Fatal(err)
	}
	closeObjects(raw)
	closed, err := json.Marshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(closed)
	if err != nil {
		t.Fatal(err)
	}
	d := &document{doc: doc, mux: http.NewServeMux(), succeeded: map[string]int{}}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			route := &routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: op}
			d.succeeded[op.OperationID] = 0
			d.mux.HandleFunc(method+" "+path, func(_ http.ResponseWriter, r *http.Request) { d.verify(t, route, r) })
		}
	}
	return d
}

// closeObjects refuses properties that a schema does not list, where the schema
// says nothing of them.
func closeObjects(node any) {
	switch node := node.(type) {
	case []any:
		for _, child := range node {
			closeObjects(child)
		}
	case map[string]any:
		if _, said := node["additionalProperties"]; !said && node["type"] == "object" && node["properties"] != nil {
			node["additionalProperties"] = false
		}
		for _, child := range node {
			closeObjects(child)
		}
	}
}

// check holds one exchange against the document. Paths match in any letter case
// and with a slash at the end (contract catalog 4.1).
func (d *document) check(t *testing.T, x exchange) {
	t.Helper()
	folded := *x.request.URL
	folded.Path, folded.RawPath = strings.TrimSuffix(strings.ToLower(folded.Path), "/"), ""
	x.request.URL = &folded
	if _, pattern := d.mux.Handler(x.request); pattern == "" {
		if x.status != http.StatusNotFound || len(x.received) > 0 {
			t.Errorf("%s %s is not in the document, and was answered %d %s", x.request.Method, x.request.URL, x.status, x.received)
		}
		return
	}
	ctx := context.WithValue(x.request.Context(), exchangeKey{}, x)
	d.mux.ServeHTTP(httptest.NewRecorder(), x.request.WithContext(ctx))
}

// index is how an array parameter may be spelt: filter[]=, filter[0]=.
var index = regexp.MustCompile(`\[\d*\]$`)

func (d *document) verify(t *testing.T, route *routers.Route, r *http.Request) {
	t.Helper()
	x, _ := r.Context().Value(exchangeKey{}).(exchange)
	where := r.Method + " " + r.URL.String()
	request := x.request.Clone(r.Context())
	request.Body = io.NopCloser(bytes.NewReader(x.sent))
	options := &openapi3filter.Options{
		IncludeResponseStatus: true, SkipSettingDefaults: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
	}
	input := &openapi3filter.RequestValidationInput{Request: request, PathParams: map[string]string{}, Route: route, Options: options}
	for _, p := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(route.Path, -1) {
		input.PathParams[p[1]] = r.PathValue(p[1])
	}
	if x.status < http.StatusBadRequest {
		d.mu.Lock()
		d.succeeded[route.Operation.OperationID]++
		d.mu.Unlock()
		for name := range r.URL.Query() {
			if !named(route, index.ReplaceAllString(name, "")) {
				t.Errorf("%s: parameter %s is not in the document", where, name)
			}
		}
		if err := openapi3filter.ValidateRequest(r.Context(), input); err != nil {
			t.Errorf("%s: the request is not as the document says: %v\n%s", where, err, x.sent)
		}
	}
	response := &openapi3filter.ResponseValidationInput{RequestValidationInput: input, Status: x.status, Header: x.header, Options: options}
	response.SetBodyBytes(x.received)
	if err := openapi3filter.ValidateResponse(r.Context(), response); err != nil {
		t.Errorf("%s: the answer %d is not as the document says: %v\n%s", where, x.status, err, x.received)
	}
	if said := route.Operation.Responses.Status(x.status); said != nil && len(said.Value.Content) == 0 && len(x.received) > 0 {
		t.Errorf("%s: the answer %d has a body: %s", where, x.status, x.received)
	}
}

func named(route *routers.Route, name string) bool {
	return route.Operation.Parameters.GetByInAndName("query", name) != nil || route.PathItem.Parameters.GetByInAndName("query", name) != nil
}
