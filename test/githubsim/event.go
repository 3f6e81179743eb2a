package githubsim

import (
	"log/slog"
	"maps"
	"slices"
)

// report logs what cannot be told to anybody: a payload that could not be made.
func (s *Server) report(err error) {
	if err != nil {
		s.opt.log.Error("webhook not sent", slog.Any("error", err))
	}
}

// heard says whether any hook would get events of a repository.
func (s *Server) heard(r *Repo) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, in := range s.installs {
		if in.sees(r) && !in.suspended && in.app.hook.active() {
			return true
		}
	}
	return s.hooks.ofAccount(r.owner.ID) != nil
}

// repositoryEvent sends a repository event with its changes, nil for none.
func (s *Server) repositoryEvent(r *Repo, action string, e edit, changes object) {
	s.prepareRepositoryEvent(r, action, e, changes)()
}

// prepareRepositoryEvent makes the event from how things are now, to be sent
// later: a deleted repository is described as it was.
func (s *Server) prepareRepositoryEvent(r *Repo, action string, e edit, changes object) func() {
	p := object{}
	if changes != nil {
		p["changes"] = changes
	}
	posts := s.address(r, "repository", action, e, p, false)
	return func() { s.report(s.post(posts)) }
}

// send sends an event of a repository to everybody who has subscribed.
func (s *Server) send(r *Repo, event, action string, e edit, p object, push bool) error {
	return s.post(s.address(r, event, action, e, p, push))
}

// letter is an event on its way to one hook.
type letter struct {
	hook          *hook
	event, action string
	install, repo int64
	body          object
}

func (s *Server) post(letters []letter) error {
	for _, l := range letters {
		if err := s.hooks.enqueue(l.hook, l.event, l.action, l.install, l.repo, l.body); err != nil {
			return err
		}
	}
	return nil
}

// address finds the hooks that get an event and completes the payload for each.
func (s *Server) address(r *Repo, event, action string, e edit, p object, push bool) []letter {
	if e.quiet {
		return nil
	}
	s.account(e.actor, typeUser)
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []letter
	var common object
	add := func(h *hook, in *Installation) {
		if common == nil {
			common = s.payload(r, action, e, p, push)
		}
		body, id := common, int64(0)
		if in != nil {
			body, id = maps.Clone(common), in.id
			body["installation"] = object{"id": in.id, "node_id": nodeID("MDIz", in.id)}
		}
		out = append(out, letter{h, event, action, id, r.id, body})
	}
	for _, in := range s.installs {
		if in.sees(r) && !in.suspended && in.app.hook.active() && slices.Contains(in.app.events, event) {
			add(in.app.hook, in)
		}
	}
	for _, h := range s.hooks.ofAccount(r.owner.ID) {
		if len(h.events) == 0 || slices.Contains(h.events, event) {
			add(h, nil)
		}
	}
	return out
}

// payload adds what every event of a repository has; mu is held.
func (s *Server) payload(r *Repo, action string, e edit, p object, push bool) object {
	body := maps.Clone(p)
	if action != "" {
		body["action"] = action
	}
	repo := s.repoJSON(r)
	sender := s.accounts[key(e.actor)]
	if push { // the older shape that GitHub keeps for push: times are numbers
		repo["created_at"], repo["pushed_at"] = r.createdAt.Unix(), r.pushedAt.Unix()
		repo["master_branch"], repo["stargazers"] = r.git.DefaultBranch(), 0
		repo["url"] = s.base + "/" + r.fullName()
		owner := s.accountJSON(r.owner)
		owner["name"], owner["email"] = r.owner.Login, null(r.owner.Email)
		repo["owner"] = owner
		if r.owner.Type == typeOrg {
			repo["organization"] = r.owner.Login
		}
		body["pusher"] = object{"name": e.actor, "email": e.email}
	}
	body["repository"] = repo
	if r.owner.Type == typeOrg {
		body["organization"] = s.orgJSON(r.owner)
	}
	if sender != nil {
		body["sender"] = s.accountJSON(sender)
	}
	return body
}

// sendTo sends an event of an installation or account to the App of that
// installation.
func (s *Server) sendTo(in *Installation, a *account, event, action string, e edit, p object) error {
	if e.quiet || !in.app.hook.active() {
		return nil
	}
	sender := s.account(e.actor, typeUser)
	s.mu.RLock()
	p["action"] = action
	p["sender"] = s.accountJSON(sender)
	if p["installation"] == nil {
		p["installation"] = s.installationJSON(in)
	}
	if a.Type == typeOrg && event != "installation" && event != "installation_repositories" {
		p["organization"] = s.orgJSON(a)
		p["installation"] = object{"id": in.id, "node_id": nodeID("MDIz", in.id)}
	}
	s.mu.RUnlock()
	return s.hooks.enqueue(in.app.hook, event, action, in.id, 0, p)
}
