// Package manifest says what Callboard asks of a GitHub App, and makes one: the
// App-manifest flow, in which a local page sends GitHub the list, somebody
// agrees there, and GitHub hands back the credentials.
//
// The list of permissions and events is here and nowhere else: create-app makes
// an App from it, doctor compares one with it. The package decides nothing about
// what is done with the credentials.
//
//	flow := manifest.Flow{Host: host, Org: "acme", Manifest: manifest.New(…), Save: save}
//	app, err := flow.Run(ctx, listener, say)
package manifest

import "slices"

// Need is a permission or an event that Callboard uses, and what for.
type Need struct {
	Name string
	// Level is read or write, of a permission.
	Level string
	// For tells people why.
	For string
}

// Needs are what an App must have.
type Needs struct {
	Permissions []Need
	Events      []Need
}

// Add the permissions of a new feature here: an App made from then on has them,
// and doctor tells those who have an older one. The scaffolder will want
// contents, pull_requests and workflows to write, and administration.
//
// The events installation, installation_repositories and
// github_app_authorization come to every App, and GitHub refuses a manifest that
// names them.
var (
	repositories = Needs{
		Permissions: []Need{
			{"contents", "read", "reading catalog files"},
			{"metadata", "read", "names, topics and visibility of repositories"},
		},
		Events: []Need{
			{"push", "", "a change is in the catalog at once"},
			{"repository", "", "repositories that are created, renamed, archived or deleted"},
			{"create", "", "new branches"},
			{"delete", "", "deleted branches"},
			{"meta", "", "a webhook that was deleted"},
		},
	}
	people = Needs{
		Permissions: []Need{{"members", "read", "users and groups"}},
		Events: []Need{
			{"organization", "", "members that come and go"},
			{"team", "", "teams that are made, changed or deleted"},
			{"team_add", "", "repositories that a team gets"},
			{"membership", "", "who is in a team"},
		},
	}
)

// Needed lists what an App needs; withPeople adds what
// catalog.providers.githubOrg needs.
func Needed(withPeople bool) Needs {
	n := repositories
	if withPeople {
		n.Permissions = slices.Concat(n.Permissions, people.Permissions)
		n.Events = slices.Concat(n.Events, people.Events)
	}
	return n
}

// levels orders what a permission allows.
var levels = map[string]int{"": 0, "read": 1, "write": 2, "admin": 3}

// Missing lists what permissions and events lack of what is needed.
func (n Needs) Missing(permissions map[string]string, events []string) Needs {
	var missing Needs
	for _, p := range n.Permissions {
		if levels[permissions[p.Name]] < levels[p.Level] {
			missing.Permissions = append(missing.Permissions, p)
		}
	}
	has := map[string]bool{}
	for _, e := range events {
		has[e] = true
	}
	for _, e := range n.Events {
		if !has[e.Name] {
			missing.Events = append(missing.Events, e)
		}
	}
	return missing
}
