package people_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/people"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var acme = githubapp.People{
	Org: "Acme",
	Members: []githubapp.Member{
		{
			Login: "Amara", NodeID: "U_1", Name: "Amara Okafor", Bio: "Builds carts <3", Email: "amara@home.example",
			VerifiedEmails: []string{"amara+git@acme.example", "a@acme.example"}, AvatarURL: "https://github.com/avatars/1",
		},
		{Login: "bo", NodeID: "U_2"}, // neither name nor mail, and in no team
		{Login: "cy", NodeID: "U_3", Name: "Cy", Email: "cy@home.example", SuspendedAt: time.Unix(1, 0)},
	},
	Teams: []githubapp.Team{
		{Slug: "engineering", CombinedSlug: "Acme/engineering", Name: "Engineering", Members: []string{"Amara"}, EditTeamURL: "https://github.com/orgs/Acme/teams/engineering/edit"},
		{Slug: "shop", CombinedSlug: "Acme/shop", Name: "Shop", Description: "Sells", Parent: "engineering", AvatarURL: "https://github.com/avatars/t/2"},
		{Slug: "cart", CombinedSlug: "Acme/cart", Name: "Cart", Parent: "shop", Members: []string{"cy", "Amara"}},
		{Slug: "hidden-child", CombinedSlug: "Acme/hidden-child", Name: "Child of a secret team", Parent: "secret"},
	},
}

var beta = githubapp.People{
	Org: "beta",
	Members: []githubapp.Member{
		{Login: "amara", NodeID: "U_1", Name: "Another name", AvatarURL: "https://github.com/avatars/other"},
		{Login: "dee", NodeID: "U_4", Name: "Dee"},
	},
	Teams: []githubapp.Team{
		{Slug: "shop", CombinedSlug: "beta/shop", Name: "Shop", Members: []string{"amara", "dee"}},
	},
}

var odd = githubapp.People{
	Org: "-Odd-",
	Members: []githubapp.Member{
		{Login: "foo-", NodeID: "U_5", Name: "A\x00B\xff"},
		{Login: "foo", NodeID: "U_6"},
	},
	Teams: []githubapp.Team{
		{Slug: "_core", Name: "_core", Members: []string{"foo-", "somebody-new"}},
		{Slug: strings.Repeat("long-", 30), Name: "long", Parent: "_core"},
		{Slug: "日本", Name: "日本"},
	},
}

func TestTransform(t *testing.T) {
	t.Parallel()
	hosts := []string{"github.com"}
	tests := []struct {
		name string
		opts people.Options
		orgs []githubapp.People
	}{
		{"one-org", people.Options{}, []githubapp.People{acme}},
		{"verified-without-suspended", people.Options{VerifiedEmails: true, ExcludeSuspended: true}, []githubapp.People{acme}},
		{"two-orgs", people.Options{OrgNamespace: true}, []githubapp.People{acme, beta}},
		{"odd-names", people.Options{OrgNamespace: true}, []githubapp.People{odd}},
		{"nobody", people.Options{}, []githubapp.People{{Org: "empty"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.opts.URL, tt.opts.Hosts = "https://github.com", hosts
			got := render(t, people.Transform(tt.opts, tt.orgs))
			golden := filepath.Join("testdata", tt.name+".golden")
			if *update {
				if err := os.WriteFile(golden, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// render writes entries as a person compares them.
func render(t *testing.T, entries []people.Entry) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, e := range entries {
		fmt.Fprintf(&b, "== %s\norigin %s\n", e.Path, e.Origin)
		for _, d := range e.Declarations {
			fmt.Fprintf(&b, "%s line %d document %d\n", d.Ref, d.Line, d.Document)
			if err := json.Indent(&b, d.JSON, "", "  "); err != nil {
				t.Fatal(err)
			}
			b.WriteByte('\n')
			for _, r := range d.Relations {
				fmt.Fprintf(&b, "%s %s %s\n", r.Source, r.Type, r.Target)
			}
		}
		for _, d := range e.Diagnostics {
			fmt.Fprintf(&b, "%s %s %s: %s\n", d.Severity, d.Rule, d.Field, d.Message)
		}
	}
	return b.Bytes()
}

// Whatever logins, slugs and texts GitHub has, each is one sound entity of its
// own, and what does not change keeps its SHA.
func TestNobodyIsLost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.OneOf(rapid.StringMatching(`[A-Za-z0-9._-]{1,80}`), rapid.String())
		org := githubapp.People{Org: word.Draw(t, "org")}
		for login := range distinct(rapid.SliceOfN(word, 0, 8).Draw(t, "logins")) {
			org.Members = append(org.Members, githubapp.Member{Login: login, Name: word.Draw(t, "name"), Bio: rapid.String().Draw(t, "bio")})
		}
		for slug := range distinct(rapid.SliceOfN(word, 0, 8).Draw(t, "slugs")) {
			team := githubapp.Team{Slug: slug, Description: word.Draw(t, "description")}
			for _, m := range org.Members {
				if rapid.Bool().Draw(t, "member") {
					team.Members = append(team.Members, m.Login)
				}
			}
			org.Teams = append(org.Teams, team)
		}
		opts := people.Options{URL: "https://github.com", Hosts: []string{"github.com"}, OrgNamespace: rapid.Bool().Draw(t, "namespaces")}
		entries := people.Transform(opts, []githubapp.People{org})
		again := people.Transform(opts, []githubapp.People{org})
		if diff := cmp.Diff(entries, again); diff != "" {
			t.Fatalf("another result (-first +second)\n%s", diff)
		}
		refs := map[string]bool{}
		for _, e := range entries {
			if len(e.Declarations) != 1 {
				t.Fatalf("%s declares nothing: %+v", e.Path, e.Diagnostics)
			}
			refs[e.Declarations[0].Ref] = true
		}
		if want := len(org.Members) + len(org.Teams); len(refs) != want {
			t.Fatalf("%d entities of %d members and teams", len(refs), want)
		}
	})
}

// distinct are the words that differ by more than case.
func distinct(words []string) map[string]bool {
	out, seen := map[string]bool{}, map[string]bool{}
	for _, w := range words {
		if w = strings.ToValidUTF8(w, ""); w != "" && !seen[strings.ToLower(w)] {
			seen[strings.ToLower(w)], out[w] = true, true
		}
	}
	return out
}

func BenchmarkTransform(b *testing.B) {
	org := githubapp.People{Org: "acme"}
	for i := range 10_000 {
		org.Members = append(org.Members, githubapp.Member{
			Login: fmt.Sprintf("user-%d", i), NodeID: fmt.Sprintf("U_%d", i), Name: fmt.Sprintf("User %d", i), Bio: "builds things",
			AvatarURL: fmt.Sprintf("https://github.com/avatars/%d", i),
		})
	}
	for i := range 1_000 {
		team := githubapp.Team{Slug: fmt.Sprintf("team-%d", i), Name: fmt.Sprintf("Team %d", i)}
		for j := range 30 {
			team.Members = append(team.Members, fmt.Sprintf("user-%d", (i*7+j*331)%10_000))
		}
		if i > 0 {
			team.Parent = fmt.Sprintf("team-%d", i/5)
		}
		org.Teams = append(org.Teams, team)
	}
	opts := people.Options{URL: "https://github.com", Hosts: []string{"github.com"}}
	b.ReportAllocs()
	for b.Loop() {
		if n := len(people.Transform(opts, []githubapp.People{org})); n != 11_000 {
			b.Fatal(n)
		}
	}
}
