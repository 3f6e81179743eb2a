package githubsim

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/callboard/callboard/test/githubsim/graphql"
)

// ListingFaults spoil what lists show, as on a day when GitHub forgets half of
// an organisation. The functions are called with the server locked: they must
// not ask it anything.
type ListingFaults struct {
	// Hide leaves repositories (owner/name) out of every list, total counts
	// included; with Reads they are not found when asked for alone either.
	Hide  func(fullName string) bool
	Reads bool
	// Unreadable repositories are listed by GraphQL as null beside an error, as
	// when an organisation wants single sign-on.
	Unreadable func(fullName string) bool
	// HideMember (login) and HideTeam (slug) do the same to lists of people.
	HideMember, HideTeam func(name string) bool
	// Empty shows pages with nothing on them and none after them. The total
	// counts are as ever.
	Empty bool
	// Total changes the total counts: they lie.
	Total func(int) int
	// MaxPage is the largest page that is answered, 0 for any. A larger one is
	// refused with TooHeavy: 502 when not set, 504, or 200, which stands for
	// GraphQL's RESOURCE_LIMITS_EXCEEDED.
	MaxPage, TooHeavy int
}

// SetListingFaults spoils lists of repositories, members and teams from now on;
// the zero value, like ClearFaults, makes them honest again.
func (s *Server) SetListingFaults(f ListingFaults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listing = f
}

func hidden(hide func(string) bool, name string) bool { return hide != nil && hide(name) }

// concealed says whether a repository is hidden from single reads too; mu is held.
func (s *Server) concealed(r *Repo) bool {
	return s.listing.Reads && hidden(s.listing.Hide, r.fullName())
}

func (f ListingFaults) total(n int) int {
	if f.Total != nil {
		return f.Total(n)
	}
	return n
}

// heavy is the status for a page of n, 0 where it is small enough.
func (f ListingFaults) heavy(n int) int {
	if f.MaxPage == 0 || n <= f.MaxPage {
		return 0
	}
	if f.TooHeavy == 0 {
		return http.StatusBadGateway
	}
	return f.TooHeavy
}

// listings are the GraphQL connections that listing faults are about.
var listings = []string{"Repository", "OrganizationMember", "Team", "TeamMember"}

// listing is the fault of a connection with a page of n; mu is held where the
// connection is a listing.
func (q *query) listing(name string, n int) (ListingFaults, error) {
	if !slices.Contains(listings, name) {
		return ListingFaults{}, nil
	}
	f := q.s.listing
	status := f.heavy(n)
	if status == 0 {
		return f, nil
	}
	if status != http.StatusOK {
		q.failed = status
	}
	return f, &graphql.Error{
		Kind:    "RESOURCE_LIMITS_EXCEEDED",
		Message: fmt.Sprintf("Resource limits for this query exceeded: %d of the `%s` connection.", n, name),
	}
}

// visible lists the repositories that somebody may see; mu is held.
func (s *Server) visible(who principal, want func(*Repo) bool) []*Repo {
	var out []*Repo
	for _, r := range s.order {
		if want(r) && who.mayRead(r) && !hidden(s.listing.Hide, r.fullName()) {
			out = append(out, r)
		}
	}
	return out
}

// repoOrders are GitHub's orders of repositories: REST's and GraphQL's words.
var repoOrders = map[string]func(a, b *Repo) int{
	"full_name": func(a, b *Repo) int { return strings.Compare(key(a.fullName()), key(b.fullName())) },
	"name":      func(a, b *Repo) int { return strings.Compare(key(a.name), key(b.name)) },
	"pushed":    func(a, b *Repo) int { return a.pushedAt.Compare(b.pushedAt) },
	"updated":   func(a, b *Repo) int { return a.updatedAt.Compare(b.updatedAt) },
	"created":   func(a, b *Repo) int { return a.createdAt.Compare(b.createdAt) },
}

// sortRepos orders by one of repoOrders, equal ones by id; mu is held.
func sortRepos(repos []*Repo, order string, descending bool) {
	by := repoOrders[strings.ToLower(strings.TrimSuffix(order, "_AT"))]
	if by == nil {
		return
	}
	slices.SortFunc(repos, func(a, b *Repo) int {
		c := cmp.Or(by(a, b), cmp.Compare(a.id, b.id))
		if descending {
			return -c
		}
		return c
	})
}

// listedMembers are members as lists show them; mu is held.
func (s *Server) listedMembers(logins []string) []string {
	return slices.DeleteFunc(logins, func(l string) bool { return hidden(s.listing.HideMember, l) })
}

// listedTeams are teams as lists show them; mu is held.
func (s *Server) listedTeams(teams []*team) []*team {
	return slices.DeleteFunc(slices.Clone(teams), func(t *team) bool { return hidden(s.listing.HideTeam, t.Slug) })
}
