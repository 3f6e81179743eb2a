package handlers_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/callboard/callboard/handlers"
	"github.com/callboard/callboard/handlers/api/catalog"
	"github.com/callboard/callboard/pipeline/fault"
	registry "github.com/callboard/callboard/pipeline/location"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// inspector is a GitHub that has read everything already.
type inspector struct {
	faults []string
	found  []registry.Found
	hidden bool
	err    error
	asked  string
	// busy holds those who have a turn until it is closed; began is told of them.
	busy, began chan struct{}
}

// work takes as long as GitHub does.
func (i *inspector) work(ctx context.Context) error {
	if i.busy == nil {
		return i.err
	}
	i.began <- struct{}{}
	select {
	case <-i.busy:
		return i.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (i *inspector) DryRun(ctx context.Context, _ storage.Location) ([]json.RawMessage, []string, error) {
	return []json.RawMessage{json.RawMessage(`{"kind":"Location"}`)}, i.faults, i.work(ctx)
}

func (i *inspector) Analyze(_ context.Context, host, owner, name, filename string) ([]registry.Found, bool, error) {
	i.asked = strings.Join([]string{host, owner, name, filename}, " ")
	return i.found, !i.hidden, i.err
}

func (i *inspector) Validate(_ context.Context, raw json.RawMessage, target string, turn func() error) ([]*entity.Error, error) {
	if string(raw) == `{"asks":1}` {
		return nil, turn()
	}
	i.asked = target
	if string(raw) == `{"bad":1}` {
		cause := &entity.Error{Name: "TypeError", Message: "why"}
		return []*entity.Error{{Name: "InputError", Message: "what; caused by TypeError: why", Cause: cause}}, nil
	}
	return nil, i.err
}

func locations(t *testing.T, change func(*catalog.LocationConfig), rows ...storage.Entity) (*fixture, *inspector) {
	t.Helper()
	t.Parallel()
	f, i := setup(t, rows...), &inspector{}
	f.deps.Locations = catalog.LocationConfig{Hosts: []string{"github.com"}, Conflict: registry.Reject, Inspector: i}
	if change != nil {
		change(&f.deps.Locations)
	}
	f.deps.Metrics = prometheus.NewRegistry() // the other one is the first handler's
	f.Handler = handlers.New(f.deps)
	return f, i
}

const cart = "https://github.com/acme/cart/blob/main/catalog-info.yaml"

func body(target string) string { return fmt.Sprintf(`{"type":"url","target":%q}`, target) }

func (f *fixture) register(target string) (id string) {
	f.t.Helper()
	w := f.do("POST", "/api/catalog/locations", body(target))
	var out struct{ Location struct{ ID string } }
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != 201 {
		f.t.Fatalf("register %s: %d %s", target, w.Code, w.Body)
	}
	return out.Location.ID
}

func expect(t *testing.T, what string, w *httptest.ResponseRecorder, status int, want string) {
	t.Helper()
	if w.Code != status {
		t.Errorf("%s: %d %s, want %d", what, w.Code, w.Body, status)
	}
	if want == "" && w.Body.Len() > 0 {
		t.Errorf("%s: the body is %q", what, w.Body)
	} else if want != "" {
		same(t, what, want, w.Body.String())
	}
}

func TestLocationRoundTrip(t *testing.T) {
	f, _ := locations(t, nil)
	id := f.register(cart)
	shown := func(target string) string {
		// The vector of contract catalog 3.2 is for another target; the name stays what it was at first.
		return fmt.Sprintf(`{"id":%q,"type":"url","target":%q,"entityRef":"location:default/%s"}`, id, target, registry.Name(storage.Location{Type: "url", Target: cart}))
	}
	expect(t, "get", f.get("/api/catalog/locations/"+id), 200, shown(cart))
	expect(t, "list", f.get("/api/catalog/locations"), 200, `[{"data":`+shown(cart)+`}]`)
	msgs, err := f.store.PendingMessages(t.Context(), "repository.refresh.v1", "github.com/acme/cart", began.AddDate(1, 0, 0))
	if err != nil || len(msgs) != 1 || msgs[0].Cause != (storage.Cause{Reason: storage.ReasonLocation, Actor: "anonymous"}) {
		t.Errorf("messages are %+v, %v", msgs, err)
	}
	expect(t, "again", f.do("POST", "/api/catalog/locations", body(cart)), 409,
		envelope(409, "ConflictError", "Location url:"+cart+" already exists", "POST", "/locations"))
	expect(t, "again, refresh", f.do("POST", "/api/catalog/locations?onConflict=refresh", body(cart)), 201, `{"location":`+shown(cart)+`,"entities":[]}`)
	moved := strings.Replace(cart, "cart", "basket", 1)
	expect(t, "move", f.do("PUT", "/api/catalog/locations/"+id, body(moved)), 200, shown(moved))
	expect(t, "to where it is", f.do("PUT", "/api/catalog/locations/"+id, body(moved)), 200, shown(moved))
	other := f.register(cart)
	expect(t, "move to another's", f.do("PUT", "/api/catalog/locations/"+other, body(moved)), 409,
		envelope(409, "ConflictError", "Location url:"+moved+" already exists", "PUT", "/locations/"+other))
	expect(t, "delete", f.do("DELETE", "/api/catalog/locations/"+id, ""), 204, "")
	for _, method := range []string{"GET", "DELETE", "PUT"} {
		for _, unknown := range []string{id, "not-a-uuid", "a%00b"} {
			text := ""
			if method == "PUT" {
				text = body(strings.Replace(cart, "cart", "third", 1))
			}
			shown := strings.ReplaceAll(unknown, "%00", "\x00")
			expect(t, method+" unknown", f.do(method, "/api/catalog/locations/"+unknown, text), 404,
				envelope(404, "NotFoundError", "Found no location with ID "+shown, method, "/locations/"+unknown))
		}
	}
}

func TestLocationIsCheckedBeforeItIsStored(t *testing.T) {
	f, _ := locations(t, nil)
	tests := []struct{ body, want string }{
		{`{"type":"url","target":""}`, "is not an absolute URL"},
		{`{"type":"url","target":"javascript:alert(1)"}`, "is not an absolute URL"},
		{`{"type":"file","target":"/etc/passwd"}`, `Registered locations must be of an allowed type ["url"]`},
		{body("https://github.com/acme/cart"), "names no file"},
		{body("https://gitlab.com/acme/cart/blob/main/x.yaml"), "not allowed"},
		{`{"type":"url"}`, "request/body must have required property 'target'"},
		{`{"target":"x"}`, "request/body must have required property 'type'"},
		{`{"type":1,"target":"x"}`, "request/body/type must be string"},
		{`{"type":"url","target":null}`, "request/body/target must be string"},
		{`{"type":"url","target":"x","a":1,"b":2}`, "Malformed request: Validation error: Unrecognized key(s) in object: 'a', 'b'"},
		{`{"type":"url","target":"x","presence":"never"}`, "Malformed request: Validation error"},
		{`[]`, "request/body must be object"},
		{`{`, "unexpected end of JSON input"},
	}
	for _, tt := range tests {
		for _, url := range []string{"/api/catalog/locations", "/api/catalog/locations?dryRun=1"} {
			w := f.do("POST", url, tt.body)
			if w.Code != 400 || !strings.Contains(message(t, w), tt.want) {
				t.Errorf("%s: %d %s, want %q", tt.body, w.Code, w.Body, tt.want)
			}
		}
	}
	queries := []struct{ query, want string }{
		{"onConflict=maybe", "request/query/onConflict must be equal to one of the allowed values: refresh, reject"},
		{"dryRun=", "Empty value found for query parameter 'dryRun'"}, {"bogus=1", "Unknown query parameter 'bogus'"},
		{"dryRun=1&dryRun=1", "request/query/dryRun must be string"},
	}
	for _, tt := range queries {
		if w := f.do("POST", "/api/catalog/locations?"+tt.query, body(cart)); w.Code != 400 || message(t, w) != tt.want {
			t.Errorf("%s: %d %s, want %q", tt.query, w.Code, w.Body, tt.want)
		}
	}
	expect(t, "stored", f.get("/api/catalog/locations"), 200, `[]`)
	if w := f.do("POST", "/api/catalog/locations", `{"type":"url","target":"`+cart+`","presence":"optional"}`); w.Code != 201 {
		t.Errorf("with presence: %d %s", w.Code, w.Body)
	}
}

func message(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var e struct{ Error struct{ Message string } }
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	return e.Error.Message
}

func TestReadonly(t *testing.T) {
	f, _ := locations(t, func(c *catalog.LocationConfig) { c.Readonly = true })
	for _, tt := range [][2]string{{"POST", "/locations"}, {"POST", "/locations?dryRun=no"}, {"PUT", "/locations/1"}, {"DELETE", "/locations/1"}} {
		text := body(cart)
		if tt[0] == "DELETE" {
			text = ""
		}
		expect(t, tt[0], f.do(tt[0], "/api/catalog"+tt[1], text), 403,
			envelope(403, "NotAllowedError", "This operation not allowed in readonly mode", tt[0], tt[1]))
	}
	if w := f.do("POST", "/api/catalog/locations?dryRun=TRUE", body(cart)); w.Code != 201 {
		t.Errorf("a dry run: %d %s", w.Code, w.Body)
	}
}

func TestDefaultConflictStrategy(t *testing.T) {
	f, _ := locations(t, func(c *catalog.LocationConfig) { c.Conflict = registry.Refresh })
	f.register(cart)
	f.register(cart)
	if w := f.do("POST", "/api/catalog/locations?onConflict=reject", body(cart)); w.Code != 409 {
		t.Errorf("rejected: %d %s", w.Code, w.Body)
	}
}

func TestDryRunAnswers(t *testing.T) {
	f, i := locations(t, nil)
	name := registry.Name(storage.Location{Type: "url", Target: cart})
	for _, spelling := range []string{"true", "1", "YES", "y", "On"} {
		expect(t, spelling, f.do("POST", "/api/catalog/locations?dryRun="+spelling, body(cart)), 201,
			fmt.Sprintf(`{"exists":false,"location":{"id":"url:%s","type":"url","target":%q,"entityRef":"location:default/%s"},"entities":[{"kind":"Location"}]}`, cart, cart, name))
	}
	i.faults = []string{"InputError: a", "Error: b"}
	expect(t, "faults", f.do("POST", "/api/catalog/locations?dryRun=1", body(cart)), 400,
		envelope(400, "InputError", "InputError: a, Error: b", "POST", "/locations?dryRun=1"))
	tests := []struct {
		err    error
		status int
	}{
		{fault.Unavailable(errors.New("down")), 503}, {fault.RetryAfter(1, fault.ReasonRateLimited, errors.New("wait")), 503}, {errors.New("x"), 500},
	}
	for _, tt := range tests {
		i.err = tt.err
		if w := f.do("POST", "/api/catalog/locations?dryRun=1", body(cart)); w.Code != tt.status {
			t.Errorf("%v: %d %s", tt.err, w.Code, w.Body)
		}
	}
	expect(t, "stored", f.get("/api/catalog/locations"), 200, `[]`)
	// Any other spelling is a registration.
	if w := f.do("POST", "/api/catalog/locations?dryRun=sure", body(cart)); w.Code != 201 || strings.Contains(w.Body.String(), "exists") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestLocationByEntity(t *testing.T) {
	origin := func(name, ref string) storage.Entity {
		return component(name, name, `,"annotations":{"backstage.io/managed-by-origin-location":"`+ref+`"}`)
	}
	f, _ := locations(t, nil, origin("cart", "url:"+cart), origin("web", "url:https://x/y"), component("bare", "bare", ""))
	id := f.register(cart)
	if w := f.get("/api/catalog/locations/by-entity/Component/Default/CART"); w.Code != 200 || !strings.Contains(w.Body.String(), id) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	tests := []struct{ name, want string }{
		{"none", "found no entity for ref component:default/none"},
		{"web", "Found no location with type url and target https://x/y"},
		{"bare", "Found no location with type  and target "},
	}
	for _, tt := range tests {
		url := "/locations/by-entity/component/default/" + tt.name
		expect(t, tt.name, f.get("/api/catalog"+url), 404, envelope(404, "NotFoundError", tt.want, "GET", url))
	}
}

func TestLocationQuery(t *testing.T) {
	f, _ := locations(t, nil)
	targets := map[string]string{}
	for i := range 5 {
		target := fmt.Sprintf("https://github.com/Acme/r%d/blob/main/c.yaml", i)
		targets[f.register(target)] = target
	}
	type page struct {
		Items      []struct{ ID, Target string }
		TotalItems int
		PageInfo   struct{ NextCursor string }
	}
	query := func(body string) (p page) {
		t.Helper()
		w := f.do("POST", "/api/catalog/locations/by-query", body)
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 200 {
			t.Fatalf("%s: %d %s", body, w.Code, w.Body)
		}
		return p
	}
	tests := []struct {
		query string
		want  int
	}{
		{`{}`, 5}, {`{"type":"URL"}`, 5}, {`{"type":"file"}`, 0}, {`{"target":"https://github.com/acme/R1/blob/main/c.yaml"}`, 1},
		{`{"target":{"$hasPrefix":"HTTPS://github.com/acme/r"}}`, 5}, {`{"target":{"$contains":"url"}}`, 0}, {`{"type":{"$contains":"url"}}`, 0},
		{`{"id":{"$exists":true}}`, 5}, {`{"id":{"$exists":false}}`, 0}, {`{"type":{"$in":[]}}`, 0}, {`{"type":{"$in":["a","url"]}}`, 5},
		{`{"$all":[]}`, 0}, {`{"$any":[]}`, 0}, {`{"$not":{"$all":[]}}`, 5}, {`{"$all":[{"type":"url"},{"id":"x"}]}`, 0}, {`{"$any":[{"type":"url"},{"id":"x"}]}`, 5},
		{`{"$not":{"target":{"$hasPrefix":"https://github.com/acme/r0"}}}`, 4}, {`{"type":"url","id":"x"}`, 0}, {`{"type":{"$in":["a"],"$exists":true}}`, 5},
	}
	for _, tt := range tests {
		if p := query(`{"query":` + tt.query + `}`); p.TotalItems != tt.want || len(p.Items) != tt.want || p.Items == nil {
			t.Errorf("%s: %+v, want %d", tt.query, p, tt.want)
		}
	}
	if p := query(""); p.TotalItems != 5 || p.PageInfo.NextCursor != "" {
		t.Errorf("without a body: %+v", p)
	}
	var last string
	p := query(`{"limit":2,"query":{"target":{"$hasPrefix":"https"}}}`)
	for n := 0; n < 5; {
		for _, item := range p.Items {
			if item.ID <= last || targets[item.ID] != item.Target {
				t.Errorf("%s comes after %s", item.ID, last)
			}
			last = item.ID
			n++
		}
		if more := p.PageInfo.NextCursor != ""; more != (n < 5) || p.TotalItems != 5 {
			t.Fatalf("after %d: %+v", n, p)
		} else if more {
			p = query(`{"cursor":"` + p.PageInfo.NextCursor + `","limit":4}`) // which the cursor fixed
		}
	}
	bad := []struct{ body, want string }{
		{`{"query":{"name":"x"}}`, `Invalid query: unknown field "name", expected one of id, type, target, entityRef`},
		{`{"query":[]}`, "request/body/query must be object"}, {`{"query":"x"}`, "request/body/query must be object"},
		{`{"query":{"id":{"$like":"x"}}}`, "Invalid query"}, {`{"query":{"$all":{}}}`, "Invalid query"},
		{`{"limit":0}`, "request/body/limit must be >= 1"}, {`{"limit":-1}`, "request/body/limit must be >= "}, {`{"limit":"1"}`, "request/body/limit must be integer"},
		{`{"cursor":"x"}`, "Malformed cursor"}, {`{"cursor":1}`, "request/body/cursor must be string"},
		{`{"cursor":"` + base64.StdEncoding.EncodeToString([]byte(`{"limit":1,"afterId":"x","query":{"a":1}}`)) + `"}`, "Invalid query"},
		{`{"cursor":"` + base64.StdEncoding.EncodeToString([]byte(`{"limit":1,"afterId":"x","query":null}`)) + `"}`, "must be object"},
		{`{"query":` + strings.Repeat(`{"$not":`, 100) + `{}` + strings.Repeat(`}`, 101), "Invalid query"},
	}
	for _, tt := range bad {
		if w := f.do("POST", "/api/catalog/locations/by-query", tt.body); w.Code != 400 || !strings.Contains(message(t, w), tt.want) {
			t.Errorf("%.100s: %d %s, want %q", tt.body, w.Code, w.Body, tt.want)
		}
	}
}

func TestAnalyzeLocation(t *testing.T) {
	f, i := locations(t, nil)
	draft := func(name, annotations string) string {
		return `{"existingEntityFiles":[],"generateEntities":[{"entity":{"apiVersion":"backstage.io/v1alpha1","kind":"Component","metadata":{"name":"` + name + `"` + annotations +
			`},"spec":{"type":"other","lifecycle":"unknown"}},"fields":[]}]}`
	}
	analyze := func(target, more string) *httptest.ResponseRecorder {
		return f.do("POST", "/api/catalog/analyze-location", fmt.Sprintf(`{"location":{"type":"url","target":%q}%s}`, target, more))
	}
	expect(t, "none", analyze("https://github.com/acme/-cart-", `,"catalogFilename":"c.yaml"`), 200, draft("cart", `,"annotations":{"github.com/project-slug":"acme/-cart-"}`))
	if i.asked != "github.com acme -cart- c.yaml" {
		t.Errorf("asked for %q", i.asked)
	}
	expect(t, "another host", analyze("https://gitlab.com/acme/my%20cart.git?x", ""), 200, draft("my-20cart", ""))
	expect(t, "no repository", analyze("https://github.com", ""), 200, draft("github.com", ""))
	expect(t, "no URL", analyze("cart", ""), 400, envelope(400, "InputError", "The given location.target is not a URL", "POST", "/analyze-location"))
	i.found = []registry.Found{{Target: cart, Registered: true, Entity: json.RawMessage(`{"kind":"Component"}`)}}
	expect(t, "found", analyze("https://github.com/acme/cart", ""), 200,
		`{"existingEntityFiles":[{"location":{"type":"url","target":"`+cart+`"},"isRegistered":true,"entity":{"kind":"Component"}}],"generateEntities":[]}`)
	i.found, i.hidden = nil, true
	if w := analyze("https://github.com/acme/cart", ""); w.Code != 400 || !strings.Contains(message(t, w), "cannot be read") {
		t.Errorf("hidden: %d %s", w.Code, w.Body)
	}
	bad := []struct{ body, want string }{
		{`{}`, "request/body must have required property 'location'"}, {`{"location":1}`, "request/body/location must be object"},
		{`{"location":{"type":"url"}}`, "request/body/location must have required property 'target'"},
		{`{"location":{"type":1,"target":"x"}}`, "request/body/location/type must be string"},
		{`{"location":{"type":"url","target":"x"},"catalogFilename":1}`, "request/body/catalogFilename must be string"},
		{`{"location":{"type":"url","target":"x"},"catalogFilename":"` + strings.Repeat("x", 300) + `"}`, "request/body/catalogFilename must NOT have more than 256 characters"},
	}
	for _, tt := range bad {
		if w := f.do("POST", "/api/catalog/analyze-location", tt.body); w.Code != 400 || message(t, w) != tt.want {
			t.Errorf("%.100s: %d %s, want %q", tt.body, w.Code, w.Body, tt.want)
		}
	}
}

func TestValidateEntity(t *testing.T) {
	f, i := locations(t, nil)
	validate := func(body string) *httptest.ResponseRecorder {
		return f.do("POST", "/api/catalog/validate-entity", body)
	}
	expect(t, "good", validate(`{"entity":{},"location":"url:`+cart+`","more":1}`), 200, "")
	if i.asked != cart {
		t.Errorf("asked about %q", i.asked)
	}
	expect(t, "bad", validate(`{"entity":{"bad":1},"location":"url:x"}`), 400,
		`{"errors":[{"name":"InputError","message":"what; caused by TypeError: why","cause":{"name":"TypeError","message":"why"}}]}`)
	refs := []struct{ ref, want string }{
		{"nothing", "Unable to parse location ref 'nothing', expected '<type>:<target>', e.g. 'url:https://host/path'"},
		{"", "Unable to parse location ref ''"}, {"url:", "Unable to parse"}, {"https://x/y", "please prefix it with 'url:'"},
		{"file:/x", "only 'url:<target>' is supported"},
	}
	for _, tt := range refs {
		var out struct{ Errors []entity.Error }
		w := validate(fmt.Sprintf(`{"entity":{},"location":%q}`, tt.ref))
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != 400 || len(out.Errors) != 1 || !strings.Contains(out.Errors[0].Message, tt.want) {
			t.Errorf("%q: %d %s", tt.ref, w.Code, w.Body)
		}
	}
	bad := []struct{ body, want string }{
		{`{"location":"url:x"}`, "request/body must have required property 'entity'"}, {`{"entity":{}}`, "request/body must have required property 'location'"},
		{`{"entity":[],"location":"url:x"}`, "request/body/entity must be object"}, {`{"entity":{},"location":1}`, "request/body/location must be string"},
	}
	for _, tt := range bad {
		expect(t, tt.body, validate(tt.body), 400, envelope(400, "InputError", tt.want, "POST", "/validate-entity"))
	}
}

// Few inspections ask GitHub at a time, few more wait for it, and those that
// need no GitHub wait for nobody.
func TestInspectionsQueue(t *testing.T) {
	closing := make(chan struct{})
	f, i := locations(t, nil)
	i.busy, i.began = make(chan struct{}), make(chan struct{}, 100)
	f.deps.Closing, f.deps.Metrics = closing, prometheus.NewRegistry()
	f.Handler = handlers.New(f.deps)
	answers := make(chan *httptest.ResponseRecorder, 100)
	dry := func() { answers <- f.do("POST", "/api/catalog/locations?dryRun=true", body(cart)) }
	for range 4 {
		go dry()
	}
	for range 4 {
		<-i.began // each has a turn
	}
	// 32 of these find a place to wait, whichever they are.
	for range 40 {
		go dry()
	}
	for range 8 {
		if w := <-answers; w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(message(t, w), "32 requests are waiting to read GitHub already") {
			t.Fatalf("too many: %d %s", w.Code, w.Body)
		}
	}
	if w := f.do("POST", "/api/catalog/validate-entity", `{"entity":{},"location":"url:`+cart+`"}`); w.Code != 200 {
		t.Errorf("without GitHub: %d %s", w.Code, w.Body)
	}
	if w := f.do("POST", "/api/catalog/validate-entity", `{"entity":{"asks":1},"location":"url:`+cart+`"}`); w.Code != 503 {
		t.Errorf("with GitHub: %d %s", w.Code, w.Body)
	}
	close(closing)
	for range 36 {
		if w := <-answers; w.Code != 503 || !strings.Contains(message(t, w), "This process is stopping") {
			t.Errorf("while it stops: %d %s", w.Code, w.Body)
		}
	}
}
