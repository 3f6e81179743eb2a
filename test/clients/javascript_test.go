package clients

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/test/harness"
)

// The official client, unmodified, over every method, on both sizes of the
// product: with the fetch that it brings and with the platform's, as in a page.
func TestJavaScriptClient(t *testing.T) {
	t.Parallel()
	tests := []struct {
		setup harness.Setup
		fetch string
	}{
		{harness.Setups[0], "own"},
		{harness.Setups[1], "platform"},
	}
	for _, tt := range tests {
		t.Run(tt.setup.Name, func(t *testing.T) {
			t.Parallel()
			folder := packages(t)
			w, r := start(t, tt.setup)
			got := drive(t, folder, map[string]string{"url": r.URL, "github": w.GitHub.URL(), "token": token, "fetch": tt.fetch})
			for _, want := range javaScriptSteps {
				line, ok := got[want.step]
				delete(got, want.step)
				if !ok {
					t.Errorf("%s: the driver has no such step", want.step)
					continue
				}
				expected := canonical(strings.ReplaceAll(want.want, "$GITHUB", w.GitHub.URL()))
				if start, free := strings.CutSuffix(expected, "…"); line != expected && (!free || !strings.HasPrefix(line, start)) {
					t.Errorf("%s:\n got %s\nwant %s", want.step, line, expected)
				}
			}
			for step, line := range got {
				t.Errorf("%s: nobody says what it should be; it is %s", step, line)
			}
		})
	}
}

// drive runs the driver and gives one line for each step: the value as JSON, or
// what went wrong as the client tells it.
func drive(t *testing.T, folder string, settings map[string]string) map[string]string {
	t.Helper()
	raw, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "catalog-client.mjs", folder, string(raw))
	cmd.Env = append(os.Environ(), "NODE_NO_WARNINGS=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, stderr.String())
	}
	got := map[string]string{}
	for line := range bytes.Lines(out) {
		var s struct {
			Step  string
			Value json.RawMessage
			Error *struct {
				Kind, Message, Cause string
				StatusCode           int
			}
		}
		if err := json.Unmarshal(line, &s); err != nil {
			t.Fatalf("the driver says %s: %v", line, err)
		}
		if _, twice := got[s.Step]; twice {
			t.Errorf("%s: two steps have this name", s.Step)
		}
		got[s.Step] = canonical(string(s.Value))
		if e := s.Error; e != nil {
			got[s.Step] = fmt.Sprintf("%d %s", e.StatusCode, e.Cause)
			if e.StatusCode == 0 { // not an answer of the server
				got[s.Step] = e.Kind + ": " + e.Message
			}
		}
	}
	return got
}

// canonical gives JSON the key order of encoding/json; other text stays.
func canonical(text string) string {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return text
	}
	return string(raw)
}

// What is pinned is what is installed.
func TestPinnedVersion(t *testing.T) {
	t.Parallel()
	var want struct{ Dependencies map[string]string }
	read(t, "package.json", &want)
	got := map[string]string{}
	for name := range want.Dependencies {
		var installed struct{ Version string }
		read(t, packages(t)+"/node_modules/"+name+"/package.json", &installed)
		got[name] = installed.Version
	}
	if diff := cmp.Diff(want.Dependencies, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
