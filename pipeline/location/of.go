package location

import (
	"context"
	"strings"

	"github.com/callboard/callboard/storage"
)

// Of are the locations that lead to a repository: those that name it as it is
// called now, and those that name it as it was called before.
func Of(ctx context.Context, r storage.Reader, repo storage.Repository) ([]storage.Location, error) {
	all, err := r.RepositoryLocations(ctx, repo.Host, repo.Owner, repo.Name)
	if err != nil {
		return nil, err
	}
	for _, was := range repo.Former {
		owner, name, _ := strings.Cut(was, "/")
		more, err := r.RepositoryLocations(ctx, repo.Host, owner, name)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}
