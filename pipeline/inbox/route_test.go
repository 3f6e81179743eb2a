package inbox

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/storage"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const repo = `"repository":{"id":7,"full_name":"acme/cart","default_branch":"main","owner":{"login":"acme"}}`

func push(fields string) string {
	return `{` + fields + `,` + repo + `,"installation":{"id":3},"pusher":{"name":"ann"},"sender":{"login":"ann"},"commits":[]}`
}

func TestRoute(t *testing.T) {
	t.Parallel()
	const sha = "0123456789012345678901234567890123456789"
	plain := event.Refresh{Host: "ghe.acme.test", RepositoryID: 7, Owner: "acme", Name: "cart", InstallationID: 3, Discovered: true}
	with := func(change func(*event.Refresh)) *event.Refresh {
		r := plain
		change(&r)
		return &r
	}
	repository := func(action string) string {
		return `{"action":"` + action + `",` + repo + `,"installation":{"id":3},"sender":{"login":"bob"}}`
	}
	tests := []struct {
		name, event, payload string
		want                 *event.Refresh
		cause                storage.Cause
		ignored              string
	}{
		{
			"push to the default branch", "push", push(`"ref":"refs/heads/main","after":"` + sha + `"`),
			with(func(r *event.Refresh) { r.Head = sha }),
			storage.Cause{Reason: "push", Delivery: "g-1", Repository: "acme/cart", Commit: sha, Pusher: "ann"}, "",
		},
		{
			"push without default_branch", "push", `{"ref":"refs/heads/x","after":"a","repository":{"id":7,"full_name":"acme/cart"},"installation":{"id":3}}`,
			with(func(r *event.Refresh) { r.Head = "a" }),
			storage.Cause{Reason: "push", Delivery: "g-1", Repository: "acme/cart", Commit: "a"}, "",
		},
		{
			"mistyped fields beside good ones", "push", `{"action":7,"pusher":"ann","ref":"refs/heads/main","after":"a","repository":{"id":7,"full_name":"acme/cart","default_branch":null},"installation":{"id":3}}`,
			with(func(r *event.Refresh) { r.Head = "a" }),
			storage.Cause{Reason: "push", Delivery: "g-1", Repository: "acme/cart", Commit: "a"}, "",
		},
		{"push to another branch", "push", push(`"ref":"refs/heads/main2"`), nil, storage.Cause{}, "branch main2 is not the default branch main"},
		{"push of a tag", "push", push(`"ref":"refs/tags/main"`), nil, storage.Cause{}, "refs/tags/main is not a branch"},
		{"deleted branch", "push", push(`"ref":"refs/heads/main","deleted":true`), nil, storage.Cause{}, "branch main was deleted"},
		{"push without ref", "push", push(`"after":"a"`), nil, storage.Cause{}, "the payload has no ref"},
		{"push without repository", "push", `{"ref":"refs/heads/main"}`, nil, storage.Cause{}, "the payload has no repository.id"},
		{"repository without name", "repository", `{"repository":{"id":7}}`, nil, storage.Cause{}, "the payload has no repository.full_name"},
		{"repository with a strange name", "repository", `{"repository":{"id":7,"full_name":"a/b/c"}}`, nil, storage.Cause{}, "the payload has no repository.full_name"},
		{
			"repository created", "repository", repository("created"), with(func(r *event.Refresh) { r.Look = true }),
			storage.Cause{Reason: "repository", Delivery: "g-1", Repository: "acme/cart", Actor: "bob"}, "",
		},
		{
			"repository transferred", "repository", repository("transferred"), with(func(r *event.Refresh) { r.Look = true }),
			storage.Cause{Reason: "repository", Delivery: "g-1", Repository: "acme/cart", Actor: "bob"}, "",
		},
		{
			"repository edited", "repository", repository("edited"), with(func(r *event.Refresh) { r.Look = true }),
			storage.Cause{Reason: "repository", Delivery: "g-1", Repository: "acme/cart", Actor: "bob"}, "",
		},
		{
			"repository deleted", "repository", repository("deleted"), with(func(r *event.Refresh) { r.Look, r.Gone = true, "deleted" }),
			storage.Cause{Reason: "repository", Delivery: "g-1", Repository: "acme/cart", Actor: "bob"}, "",
		},
		{"ping", "ping", `{"zen":"x"}`, nil, storage.Cause{}, "ping"},
		{"unknown event", "sub_issues", `{}`, nil, storage.Cause{}, "event sub_issues is not used"},
		{"unknown action", "installation", `{"action":"renamed","installation":{"id":3}}`, nil, storage.Cause{}, `action "renamed" of event installation is not used`},
		{"installation without id", "installation", `{"action":"created"}`, nil, storage.Cause{}, "the payload has no installation.id"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := Config{}.route(Received{GUID: "g-1", Event: tt.event, Host: "ghe.acme.test", Payload: []byte(tt.payload)}, now)
			if err != nil {
				t.Fatal(err)
			}
			if got.delivery.Reason != tt.ignored || (got.message == nil) != (tt.ignored != "") {
				t.Fatalf("ignored as %q, want %q; message %v", got.delivery.Reason, tt.ignored, got.message)
			}
			if tt.ignored != "" {
				if got.delivery.State != storage.DeliveryIgnored || got.delivery.DoneAt.IsZero() {
					t.Errorf("delivery %+v", got.delivery)
				}
				return
			}
			var refresh event.Refresh
			if err := json.Unmarshal(got.message.Payload, &refresh); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(*tt.want, refresh); diff != "" {
				t.Errorf("refresh (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.cause, got.message.Cause); diff != "" {
				t.Errorf("cause (-want +got):\n%s", diff)
			}
			if got.message.Topic != event.TopicRefresh || got.message.Key != "ghe.acme.test/7" {
				t.Errorf("message %s %s", got.message.Topic, got.message.Key)
			}
		})
	}
}

func TestRouteInstallation(t *testing.T) {
	t.Parallel()
	for name, action := range map[string]string{
		"created": "installation", "unsuspend": "installation", "new_permissions_accepted": "installation",
		"deleted": "installation", "suspend": "installation",
		"added": "installation_repositories", "removed": "installation_repositories",
	} {
		payload := `{"action":"` + name + `","installation":{"id":3},"sender":{"login":"bob"}}`
		got, err := Config{}.route(Received{GUID: "g-1", Event: action, Host: "github.com", Payload: []byte(payload)}, now)
		if err != nil {
			t.Fatal(err)
		}
		want := &storage.Message{
			Topic: event.TopicInstallation, Key: "installation/3", CreatedAt: now,
			Payload: []byte(`{"host":"github.com","installationId":3,"delivery":"g-1"}`),
			Cause:   storage.Cause{Reason: "installation", Delivery: "g-1", Actor: "bob"},
		}
		if diff := cmp.Diff(want, got.message); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestRouteDelivery(t *testing.T) {
	t.Parallel()
	payload := []byte(push(`"ref":"refs/heads/main","after":"a"`))
	got, err := Config{}.route(Received{GUID: "g-1", Event: "push", Payload: payload}, now)
	if err != nil {
		t.Fatal(err)
	}
	want := storage.Delivery{
		GUID: "g-1", Event: "push", InstallationID: 3, RepositoryID: 7, Repository: "acme/cart", GitRef: "refs/heads/main",
		Commit: "a", Pusher: "ann", Payload: payload, ReceivedAt: now, State: storage.DeliveryReceived,
	}
	if diff := cmp.Diff(want, got.delivery); diff != "" {
		t.Errorf("delivery (-want +got):\n%s", diff)
	}
}

func TestRouteRefusesOtherThanObjects(t *testing.T) {
	t.Parallel()
	for _, payload := range []string{"", "null", "[]", `"x"`, "1", "{", `{"a":}`, "\xff", "payload=%7B%7D", `{} {}`} {
		if _, err := (Config{}).route(Received{Event: "push", Payload: []byte(payload)}, now); !errors.Is(err, ErrPayload) {
			t.Errorf("%q: %v", payload, err)
		}
	}
}

// Every signed body is either refused or becomes one consistent delivery.
func FuzzRoute(f *testing.F) {
	f.Add("push", []byte(push(`"ref":"refs/heads/main","after":"a"`)))
	f.Add("push", []byte(push(`"ref":"refs/heads/\u0000","after":"\ud800","deleted":1`)))
	f.Add("repository", []byte(`{"action":"deleted",`+repo+`}`))
	f.Add("installation", []byte(`{"action":"created","installation":{"id":9223372036854775807}}`))
	f.Add("installation_repositories", []byte(`{"action":"added","installation":{"id":-1}}`))
	f.Add("ping", []byte(` {}`))
	f.Add("", []byte(`{"repository":{"id":1e400}}`))
	f.Add("push", []byte(strings.Repeat(`{"a":`, 20000)))
	f.Fuzz(func(t *testing.T, name string, payload []byte) {
		got, err := Config{}.route(Received{GUID: "g", Event: name, Host: "h", Payload: payload}, now)
		if err != nil {
			if !errors.Is(err, ErrPayload) {
				t.Fatal(err)
			}
			return
		}
		if !json.Valid(payload) {
			t.Error("invalid JSON was accepted")
		}
		d, m := got.delivery, got.message
		if (m == nil) != (d.State == storage.DeliveryIgnored) || (m == nil) != (d.Reason != "") {
			t.Errorf("state %s, reason %q, message %v", d.State, d.Reason, m)
		}
		for _, s := range []string{d.Action, d.Repository, d.GitRef, d.Commit, d.Pusher, d.Reason} {
			if strings.Contains(s, "\x00") || !utf8.ValidString(s) || len(s) > 3000 {
				t.Errorf("unfit for a column: %q", s)
			}
		}
		if m != nil && (m.Key == "" || m.Cause.Delivery != "g" || !json.Valid(m.Payload)) {
			t.Errorf("message %+v", m)
		}
	})
}

// The settings decide which branch is read, which accounts are discovered and
// whose people are kept.
func TestRouteSettings(t *testing.T) {
	t.Parallel()
	cfg := Config{
		Policy: discovery.Policy{Providers: []discovery.Provider{
			{Host: "github.com", Organization: "acme"}, {Host: "github.com", Organization: "dev", Branch: "develop"},
			{Host: "github.com", Organization: "many"}, {Host: "github.com", Organization: "many", Branch: "develop"},
			{Host: "github.com", Organization: "named", Branch: "next"}, {Host: "github.com", Organization: "named", Branch: "develop"},
			{Host: "ghe.acme.test", App: 7},
		}},
		People: func(_, org string) bool { return org == "acme" },
	}
	repo := func(owner string) string {
		return `"repository":{"id":7,"full_name":"` + owner + `/cart","default_branch":"main"},"installation":{"id":3}`
	}
	org := func(login string) string {
		return `{"organization":{"login":"` + login + `"},"sender":{"login":"bob"}}`
	}
	tests := []struct {
		name, event, payload string
		topic, ignored       string
		discovered           bool
	}{
		{"default branch", "push", `{"ref":"refs/heads/main",` + repo("acme") + `}`, event.TopicRefresh, "", true},
		{"configured branch", "push", `{"ref":"refs/heads/develop",` + repo("dev") + `}`, event.TopicRefresh, "", true},
		{"not the configured one", "push", `{"ref":"refs/heads/main",` + repo("dev") + `}`, "", "branch main is not develop, which filters.branch names", false},
		{"one of several", "push", `{"ref":"refs/heads/develop",` + repo("many") + `}`, event.TopicRefresh, "", true},
		{"the default one of several", "push", `{"ref":"refs/heads/main",` + repo("many") + `}`, event.TopicRefresh, "", true},
		{"none of several", "push", `{"ref":"refs/heads/x",` + repo("many") + `}`, "", "branch x is neither the default branch main nor develop, which filters.branch names", false},
		{"none of several that are named", "push", `{"ref":"refs/heads/main",` + repo("named") + `}`, "", "branch main is not next or develop, which filters.branch names", false},
		{"account of nobody", "push", `{"ref":"refs/heads/main",` + repo("other") + `}`, event.TopicRefresh, "", false},
		{"branch created", "create", `{"ref":"main","ref_type":"branch",` + repo("acme") + `}`, event.TopicRefresh, "", true},
		{"branch deleted", "delete", `{"ref":"develop","ref_type":"branch",` + repo("dev") + `}`, event.TopicRefresh, "", true},
		{"other branch", "create", `{"ref":"topic","ref_type":"branch",` + repo("acme") + `}`, "", "branch topic is not the default branch main", false},
		{"tag", "create", `{"ref":"v1","ref_type":"tag",` + repo("acme") + `}`, "", "a tag is not a branch", false},
		{"hook deleted", "meta", `{"action":"deleted"}`, "", "the webhook itself was deleted: GitHub sends no more through it; callboard doctor says what is left", false},
		{"team", "team", org("acme"), event.TopicPeople, "", false},
		{"membership", "membership", org("acme"), event.TopicPeople, "", false},
		{"member of the org", "organization", org("acme"), event.TopicPeople, "", false},
		{"team of a repository", "team_add", org("acme"), event.TopicPeople, "", false},
		{"people of nobody", "team", org("other"), "", "no entry of catalog.providers.githubOrg is about other", false},
		{"people of a strange name", "team", org("a/b"), "", "the payload has no organization.login", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := cfg.route(Received{GUID: "g-1", Event: tt.event, Host: "github.com", Payload: []byte(tt.payload)}, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if got.delivery.Reason != tt.ignored {
				t.Fatalf("ignored as %q, want %q", got.delivery.Reason, tt.ignored)
			}
			if tt.ignored != "" {
				return
			}
			if got.message == nil || got.message.Topic != tt.topic {
				t.Fatalf("message %+v", got.message)
			}
			if tt.topic == event.TopicPeople {
				if got.message.Key != "people/github.com/acme" || got.message.Cause.Reason != storage.ReasonPeople {
					t.Errorf("message %+v", got.message)
				}
				return
			}
			var r event.Refresh
			if err := json.Unmarshal(got.message.Payload, &r); err != nil || r.Discovered != tt.discovered || r.Gone != "" {
				t.Errorf("refresh %+v %v", r, err)
			}
		})
	}
}
