package manifest

import (
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// WebhookPaths are where Callboard takes webhooks, the one for new Apps first.
var WebhookPaths = []string{"/api/events/http/github", "/webhooks/github"}

// Manifest describes an App to GitHub, in GitHub's words.
type Manifest struct {
	Name               string            `json:"name"`
	URL                string            `json:"url"`
	HookAttributes     HookAttributes    `json:"hook_attributes"`
	RedirectURL        string            `json:"redirect_url"`
	Description        string            `json:"description"`
	Public             bool              `json:"public"`
	DefaultPermissions map[string]string `json:"default_permissions"`
	DefaultEvents      []string          `json:"default_events"`
}

// HookAttributes are the webhook of an App.
type HookAttributes struct {
	URL    string `json:"url"`
	Active bool   `json:"active"`
}

// maxName is GitHub's bound on the name of an App.
const maxName = 34

// Name is what an App is called when nobody says: GitHub wants names that are
// unique on the host, so that of the organization is in it.
func Name(org string) string {
	name := strings.TrimSpace("Callboard " + org)
	for utf8.RuneCountInString(name) > maxName {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	return name
}

// New describes the App of a Callboard that the world reaches at portal.
func New(name, portal string, needs Needs) (Manifest, error) {
	u, err := url.Parse(portal)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return Manifest{}, fmt.Errorf("%q is not an address of Callboard such as https://callboard.acme.com", portal)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return Manifest{}, fmt.Errorf("%q has more than scheme, host and path", portal)
	case name == "" || utf8.RuneCountInString(name) > maxName:
		return Manifest{}, fmt.Errorf("the App's name must have 1 to %d characters, not %d", maxName, utf8.RuneCountInString(name))
	}
	portal = strings.TrimRight(portal, "/")
	m := Manifest{
		Name: name, URL: portal, HookAttributes: HookAttributes{URL: portal + WebhookPaths[0], Active: true},
		Description:        "Keeps Callboard's catalog equal to Git.",
		DefaultPermissions: map[string]string{}, DefaultEvents: []string{},
	}
	for _, p := range needs.Permissions {
		m.DefaultPermissions[p.Name] = p.Level
	}
	for _, e := range needs.Events {
		m.DefaultEvents = append(m.DefaultEvents, e.Name)
	}
	return m, nil
}
