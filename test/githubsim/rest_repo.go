package githubsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func (s *Server) restRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	get := func(path string, f func(*call) error) { s.rest(mux, "GET "+path, f) }

	get("/meta", getMeta)
	get("/rate_limit", getRateLimit)

	get("/repos/{owner}/{repo}", getRepo)
	get("/orgs/{org}/repos", listOrgRepos)
	get("/users/{user}/repos", listUserRepos)
	get("/repos/{owner}/{repo}/branches", listBranches)
	get("/repos/{owner}/{repo}/branches/{branch...}", getBranch)
	get("/repos/{owner}/{repo}/commits", listCommits)
	get("/repos/{owner}/{repo}/commits/{ref...}", getCommit)
	get("/repos/{owner}/{repo}/compare/{basehead...}", compare)
	get("/repos/{owner}/{repo}/topics", getTopics)
	get("/repos/{owner}/{repo}/contents", getContents)
	get("/repos/{owner}/{repo}/contents/{path...}", getContents)
	get("/repos/{owner}/{repo}/readme", getReadme)
	get("/repos/{owner}/{repo}/git/ref/{ref...}", getRef)
	get("/repos/{owner}/{repo}/git/matching-refs/{ref...}", matchingRefs)
	get("/repos/{owner}/{repo}/git/commits/{sha}", getGitCommit)
	get("/repos/{owner}/{repo}/git/trees/{sha...}", getTree)
	get("/repos/{owner}/{repo}/git/blobs/{sha}", getBlob)
	get("/repos/{owner}/{repo}/tarball", getTarball)
	get("/repos/{owner}/{repo}/tarball/{ref...}", getTarball)

	s.appRoutes(mux)
	s.peopleRoutes(mux)
	s.writeRoutes(mux)

	// The by-id address of a repository, and of everything below it.
	byID := func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
		s.mu.RLock()
		repo, name := s.reposByID[id], ""
		if repo != nil {
			name = repo.fullName()
		}
		s.mu.RUnlock()
		if err != nil || repo == nil {
			(&call{s: s, w: w, r: r}).fail(errNotFound)
			return
		}
		again := r.Clone(r.Context())
		again.URL.Path = "/repos/" + name
		if rest := r.PathValue("rest"); rest != "" {
			again.URL.Path += "/" + rest
		}
		again.URL.RawPath = ""
		mux.ServeHTTP(w, again)
	}
	mux.HandleFunc("/repositories/{id}", byID)
	mux.HandleFunc("/repositories/{id}/{rest...}", byID)
	mux.HandleFunc("/", s.observed("other", func(w http.ResponseWriter, r *http.Request) {
		(&call{s: s, w: w, r: r}).fail(errNotFound)
	}))
	return mux
}

func getMeta(c *call) error {
	return c.json(http.StatusOK, object{
		"verifiable_password_authentication": true, "installed_version": "3.17.0",
		"hooks": []string{"127.0.0.1/32"}, "web": []string{"127.0.0.1/32"},
		"api": []string{"127.0.0.1/32"}, "git": []string{"127.0.0.1/32"},
	})
}

func getRateLimit(c *call) error {
	now, budget := c.s.now(), c.who.budget()
	core := c.s.limits.state(budget, "core", 0, now)
	graphql := c.s.limits.state(budget, "graphql", 0, now)
	core.write(c.w.Header(), "core")
	return c.json(http.StatusOK, object{
		"resources": object{"core": core.json("core"), "graphql": graphql.json("graphql")},
		"rate":      core.json("core"),
	})
}

func getRepo(c *call) error {
	r, err := c.repo()
	if err != nil {
		return err
	}
	c.s.mu.RLock()
	o := c.s.repoJSON(r)
	write := c.who.mayWrite(r)
	if r.owner.Type == typeOrg {
		o["organization"] = c.s.accountJSON(r.owner)
	}
	c.s.mu.RUnlock()
	o["permissions"] = object{"admin": write, "maintain": write, "push": write, "triage": write, "pull": true}
	o["network_count"], o["subscribers_count"] = 0, 0
	return c.json(http.StatusOK, o)
}

func listOrgRepos(c *call) error { return listRepos(c, c.r.PathValue("org"), typeOrg, "created") }

func listUserRepos(c *call) error { return listRepos(c, c.r.PathValue("user"), "", "full_name") }

// listRepos orders as REST, "List organization repositories", says: by name
// upwards and by time downwards unless the direction is given.
func listRepos(c *call, login, kind, order string) error {
	s := c.s
	s.mu.RLock()
	owner, err := s.lookup(login, kind)
	if err != nil {
		s.mu.RUnlock()
		return err
	}
	repos := s.visible(c.who, func(r *Repo) bool { return r.owner == owner })
	if repoOrders[c.query("sort")] != nil {
		order = c.query("sort")
	}
	direction := c.query("direction")
	sortRepos(repos, order, direction == "desc" || direction == "" && order != "full_name")
	s.mu.RUnlock()
	switch c.query("type") {
	case "public", "private", "internal":
		want := c.query("type")
		repos = slices.DeleteFunc(repos, func(r *Repo) bool { return r.visibility() != want })
	}
	return c.repoPage(repos, nil)
}

// repoPage answers one page of repositories, wrapped where wrap says so.
func (c *call) repoPage(repos []*Repo, wrap func(total int, page []object) any) error {
	c.s.mu.RLock()
	f := c.s.listing
	c.s.mu.RUnlock()
	if status := f.heavy(c.number("per_page", 30, 100)); status != 0 {
		return &apiError{max(status, http.StatusBadGateway), "Server Error"}
	}
	total := f.total(len(repos))
	if f.Empty {
		repos = nil
	}
	page := paginate(c, repos)
	out := make([]object, len(page))
	c.s.mu.RLock()
	for i, r := range page {
		out[i] = c.s.repoJSON(r)
	}
	c.s.mu.RUnlock()
	if wrap != nil {
		return c.json(http.StatusOK, wrap(total, out))
	}
	return c.json(http.StatusOK, out)
}

func getTopics(c *call) error {
	r, err := c.repo()
	if err != nil {
		return err
	}
	c.s.mu.RLock()
	names := append([]string{}, r.topics...)
	c.s.mu.RUnlock()
	return c.json(http.StatusOK, object{"names": names})
}

// branches lists branch names sorted.
func (r *Repo) branches() []string {
	var out []string
	for ref := range r.git.Refs() {
		if b, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
			out = append(out, b)
		}
	}
	slices.Sort(out)
	return out
}

func listBranches(c *call) error {
	r, err := c.repo()
	if err != nil {
		return err
	}
	out := []object{}
	for _, b := range paginate(c, r.branches()) {
		sha := r.git.Ref("refs/heads/" + b)
		out = append(out, object{
			"name": b, "protected": false,
			"commit": object{"sha": sha, "url": c.apiURL(r) + "/commits/" + sha},
		})
	}
	return c.json(http.StatusOK, out)
}

func getBranch(c *call) error {
	r, err := c.repo()
	if err != nil {
		return err
	}
	name := c.r.PathValue("branch")
	sha := r.git.Ref("refs/heads/" + name)
	if sha == "" {
		return &apiError{http.StatusNotFound, "Branch not found"}
	}
	commit, err := r.git.Commit(sha)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, object{
		"name": name, "protected": false, "commit": c.commitJSON(r, commit),
		"_links": object{"html": r.HTMLURL() + "/tree/" + name, "self": c.apiURL(r) + "/branches/" + name},
	})
}

func (c *call) apiURL(r *Repo) string { return c.s.base + "/api/v3/repos/" + r.FullName() }

func getRef(c *call) error {
	r, err := c.repo()
	if err != nil {
		return err
	}
	if len(r.git.Refs()) == 0 {
		return errEmptyRepo
	}
	ref := "refs/" + c.r.PathValue("ref")
	sha := r.git.Ref(ref)
	if sha == "" {
		return errNotFound
	}
	o, err := c.refJSON(r, ref, sha)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, o)
}

func matchingRefs(c *call) error {
	r, err := c.repo()
	if err != nil {
		return err
	}
	refs := r.git.Refs()
	out := []object{}
	for ref, sha := range refs {
		if strings.HasPrefix(ref, "refs/"+c.r.PathValue("ref")) {
			o, err := c.refJSON(r, ref, sha)
			if err != nil {
				return err
			}
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b object) int { return strings.Compare(a["ref"].(string), b["ref"].(string)) })
	return c.json(http.StatusOK, paginate(c, out))
}

func (c *call) refJSON(r *Repo, ref, sha string) (object, error) {
	kind, err := r.git.Type(sha)
	if err != nil {
		return nil, err
	}
	return object{
		"ref": ref, "node_id": nodeID("REF", r.id), "url": c.apiURL(r) + "/git/" + ref,
		"object": object{"sha": sha, "type": kind, "url": fmt.Sprintf("%s/git/%ss/%s", c.apiURL(r), kind, sha)},
	}, nil
}

// decodeOptional reads a body that may be empty.
func (c *call) decodeOptional(v any) error {
	var raw json.RawMessage
	if err := c.body(&raw); err != nil {
		if errors.Is(err, errBadJSON) && c.r.ContentLength <= 0 {
			return nil
		}
		return err
	}
	if json.Unmarshal(raw, v) != nil {
		return errBadJSON
	}
	return nil
}
