package githubsim

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/callboard/callboard/test/githubsim/gitrepo"
)

func (s *Server) writeRoutes(mux *http.ServeMux) {
	s.rest(mux, "POST /orgs/{org}/repos", createRepo)
	s.rest(mux, "POST /user/repos", createRepo)
	s.rest(mux, "PATCH /repos/{owner}/{repo}", patchRepo)
	s.rest(mux, "DELETE /repos/{owner}/{repo}", deleteRepo)
	s.rest(mux, "POST /repos/{owner}/{repo}/transfer", transferRepo)
	s.rest(mux, "PUT /repos/{owner}/{repo}/topics", putTopics)
	s.rest(mux, "PUT /repos/{owner}/{repo}/contents/{path...}", putContents)
	s.rest(mux, "DELETE /repos/{owner}/{repo}/contents/{path...}", putContents)
	s.rest(mux, "POST /repos/{owner}/{repo}/git/refs", createRef)
	s.rest(mux, "PATCH /repos/{owner}/{repo}/git/refs/{ref...}", patchRef)
	s.rest(mux, "DELETE /repos/{owner}/{repo}/git/refs/{ref...}", patchRef)
}

// unprocessable is GitHub's 422.
func unprocessable(err error) error {
	if err == nil || isNotFound(err) {
		return err
	}
	return &apiError{http.StatusUnprocessableEntity, "Validation Failed: " + err.Error()}
}

// writable is the repository of the path, if the caller may change it.
func (c *call) writable() (*Repo, error) {
	r, err := c.repo()
	if err != nil {
		return nil, err
	}
	c.s.mu.RLock()
	defer c.s.mu.RUnlock()
	switch {
	case c.who.token == nil:
		return nil, errNeedsAuth
	case !c.who.mayWrite(r):
		return nil, errForbidden
	}
	return r, nil
}

func (c *call) as() EditOption { return As(c.who.name()) }

func (c *call) answerRepo(status int, r *Repo) error {
	c.s.mu.RLock()
	o := c.s.repoJSON(r)
	c.s.mu.RUnlock()
	return c.json(status, o)
}

func createRepo(c *call) error {
	var body struct {
		Name, Description string
		Private           bool
		Visibility        string
		AutoInit          bool `json:"auto_init"`
		IsTemplate        bool `json:"is_template"`
	}
	if err := c.body(&body); err != nil {
		return err
	}
	t := c.who.token
	if t == nil {
		return errNeedsAuth
	}
	owner := c.r.PathValue("org")
	if owner == "" && t.inst == nil {
		owner = t.user.Login
	}
	c.s.mu.RLock()
	org, err := c.s.lookup(owner, "")
	allowed := err == nil && (t.inst != nil && t.inst.account == org || t.inst == nil && hasScope(t, "repo"))
	c.s.mu.RUnlock()
	switch {
	case err != nil:
		return err
	case !allowed:
		return errForbidden
	}
	var files map[string]string
	if body.AutoInit {
		files = map[string]string{"README.md": "# " + body.Name + "\n" + body.Description}
	}
	r, err := c.s.CreateRepo(owner, body.Name, RepoOptions{
		Description: body.Description, Private: body.Private || body.Visibility == "private", Template: body.IsTemplate,
	}, files, c.as())
	if err != nil {
		return unprocessable(err)
	}
	// An App sees what it made, also where it sees selected repositories only.
	if t.inst != nil {
		c.s.mu.Lock()
		if !t.inst.all {
			t.inst.selected[r.id] = true
		}
		c.s.mu.Unlock()
	}
	return c.answerRepo(http.StatusCreated, r)
}

func hasScope(t *token, scope string) bool {
	return strings.Contains(" "+strings.Join(t.scopes, " ")+" ", " "+scope+" ")
}

// repoPatch is what PATCH of a repository and the admin API change.
type repoPatch struct {
	Name          *string `json:"name"`
	Archived      *bool   `json:"archived"`
	Private       *bool   `json:"private"`
	DefaultBranch *string `json:"default_branch"`
	Description   *string `json:"description"`
}

// apply makes each change with its own event, the rename last.
func (p repoPatch) apply(s *Server, r *Repo, as EditOption) error {
	if p.Description != nil {
		if err := s.SetDescription(r.FullName(), *p.Description, as); err != nil {
			return err
		}
	}
	if p.DefaultBranch != nil {
		if err := s.SetDefaultBranch(r.FullName(), *p.DefaultBranch, as); err != nil {
			return err
		}
	}
	if p.Private != nil {
		if err := s.SetPrivate(r.FullName(), *p.Private, as); err != nil {
			return err
		}
	}
	if p.Archived != nil {
		if err := s.ArchiveRepo(r.FullName(), *p.Archived, as); err != nil {
			return err
		}
	}
	if p.Name != nil {
		return s.RenameRepo(r.FullName(), *p.Name, as)
	}
	return nil
}

func patchRepo(c *call) error {
	r, err := c.writable()
	if err != nil {
		return err
	}
	var p repoPatch
	if err := c.body(&p); err != nil {
		return err
	}
	if err := p.apply(c.s, r, c.as()); err != nil {
		return unprocessable(err)
	}
	return c.answerRepo(http.StatusOK, r)
}

func deleteRepo(c *call) error {
	r, err := c.writable()
	if err != nil {
		return err
	}
	if err := c.s.DeleteRepo(r.FullName(), c.as()); err != nil {
		return err
	}
	return c.noContent()
}

func (c *call) noContent() error {
	c.spend(1)
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func transferRepo(c *call) error {
	r, err := c.writable()
	if err != nil {
		return err
	}
	var body struct {
		NewOwner string `json:"new_owner"`
	}
	if err := c.body(&body); err != nil {
		return err
	}
	if err := c.s.TransferRepo(r.FullName(), body.NewOwner, c.as()); err != nil {
		return unprocessable(err)
	}
	return c.answerRepo(http.StatusAccepted, r)
}

func putTopics(c *call) error {
	r, err := c.writable()
	if err != nil {
		return err
	}
	var body struct{ Names []string }
	if err := c.body(&body); err != nil {
		return err
	}
	if err := c.s.SetTopics(r.FullName(), body.Names, c.as()); err != nil {
		return err
	}
	return c.json(http.StatusOK, object{"names": body.Names})
}

// putContents creates, changes or deletes one file. A change must name the blob
// that it replaces; another one there is a 409.
func putContents(c *call) error {
	r, err := c.writable()
	if err != nil {
		return err
	}
	var body struct{ Message, Content, SHA, Branch string }
	if err := c.body(&body); err != nil {
		return err
	}
	if body.Branch == "" {
		body.Branch = r.git.DefaultBranch()
	}
	path := c.r.PathValue("path")
	old := ""
	if tree, err := c.s.Tree(r.FullName(), body.Branch); err == nil {
		old = tree[path]
	}
	if old != body.SHA {
		return &apiError{http.StatusConflict, path + " does not match " + body.SHA}
	}
	var text *string
	if c.r.Method == http.MethodPut {
		b, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(body.Content, "\n", ""))
		if err != nil {
			return &apiError{http.StatusUnprocessableEntity, "content is not valid Base64"}
		}
		text = new(string(b))
	}
	sha, err := c.s.Commit(r.FullName(), body.Branch, body.Message, map[string]*string{path: text}, c.as())
	if err != nil {
		return unprocessable(err)
	}
	k, err := r.git.Commit(sha)
	if err != nil {
		return err
	}
	out := object{"commit": c.commitJSON(r, k)["commit"], "content": nil}
	out["commit"].(object)["sha"] = sha
	status := http.StatusOK
	if text != nil {
		e, err := r.git.Find(k.Tree, path)
		if err != nil {
			return err
		}
		if out["content"], err = c.contentJSON(r, e); err != nil {
			return err
		}
		if old == "" {
			status = http.StatusCreated
		}
	}
	return c.json(status, out)
}

func createRef(c *call) error {
	r, err := c.writable()
	if err != nil {
		return err
	}
	var body struct{ Ref, SHA string }
	if err := c.body(&body); err != nil {
		return err
	}
	if r.git.Ref(body.Ref) != "" {
		return &apiError{http.StatusUnprocessableEntity, "Reference already exists"}
	}
	return c.moveRef(r, body.Ref, body.SHA, http.StatusCreated)
}

// patchRef moves or deletes a ref. Only force loses commits.
func patchRef(c *call) error {
	r, err := c.writable()
	if err != nil {
		return err
	}
	ref := "refs/" + c.r.PathValue("ref")
	old := r.git.Ref(ref)
	if old == "" {
		return &apiError{http.StatusUnprocessableEntity, "Reference does not exist"}
	}
	if c.r.Method == http.MethodDelete {
		if err := c.s.updateRepo(r, c.s.edit([]EditOption{c.as()}), func(g *gitrepo.Repo) error { return g.SetRef(ref, "") }); err != nil {
			return err
		}
		return c.noContent()
	}
	var body struct {
		SHA   string
		Force bool
	}
	if err := c.body(&body); err != nil {
		return err
	}
	fast, err := r.git.IsAncestor(old, body.SHA)
	if err != nil {
		return unprocessable(err)
	}
	if !fast && !body.Force {
		return &apiError{http.StatusUnprocessableEntity, "Update is not a fast forward"}
	}
	return c.moveRef(r, ref, body.SHA, http.StatusOK)
}

func (c *call) moveRef(r *Repo, ref, sha string, status int) error {
	err := c.s.updateRepo(r, c.s.edit([]EditOption{c.as()}), func(g *gitrepo.Repo) error {
		if _, err := g.Commit(sha); err != nil {
			return &apiError{http.StatusUnprocessableEntity, "Object does not exist"}
		}
		return g.SetRef(ref, sha)
	})
	if err != nil {
		return err
	}
	o, err := c.refJSON(r, ref, sha)
	if err != nil {
		return err
	}
	return c.json(status, o)
}
