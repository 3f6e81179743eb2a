package githubsim

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/callboard/callboard/test/githubsim/gitrepo"
)

// Limits of contracts/github.md section 2.
const (
	maxCompareCommits = 250
	maxCompareFiles   = 300
	// A tree answer stops at 7 MB; an entry is about its path and this.
	maxTreeBytes   = 7 << 20
	treeEntryBytes = 220
	// The contents API shows a file's content up to 1 MB, a directory's first
	// thousand entries.
	maxContentBytes = 1 << 20
	maxDirEntries   = 1000
)

// commitJSON is GitHub's "commit" without files.
func (c *call) commitJSON(r *Repo, k *gitrepo.Commit) object {
	api, html := c.apiURL(r), r.HTMLURL()
	parents := []object{}
	for _, p := range k.Parents {
		parents = append(parents, object{"sha": p, "url": api + "/commits/" + p, "html_url": html + "/commit/" + p})
	}
	return object{
		"sha": k.SHA, "node_id": nodeID("C", r.id) + k.SHA[:8], "url": api + "/commits/" + k.SHA,
		"html_url": html + "/commit/" + k.SHA, "parents": parents,
		"commit": object{
			"message": strings.TrimRight(k.Message, "\n"), "url": api + "/git/commits/" + k.SHA,
			"author": person(k.Author), "committer": person(k.Committer), "comment_count": 0,
			"tree": object{"sha": k.Tree, "url": api + "/git/trees/" + k.Tree},
		},
		"author": c.s.personAccount(k.Author), "committer": c.s.personAccount(k.Committer),
	}
}

func person(p gitrepo.Signature) object {
	return object{"name": p.Name, "email": p.Email, "date": stamp(p.When)}
}

func (s *Server) personAccount(p gitrepo.Signature) any {
	login := s.loginOf(p.Email)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if a := s.accounts[key(login)]; a != nil {
		return s.accountJSON(a)
	}
	return nil
}

func listCommits(c *call) error {
	r, err := c.repo()
	if err != nil {
		return err
	}
	from, err := c.commit(r, c.query("sha"))
	if err != nil {
		return err
	}
	log, err := r.git.Log(from.SHA)
	if err != nil {
		return err
	}
	if path := c.query("path"); path != "" {
		if log, err = touching(r.git, log, path); err != nil {
			return err
		}
	}
	out := []object{}
	for _, k := range paginate(c, log) {
		out = append(out, c.commitJSON(r, k))
	}
	return c.json(http.StatusOK, out)
}

// touching keeps the commits that changed a path against their first parent.
func touching(git *gitrepo.Repo, log []*gitrepo.Commit, path string) ([]*gitrepo.Commit, error) {
	at := func(sha string) (string, error) {
		tree, err := treeOf(git, sha)
		if err != nil || tree == "" {
			return "", err
		}
		e, err := git.Find(tree, path)
		if err != nil {
			return "", nil // absent there
		}
		return e.SHA, nil
	}
	var out []*gitrepo.Commit
	for _, k := range log {
		parent := ""
		if len(k.Parents) > 0 {
			parent = k.Parents[0]
		}
		before, err := at(parent)
		if err != nil {
			return nil, err
		}
		after, err := at(k.SHA)
		if err != nil {
			return nil, err
		}
		if before != after {
			out = append(out, k)
		}
	}
	return out, nil
}

func getCommit(c *call) error {
	r, err := c.repo()
	if err != nil {
		return err
	}
	ref := c.r.PathValue("ref")
	k, err := c.commit(r, ref)
	if err != nil {
		if isNotFound(err) {
			return &apiError{http.StatusUnprocessableEntity, "No commit found for SHA: " + ref}
		}
		return err
	}
	if accepts(c, "sha") {
		return c.bytes(http.StatusOK, "application/vnd.github.sha; charset=utf-8", []byte(k.SHA))
	}
	o := c.commitJSON(r, k)
	parent := ""
	if len(k.Parents) > 0 {
		parent = k.Parents[0]
	}
	before, err := treeOf(r.git, parent)
	if err != nil {
		return err
	}
	diff, err := r.git.Diff(before, k.Tree)
	if err != nil {
		return err
	}
	o["files"] = c.filesJSON(r, k.SHA, paginate(c, diff))
	return c.json(http.StatusOK, o)
}

func (c *call) filesJSON(r *Repo, sha string, diff []gitrepo.Change) []object {
	out := []object{}
	for _, d := range diff {
		status, blob := "modified", d.After
		switch {
		case d.Before == "":
			status = "added"
		case d.After == "":
			status, blob = "removed", d.Before
		}
		out = append(out, object{
			"filename": d.Path, "status": status, "sha": blob,
			"contents_url": c.apiURL(r) + "/contents/" + d.Path + "?ref=" + sha,
			"blob_url":     r.HTMLURL() + "/blob/" + sha + "/" + d.Path,
			"raw_url":      r.HTMLURL() + "/raw/" + sha + "/" + d.Path,
		})
	}
	return out
}

func compare(c *call) error {
	r, err := c.repo()
	if err != nil {
		return err
	}
	from, to, ok := strings.Cut(c.r.PathValue("basehead"), "...")
	if !ok {
		return errNotFound
	}
	base, err := c.commit(r, from)
	if err != nil {
		return err
	}
	head, err := c.commit(r, to)
	if err != nil {
		return err
	}
	ahead, err := r.git.Between(head.SHA, base.SHA)
	if err != nil {
		return err
	}
	behind, err := r.git.Between(base.SHA, head.SHA)
	if err != nil {
		return err
	}
	merge, err := r.git.MergeBase(base.SHA, head.SHA)
	if err != nil {
		return err
	}
	if merge == "" {
		return &apiError{http.StatusNotFound, "No common ancestor between " + from + " and " + to + "."}
	}
	joint, err := r.git.Commit(merge)
	if err != nil {
		return err
	}
	diff, err := r.git.Diff(joint.Tree, head.Tree)
	if err != nil {
		return err
	}
	status := map[[2]bool]string{
		{false, false}: "identical", {true, false}: "ahead", {false, true}: "behind", {true, true}: "diverged",
	}[[2]bool{len(ahead) > 0, len(behind) > 0}]
	commits := []object{}
	for _, k := range ahead[:min(len(ahead), maxCompareCommits)] {
		commits = append(commits, c.commitJSON(r, k))
	}
	files := []object{}
	if c.number("page", 1, 1<<30) == 1 { // only the first page has files
		files = c.filesJSON(r, head.SHA, diff[:min(len(diff), maxCompareFiles)])
	}
	return c.json(http.StatusOK, object{
		"url": c.apiURL(r) + "/compare/" + from + "..." + to, "html_url": r.HTMLURL() + "/compare/" + from + "..." + to,
		"base_commit": c.commitJSON(r, base), "merge_base_commit": c.commitJSON(r, joint),
		"status": status, "ahead_by": len(ahead), "behind_by": len(behind), "total_commits": len(ahead),
		"commits": paginate(c, commits), "files": files,
	})
}

func getGitCommit(c *call) error {
	r, err := c.repo()
	if err != nil {
		return err
	}
	k, err := r.git.Commit(c.r.PathValue("sha"))
	if err != nil {
		return err
	}
	o := c.commitJSON(r, k)["commit"].(object)
	o["sha"], o["html_url"] = k.SHA, r.HTMLURL()+"/commit/"+k.SHA
	parents := []object{}
	for _, p := range k.Parents {
		parents = append(parents, object{"sha": p, "url": c.apiURL(r) + "/git/commits/" + p})
	}
	o["parents"] = parents
	return c.json(http.StatusOK, o)
}

func getTree(c *call) error {
	r, err := c.repo()
	if err != nil {
		return err
	}
	sha := c.r.PathValue("sha")
	if kind, err := r.git.Type(sha); err != nil || kind != "tree" {
		k, err := c.commit(r, sha)
		if err != nil {
			return err
		}
		sha = k.Tree
	}
	recursive := c.r.URL.Query().Has("recursive") // any value at all, even 0
	entries, err := r.git.Tree(sha)
	if recursive && err == nil {
		entries, err = r.git.Walk(sha)
	}
	if err != nil {
		return err
	}
	truncated, bytes := false, 0
	api := c.apiURL(r)
	out := make([]treeEntry, 0, len(entries))
	for _, e := range entries {
		bytes += len(e.Path) + treeEntryBytes
		if len(out) == c.s.opt.treeLimit || bytes > maxTreeBytes {
			truncated = true
			break
		}
		t := treeEntry{Path: e.Path, Mode: e.Mode, Type: e.Type, SHA: e.SHA}
		switch e.Type {
		case "blob":
			t.Size, t.URL = &e.Size, api+"/git/blobs/"+e.SHA
		case "tree":
			t.URL = api + "/git/trees/" + e.SHA
		}
		out = append(out, t)
	}
	return c.json(http.StatusOK, struct {
		SHA       string      `json:"sha"`
		URL       string      `json:"url"`
		Tree      []treeEntry `json:"tree"`
		Truncated bool        `json:"truncated"`
	}{sha, api + "/git/trees/" + sha, out, truncated})
}

type treeEntry struct {
	Path string `json:"path"`
	Mode string `json:"mode"`
	Type string `json:"type"`
	SHA  string `json:"sha"`
	Size *int64 `json:"size,omitempty"`
	URL  string `json:"url,omitempty"`
}

func getBlob(c *call) error {
	r, err := c.repo()
	if err != nil {
		return err
	}
	sha := c.r.PathValue("sha")
	b, err := r.git.Blob(sha)
	if err != nil {
		return err
	}
	if accepts(c, "raw") {
		return c.bytes(http.StatusOK, "application/vnd.github.raw; charset=utf-8", b)
	}
	return c.json(http.StatusOK, object{
		"sha": sha, "node_id": nodeID("B", r.id) + sha[:8], "size": len(b),
		"url": c.apiURL(r) + "/git/blobs/" + sha, "encoding": "base64", "content": wrapped(b),
	})
}

// wrapped is base64 in lines of 60, as GitHub sends it.
func wrapped(b []byte) string {
	text := base64.StdEncoding.EncodeToString(b)
	var out strings.Builder
	for len(text) > 60 {
		out.WriteString(text[:60])
		out.WriteByte('\n')
		text = text[60:]
	}
	out.WriteString(text)
	out.WriteByte('\n')
	return out.String()
}

// accepts says whether one of GitHub's media types is asked for, with or
// without version and +json.
func accepts(c *call, kind string) bool {
	for _, prefix := range []string{"application/vnd.github.", "application/vnd.github.v3."} {
		if strings.HasPrefix(c.r.Header.Get("Accept"), prefix+kind) {
			return true
		}
	}
	return false
}

func getContents(c *call) error {
	r, err := c.repo()
	if err != nil {
		return err
	}
	k, err := c.commit(r, c.query("ref"))
	if err != nil {
		if c.query("ref") != "" && isNotFound(err) {
			return &apiError{http.StatusNotFound, "No commit found for the ref " + c.query("ref")}
		}
		return err
	}
	e, err := r.git.Find(k.Tree, c.r.PathValue("path"))
	if err != nil {
		return err
	}
	if e.Type != "tree" {
		return c.fileContents(r, e)
	}
	level, err := r.git.Tree(e.SHA)
	if err != nil {
		return err
	}
	out := []object{}
	for _, child := range level[:min(len(level), maxDirEntries)] {
		if e.Path != "" {
			child.Path = e.Path + "/" + child.Name
		}
		o, err := c.contentJSON(r, child)
		if err != nil {
			return err
		}
		out = append(out, o)
	}
	return c.json(http.StatusOK, out)
}

func (c *call) fileContents(r *Repo, e gitrepo.Entry) error {
	b, err := r.git.Blob(e.SHA)
	if err != nil {
		return err
	}
	if accepts(c, "raw") {
		return c.bytes(http.StatusOK, "application/vnd.github.raw+json; charset=utf-8", b)
	}
	o, err := c.contentJSON(r, e)
	if err != nil {
		return err
	}
	o["encoding"], o["content"], o["size"] = "base64", wrapped(b), len(b)
	if len(b) > maxContentBytes {
		o["encoding"], o["content"] = "none", ""
	}
	return c.json(http.StatusOK, o)
}

func (c *call) contentJSON(r *Repo, e gitrepo.Entry) (object, error) {
	ref := c.query("ref")
	if ref == "" {
		ref = r.git.DefaultBranch()
	}
	kind, gitKind, view := "file", "blobs", "blob"
	switch {
	case e.Type == "tree":
		kind, gitKind, view = "dir", "trees", "tree"
	case e.Type == "commit":
		kind = "submodule"
	case e.Mode == "120000":
		kind = "symlink"
	}
	self := fmt.Sprintf("%s/contents/%s?ref=%s", c.apiURL(r), e.Path, ref)
	git := fmt.Sprintf("%s/git/%s/%s", c.apiURL(r), gitKind, e.SHA)
	html := fmt.Sprintf("%s/%s/%s/%s", r.HTMLURL(), view, ref, e.Path)
	o := object{
		"type": kind, "name": e.Name, "path": e.Path, "sha": e.SHA, "size": 0,
		"url": self, "git_url": git, "html_url": html, "download_url": nil,
		"_links": object{"self": self, "git": git, "html": html},
	}
	if kind == "file" {
		o["download_url"] = fmt.Sprintf("%s/raw/%s/%s", r.HTMLURL(), ref, e.Path)
		b, err := r.git.Blob(e.SHA)
		if err != nil {
			return nil, err
		}
		o["size"] = len(b)
	}
	return o, nil
}

func getReadme(c *call) error {
	r, err := c.repo()
	if err != nil {
		return err
	}
	k, err := c.commit(r, c.query("ref"))
	if err != nil {
		return err
	}
	level, err := r.git.Tree(k.Tree)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(level, func(e gitrepo.Entry) bool {
		return strings.HasPrefix(strings.ToLower(e.Name), "readme") && e.Type == "blob"
	})
	if i < 0 {
		return errNotFound
	}
	return c.fileContents(r, level[i])
}
