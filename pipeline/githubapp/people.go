package githubapp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Page sizes that contract catalog 5.5 gives.
const (
	defaultTeams       = 25
	defaultTeamMembers = 50
	defaultMembers     = 50
)

// PeopleQuery says how the people of an organization are read.
type PeopleQuery struct {
	// Members, Teams and TeamMembers are page sizes, 1 to 100; 0 for the defaults
	// of contract catalog 5.5.
	Members, Teams, TeamMembers int
	// VerifiedEmails asks for the addresses of the organization's verified domains.
	VerifiedEmails bool
	// Suspended asks who is suspended, which not every host knows.
	Suspended bool
}

// People are all members and all teams of an organization.
type People struct {
	// Org is the login as GitHub writes it.
	Org     string
	Members []Member
	Teams   []Team
	// Requests is what they cost.
	Requests int
}

// Member is a member of an organization.
type Member struct {
	Login  string
	ID     int64
	NodeID string
	Name   string
	Bio    string
	// Email is the public address; GitHub tells it only to a plain token.
	Email          string
	VerifiedEmails []string
	AvatarURL      string
	// SuspendedAt is zero for who is not suspended.
	SuspendedAt time.Time
}

// Team is a team of an organization.
type Team struct {
	Slug         string
	CombinedSlug string // org/slug
	Name         string
	Description  string
	AvatarURL    string
	EditTeamURL  string
	Parent       string // slug, "" for none
	// Members are logins, without those of its child teams.
	Members []string
}

// People reads all members and teams of an organization. The answer is complete,
// or it is an error: a part must never look like a small organization.
func (c *Clients) People(ctx context.Context, host, org string, installation int64, q PeopleQuery) (People, error) {
	var out People
	err := c.with(ctx, place{host: host, owner: org, installation: installation}, func(cl *client) error {
		r := census{client: cl, q: q, out: People{Org: org}}
		if err := r.read(ctx, org); err != nil {
			return err
		}
		out = r.out
		return nil
	})
	if err != nil {
		return People{}, fmt.Errorf("read the people of %s: %w", org, err)
	}
	return out, nil
}

// census is one reading of an organization.
type census struct {
	*client
	q   PeopleQuery
	out People
}

func (r *census) read(ctx context.Context, org string) error {
	if err := r.members(ctx, org); err != nil {
		return fmt.Errorf("members: %w", err)
	}
	if err := r.teams(ctx, org); err != nil {
		return fmt.Errorf("teams: %w", err)
	}
	return nil
}

// connection is a page of anything.
type connection[T any] struct {
	TotalCount int
	PageInfo   pageInfo
	Nodes      []*T
}

type memberNode struct {
	ID, Login, Name, Bio, Email, AvatarURL string
	DatabaseID                             int64
	VerifiedEmails                         []string
	SuspendedAt                            *time.Time
}

func (r *census) members(ctx context.Context, org string) error {
	fields := "id databaseId login name bio avatarUrl"
	if r.plain {
		fields += " email" // an App may not see it
	}
	if r.q.VerifiedEmails {
		fields += " verifiedEmails:organizationVerifiedDomainEmails(login:$org)"
	}
	if r.q.Suspended {
		fields += " suspendedAt"
	}
	nodes, err := pages(ctx, r, org, pageOf(r.q.Members, defaultMembers), "membersWithRole", "", fields,
		func(n *memberNode) string { return n.ID })
	for _, n := range nodes {
		m := Member{
			Login: n.Login, ID: n.DatabaseID, NodeID: n.ID, Name: n.Name, Bio: n.Bio, Email: n.Email,
			VerifiedEmails: n.VerifiedEmails, AvatarURL: n.AvatarURL,
		}
		if n.SuspendedAt != nil {
			m.SuspendedAt = *n.SuspendedAt
		}
		r.out.Members = append(r.out.Members, m)
	}
	return err
}

type loginNode struct{ Login string }

type teamNode struct {
	Slug, CombinedSlug, Name, Description, AvatarURL, EditTeamURL string
	ParentTeam                                                    *struct{ Slug string }
	Members                                                       connection[loginNode]
}

func (r *census) teams(ctx context.Context, org string) error {
	size := pageOf(r.q.TeamMembers, defaultTeamMembers)
	fields := fmt.Sprintf("slug combinedSlug name description avatarUrl editTeamUrl parentTeam{slug} "+
		"members(first:%d,membership:IMMEDIATE){totalCount pageInfo{hasNextPage endCursor}nodes{login}}", size)
	nodes, err := pages(ctx, r, org, pageOf(r.q.Teams, defaultTeams), "teams", "", fields,
		func(n *teamNode) string { return n.Slug })
	if err != nil {
		return err
	}
	for _, n := range nodes {
		t := Team{
			Slug: n.Slug, CombinedSlug: n.CombinedSlug, Name: n.Name, Description: n.Description,
			AvatarURL: n.AvatarURL, EditTeamURL: n.EditTeamURL,
		}
		if n.ParentTeam != nil {
			t.Parent = n.ParentTeam.Slug
		}
		if t.Members, err = r.teamMembers(ctx, org, n, size); err != nil {
			return fmt.Errorf("members of team %s: %w", n.Slug, err)
		}
		r.out.Teams = append(r.out.Teams, t)
	}
	return nil
}

// teamMembers takes those that came with the team, or reads them all where there
// are more.
func (r *census) teamMembers(ctx context.Context, org string, team *teamNode, size int) ([]string, error) {
	all := tally[loginNode]{key: func(n *loginNode) string { return n.Login }}
	done, err := all.add(&team.Members, "")
	if err == nil && !done {
		all.nodes, err = pages(ctx, r, org, size, "members", team.Slug, "login", all.key)
	}
	var logins []string
	for _, n := range all.nodes {
		logins = append(logins, n.Login)
	}
	return logins, err
}

func pageOf(asked, otherwise int) int {
	if asked <= 0 {
		return otherwise
	}
	return min(asked, 100)
}

// pages reads a whole connection of the organization, or of one of its teams. A
// page that is too heavy is asked for again with half the size.
func pages[T any](ctx context.Context, r *census, org string, size int, list, team, fields string, key func(*T) string) ([]*T, error) {
	all := tally[T]{key: key}
	for after, n := "", 0; ; n++ {
		if n > maxPages {
			return nil, fmt.Errorf("more than %d pages", maxPages)
		}
		page, err := readPage[T](ctx, r, org, size, list, team, fields, after)
		if errors.Is(err, ErrTooHeavy) && size > 1 {
			size = (size + 1) / 2
			continue
		}
		if err != nil {
			return nil, err
		}
		done, err := all.add(page, after)
		if done || err != nil {
			return all.nodes, err
		}
		after = page.PageInfo.EndCursor
	}
}

// readPage asks for one page of a connection.
func readPage[T any](ctx context.Context, r *census, org string, size int, list, team, fields, after string) (*connection[T], error) {
	vars := map[string]any{"org": org, "first": size}
	declare, args := "query($org:String!,$first:Int!", "first:$first"
	if after != "" {
		vars["after"] = after
		declare, args = declare+",$after:String!", args+",after:$after"
	}
	open, end := "", ""
	if team != "" {
		vars["team"] = team
		declare, args = declare+",$team:String!", args+",membership:IMMEDIATE"
		open, end = "team(slug:$team){", "}"
	}
	text := declare + "){rateLimit{cost}organization(login:$org){login " + open + "list:" + list + "(" + args +
		"){totalCount pageInfo{hasNextPage endCursor}nodes{" + fields + "}}" + end + "}}"
	type lists struct{ List *connection[T] }
	var answer struct {
		RateLimit    costNode
		Organization *struct {
			Login string
			lists
			Team *lists
		}
	}
	r.out.Requests++
	errs, err := r.post(ctx, text, vars, &answer)
	if err != nil {
		return nil, err
	}
	r.charge(ctx, answer.RateLimit)
	found := answer.Organization
	switch {
	case len(errs) > 0:
		return nil, peopleError(errs[0])
	case found == nil:
		return nil, fmt.Errorf("%w: it does not show the organization", errBroken)
	case team != "" && found.Team != nil:
		found.lists = *found.Team
	}
	if r.out.Org = found.Login; found.List == nil {
		return nil, fmt.Errorf("%w: it does not show the %s", errBroken, list)
	}
	return found.List, nil
}

// peopleError says what to do about what may not be read.
func peopleError(e graphqlError) error {
	if e.Type == "FORBIDDEN" || e.Type == "INSUFFICIENT_SCOPES" || strings.Contains(e.Message, "not accessible by integration") {
		return fmt.Errorf("%w: %s (the App needs the permission members: read, a token the scope read:org)", ErrForbidden, e.Message)
	}
	return e
}
