package githubsim

import (
	"fmt"
	"maps"
	"slices"
)

// TeamOptions describes a team.
type TeamOptions struct {
	Name, Description string
	// Parent is the slug of the team above it.
	Parent string
}

// AddMember adds a user to an organisation with role "member" or "admin" and
// sends organization.member_added.
func (s *Server) AddMember(org, login, role string, opts ...EditOption) error {
	return s.changeOrg(org, opts, func(o *account) ([]orgEvent, error) {
		u := s.ensureAccount(login, typeUser)
		o.members[key(login)] = role
		return []orgEvent{{"organization", "member_added", object{"membership": s.membership(o, u, role)}}}, nil
	})
}

// RemoveMember takes a user from an organisation and its teams, and sends
// organization.member_removed.
func (s *Server) RemoveMember(org, login string, opts ...EditOption) error {
	return s.changeOrg(org, opts, func(o *account) ([]orgEvent, error) {
		u, err := s.lookup(login, typeUser)
		role := o.members[key(login)]
		if err != nil || role == "" {
			return nil, errNotFound
		}
		delete(o.members, key(login))
		for _, t := range o.teams {
			delete(t.members, key(login))
		}
		return []orgEvent{{"organization", "member_removed", object{"membership": s.membership(o, u, role)}}}, nil
	})
}

// AddTeam makes a team and sends team.created.
func (s *Server) AddTeam(org string, to TeamOptions, opts ...EditOption) error {
	return s.changeOrg(org, opts, func(o *account) ([]orgEvent, error) {
		t := &team{ID: s.id(), Name: to.Name, Slug: slug(to.Name), Description: to.Description, members: map[string]string{}}
		if o.team(t.Slug) != nil {
			return nil, fmt.Errorf("team %s exists", t.Slug)
		}
		if t.parent = o.team(to.Parent); to.Parent != "" && t.parent == nil {
			return nil, fmt.Errorf("parent team %s: %w", to.Parent, errNotFound)
		}
		o.teams = append(o.teams, t)
		return []orgEvent{{"team", "created", object{"team": s.teamJSON(o, t)}}}, nil
	})
}

// EditTeam changes name, description and parent of a team; a new name is a new
// slug. It sends team.edited with what was before.
func (s *Server) EditTeam(org, teamSlug string, to TeamOptions, opts ...EditOption) error {
	return s.changeOrg(org, opts, func(o *account) ([]orgEvent, error) {
		t := o.team(teamSlug)
		if t == nil {
			return nil, errNotFound
		}
		parent := o.team(to.Parent)
		if to.Parent != "" && parent == nil {
			return nil, fmt.Errorf("parent team %s: %w", to.Parent, errNotFound)
		}
		if parent != nil && parent.within(t) {
			return nil, fmt.Errorf("parent team %s is %s or below it", to.Parent, teamSlug)
		}
		if other := o.team(slug(to.Name)); other != nil && other != t {
			return nil, fmt.Errorf("team %s exists", other.Slug)
		}
		changes := object{}
		if to.Name != t.Name {
			changes["name"] = object{"from": t.Name}
		}
		if to.Description != t.Description {
			changes["description"] = object{"from": t.Description}
		}
		t.Name, t.Slug, t.Description, t.parent = to.Name, slug(to.Name), to.Description, parent
		return []orgEvent{{"team", "edited", object{"team": s.teamJSON(o, t), "changes": changes}}}, nil
	})
}

// DeleteTeam removes a team and all below it, as REST, "Delete a team", says,
// and sends team.deleted for each.
func (s *Server) DeleteTeam(org, teamSlug string, opts ...EditOption) error {
	return s.changeOrg(org, opts, func(o *account) ([]orgEvent, error) {
		t := o.team(teamSlug)
		if t == nil {
			return nil, errNotFound
		}
		var out []orgEvent
		o.teams = slices.DeleteFunc(o.teams, func(x *team) bool {
			if !x.within(t) {
				return false
			}
			out = append(out, orgEvent{"team", "deleted", object{"team": s.teamJSON(o, x)}})
			return true
		})
		return out, nil
	})
}

// AddTeamRepo gives a team a repository of its organisation, and sends team_add
// and team.added_to_repository.
func (s *Server) AddTeamRepo(org, teamSlug, repo string, opts ...EditOption) error {
	return s.teamRepo(org, teamSlug, repo, opts, "team_add", "added_to_repository")
}

// RemoveTeamRepo takes it away and sends team.removed_from_repository.
func (s *Server) RemoveTeamRepo(org, teamSlug, repo string, opts ...EditOption) error {
	return s.teamRepo(org, teamSlug, repo, opts, "", "removed_from_repository")
}

// teamRepo only tells: nothing that the simulator answers depends on it.
func (s *Server) teamRepo(org, teamSlug, repo string, opts []EditOption, event, action string) error {
	return s.changeOrg(org, opts, func(o *account) ([]orgEvent, error) {
		t, r := o.team(teamSlug), s.repos[key(org+"/"+repo)]
		if t == nil || r == nil {
			return nil, fmt.Errorf("team %s or repository %s: %w", teamSlug, repo, errNotFound)
		}
		body := func() object { return object{"team": s.teamJSON(o, t), "repository": s.repoJSON(r)} }
		out := []orgEvent{{"team", action, body()}}
		if event != "" {
			out = append([]orgEvent{{event, "", body()}}, out...)
		}
		return out, nil
	})
}

// AddTeamMember adds a member of the organisation to a team and sends
// membership.added.
func (s *Server) AddTeamMember(org, teamSlug, login string, opts ...EditOption) error {
	return s.teamMember(org, teamSlug, login, true, opts)
}

// RemoveTeamMember takes a user from a team and sends membership.removed.
func (s *Server) RemoveTeamMember(org, teamSlug, login string, opts ...EditOption) error {
	return s.teamMember(org, teamSlug, login, false, opts)
}

func (s *Server) teamMember(org, teamSlug, login string, add bool, opts []EditOption) error {
	return s.changeOrg(org, opts, func(o *account) ([]orgEvent, error) {
		t := o.team(teamSlug)
		if t == nil || o.members[key(login)] == "" {
			return nil, fmt.Errorf("team %s or member %s: %w", teamSlug, login, errNotFound)
		}
		action := "removed"
		if add {
			action = "added"
			t.members[key(login)] = "member"
		} else {
			delete(t.members, key(login))
		}
		return []orgEvent{{"membership", action, object{
			"scope": "team", "member": s.accountJSON(s.accounts[key(login)]), "team": s.teamJSON(o, t),
		}}}, nil
	})
}

// orgEvent is an event of an organisation, to be addressed.
type orgEvent struct {
	event, action string
	body          object
}

// changeOrg changes an organisation with mu held and sends the events that f
// describes to the installations on it and to its own hooks.
func (s *Server) changeOrg(org string, opts []EditOption, f func(*account) ([]orgEvent, error)) error {
	s.mu.Lock()
	o := s.ensureAccount(org, typeOrg)
	if o.Type != typeOrg {
		s.mu.Unlock()
		return fmt.Errorf("change organization %s: it is a user", org)
	}
	events, err := f(o)
	e := s.edit(opts)
	common := object{"organization": s.orgJSON(o), "sender": s.accountJSON(s.ensureAccount(e.actor, typeUser))}
	var to []*Installation
	for _, in := range s.installs {
		if in.account == o && !in.suspended {
			to = append(to, in)
		}
	}
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("change organization %s: %w", org, err)
	}
	if e.quiet {
		return nil
	}
	for _, ev := range events {
		s.tellOrg(o, to, ev, common)
	}
	return nil
}

func (s *Server) tellOrg(o *account, to []*Installation, ev orgEvent, common object) {
	maps.Copy(ev.body, common)
	if ev.action != "" {
		ev.body["action"] = ev.action
	}
	for _, k := range s.hooks.ofAccount(o.ID) {
		if len(k.events) == 0 || slices.Contains(k.events, ev.event) {
			s.report(s.hooks.enqueue(k, ev.event, ev.action, 0, 0, ev.body))
		}
	}
	for _, in := range to {
		if !slices.Contains(in.app.events, ev.event) {
			continue
		}
		copied := object{"installation": object{"id": in.id, "node_id": nodeID("MDIz", in.id)}}
		maps.Copy(copied, ev.body)
		s.report(s.hooks.enqueue(in.app.hook, ev.event, ev.action, in.id, 0, copied))
	}
}

// membership is an organization membership; mu is held.
func (s *Server) membership(o, u *account, role string) object {
	return object{
		"url":   fmt.Sprintf("%s/api/v3/orgs/%s/memberships/%s", s.base, o.Login, u.Login),
		"state": "active", "role": role, "user": s.accountJSON(u),
		"organization_url": s.base + "/api/v3/orgs/" + o.Login,
	}
}

// teamJSON is GitHub's "team"; mu is held.
func (s *Server) teamJSON(o *account, t *team) object {
	api := fmt.Sprintf("%s/api/v3/organizations/%d/team/%d", s.base, o.ID, t.ID)
	out := object{
		"id": t.ID, "node_id": nodeID("T", t.ID), "name": t.Name, "slug": t.Slug, "description": null(t.Description),
		"privacy": "closed", "permission": "pull", "notification_setting": "notifications_enabled",
		"url": api, "html_url": fmt.Sprintf("%s/orgs/%s/teams/%s", s.base, o.Login, t.Slug),
		"members_url": api + "/members{/member}", "repositories_url": api + "/repos", "parent": nil,
	}
	if t.parent != nil {
		p := s.teamJSON(o, t.parent)
		delete(p, "parent")
		out["parent"] = p
	}
	return out
}
