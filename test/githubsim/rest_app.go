package githubsim

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

func (s *Server) appRoutes(mux *http.ServeMux) {
	s.rest(mux, "GET /app", getApp)
	s.rest(mux, "POST /app-manifests/{code}/conversions", convertManifest)
	s.rest(mux, "GET /app/installations", listInstallations)
	s.rest(mux, "GET /app/installations/{id}", getInstallation)
	s.rest(mux, "POST /app/installations/{id}/access_tokens", createToken)
	s.rest(mux, "GET /orgs/{org}/installation", getOrgInstallation)
	s.rest(mux, "GET /users/{org}/installation", getOrgInstallation)
	s.rest(mux, "GET /repos/{owner}/{repo}/installation", getRepoInstallation)
	s.rest(mux, "GET /installation/repositories", listInstallationRepos)
	s.rest(mux, "GET /app/hook/config", getHookConfig)
	s.rest(mux, "PATCH /app/hook/config", patchHookConfig)
	s.rest(mux, "GET /app/hook/deliveries", listDeliveries)
	s.rest(mux, "GET /app/hook/deliveries/{id}", getDelivery)
	s.rest(mux, "POST /app/hook/deliveries/{id}/attempts", redeliver)
}

// asApp is the App that asks; only a JWT will do.
func (c *call) asApp() (*App, error) {
	switch {
	case c.who.app != nil:
		return c.who.app, nil
	case c.who.token != nil:
		return nil, &apiError{http.StatusUnauthorized, "A JSON web token could not be decoded"}
	}
	return nil, errNeedsAuth
}

func getApp(c *call) error {
	a, err := c.asApp()
	if err != nil {
		return err
	}
	s := c.s
	s.mu.RLock()
	defer s.mu.RUnlock()
	n := 0
	for _, in := range s.installs {
		if in.app == a {
			n++
		}
	}
	o := s.appJSON(a)
	o["installations_count"] = n
	return c.json(http.StatusOK, o)
}

// appJSON is GitHub's "integration"; mu is held.
func (s *Server) appJSON(a *App) object {
	return object{
		"id": a.id, "slug": a.slug, "node_id": nodeID("A", a.id), "client_id": a.clientID, "name": a.name,
		"owner": s.accountJSON(a.owner), "description": nil, "external_url": s.base,
		"html_url": s.base + "/github-apps/" + a.slug, "created_at": stamp(a.createdAt), "updated_at": stamp(a.createdAt),
		"permissions": a.permissions, "events": a.events,
	}
}

func listInstallations(c *call) error {
	a, err := c.asApp()
	if err != nil {
		return err
	}
	s := c.s
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := []object{}
	for _, in := range s.installs {
		if in.app == a {
			out = append(out, s.installationJSON(in))
		}
	}
	return c.json(http.StatusOK, paginate(c, out))
}

// installation finds one of the App's installations.
func (c *call) installation(want func(*Installation) bool) (*Installation, error) {
	a, err := c.asApp()
	if err != nil {
		return nil, err
	}
	c.s.mu.RLock()
	defer c.s.mu.RUnlock()
	for _, in := range c.s.installs {
		if in.app == a && want(in) {
			return in, nil
		}
	}
	return nil, errNotFound
}

func (c *call) answerInstallation(in *Installation, err error) error {
	if err != nil {
		return err
	}
	c.s.mu.RLock()
	o := c.s.installationJSON(in)
	c.s.mu.RUnlock()
	return c.json(http.StatusOK, o)
}

func (c *call) installationOfPath() (*Installation, error) {
	return c.installation(func(in *Installation) bool {
		return strconv.FormatInt(in.id, 10) == c.r.PathValue("id")
	})
}

func getInstallation(c *call) error { return c.answerInstallation(c.installationOfPath()) }

func getOrgInstallation(c *call) error {
	return c.answerInstallation(c.installation(func(in *Installation) bool {
		return key(in.account.Login) == key(c.r.PathValue("org"))
	}))
}

func getRepoInstallation(c *call) error {
	return c.answerInstallation(c.installation(func(in *Installation) bool {
		r, _, err := c.s.find(c.r.PathValue("owner") + "/" + c.r.PathValue("repo"))
		return err == nil && in.sees(r) && !c.s.concealed(r)
	}))
}

// createToken hands out an installation token, for fewer repositories or
// permissions where the body says so.
func createToken(c *call) error {
	in, err := c.installationOfPath()
	if err != nil {
		return err
	}
	var body struct {
		Repositories  []string          `json:"repositories"`
		RepositoryIDs []int64           `json:"repository_ids"`
		Permissions   map[string]string `json:"permissions"`
	}
	if err := c.decodeOptional(&body); err != nil {
		return err
	}
	s := c.s
	s.mu.Lock()
	if in.suspended {
		s.mu.Unlock()
		return &apiError{http.StatusForbidden, "This installation has been suspended"}
	}
	var only map[int64]bool
	var repos []object
	if len(body.Repositories)+len(body.RepositoryIDs) > 0 {
		only = map[int64]bool{}
		for _, r := range s.order {
			if in.sees(r) && (slices.Contains(body.Repositories, r.name) || slices.Contains(body.RepositoryIDs, r.id)) {
				only[r.id] = true
				repos = append(repos, s.repoJSON(r))
			}
		}
		if len(only) < len(body.Repositories)+len(body.RepositoryIDs) {
			s.mu.Unlock()
			return &apiError{http.StatusUnprocessableEntity, "There is at least one repository that does not exist or is not accessible to the parent installation."}
		}
	}
	t := s.installationToken(in, only)
	permissions := in.app.permissions
	if len(body.Permissions) > 0 {
		permissions = body.Permissions
	}
	o := object{
		"token": t.value, "expires_at": stamp(t.expires), "permissions": permissions,
		"repository_selection": in.selection(),
	}
	if repos != nil {
		o["repositories"] = repos
	}
	s.mu.Unlock()
	return c.json(http.StatusCreated, o)
}

func listInstallationRepos(c *call) error {
	if c.who.token == nil || c.who.token.inst == nil {
		return &apiError{http.StatusForbidden, "You must authenticate with an installation access token in order to list repositories for an installation."}
	}
	s := c.s
	s.mu.RLock()
	repos := s.visible(c.who, c.who.member)
	selection := c.who.token.inst.selection()
	s.mu.RUnlock()
	return c.repoPage(repos, func(total int, page []object) any {
		return object{"total_count": total, "repository_selection": selection, "repositories": page}
	})
}

func getHookConfig(c *call) error {
	a, err := c.asApp()
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, a.hook.configJSON())
}

func patchHookConfig(c *call) error {
	a, err := c.asApp()
	if err != nil {
		return err
	}
	var body struct {
		URL    *string `json:"url"`
		Secret *string `json:"secret"`
	}
	if err := c.body(&body); err != nil {
		return err
	}
	url, secret := a.hook.config()
	if body.URL != nil {
		url = *body.URL
	}
	if body.Secret != nil {
		secret = *body.Secret
	}
	a.hook.configure(url, secret)
	return c.json(http.StatusOK, a.hook.configJSON())
}

// hookLog is what is still to be had of an App's deliveries, newest first.
func (c *call) hookLog() ([]*Delivery, error) {
	a, err := c.asApp()
	if err != nil {
		return nil, err
	}
	h := &c.s.hooks
	oldest := c.s.deliveryNow().Add(-retention)
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []*Delivery
	for _, d := range slices.Backward(h.log) {
		if d.HookID == a.hook.id && d.DeliveredAt.After(oldest) {
			out = append(out, d)
		}
	}
	return out, nil
}

// listDeliveries pages by cursor, not by number.
func listDeliveries(c *call) error {
	log, err := c.hookLog()
	if err != nil {
		return err
	}
	switch c.query("status") { // REST, "List deliveries for an app webhook"
	case "success":
		log = slices.DeleteFunc(log, func(d *Delivery) bool { return d.StatusCode >= 400 })
	case "failure":
		log = slices.DeleteFunc(log, func(d *Delivery) bool { return d.StatusCode < 400 })
	}
	if cursor, ok := strings.CutPrefix(c.query("cursor"), "v1_"); ok {
		below, err := strconv.ParseInt(cursor, 10, 64)
		if err != nil {
			return &apiError{http.StatusUnprocessableEntity, "Invalid cursor"}
		}
		log = slices.DeleteFunc(log, func(d *Delivery) bool { return d.ID >= below })
	}
	if size := c.number("per_page", 30, 100); len(log) > size {
		log = log[:size]
		next := url.Values{"cursor": {fmt.Sprintf("v1_%d", log[size-1].ID)}}
		c.w.Header().Set("Link", fmt.Sprintf(`<%s>; rel="next"`, c.link(next)))
	}
	out := []object{}
	for _, d := range log {
		out = append(out, deliveryJSON(d, false))
	}
	return c.json(http.StatusOK, out)
}

func (c *call) delivery() (*Delivery, error) {
	log, err := c.hookLog()
	if err != nil {
		return nil, err
	}
	for _, d := range log {
		if strconv.FormatInt(d.ID, 10) == c.r.PathValue("id") {
			return d, nil
		}
	}
	return nil, errNotFound
}

func getDelivery(c *call) error {
	d, err := c.delivery()
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, deliveryJSON(d, true))
}

func redeliver(c *call) error {
	d, err := c.delivery()
	if err != nil {
		return err
	}
	if err := c.s.Redeliver(d.ID); err != nil {
		return err
	}
	return c.json(http.StatusAccepted, object{})
}
