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
	return s.changeOrg(org, opts, func(o *account) (string, string, object, error) {
		u := s.ensureAccount(login, typeUser)
		o.members[key(login)] = role
		return "organization", "member_added", object{"membership": s.membership(o, u, role)}, nil
	})
}

// RemoveMember takes a user from an organisation and its teams, and sends
// organization.member_removed.
func (s *Server) RemoveMember(org, login string, opts ...EditOption) error {
	return s.changeOrg(org, opts, func(o *account) (string, string, object, error) {
		u, err := s.lookup(login, typeUser)
		role := o.members[key(login)]
		if err != nil || role == "" {
			return "", "", nil, errNotFound
		}
		delete(o.members, key(login))
		for _, t := range o.teams {
			delete(t.members, key(login))
		}
		return "organization", "member_removed", object{"membership": s.membership(o, u, role)}, nil
	})
}

// AddTeam makes a team and sends team.created.
func (s *Server) AddTeam(org string, to TeamOptions, opts ...EditOption) error {
	return s.changeOrg(org, opts, func(o *account) (string, string, object, error) {
		t := &team{ID: s.id(), Name: to.Name, Slug: slug(to.Name), Description: to.Description, members: map[string]string{}}
		if o.team(t.Slug) != nil {
			return "", "", nil, fmt.Errorf("team %s exists", t.Slug)
		}
		if t.parent = o.team(to.Parent); to.Parent != "" && t.parent == nil {
			return "", "", nil, fmt.Errorf("parent team %s: %w", to.Parent, errNotFound)
		}
		o.teams = append(o.teams, t)
		return "team", "created", object{"team": s.teamJSON(o, t)}, nil
	})
}

// EditTeam changes name, description and parent of a team; a new name is a new
// slug. It sends team.edited with what was before.
func (s *Server) EditTeam(org, teamSlug string, to TeamOptions, opts ...EditOption) error {
	return s.changeOrg(org, opts, func(o *account) (string, string, object, error) {
		t := o.team(teamSlug)
		if t == nil {
			return "", "", nil, errNotFound
		}
		parent := o.team(to.Parent)
		if to.Parent != "" && parent == nil {
			return "", "", nil, fmt.Errorf("parent team %s: %w", to.Parent, errNotFound)
		}
		changes := object{}
		if to.Name != t.Name {
			changes["name"] = object{"from": t.Name}
		}
		if to.Description != t.Description {
			changes["description"] = object{"from": t.Description}
		}
		t.Name, t.Slug, t.Description, t.parent = to.Name, slug(to.Name), to.Description, parent
		return "team", "edited", object{"team": s.teamJSON(o, t), "changes": changes}, nil
	})
}

// DeleteTeam removes a team; its children move up. It sends team.deleted.
func (s *Server) DeleteTeam(org, teamSlug string, opts ...EditOption) error {
	return s.changeOrg(org, opts, func(o *account) (string, string, object, error) {
		t := o.team(teamSlug)
		if t == nil {
			return "", "", nil, errNotFound
		}
		body := object{"team": s.teamJSON(o, t)}
		o.teams = slices.DeleteFunc(o.teams, func(x *team) bool { return x == t })
		for _, child := range o.teams {
			if child.parent == t {
				child.parent = t.parent
			}
		}
		return "team", "deleted", body, nil
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
	return s.changeOrg(org, opts, func(o *account) (string, string, object, error) {
		t := o.team(teamSlug)
		if t == nil || o.members[key(login)] == "" {
			return "", "", nil, fmt.Errorf("team %s or member %s: %w", teamSlug, login, errNotFound)
		}
		action := "removed"
		if add {
			action = "added"
			t.members[key(login)] = "member"
		} else {
			delete(t.members, key(login))
		}
		return "membership", action, object{
			"scope": "team", "member": s.accountJSON(s.accounts[key(login)]), "team": s.teamJSON(o, t),
		}, nil
	})
}

// changeOrg changes an organisation with mu held and sends the event that f
// describes to the installations on it and to its own hooks.
func (s *Server) changeOrg(org string, opts []EditOption, f func(*account) (event, action string, body object, err error)) error {
	s.mu.Lock()
	o := s.ensureAccount(org, typeOrg)
	if o.Type != typeOrg {
		s.mu.Unlock()
		return fmt.Errorf("change organization %s: it is a user", org)
	}
	event, action, body, err := f(o)
	var to []*Installation
	for _, in := range s.installs {
		if in.account == o && !in.suspended && slices.Contains(in.app.events, event) {
			to = append(to, in)
		}
	}
	e := s.edit(opts)
	if err == nil {
		body["action"], body["organization"] = action, s.orgJSON(o)
		body["sender"] = s.accountJSON(s.ensureAccount(e.actor, typeUser))
	}
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("change organization %s: %w", org, err)
	}
	if e.quiet {
		return nil
	}
	for _, k := range s.hooks.ofAccount(o.ID) {
		if len(k.events) == 0 || slices.Contains(k.events, event) {
			s.report(s.hooks.enqueue(k, event, action, 0, 0, body))
		}
	}
	for _, in := range to {
		copied := object{"installation": object{"id": in.id, "node_id": nodeID("MDIz", in.id)}}
		maps.Copy(copied, body)
		s.report(s.hooks.enqueue(in.app.hook, event, action, in.id, 0, copied))
	}
	return nil
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
