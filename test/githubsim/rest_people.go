package githubsim

import (
	"net/http"
	"slices"
)

func (s *Server) peopleRoutes(mux *http.ServeMux) {
	s.rest(mux, "GET /user", getUser)
	s.rest(mux, "GET /users/{user}", getUser)
	s.rest(mux, "GET /orgs/{org}", getOrg)
	s.rest(mux, "GET /orgs/{org}/members", listMembers)
	s.rest(mux, "GET /orgs/{org}/members/{user}", isMember)
	s.rest(mux, "GET /orgs/{org}/public_members/{user}", func(*call) error { return errNotFound }) // nobody is one in public
	s.rest(mux, "GET /orgs/{org}/teams", listTeams)
	s.rest(mux, "GET /orgs/{org}/teams/{team}", getTeam)
	s.rest(mux, "GET /orgs/{org}/teams/{team}/members", listTeamMembers)
	s.rest(mux, "GET /orgs/{org}/teams/{team}/teams", listChildTeams)
}

func getUser(c *call) error {
	login := c.r.PathValue("user")
	if login == "" {
		if c.who.token == nil {
			return errNeedsAuth
		}
		if c.who.token.inst != nil {
			return errForbidden
		}
		login = c.who.token.user.Login
	}
	c.s.mu.RLock()
	a, err := c.s.lookup(login, "")
	if err != nil {
		c.s.mu.RUnlock()
		return err
	}
	o := c.s.accountJSON(a)
	o["name"], o["email"], o["bio"], o["suspended_at"] = null(a.Name), null(a.Email), null(a.Bio), nil
	if a.suspended {
		o["suspended_at"] = stamp(c.s.now())
	}
	c.s.mu.RUnlock()
	return c.json(http.StatusOK, o)
}

// inOrg runs f on the organisation of the path with the lock held, and answers
// what it makes.
func (c *call) inOrg(f func(*account) (any, error)) error {
	c.s.mu.RLock()
	o, err := c.s.lookup(c.r.PathValue("org"), typeOrg)
	var out any
	if err == nil {
		out, err = f(o)
	}
	c.s.mu.RUnlock()
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, out)
}

func getOrg(c *call) error {
	return c.inOrg(func(o *account) (any, error) {
		out := c.s.orgJSON(o)
		out["name"], out["type"], out["html_url"] = o.Name, o.Type, c.s.base+"/"+o.Login
		return out, nil
	})
}

func (c *call) accountPage(logins []string) []object {
	out := []object{}
	for _, login := range paginate(c, logins) {
		out = append(out, c.s.accountJSON(c.s.accounts[login]))
	}
	return out
}

func listMembers(c *call) error {
	return c.inOrg(func(o *account) (any, error) {
		logins := c.s.listedMembers(o.memberLogins())
		if role := c.query("role"); role == "admin" || role == "member" {
			logins = slices.DeleteFunc(logins, func(l string) bool { return o.members[l] != role })
		}
		return c.accountPage(logins), nil
	})
}

// isMember is "Check organization membership for a user": who may not read the
// members is led to the public ones.
func isMember(c *call) error {
	c.s.mu.RLock()
	o, err := c.s.lookup(c.r.PathValue("org"), typeOrg)
	member := err == nil && o.members[key(c.r.PathValue("user"))] != ""
	c.s.mu.RUnlock()
	switch {
	case err != nil:
		return err
	case c.who.token == nil:
		http.Redirect(c.w, c.r, c.s.base+"/api/v3/orgs/"+c.r.PathValue("org")+"/public_members/"+c.r.PathValue("user"), http.StatusFound)
	case !member:
		return errNotFound
	default:
		c.spend(1)
		c.w.WriteHeader(http.StatusNoContent)
	}
	return nil
}

func listTeams(c *call) error {
	return c.inOrg(func(o *account) (any, error) { return c.teamPage(o, c.s.listedTeams(o.teams)), nil })
}

func (c *call) teamPage(o *account, teams []*team) []object {
	out := []object{}
	for _, t := range paginate(c, teams) {
		out = append(out, c.s.teamJSON(o, t))
	}
	return out
}

func (c *call) withTeam(f func(*account, *team) any) error {
	return c.inOrg(func(o *account) (any, error) {
		t := o.team(c.r.PathValue("team"))
		if t == nil {
			return nil, errNotFound
		}
		return f(o, t), nil
	})
}

func getTeam(c *call) error {
	return c.withTeam(func(o *account, t *team) any {
		out := c.s.teamJSON(o, t)
		out["members_count"], out["organization"] = len(t.members), c.s.orgJSON(o)
		return out
	})
}

// listTeamMembers includes the members of child teams, as GitHub does.
func listTeamMembers(c *call) error {
	return c.withTeam(func(o *account, t *team) any { return c.accountPage(c.s.listedMembers(o.teamMembers(t, true))) })
}

func listChildTeams(c *call) error {
	return c.withTeam(func(o *account, t *team) any {
		var out []*team
		for _, x := range o.teams {
			if x.parent == t {
				out = append(out, x)
			}
		}
		return c.teamPage(o, out)
	})
}
