package githubsim

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"sync"
	"time"
)

// App is a GitHub App.
type App struct {
	s        *Server
	id       int64
	slug     string
	name     string
	clientID string
	key      *rsa.PrivateKey
	hook     *hook
	owner    *account

	permissions map[string]string
	events      []string
	setupURL    string
	createdAt   time.Time
}

// AppOptions describes a new App. The zero value has no webhook.
type AppOptions struct {
	Name string
	// Owner is the account it belongs to; the default user when empty.
	Owner         string
	WebhookURL    string
	WebhookSecret string
	// Permissions and Events default to what Callboard asks for, and more.
	Permissions map[string]string
	Events      []string
	// Key defaults to one generated once a process: making RSA keys is slow.
	Key *rsa.PrivateKey
}

// sharedKey is the default key of all Apps of the process.
var sharedKey = sync.OnceValues(func() (*rsa.PrivateKey, error) {
	return rsa.GenerateKey(rand.Reader, 2048)
})

// AddApp registers an App.
func (s *Server) AddApp(slug string, o AppOptions) (*App, error) {
	if o.Key == nil {
		k, err := sharedKey()
		if err != nil {
			return nil, fmt.Errorf("add app %s: %w", slug, err)
		}
		o.Key = k
	}
	if o.Permissions == nil {
		o.Permissions = map[string]string{
			"contents": "write", "metadata": "read", "members": "read", "administration": "write",
			"pull_requests": "write", "workflows": "write",
		}
	}
	if o.Events == nil {
		o.Events = []string{
			"create", "delete", "push", "repository", "meta",
			"organization", "team", "team_add", "membership", "member",
		}
	}
	if o.Owner == "" {
		o.Owner = defaultUser
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &App{
		s: s, id: s.id(), slug: slug, name: o.Name, key: o.Key, owner: s.ensureAccount(o.Owner, typeUser),
		permissions: o.Permissions, events: o.Events, createdAt: s.now(),
	}
	if a.name == "" {
		a.name = slug
	}
	a.clientID = fmt.Sprintf("Iv1.%016x", a.id)
	a.hook = s.hooks.add(s.id(), o.WebhookURL, o.WebhookSecret, "integration", a.id)
	s.apps = append(s.apps, a)
	return a, nil
}

// ID is the App's id, the issuer of its JWTs.
func (a *App) ID() int64 { return a.id }

// Slug is the App's short name.
func (a *App) Slug() string { return a.slug }

// Key is the private key that signs the App's JWTs.
func (a *App) Key() *rsa.PrivateKey { return a.key }

// KeyPEM is the private key as GitHub hands it out: PKCS #1 in PEM.
func (a *App) KeyPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(a.key)})
}

// SetWebhook changes where the App's deliveries go and what signs them. The
// ones that wait already go to the new place.
func (a *App) SetWebhook(url, secret string) { a.hook.configure(url, secret) }

// Ping sends the ping event, as GitHub does when a hook is made.
func (a *App) Ping() error {
	body := object{"zen": "Anything added dilutes everything else.", "hook_id": a.hook.id, "hook": a.hookJSON()}
	return a.s.hooks.enqueue(a.hook, "ping", "", 0, 0, body)
}

func (a *App) hookJSON() object {
	return object{
		"type": "App", "id": a.hook.id, "name": "web", "active": true, "events": a.events,
		"app_id": a.id, "config": a.hook.configJSON(),
	}
}

// DeleteWebhook takes the App's webhook away and sends meta.deleted, its last
// event. SetWebhook makes another.
func (a *App) DeleteWebhook() error {
	body := object{"action": "deleted", "hook_id": a.hook.id, "hook": a.hookJSON()}
	err := a.s.hooks.enqueue(a.hook, "meta", "deleted", 0, 0, body)
	a.s.hooks.mu.Lock()
	a.hook.deleted = true
	a.s.hooks.mu.Unlock()
	return err
}

// Installation is an App on an account.
type Installation struct {
	s       *Server
	id      int64
	app     *App
	account *account
	all     bool
	// selected repositories, by id, unless all.
	selected  map[int64]bool
	suspended bool
	gone      bool
	createdAt time.Time
}

// ID is the installation's id.
func (in *Installation) ID() int64 { return in.id }

// Install puts an App on an account and sends installation.created. Without
// repositories it sees all of them, those made later included.
func (s *Server) Install(app *App, accountLogin string, repos []string, opts ...EditOption) (*Installation, error) {
	s.mu.Lock()
	in := &Installation{
		s: s, id: s.id(), app: app, account: s.ensureAccount(accountLogin, typeOrg),
		all: len(repos) == 0, selected: map[int64]bool{}, createdAt: s.now(),
	}
	for _, name := range repos {
		r, _, err := s.find(name)
		if err != nil {
			s.mu.Unlock()
			return nil, fmt.Errorf("install %s on %s: %w", app.slug, accountLogin, err)
		}
		in.selected[r.id] = true
	}
	s.installs = append(s.installs, in)
	s.mu.Unlock()
	s.installationEvent(in, "created", s.edit(opts))
	return in, nil
}

// AddRepos gives more repositories to an installation and sends
// installation_repositories.added.
func (in *Installation) AddRepos(repos []string, opts ...EditOption) error {
	return in.s.reselect(in, repos, true, in.s.edit(opts))
}

// RemoveRepos takes repositories from an installation and sends
// installation_repositories.removed. One that saw all then sees the rest.
func (in *Installation) RemoveRepos(repos []string, opts ...EditOption) error {
	return in.s.reselect(in, repos, false, in.s.edit(opts))
}

func (s *Server) reselect(in *Installation, repos []string, add bool, e edit) error {
	s.mu.Lock()
	if in.all && !add {
		in.all = false
		for _, r := range s.order {
			if r.owner == in.account {
				in.selected[r.id] = true
			}
		}
	}
	var changed []any
	for _, name := range repos {
		r, _, err := s.find(name)
		if err != nil {
			s.mu.Unlock()
			return fmt.Errorf("change installation of %s: %w", in.app.slug, err)
		}
		if add {
			in.selected[r.id] = true
		} else {
			delete(in.selected, r.id)
		}
		changed = append(changed, s.shortRepo(r))
	}
	selection, account := in.selection(), in.account
	s.mu.Unlock()
	action, added, removed := "added", changed, []any{}
	if !add {
		action, added, removed = "removed", []any{}, changed
	}
	s.report(s.sendTo(in, account, "installation_repositories", action, e, object{
		"repository_selection": selection, "repositories_added": added,
		"repositories_removed": removed, "requester": nil,
	}))
	return nil
}

// Suspend stops an installation's tokens and events, or lets them go on, and
// sends installation.suspend or unsuspend.
func (in *Installation) Suspend(suspended bool, opts ...EditOption) {
	in.s.mu.Lock()
	in.suspended = suspended
	in.s.mu.Unlock()
	action := "unsuspend"
	if suspended {
		action = "suspend"
	}
	in.s.installationEvent(in, action, in.s.edit(opts))
}

// Uninstall removes the App from the account and sends installation.deleted.
func (in *Installation) Uninstall(opts ...EditOption) {
	s := in.s
	s.mu.Lock()
	in.gone = true
	s.installs = slices.DeleteFunc(s.installs, func(o *Installation) bool { return o == in })
	for value, t := range s.tokens {
		if t.inst == in {
			delete(s.tokens, value)
		}
	}
	s.mu.Unlock()
	s.installationEvent(in, "deleted", s.edit(opts))
}

func (in *Installation) selection() string {
	if in.all {
		return "all"
	}
	return "selected"
}

// sees says whether the installation has a repository; mu is held.
func (in *Installation) sees(r *Repo) bool {
	return in.account == r.owner && (in.all || in.selected[r.id])
}

// installationEvent sends an installation event with the repositories that it has.
func (s *Server) installationEvent(in *Installation, action string, e edit) {
	if e.quiet {
		return
	}
	s.mu.RLock()
	repos := []any{}
	for _, r := range s.order {
		if in.sees(r) {
			repos = append(repos, s.shortRepo(r))
		}
	}
	full := s.installationJSON(in)
	s.mu.RUnlock()
	body := object{"installation": full, "requester": nil}
	if action == "created" || action == "deleted" || action == "suspend" || action == "unsuspend" {
		body["repositories"] = repos
	}
	s.report(s.sendTo(in, in.account, "installation", action, e, body))
}

// shortRepo is how installation events list a repository; mu is held.
func (s *Server) shortRepo(r *Repo) object {
	return object{
		"id": r.id, "node_id": nodeID("R", r.id), "name": r.name,
		"full_name": r.fullName(), "private": r.private,
	}
}

// installationJSON is GitHub's "installation"; mu is held.
func (s *Server) installationJSON(in *Installation) object {
	o := object{
		"id": in.id, "account": s.accountJSON(in.account), "app_id": in.app.id, "app_slug": in.app.slug,
		"target_id": in.account.ID, "target_type": in.account.Type,
		"repository_selection": in.selection(), "permissions": in.app.permissions, "events": in.app.events,
		"access_tokens_url": fmt.Sprintf("%s/api/v3/app/installations/%d/access_tokens", s.base, in.id),
		"repositories_url":  s.base + "/api/v3/installation/repositories",
		"html_url":          fmt.Sprintf("%s/organizations/%s/settings/installations/%d", s.base, in.account.Login, in.id),
		"created_at":        stamp(in.createdAt), "updated_at": stamp(in.createdAt),
		"single_file_name": nil, "suspended_by": nil, "suspended_at": nil, "client_id": in.app.clientID,
	}
	if in.suspended {
		o["suspended_at"] = stamp(s.now())
	}
	return o
}
