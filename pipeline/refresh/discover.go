package refresh

import (
	"fmt"

	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/match"
	"github.com/callboard/callboard/storage"
)

// provider is how the repositories of an owner are read. Of an owner that no
// provider covers only what locations name is read, on the default branch.
func (s *Step) provider(host, owner string) discovery.Provider {
	p, _ := s.cfg.Policy.For(host, owner, 0)
	return p
}

// Excluded is why a repository is not searched for the catalog pattern; "" for one that is.
func (s *Step) Excluded(r storage.Repository) string {
	reason, _ := s.searched(r)
	return reason
}

// searched says whether a repository is searched for the catalog pattern, and if
// not, why.
func (s *Step) searched(r storage.Repository) (reason string, ok bool) {
	if !r.Discovered {
		return "only locations name it", false
	}
	p, ok := s.cfg.Policy.For(r.Host, r.Owner, 0)
	if !ok {
		return fmt.Sprintf("no entry of catalog.providers.github covers %s", r.Owner), false
	}
	return p.Filter.Admits(discovery.Facts{
		Name: r.Name, Visibility: r.Visibility, Topics: r.Topics, Fork: r.Fork, Archived: r.Archived,
	})
}

// pattern is where descriptors are looked for in an owner's repositories.
func (s *Step) pattern(host, owner string) (*match.Pattern, error) {
	p := s.provider(host, owner)
	if p.CatalogPath == "" {
		return match.Compile(discovery.DefaultPath)
	}
	return match.Compile(p.CatalogPath)
}
