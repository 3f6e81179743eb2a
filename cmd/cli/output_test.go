package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
)

// What a repository hides in a name drives no terminal, and JSON stays JSON.
func TestEscaping(t *testing.T) {
	t.Parallel()
	hostile := "a\x1b]0;title\x07\u202eb\u009bc\ttab\n"
	var buf bytes.Buffer
	raw, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (escaping{&buf}).Write(raw); err != nil {
		t.Fatal(err)
	}
	var got string
	if err := json.Unmarshal(buf.Bytes(), &got); err != nil || got != hostile {
		t.Errorf("%q, %v", got, err)
	}
	if strings.ContainsAny(buf.String(), "\x1b\x07\u202e\u009b") {
		t.Errorf("%q would drive a terminal", buf.String())
	}
	if got := plain(hostile); got != "a]0;titlebc tab " {
		t.Errorf("plain gives %q", got)
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	var e map[string]any
	doc := `{"a":{"b.c":{"d":1},"b":{"c":2},"x.y/z":"slash"},"a.b":{"e":["p","q"]},"n":null,"o":{"k":1}}`
	if err := json.Unmarshal([]byte(doc), &e); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"a.b.c.d": "1", "a.b.c": `{"d":1}`, "a.x.y/z": "slash", "a.b.e": "p,q", "n": "", "nope": "", "a.nope.c": "", "o": `{"k":1}`, "": "", ".": "", "a.": "",
	} {
		if got := text(lookup(e, path)); got != want {
			t.Errorf("%q is %q, want %q", path, got, want)
		}
	}
}

// YAML reads back as what the JSON said, whatever the strings look like.
func FuzzYAML(f *testing.F) {
	for _, seed := range []string{
		`{"kind":"X","metadata":{"name":"true"},"apiVersion":"1.0"}`, `[1,1.5,-0,1e3,null,true,"",[],{}]`, `"a\n b\n"`, `"\ttab\n"`, `" lead\nx "`,
		`{"a: b":"- c","#":"? x","y":"no","0x1":"~","":"null"}`, `"\u001b[31m\u202e"`, `"\n"`, `{"d":"2020-01-01","n":12345678901234567890}`, `"---\n"`, `"a\r\nb"`, `"\u0085x\u2028"`,
		`{"k":"l1\n\n  l3\n\t\n"}`, `"\ufeff"`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		var want, got any
		if len(raw) > 1<<10 || json.Unmarshal([]byte(raw), &want) != nil {
			return
		}
		sent, err := json.Marshal(want) // no key twice
		if err != nil {
			t.Fatal(err)
		}
		var buf bytes.Buffer
		if err := writeYAML(&buf, sent); err != nil {
			t.Fatalf("%q: %v", sent, err)
		}
		if err := yaml.Unmarshal(buf.Bytes(), &got); err != nil {
			t.Fatalf("%q became %q: %v", sent, buf.String(), err)
		}
		back, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		// Through float64 once more, so that 1 and 1.0 are the same.
		if err := json.Unmarshal(back, &got); err != nil || !cmp.Equal(want, got) {
			t.Errorf("%q became %q, which reads as %q", sent, buf.String(), back)
		}
	})
}

func TestYAMLOrder(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	doc := `{"z":{"metadata":1,"kind":2},"relations":[],"spec":{"b":"x\ny\n","a":"yes"},"metadata":{"uid":"1","name":"n"},"kind":"K","apiVersion":"v"}`
	if err := writeYAML(&buf, json.RawMessage(doc)); err != nil {
		t.Fatal(err)
	}
	want := `apiVersion: v
kind: K
metadata:
  uid: "1"
  name: "n"
spec:
  b: |
    x
    y
  a: "yes"
relations: []
z:
  kind: 2
  metadata: 1
`
	if diff := cmp.Diff(want, buf.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
