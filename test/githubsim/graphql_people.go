package githubsim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/callboard/callboard/test/githubsim/graphql"
)

// accountNode is a User or an Organization.
type accountNode struct {
	q *query
	a *account
}

func (n *accountNode) Type() string { return n.a.Type }

// Field implements graphql.Object.
func (n *accountNode) Field(name string, args graphql.Args) (any, error) {
	s, a := n.q.s, n.a
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch name {
	case "id":
		return a.nodeID(), nil
	case "databaseId":
		return a.ID, nil
	case "login":
		return a.Login, nil
	case "name":
		return null(a.Name), nil
	case "email":
		if a.Type == typeUser && n.q.who.token.inst != nil {
			return nil, &graphql.Error{Kind: "FORBIDDEN", Message: "Resource not accessible by integration"}
		}
		return a.Email, nil
	case "url":
		return s.base + "/" + a.Login, nil
	case "avatarUrl":
		return fmt.Sprintf("%s/avatars/u/%d", s.base, a.ID), nil
	case "repositories":
		return n.repositories(args)
	case "repository":
		r, _, err := s.find(a.Login + "/" + args.String("name"))
		if err != nil || !n.q.who.mayRead(r) || s.concealed(r) {
			return nil, nil
		}
		return &repoNode{n.q, r}, nil
	}
	if a.Type == typeOrg {
		return n.org(name, args)
	}
	switch name {
	case "bio":
		return null(a.Bio), nil
	case "suspendedAt":
		if a.suspended {
			return stamp(s.now()), nil
		}
		return nil, nil
	case "organizationVerifiedDomainEmails":
		out := []any{}
		if o, err := s.lookup(args.String("login"), typeOrg); err == nil && o.members[key(a.Login)] != "" {
			for _, email := range a.verifiedEmails {
				out = append(out, email)
			}
		}
		return out, nil
	}
	return nil, graphql.ErrNoField
}

// repositories lists what the caller may see; mu is held.
func (n *accountNode) repositories(args graphql.Args) (any, error) {
	repos := n.q.s.visible(n.q.who, func(r *Repo) bool {
		if r.owner != n.a {
			return false
		}
		if p := args.String("privacy"); p != "" && !strings.EqualFold(p, r.visibility()) {
			return false
		}
		if _, set := args["isArchived"].(bool); set && args.Bool("isArchived", false) != r.archived {
			return false
		}
		_, set := args["isFork"].(bool)
		return !set || args.Bool("isFork", false) == r.fork
	})
	if order := args.Map("orderBy"); order != nil {
		sortRepos(repos, order.String("field"), order.String("direction") == "DESC")
	}
	return connection(n.q, "Repository", repos, args, func(r *Repo) any {
		if hidden(n.q.s.listing.Unreadable, r.fullName()) {
			return &graphql.Error{Kind: "FORBIDDEN", Message: "Resource protected by organization SAML enforcement. You must grant your token access to this organization."}
		}
		return &repoNode{n.q, r}
	})
}

// org are the fields of an organisation's people; mu is held.
func (n *accountNode) org(name string, args graphql.Args) (any, error) {
	switch name {
	case "description":
		return nil, nil
	case "membersWithRole":
		return connection(n.q, "OrganizationMember", n.q.s.listedMembers(n.a.memberLogins()), args, func(login string) any {
			return &accountNode{n.q, n.q.s.accounts[login]}
		})
	case "teams":
		return connection(n.q, "Team", n.q.s.listedTeams(n.a.teams), args, func(t *team) any { return &teamNode{n.q, n.a, t} })
	case "team":
		if t := n.a.team(args.String("slug")); t != nil {
			return &teamNode{n.q, n.a, t}, nil
		}
		return nil, nil
	}
	return nil, graphql.ErrNoField
}

// teamNode is a Team.
type teamNode struct {
	q   *query
	org *account
	t   *team
}

func (n *teamNode) Type() string { return "Team" }

// Field implements graphql.Object.
func (n *teamNode) Field(name string, args graphql.Args) (any, error) {
	s, t := n.q.s, n.t
	s.mu.RLock()
	defer s.mu.RUnlock()
	url := s.base + "/orgs/" + n.org.Login + "/teams/" + t.Slug
	switch name {
	case "id":
		return nodeID("T", t.ID), nil
	case "databaseId":
		return t.ID, nil
	case "slug":
		return t.Slug, nil
	case "combinedSlug":
		return n.org.Login + "/" + t.Slug, nil
	case "name":
		return t.Name, nil
	case "description":
		return null(t.Description), nil
	case "url":
		return url, nil
	case "privacy":
		return "VISIBLE", nil
	case "editTeamUrl":
		return url + "/edit", nil
	case "avatarUrl":
		return fmt.Sprintf("%s/avatars/t/%d", s.base, t.ID), nil
	case "organization":
		return &accountNode{n.q, n.org}, nil
	case "parentTeam":
		if t.parent == nil {
			return nil, nil
		}
		return &teamNode{n.q, n.org, t.parent}, nil
	case "members":
		all := !strings.EqualFold(args.String("membership"), "IMMEDIATE")
		return connection(n.q, "TeamMember", s.listedMembers(n.org.teamMembers(t, all)), args, func(login string) any {
			return &accountNode{n.q, s.accounts[login]}
		})
	}
	return nil, graphql.ErrNoField
}

// teamMembers lists the members of a team, with those of its children where
// all is set, sorted; mu is held.
func (a *account) teamMembers(t *team, all bool) []string {
	set := map[string]bool{}
	for _, other := range a.teams {
		if other == t || all && other.within(t) {
			for login := range other.members {
				set[login] = true
			}
		}
	}
	out := make([]string, 0, len(set))
	for login := range set {
		out = append(out, login)
	}
	slices.Sort(out)
	return out
}
