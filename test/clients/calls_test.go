package clients

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/callboard/callboard/test/githubsim"
	"github.com/callboard/callboard/test/harness"
)

// call is a request that no client of others makes, or not so.
type call struct {
	request string // method and path; $ names are filled in
	body    string
	as      string // token; "" is anonymous
	header  string // "Name: value"
	status  int
	settles bool // wait until what it asks for is done
}

const (
	// reader may read entities and nothing else.
	reader  = "clients-reader-token"
	nowhere = "0123456789012345678901234567890123456789"
	wait0   = "Prefer: wait=0"
)

var calls = []call{
	{request: "GET /api/catalog/openapi.json", status: 200},
	{request: "HEAD /api/catalog/openapi.json", status: 200},
	{request: "GET /api/catalog/openapi.json", header: "If-None-Match: *", status: 304},

	{request: "GET /api/catalog/entities?filter=kind=component&order=asc:metadata.name&fields=kind,metadata.name&limit=2&offset=1", status: 200},
	{request: "GET /API/Catalog/Entities/?filter[]=kind=api&filter[7]=kind=system", status: 200},
	{request: "GET /api/catalog/entities?after=eyJsaW1pdCI6Miwib2Zmc2V0IjoyfQ==", status: 200},
	{request: "GET /api/catalog/entities", header: "If-None-Match: *", status: 304},
	{request: "GET /api/catalog/entities?bogus=1", status: 400},
	{request: "GET /api/catalog/entities?filter=", status: 400},
	{request: "GET /api/catalog/entities?limit=2&limit=3", status: 400},
	{request: "GET /api/catalog/entities?order=name", status: 400},
	{request: "GET /api/catalog/entities?fields=metadata.tags[0]", status: 400},
	{request: "GET /api/catalog/entities", as: "wrong-token", status: 401},
	{request: "GET /api/catalog/entities", as: reader, status: 200},
	{request: "GET /api/catalog/entities?minCommit=" + nowhere, header: wait0, status: 503},
	{request: "GET /api/catalog/entities?minCommit=$HEAD", status: 200},
	{request: "PATCH /api/catalog/entities", as: token, status: 404},
	{request: "GET /api/catalog/nothing", as: token, status: 404},

	{request: "GET /api/catalog/entities/by-query?filter=kind=component&orderField=metadata.name&limit=2&fullTextFilterTerm=c&fullTextFilterFields=metadata.name,metadata.title&totalItems=exclude", status: 200},
	{request: "GET /api/catalog/entities/by-query?cursor=x", status: 400},
	{request: "GET /api/catalog/entities/by-query?totalItems=perhaps", status: 400},
	{request: "GET /api/catalog/entities/by-query", header: "If-None-Match: *", status: 304},
	{request: "GET /api/catalog/entities/by-query", header: "Callboard-Min-Revision: many", status: 400},
	{request: "POST /api/catalog/entities/by-query", status: 200},
	{request: "POST /api/catalog/entities/by-query", body: `{"query":{"$any":[{"kind":"api"},{"metadata.tags":{"$contains":"go"}}]},"orderBy":[{"field":"metadata.name","order":"desc"}],"limit":1,"offset":1,"fields":["kind"],"fullTextFilter":{"term":"c","fields":["metadata.name"]},"totalItems":"include"}`, status: 200},
	{request: "POST /api/catalog/entities/by-query", body: `{"limit":-1}`, status: 400},
	{request: "POST /api/catalog/entities/by-query", body: `{"cursor":""}`, status: 400},
	{request: "POST /api/catalog/entities/by-query", body: `{"query":[]}`, status: 400},
	{request: "POST /api/catalog/entities/by-query", body: `{`, status: 400},
	{request: "POST /api/catalog/entities/by-query", body: `x`, header: "Content-Type: text/plain", status: 400},

	{request: "POST /api/catalog/entities/by-refs?filter=kind=component", body: `{"entityRefs":["component:default/cart","api:default/cart-api"],"query":{"spec.type":{"$exists":true}},"fields":["kind"],"unknown":1}`, status: 200},
	{request: "POST /api/catalog/entities/by-refs", body: `{}`, status: 400},
	{request: "POST /api/catalog/entities/by-refs", body: `{"entityRefs":[1]}`, status: 400},
	{request: "GET /api/catalog/entities/by-name/component/default/cart", header: "Callboard-Min-Revision: 1", status: 200},
	{request: "GET /api/catalog/entities/by-name/component/default/cart", header: "If-None-Match: *", status: 304},
	{request: "GET /api/catalog/entities/by-name/component/default/cart?fields=kind", status: 400},
	{request: "GET /api/catalog/entities/by-name/component/default/none", status: 404},
	{request: "GET /api/catalog/entities/by-name/component/default/cart?minCommit=" + nowhere, header: wait0, status: 503},
	{request: "GET /api/catalog/entities/by-name/component/default/cart/ancestry", status: 200},
	{request: "GET /api/catalog/entities/by-name/component/default/none/ancestry", status: 404},
	{request: "GET /api/catalog/entities/by-uid/$UID", status: 200},
	{request: "GET /api/catalog/entities/by-uid/none", status: 404},
	{request: "GET /api/catalog/entity-facets?facet=kind&facet=metadata.tags&filter=kind=component", status: 200},
	{request: "GET /api/catalog/entity-facets", status: 400},
	{request: "POST /api/catalog/entity-facets", body: `{"facets":["kind"],"query":{"$not":{"kind":"user"}}}`, status: 200},
	{request: "POST /api/catalog/entity-facets", body: `{"facets":[]}`, status: 400},

	{request: "GET /api/catalog/locations", status: 200},
	{request: "POST /api/catalog/locations", body: `{"type":"url","target":"$GITHUB/acme/tools/blob/main/tools.yaml"}`, status: 401},
	{request: "POST /api/catalog/locations", body: `{"type":"url","target":"$GITHUB/acme/tools/blob/main/tools.yaml"}`, as: reader, status: 403},
	{request: "POST /api/catalog/locations?dryRun=TRUE", body: `{"type":"url","target":"$GITHUB/acme/tools/blob/main/tools.yaml","presence":"required"}`, as: token, status: 201},
	{request: "POST /api/catalog/locations", body: `{"type":"url","target":"$GITHUB/acme/bare/blob/main/x.yaml"}`, as: token, status: 201},
	{request: "POST /api/catalog/locations?onConflict=reject", body: `{"type":"url","target":"$GITHUB/acme/bare/blob/main/x.yaml"}`, as: token, status: 409},
	{request: "POST /api/catalog/locations", body: `{"type":"url","target":""}`, as: token, status: 400},
	{request: "POST /api/catalog/locations", body: `{"type":"url","target":"javascript:alert(1)"}`, as: token, status: 400},
	{request: "POST /api/catalog/locations", body: `{"type":"url","target":"$GITHUB/acme/tools/blob/main/tools.yaml","more":1}`, as: token, status: 400},
	{request: "POST /api/catalog/locations/by-query", body: `{"query":{"type":"url"},"limit":1}`, as: token, status: 200},
	{request: "POST /api/catalog/locations/by-query", body: `{"query":{"more":1}}`, status: 400},
	{request: "GET /api/catalog/locations/$LOCATION", status: 200},
	{request: "GET /api/catalog/locations/none", status: 404},
	{request: "PUT /api/catalog/locations/$LOCATION", body: `{"type":"url","target":"$GITHUB/acme/tools/blob/main/other.yaml"}`, as: token, status: 200, settles: true},
	{request: "PUT /api/catalog/locations/none", body: `{"type":"url","target":"$GITHUB/acme/tools/blob/main/other.yaml"}`, as: token, status: 404},
	{request: "GET /api/catalog/locations/by-entity/component/default/drill", status: 200},
	{request: "GET /api/catalog/locations/by-entity/component/default/none", status: 404},
	{request: "DELETE /api/catalog/locations/none", as: token, status: 404},
	{request: "DELETE /api/catalog/locations/$LOCATION", as: token, status: 204},

	{request: "POST /api/catalog/refresh", body: `{"entityRef":"component:default/cart","authorizationToken":"x"}`, as: token, status: 200},
	{request: "POST /api/catalog/refresh", body: `{"entityRef":"component:default/none"}`, as: token, status: 404},
	{request: "POST /api/catalog/refresh", body: `{"entityRef":"component:default/cart","more":1}`, as: token, status: 400},
	{request: "POST /api/catalog/validate-entity", body: `{"entity":{"kind":"x"},"location":"url:$GITHUB/acme/shop/blob/main/x.yaml"}`, as: token, status: 400},
	{request: "POST /api/catalog/validate-entity", body: `{"entity":"x"}`, as: token, status: 400},
	{request: "POST /api/catalog/validate-entity", body: `{"entity":{"apiVersion":"backstage.io/v1alpha1","kind":"Component","metadata":{"name":"x"},"spec":{"type":"service","lifecycle":"production","owner":"team-a"}},"location":"url:$GITHUB/acme/shop/blob/main/x.yaml"}`, as: token, status: 200},
	{request: "POST /api/catalog/analyze-location", body: `{"location":{"type":"url","target":"$GITHUB/acme/tools"},"catalogFilename":"tools.yaml"}`, as: token, status: 200},
	{request: "POST /api/catalog/analyze-location", body: `{}`, as: token, status: 400},
	{request: "GET /api/catalog/entities/unprocessed/failed", status: 200},
	{request: "GET /api/catalog/entities/unprocessed/pending?owner=team-a", status: 200},
	{request: "DELETE /api/catalog/entities/unprocessed/delete/none", as: token, status: 204},
	{request: "DELETE /api/catalog/entities/by-uid/$UID", status: 401},
	{request: "DELETE /api/catalog/entities/by-uid/$UID", as: token, status: 204},

	{request: "GET /api/callboard/settings?owner=acme", status: 200},
	{request: "GET /api/callboard/settings?org=acme", status: 400},
	{request: "GET /api/callboard/status", status: 200},
	{request: "GET /api/callboard/status?x=y", status: 400},
	{request: "GET /api/callboard/status", as: reader, status: 403},
	{request: "GET /api/callboard/changes?since=0&limit=3&kind=component,api&namespace=default", status: 200},
	{request: "GET /api/callboard/changes?ref=component:default/cart", status: 200},
	{request: "GET /api/callboard/changes?since=x", status: 400},
	{request: "GET /api/callboard/diagnostics?severity=error&limit=1", status: 200},
	{request: "GET /api/callboard/diagnostics?owner=team-b&rule=owner-unknown&repository=acme/shop", status: 200},
	{request: "GET /api/callboard/diagnostics?severity=grave", status: 400},
	{request: "GET /api/callboard/diagnostics?repository=acme/none", status: 404},
	{request: "GET /api/callboard/conflicts", status: 200},
	{request: "GET /api/callboard/conflicts?cursor=x", status: 400},
	{request: "GET /api/callboard/freshness?behind=true", status: 200},
	{request: "GET /api/callboard/freshness?limit=1", status: 200},
	{request: "GET /api/callboard/budget", status: 200},
	{request: "GET /api/callboard/budget?x=y", status: 400},
	{request: "GET /api/callboard/budget", as: reader, status: 403},
	{request: "GET /api/callboard/gaps", status: 200},
	{request: "GET /api/callboard/gaps?x=y", status: 400},
	{request: "GET /api/callboard/gaps", as: reader, status: 403},
	{request: "POST /api/callboard/scans", status: 401},
	{request: "POST /api/callboard/scans?owner=acme", as: token, status: 202, settles: true},
	{request: "POST /api/callboard/scans?owner=nobody", as: token, status: 404},
	{request: "POST /api/callboard/scans?x=y", as: token, status: 400},
	{request: "GET /api/callboard/scans?kind=repositories&state=done&owner=Acme&limit=5", status: 200},
	{request: "GET /api/callboard/scans?state=lost", status: 400},
	{request: "GET /api/callboard/scans?kind=odd", status: 400},
	{request: "GET /api/callboard/scans/$SCAN", status: 200},
	{request: "GET /api/callboard/scans/none", status: 404},
	{request: "POST /api/callboard/scans/none/approve", as: token, status: 404},
	{request: "POST /api/callboard/scans/$SCAN/approve", as: token, status: 409},
	{request: "POST /api/callboard/scans/$SCAN/reject", as: token, status: 409},
	{request: "POST /api/callboard/scans/$PAUSED/approve", as: token, status: 202, settles: true},
	{request: "GET /api/callboard/tombstones?scan=$PAUSED", status: 200},
	{request: "GET /api/callboard/tombstones?repository=acme/none", status: 404},
	{request: "GET /api/callboard/tombstones?since=yesterday", status: 400},
	{request: "GET /api/callboard/tombstones", as: reader, status: 403},
	{request: "POST /api/callboard/tombstones/undo", body: `{"scan":"$PAUSED"}`, as: token, status: 200},
	{request: "POST /api/callboard/tombstones/undo", body: `{"scan":"$PAUSED"}`, as: token, status: 404},
	{request: "POST /api/callboard/tombstones/undo", body: `{}`, as: token, status: 400},
	{request: "POST /api/callboard/tombstones/undo", body: `{"scan":"$PAUSED"}`, status: 401},
	{request: "POST /api/callboard/scans/$REJECTED/reject", as: token, status: 202},
	{request: "GET /api/callboard/entities/component/default/web", status: 200},
	{request: "GET /api/callboard/entities/component/default/none", status: 404},
	{request: "GET /api/callboard/entities/component/default/web/history?limit=2", status: 200},
	{request: "GET /api/callboard/entities/component/default/none/history", status: 404},
	{request: "GET /api/callboard/deliveries?repository=acme/shop&limit=5", status: 200},
	{request: "GET /api/callboard/deliveries?state=applied&event=push", status: 200},
	{request: "GET /api/callboard/deliveries?state=lost", status: 400},
	{request: "GET /api/callboard/deliveries/$GUID?payload=true", status: 200},
	{request: "GET /api/callboard/deliveries/none", status: 404},
	{request: "POST /api/callboard/deliveries/$GUID/replay", status: 401},
	{request: "POST /api/callboard/deliveries/$GUID/replay", as: token, status: 202},
	{request: "POST /api/callboard/deliveries/none/replay", as: token, status: 404},
	{request: "GET /api/callboard/repositories", status: 200},
	{request: "GET /api/callboard/repositories/acme/shop", status: 200},
	{request: "GET /api/callboard/repositories/acme/broken", status: 200},
	{request: "GET /api/callboard/repositories/acme/none", status: 404},
	{request: "POST /api/callboard/repositories/acme/shop/refresh?force=true", as: token, status: 202},
	{request: "POST /api/callboard/repositories/acme/none/refresh", as: token, status: 404},
}

// Each operation of the document is asked at least once with success, and in
// the ways that go wrong; the recorder holds every answer against it.
func TestEveryOperationIsAsDocumented(t *testing.T) {
	t.Parallel()
	w, r := start(t, harness.Setups[0])
	values := map[string]string{"$GITHUB": w.GitHub.URL(), "$HEAD": w.GitHub.Head("acme/shop", "main")}
	var deliveries struct{ Items []struct{ GUID string } }
	if err := w.Get("/api/callboard/deliveries?event=installation", &deliveries); err != nil || len(deliveries.Items) == 0 {
		t.Fatalf("%d deliveries, %v", len(deliveries.Items), err)
	}
	values["$GUID"] = deliveries.Items[0].GUID
	zoo, err := w.Entity("component", "zoo")
	if err != nil {
		t.Fatal(err)
	}
	values["$UID"], _ = zoo.Metadata["uid"].(string)
	values["$REJECTED"], values["$PAUSED"] = pausedScan(t, w, "forgetful"), pausedScan(t, w, "careless")

	for _, c := range calls {
		body := c.ask(t, r.URL, values)
		if c.status == http.StatusCreated {
			var made struct{ Location struct{ ID string } }
			if err := json.Unmarshal(body, &made); err != nil {
				t.Fatal(err)
			}
			values["$LOCATION"] = made.Location.ID // the last one is not dry
		}
		if strings.HasPrefix(c.request, "POST /api/callboard/scans?owner=acme") {
			var began struct{ Items []struct{ ID string } }
			if err := json.Unmarshal(body, &began); err != nil {
				t.Fatal(err)
			}
			values["$SCAN"] = began.Items[0].ID
		}
		if c.settles {
			w.Settled()
		}
	}
	for id, n := range r.doc.succeeded {
		if n == 0 {
			t.Errorf("%s is in the document, and no call of it succeeded", id)
		}
	}
}

// pausedScan makes a scan that waits for somebody to approve what it removes.
func pausedScan(t *testing.T, w *harness.World, owner string) string {
	t.Helper()
	files := map[string]string{"catalog-info.yaml": component(owner, "", "library", "team-b", "")}
	if _, err := w.GitHub.CreateRepo(owner, "gone", githubsim.RepoOptions{}, files); err != nil {
		t.Fatal(err)
	}
	w.Install(owner)
	w.Settled()
	if err := w.GitHub.DeleteRepo(owner+"/gone", githubsim.Quiet()); err != nil {
		t.Fatal(err)
	}
	var scans struct{ Items []struct{ ID string } }
	post := call{request: "POST /api/callboard/scans?owner=" + owner, as: token, status: http.StatusAccepted}
	if err := json.Unmarshal(post.ask(t, w.URL, nil), &scans); err != nil || len(scans.Items) != 1 {
		t.Fatalf("%d scans, %v", len(scans.Items), err)
	}
	w.Settled()
	return scans.Items[0].ID
}

func (c call) ask(t *testing.T, base string, values map[string]string) []byte {
	t.Helper()
	fill := func(text string) string {
		for name, value := range values {
			text = strings.ReplaceAll(text, name, value)
		}
		return text
	}
	method, path, _ := strings.Cut(fill(c.request), " ")
	r, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(fill(c.body)))
	if err != nil {
		t.Fatal(err)
	}
	if c.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.as != "" {
		r.Header.Set("Authorization", "Bearer "+c.as)
	}
	if name, value, ok := strings.Cut(c.header, ": "); ok {
		r.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != c.status {
		t.Errorf("%s %s: %d, want %d: %.300s", c.request, c.body, res.StatusCode, c.status, body)
	}
	if res.StatusCode == http.StatusServiceUnavailable && res.Header.Get("Retry-After") == "" {
		t.Errorf("%s: 503 without Retry-After", c.request)
	}
	return body
}
