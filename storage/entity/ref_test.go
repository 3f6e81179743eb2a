package entity_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/callboard/callboard/storage/entity"
)

// The vectors of contract catalog 1.4.
func TestParseRef(t *testing.T) {
	t.Parallel()
	const form = `was not on the form [<kind>:][<namespace>/]<name>`
	tests := []struct {
		in, kind, namespace string
		want                entity.Ref
		wantName, wantErr   string
	}{
		{in: "a:b/c", want: entity.Ref{Kind: "a", Namespace: "b", Name: "c"}},
		{in: "a:b", want: entity.Ref{Kind: "a", Namespace: "default", Name: "b"}},
		{in: "a:b", namespace: "ns", want: entity.Ref{Kind: "a", Namespace: "ns", Name: "b"}},
		{in: "b", kind: "k", want: entity.Ref{Kind: "k", Namespace: "default", Name: "b"}},
		{in: "n/b", kind: "k", namespace: "ns", want: entity.Ref{Kind: "k", Namespace: "n", Name: "b"}},
		{in: "a/b:c", kind: "k", want: entity.Ref{Kind: "k", Namespace: "a", Name: "b:c"}},
		{in: "a:b:c/d", want: entity.Ref{Kind: "a", Namespace: "b:c", Name: "d"}},
		{in: "a:b/c/d", want: entity.Ref{Kind: "a", Namespace: "b", Name: "c/d"}},
		{in: "Group:NS/Name", want: entity.Ref{Kind: "Group", Namespace: "NS", Name: "Name"}},
		{in: "", wantName: "Error", wantErr: "Entity reference must not be empty"},
		{in: ":a", wantName: "TypeError", wantErr: `Entity reference ":a" ` + form},
		{in: "a:", wantName: "TypeError", wantErr: `Entity reference "a:" ` + form},
		{in: "a:/b", wantName: "TypeError", wantErr: `Entity reference "a:/b" ` + form},
		{in: "/b", kind: "k", wantName: "TypeError", wantErr: `Entity reference "/b" ` + form},
		{in: "a:b/", wantName: "TypeError", wantErr: `Entity reference "a:b/" ` + form},
		{in: "b", wantName: "Error", wantErr: `Entity reference "b" had missing or empty kind (e.g. did not start with "component:" or similar)`},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			t.Parallel()
			got, err := entity.ParseRef(tt.in, tt.kind, tt.namespace)
			if tt.wantErr != "" {
				var re *entity.RefError
				if !errors.As(err, &re) || re.Name != tt.wantName || re.Message != tt.wantErr {
					t.Fatalf("error %#v, want %s: %s", err, tt.wantName, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestRefString(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in   entity.Ref
		want string
	}{
		{entity.Ref{Kind: "Group", Namespace: "NS", Name: "Name"}, "group:ns/name"},
		{entity.Ref{Kind: "User", Name: "Jane"}, "user:default/jane"},
	}
	for _, tt := range tests {
		if got := tt.in.String(); got != tt.want {
			t.Errorf("%+v prints as %q, want %q", tt.in, got, tt.want)
		}
	}
}

// What String prints, ParseRef reads back.
func TestRefRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ref := entity.Ref{
			Kind:      rapid.StringMatching(`[A-Za-z][A-Za-z0-9]{0,20}`).Draw(t, "kind"),
			Namespace: rapid.StringMatching(`[a-z0-9-]{1,20}`).Draw(t, "namespace"),
			Name:      rapid.StringMatching(`[A-Za-z0-9._:/-]{1,20}`).Draw(t, "name"),
		}
		got, err := entity.ParseRef(ref.String(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		if got.String() != ref.String() || got.Name != strings.ToLower(ref.Name) {
			t.Errorf("%+v came back as %+v", ref, got)
		}
	})
}

func FuzzParseRef(f *testing.F) {
	for _, seed := range []string{"a:b/c", "a/b:c", ":", "/", "é:x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := entity.ParseRef(s, "k", "ns")
		if err == nil && (ref.Kind == "" || ref.Namespace == "" || ref.Name == "") {
			t.Errorf("%q gave a ref with an empty part: %+v", s, ref)
		}
	})
}
