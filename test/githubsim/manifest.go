package githubsim

import (
	"cmp"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// appManifest is what a manifest says, in the words of GitHub's "Registering a
// GitHub App from a manifest".
type appManifest struct {
	Name           string `json:"name"`
	URL            string `json:"url"`
	HookAttributes *struct {
		URL    string `json:"url"`
		Active *bool  `json:"active"`
	} `json:"hook_attributes"`
	RedirectURL        string            `json:"redirect_url"`
	SetupURL           string            `json:"setup_url"`
	Description        string            `json:"description"`
	Public             bool              `json:"public"`
	DefaultPermissions map[string]string `json:"default_permissions"`
	DefaultEvents      []string          `json:"default_events"`
}

const (
	manifestCodeLife = time.Hour
	maxAppName       = 34
)

// eventPermissions are the permissions of which one is needed for an event, ""
// for none; events that are not here do not exist. From GitHub's "Webhook events
// and payloads".
var eventPermissions = map[string]string{
	"push": "contents", "create": "contents", "delete": "contents", "release": "contents",
	"repository": "metadata", "public": "metadata", "star": "metadata", "fork": "contents",
	"organization": "members", "team": "members", "team_add": "members", "membership": "members", "member": "members",
	"pull_request": "pull_requests", "issues": "issues", "check_run": "checks", "status": "statuses",
	"workflow_run": "actions", "meta": "",
}

// permissionNames are the permissions that a manifest may ask for.
var permissionNames = []string{
	"actions", "administration", "checks", "contents", "issues", "metadata", "members", "organization_administration",
	"pull_requests", "statuses", "workflows", "repository_hooks", "organization_hooks", "environments", "pages",
}

// pendingApp waits for whoever has the code of an App that was just made.
type pendingApp struct {
	app           *App
	webhookSecret string
	expires       time.Time
}

func (s *Server) manifestRoutes(mux *http.ServeMux) {
	for _, path := range []string{"/settings/apps/new", "/organizations/{org}/settings/apps/new"} {
		mux.HandleFunc(path, s.observed(routeWeb, s.newAppPage))
	}
	for _, path := range []string{"/apps/{slug}", "/github-apps/{slug}"} { // GitHub.com's and Enterprise Server's
		mux.HandleFunc("GET "+path, s.observed(routeWeb, s.installPage))
		mux.HandleFunc("GET "+path+"/installations/new", s.observed(routeWeb, s.installPage))
		mux.HandleFunc("POST "+path+"/installations/new", s.observed(routeWeb, s.installFromPage))
	}
}

// newAppPage shows what a manifest asks for. Its button, or confirm in the form,
// makes the App and leads back with a code.
func (s *Server) newAppPage(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	owner := cmp.Or(r.PathValue("org"), defaultUser)
	text, state := r.FormValue("manifest"), r.FormValue("state")
	s.mu.RLock()
	_, err := s.lookup(owner, "")
	s.mu.RUnlock()
	switch {
	case err != nil:
		page(w, http.StatusNotFound, "Not Found", "")
		return
	case text == "":
		page(w, http.StatusOK, "Register new GitHub App", "<p>Post a manifest here, in the form field manifest.</p>")
		return
	}
	m, problems := s.readManifest(text)
	if len(problems) > 0 {
		for i, p := range problems {
			problems[i] = "<li>" + esc(p)
		}
		page(w, http.StatusUnprocessableEntity, "Invalid GitHub App configuration",
			`<p class="error">The configuration does not appear to be a valid GitHub App manifest.</p><ul>`+strings.Join(problems, "")+"</ul>")
		return
	}
	if r.FormValue("confirm") == "" || r.Method != http.MethodPost {
		page(w, http.StatusOK, "Create GitHub App for "+owner, m.summary()+
			form(r.URL.Path, "Create GitHub App for "+owner, hiddenField("manifest", text), hiddenField("state", state), hiddenField("confirm", "yes")))
		return
	}
	code, err := s.appFromManifest(m, owner)
	if err != nil {
		page(w, http.StatusInternalServerError, "Server Error", "<p>"+esc(err.Error())+"</p>")
		return
	}
	back, _ := url.Parse(m.RedirectURL) // checked with the manifest
	q := back.Query()
	q.Set("code", code)
	if state != "" {
		q.Set("state", state)
	}
	back.RawQuery = q.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

func (m appManifest) summary() string {
	var permissions []string
	for name, level := range m.DefaultPermissions {
		permissions = append(permissions, name+": "+level)
	}
	slices.Sort(permissions)
	hook := "none"
	if m.HookAttributes != nil {
		hook = m.HookAttributes.URL
	}
	var b strings.Builder
	b.WriteString("<table>")
	for _, row := range [][2]string{
		{"Name", m.Name}, {"Homepage", m.URL}, {"Webhook", hook}, {"Permissions", strings.Join(permissions, ", ")},
		{"Events", strings.Join(m.DefaultEvents, ", ")}, {"Leads back to", m.RedirectURL},
	} {
		b.WriteString("<tr><th>" + row[0] + "<td>" + esc(row[1]))
	}
	b.WriteString("</table>")
	return b.String()
}

// readManifest decodes and checks, and lists all that is wrong.
func (s *Server) readManifest(text string) (m appManifest, problems []string) {
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return m, []string{"The manifest is not valid JSON"}
	}
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	switch n := utf8.RuneCountInString(m.Name); {
	case n == 0:
		bad("Name can't be blank")
	case n > maxAppName:
		bad("Name is too long (maximum is %d characters)", maxAppName)
	case s.appBySlug(slug(m.Name)) != nil:
		bad("Name is already taken")
	}
	address := func(what, text string) {
		if u, err := url.Parse(text); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			bad("%s must be a valid URL", what)
		}
	}
	address("Url", m.URL)
	address("Redirect url", m.RedirectURL)
	if m.HookAttributes != nil {
		address("Hook url", m.HookAttributes.URL)
	}
	for name, level := range m.DefaultPermissions {
		if !slices.Contains(permissionNames, name) {
			bad("Default permission records resource is not included in the list: %s", name)
		} else if !slices.Contains([]string{"read", "write", "admin"}, level) {
			bad("Default permission records action is not included in the list: %s", name)
		}
	}
	for _, event := range m.DefaultEvents {
		permission, known := eventPermissions[event]
		if !known {
			bad("Default events unsupported: %s", event)
		} else if permission != "" && m.DefaultPermissions[permission] == "" {
			bad("Default events are not supported by permissions: %s", event)
		}
	}
	slices.Sort(problems)
	return m, problems
}

// appFromManifest makes the App, with a key of its own and a ping for a start,
// and the code that its secrets are had for.
func (s *Server) appFromManifest(m appManifest, owner string) (code string, err error) {
	privateKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", fmt.Errorf("make a key: %w", err)
	}
	o := AppOptions{Name: m.Name, Owner: owner, Permissions: m.DefaultPermissions, Events: m.DefaultEvents, Key: privateKey}
	if h := m.HookAttributes; h != nil {
		o.WebhookSecret = rand.Text()
		if h.Active == nil || *h.Active {
			o.WebhookURL = h.URL
		}
	}
	if o.Permissions == nil {
		o.Permissions = map[string]string{}
	}
	o.Events = append([]string{}, o.Events...)
	app, err := s.AddApp(slug(m.Name), o)
	if err != nil {
		return "", err
	}
	code = strings.ToLower(rand.Text() + rand.Text())
	s.mu.Lock()
	app.setupURL = m.SetupURL
	s.manifests[code] = pendingApp{app, o.WebhookSecret, s.now().Add(manifestCodeLife)}
	s.mu.Unlock()
	return code, app.Ping()
}

// convertManifest hands out an App's secrets, once for a code.
func convertManifest(c *call) error {
	s, code := c.s, c.r.PathValue("code")
	s.mu.Lock()
	p, ok := s.manifests[code]
	delete(s.manifests, code)
	if !ok || !s.now().Before(p.expires) {
		s.mu.Unlock()
		return errNotFound
	}
	o := s.appJSON(p.app)
	s.mu.Unlock()
	o["client_secret"], o["webhook_secret"], o["pem"] = strings.ToLower(rand.Text()+rand.Text()[:14]), null(p.webhookSecret), string(p.app.KeyPEM())
	return c.json(http.StatusCreated, o)
}

func (s *Server) appBySlug(slug string) *App {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, a := range s.apps {
		if a.slug == slug {
			return a
		}
	}
	return nil
}

// installPage lets somebody choose the account to install an App on.
func (s *Server) installPage(w http.ResponseWriter, r *http.Request) {
	a := s.appBySlug(r.PathValue("slug"))
	if a == nil {
		page(w, http.StatusNotFound, "Not Found", "")
		return
	}
	s.mu.RLock()
	accounts, owner := s.orgLogins(), a.owner.Login
	s.mu.RUnlock()
	page(w, http.StatusOK, "Install "+a.name, form("/apps/"+a.slug+"/installations/new", "Install",
		choice("account", "On", owner, accounts...), field("repositories", "only on these repositories (none: all)", "")))
}

func (s *Server) installFromPage(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	a := s.appBySlug(r.PathValue("slug"))
	if a == nil {
		page(w, http.StatusNotFound, "Not Found", "")
		return
	}
	in, err := s.installOnce(a, r.FormValue("account"), strings.Fields(r.FormValue("repositories")))
	if err != nil {
		page(w, http.StatusUnprocessableEntity, "Not installed", `<p class="error">`+esc(err.Error())+"</p>")
		return
	}
	if a.setupURL != "" {
		q := url.Values{"installation_id": {fmt.Sprint(in.id)}, "setup_action": {"install"}}
		http.Redirect(w, r, a.setupURL+"?"+q.Encode(), http.StatusFound)
		return
	}
	page(w, http.StatusOK, a.name+" is installed", fmt.Sprintf("<p>Installation %d on %s.</p>", in.id, esc(in.account.Login)))
}

// installOnce is Install for an existing account that does not have the App.
// Repositories are names without their owner.
func (s *Server) installOnce(a *App, account string, repos []string) (*Installation, error) {
	s.mu.RLock()
	acct, err := s.lookup(account, "")
	for _, in := range s.installs {
		if err == nil && in.app == a && in.account == acct {
			err = errors.New("the App is installed on " + account + " already")
		}
	}
	s.mu.RUnlock()
	if err != nil {
		return nil, err
	}
	for i, name := range repos {
		repos[i] = account + "/" + name
	}
	return s.Install(a, account, repos)
}
