package githubsim

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"
)

// object is a JSON object under construction.
type object = map[string]any

// null is nil for the empty string: GitHub writes null for absent text.
func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// nodeID makes an opaque global id from a type's short name and a number.
func nodeID(kind string, id int64) string {
	return kind + "_" + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s:%d", kind, id))
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func (a *account) nodeID() string {
	if a.Type == typeOrg {
		return nodeID("O", a.ID)
	}
	return nodeID("U", a.ID)
}

// accountJSON is GitHub's "simple user"; mu is held.
func (s *Server) accountJSON(a *account) object {
	api := s.base + "/api/v3/users/" + a.Login
	return object{
		"login": a.Login, "id": a.ID, "node_id": a.nodeID(), "type": a.Type, "site_admin": false,
		"avatar_url": s.base + "/avatars/u/" + fmt.Sprint(a.ID), "gravatar_id": "",
		"url": api, "html_url": s.base + "/" + a.Login,
		"repos_url": api + "/repos", "organizations_url": api + "/orgs",
		"events_url": api + "/events{/privacy}", "followers_url": api + "/followers",
	}
}

// orgJSON is the organization object of payloads; mu is held.
func (s *Server) orgJSON(a *account) object {
	api := s.base + "/api/v3/orgs/" + a.Login
	return object{
		"login": a.Login, "id": a.ID, "node_id": a.nodeID(), "url": api,
		"repos_url": api + "/repos", "members_url": api + "/members{/member}",
		"hooks_url": api + "/hooks", "events_url": api + "/events",
		"avatar_url": s.base + "/avatars/u/" + fmt.Sprint(a.ID), "description": nil,
	}
}

func (r *Repo) visibility() string {
	switch {
	case r.internal:
		return "internal"
	case r.private:
		return "private"
	}
	return "public"
}

// repoJSON is GitHub's "repository"; mu is held.
func (s *Server) repoJSON(r *Repo) object {
	html, api := s.base+"/"+r.fullName(), s.base+"/api/v3/repos/"+r.fullName()
	host := strings.TrimPrefix(s.base, "http://")
	topics := r.topics
	if topics == nil {
		topics = []string{}
	}
	return object{
		"id": r.id, "node_id": nodeID("R", r.id), "name": r.name, "full_name": r.fullName(),
		"private": r.private, "visibility": r.visibility(), "owner": s.accountJSON(r.owner),
		"html_url": html, "description": null(r.description), "fork": r.fork, "url": api,
		"homepage": null(r.homepage), "language": nil, "license": nil,
		"archived": r.archived, "disabled": false, "is_template": r.template,
		"topics": topics, "default_branch": r.git.DefaultBranch(),
		"created_at": stamp(r.createdAt), "updated_at": stamp(r.updatedAt), "pushed_at": stamp(r.pushedAt),
		"size": 0, "forks": 0, "forks_count": 0, "watchers": 0, "watchers_count": 0,
		"stargazers_count": 0, "open_issues": 0, "open_issues_count": 0,
		"has_issues": true, "has_projects": true, "has_downloads": true, "has_wiki": true,
		"has_pages": false, "has_discussions": false, "allow_forking": true,
		"web_commit_signoff_required": false, "mirror_url": nil,
		"clone_url": html + ".git", "svn_url": html,
		"git_url":     "git://" + host + "/" + r.fullName() + ".git",
		"ssh_url":     "git@" + host + ":" + r.fullName() + ".git",
		"archive_url": api + "/{archive_format}{/ref}", "branches_url": api + "/branches{/branch}",
		"blobs_url": api + "/git/blobs{/sha}", "commits_url": api + "/commits{/sha}",
		"compare_url": api + "/compare/{base}...{head}", "contents_url": api + "/contents/{+path}",
		"git_commits_url": api + "/git/commits{/sha}", "git_refs_url": api + "/git/refs{/sha}",
		"git_tags_url": api + "/git/tags{/sha}", "hooks_url": api + "/hooks",
		"statuses_url": api + "/statuses/{sha}", "tags_url": api + "/tags",
		"trees_url": api + "/git/trees{/sha}",
	}
}

// loginOf finds the user that a commit's mail address belongs to.
func (s *Server) loginOf(email string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if login, ok := strings.CutSuffix(email, "@users.noreply.example"); ok {
		if a := s.accounts[key(login)]; a != nil {
			return a.Login
		}
	}
	for _, a := range s.accounts {
		if a.Email != "" && strings.EqualFold(a.Email, email) {
			return a.Login
		}
	}
	return ""
}
