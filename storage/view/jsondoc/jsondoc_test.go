package jsondoc_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/callboard/callboard/storage/view/jsondoc"
)

var seeds = []string{
	`{"apiVersion":"backstage.io/v1alpha1","kind":"Component","metadata":{"name":"cart","tags":["go",1,null]},"spec":{}}`,
	` [ 1 , -0.5e+10 , "a\u00e9\ud83d\ude00\n" , {"a\tb":true} ] `,
	`{"a":1,"a":2}`, `""`, `-`, `01`, `1.`, `1e`, `{"a"}`, `{"a":}`, `[1,]`, `{,}`, `tru`, `"\x"`, "\"\x01\"", `"\u12g4"`, `1 2`, ``,
	`"` + "\xff" + `"`, `[[[[]]]]`, `{"a":{"b":{}}}`, `nul`, `nulll`, `--1`, `{"a":1 "b":2}`,
}

func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		var doc jsondoc.Doc
		err := doc.Parse(src)
		valid := json.Valid(src)
		if err != nil && valid && !strings.Contains(err.Error(), "deeper") {
			t.Fatalf("refused valid %q: %v", src, err)
		}
		if err != nil {
			return
		}
		if !valid {
			t.Fatalf("accepted invalid %q", src)
		}
		var want, got any
		if err := json.Unmarshal(src, &want); err != nil {
			return // a number out of range
		}
		canonical := doc.AppendCanonical(nil, 0, nil)
		if err := json.Unmarshal(canonical, &got); err != nil {
			t.Fatalf("canonical form of %q is %q: %v", src, canonical, err)
		}
		if !reflect.DeepEqual(want, got) {
			t.Fatalf("canonical form of %q is %q", src, canonical)
		}
		var again jsondoc.Doc
		if err := again.Parse(canonical); err != nil {
			t.Fatal(err)
		}
		if second := again.AppendCanonical(nil, 0, nil); string(second) != string(canonical) {
			t.Fatalf("not a fixed point: %q, %q", canonical, second)
		}
	})
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	tests := []struct{ src, want string }{
		{`{"b":1,"a":[true,false,null]}`, `{"a":[true,false,null],"b":1}`},
		{`{"a":1,"a":2}`, `{"a":2}`},
		{`"\u003ca\u003e\/\u0001\n"`, `"<a>/\u0001\n"`},
		{`{"\u0062":1,"a":2}`, `{"a":2,"b":1}`},
		{`[1.0,1e3,1e21,1e-7,0.000001,-0,0.1,12345678901234567890,123456789012345678]`,
			`[1,1000,1e+21,1e-7,0.000001,0,0.1,12345678901234567000,123456789012345680]`},
		{`[1e400,1.5e-10,2.5E+30,-1.25]`, `[null,1.5e-10,2.5e+30,-1.25]`},
	}
	for _, tt := range tests {
		var doc jsondoc.Doc
		if err := doc.Parse([]byte(tt.src)); err != nil {
			t.Fatal(err)
		}
		if got := string(doc.AppendCanonical(nil, 0, nil)); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.src, got, tt.want)
		}
	}
}

func TestDepth(t *testing.T) {
	t.Parallel()
	var doc jsondoc.Doc
	ok := strings.Repeat("[", jsondoc.MaxDepth) + strings.Repeat("]", jsondoc.MaxDepth)
	if err := doc.Parse([]byte(ok)); err != nil {
		t.Fatal(err)
	}
	if err := doc.Parse([]byte("[[" + ok + "]]")); err == nil {
		t.Fatal("a document nested too deeply was accepted")
	}
}

func TestMember(t *testing.T) {
	t.Parallel()
	var doc jsondoc.Doc
	if err := doc.Parse([]byte(`{"a":{"x":1},"b\"c":"d\te","a":3}`)); err != nil {
		t.Fatal(err)
	}
	if got := string(doc.Raw(doc.Member(0, "a"))); got != "3" {
		t.Errorf("a is %s", got)
	}
	m := doc.Member(0, `b"c`)
	if m < 0 || string(doc.Text(m)) != "d\te" || string(doc.RawKey(m)) != `"b\"c"` {
		t.Errorf("escaped member: %d", m)
	}
	if doc.Member(0, "x") != -1 {
		t.Error("x is not a member of the root")
	}
}
