package githubsim

import (
	"fmt"
	"slices"
	"strings"
)

// defaultUser acts where nobody else is named.
const defaultUser = "octo-dev"

const (
	typeUser = "User"
	typeOrg  = "Organization"
)

// account is a user or an organisation.
type account struct {
	ID    int64
	Login string
	Type  string
	Name  string
	Email string
	Bio   string

	verifiedEmails []string
	// suspended users still are members; on Enterprise Server only.
	suspended bool
	// members of an organisation: lower-case login to role (admin, member).
	members map[string]string
	teams   []*team
}

// team is a team of an organisation.
type team struct {
	ID                      int64
	Name, Slug, Description string
	parent                  *team
	members                 map[string]string // login to role (maintainer, member)
}

// within says whether a team is another or below it.
func (t *team) within(above *team) bool {
	for ; t != nil; t = t.parent {
		if t == above {
			return true
		}
	}
	return false
}

// account finds or makes an account; mu need not be held.
func (s *Server) account(login, kind string) *account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ensureAccount(login, kind)
}

// ensureAccount is account with mu held.
func (s *Server) ensureAccount(login, kind string) *account {
	if a := s.accounts[key(login)]; a != nil {
		return a
	}
	a := &account{ID: s.id(), Login: login, Type: kind, Name: login}
	if kind == typeOrg {
		a.members = map[string]string{}
	}
	s.accounts[key(login)] = a
	return a
}

// AddOrg makes an organisation. A repository's unknown owner becomes one too.
func (s *Server) AddOrg(login, name string) {
	a := s.account(login, typeOrg)
	s.mu.Lock()
	defer s.mu.Unlock()
	a.Name = name
}

// User describes a user account.
type User struct {
	Login, Name, Email, Bio string
	// VerifiedEmails are those at domains that the organisation has verified.
	// Email is the one on the profile, which only a personal token sees.
	VerifiedEmails []string
	// Suspended users, on Enterprise Server, still are members.
	Suspended bool
}

// AddUser makes a user, or changes one.
func (s *Server) AddUser(u User) {
	a := s.account(u.Login, typeUser)
	s.mu.Lock()
	defer s.mu.Unlock()
	a.Name, a.Email, a.Bio, a.suspended = u.Name, u.Email, u.Bio, u.Suspended
	a.verifiedEmails = slices.Clone(u.VerifiedEmails)
}

// lookup finds an account of a kind ("" for any); mu is held.
func (s *Server) lookup(login, kind string) (*account, error) {
	a := s.accounts[key(login)]
	if a == nil || kind != "" && a.Type != kind {
		return nil, fmt.Errorf("account %s: %w", login, errNotFound)
	}
	return a, nil
}

// slug is how GitHub makes a team's slug from its name.
func slug(name string) string {
	parts := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_'
	})
	return strings.Join(parts, "-")
}

// memberLogins lists an organisation's members sorted; mu is held.
func (a *account) memberLogins() []string {
	out := make([]string, 0, len(a.members))
	for login := range a.members {
		out = append(out, login)
	}
	slices.Sort(out)
	return out
}

func (a *account) team(slug string) *team {
	for _, t := range a.teams {
		if t.Slug == slug {
			return t
		}
	}
	return nil
}
