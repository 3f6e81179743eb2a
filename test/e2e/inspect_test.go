package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/callboard/callboard/test/githubsim"
	"github.com/callboard/callboard/test/harness"
)

// secrets is a private repository with one catalog file.
var secrets = map[string]string{
	".env": "AWS_KEY=AKIA-very-secret\nDB=pass\n", "deploy/token": "hunter2-Token!", "k.json": `{"hunter2-key":"s3cr3t"}`,
	"k.yaml": "hunter2-key: s3cr3t\n", "bad.yaml": "kind: hunter2-Token!\n", "app/catalog-info.yaml": component("app", "x"),
}

func privateRepo(t *testing.T, w *harness.World) {
	t.Helper()
	if _, err := w.GitHub.CreateRepo("acme", "secret", githubsim.RepoOptions{Private: true}, secrets); err != nil {
		t.Fatal(err)
	}
}

// inspected sends a POST to the catalog and gives the answer.
func inspected(t *testing.T, w *harness.World, path, body string) (status int, answer string) {
	t.Helper()
	status, raw := send(t, w, http.MethodPost, "/api/catalog"+path, body)
	return status, string(raw)
}

// Whoever may validate an entity learns which files are there, and nothing of
// what is in them: the App reads more than they do.
func TestValidationShowsNoContent(t *testing.T) {
	w := embedded(t)
	privateRepo(t, w)
	w.Start().Install("acme")
	w.Settled()
	host := w.GitHub.URL()
	send := func(kind, meta, spec string) (int, string) {
		return inspected(t, w, "/validate-entity", fmt.Sprintf(
			`{"location":"url:%s/acme/secret/blob/main/none/x.yaml","entity":{"apiVersion":"backstage.io/v1alpha1","kind":%q,"metadata":{"name":"a"%s},"spec":%s}}`, host, kind, meta, spec))
	}
	const sound = `{"type":"service","lifecycle":"x","owner":"o"}`
	tests := []struct {
		kind, meta, spec string
		status           int
	}{
		{"Component", `,"tags":[{"$text":"../.env"}]`, sound, 200},
		{"Component", `,"labels":{"x":{"$text":"../.env"}}`, sound, 200},
		{"Component", `,"labels":{"$json":"../k.json"}`, sound, 200},
		{"Component", `,"labels":{"$yaml":"../.env"}`, sound, 200},
		{"Component", `,"annotations":{"x":{"$json":"../.env"}}`, sound, 200},
		{"Component", `,"links":[{"url":{"$text":"../deploy/token"}}]`, sound, 200},
		{"Component", `,"name":{"$text":"../deploy/token"}`, sound, 400},
		{"Component", "", `{"type":"service","lifecycle":"x","owner":"o","dependsOn":[{"$text":"../deploy/token"}]}`, 200},
		{"Component", "", `{"$yaml":"../k.yaml"}`, 200},
		{"Component", `,"title":{"$text":"../not-there"}`, sound, 400},
		{"Location", "", `{"target":{"$text":"../deploy/token"}}`, 200},
		{"Location", "", `{"targets":["../.env","../bad.yaml","../deploy/token","../k.json","../**/*"]}`, 200},
		{"Location", "", `{"targets":["../.env","../not-there"]}`, 400},
		{"Location", "", `{"targets":["` + host + `/acme/secret/blob/other/.env"]}`, 400},
		{"Location", "", `{"targets":["` + host + `/acme/not-there/blob/main/.env"]}`, 400},
	}
	for _, tt := range tests {
		status, answer := send(tt.kind, tt.meta, tt.spec)
		if status != tt.status {
			t.Errorf("%s%s: %d %s, want %d", tt.meta, tt.spec, status, answer, tt.status)
		}
		for _, secret := range []string{"AKIA", "hunter2", "s3cr3t"} {
			if strings.Contains(answer, secret) {
				t.Errorf("%s%s shows %s", tt.meta, tt.spec, answer)
			}
		}
	}
	many := make([]string, 501)
	for i := range many {
		many[i] = fmt.Sprintf("./%d.yaml", i)
	}
	raw, err := json.Marshal(map[string]any{"targets": many})
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := send("Location", "", string(raw)); status != 400 || !strings.Contains(answer, "more than 500 targets") {
		t.Errorf("501 targets: %d %.200s", status, answer)
	}
}

// An analysis shows catalog files, and does not list a repository.
func TestAnalysisShowsCatalogFilesOnly(t *testing.T) {
	w := embedded(t)
	privateRepo(t, w)
	w.Start().Install("acme")
	w.Settled()
	analyze := func(filename string) (int, string) {
		return inspected(t, w, "/analyze-location", fmt.Sprintf(
			`{"location":{"type":"url","target":"%s/acme/secret"},"catalogFilename":%q}`, w.GitHub.URL(), filename))
	}
	for _, glob := range []string{"**", "*", "**/*.yaml", "{.env,k.json}", "[a-z]*", "?.json"} {
		if status, answer := analyze(glob); status != 400 || !strings.Contains(answer, "without wildcards") {
			t.Errorf("%s: %d %s", glob, status, answer)
		}
	}
	for name, found := range map[string]bool{".env": false, "token": false, "k.json": false, "bad.yaml": false, "catalog-info.yaml": true, "app/catalog-info.yaml": true} {
		status, answer := analyze(name)
		if status != 200 || strings.Contains(answer, "/blob/main/") != found {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
}
