package githubapp

import (
	"context"
	"errors"
	"time"
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
	_, _, _, _, _ = ctx, host, org, installation, q
	return People{}, errors.New("reading people is not built yet")
}
