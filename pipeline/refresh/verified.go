package refresh

import (
	"context"
	"time"

	"github.com/callboard/callboard/storage"
)

// verifyEvery is how exact a repository's VerifiedAt is.
const verifyEvery = time.Minute

// verified notes that GitHub showed the head that is applied. Nothing else is
// written for a repository that did not move, and this at most once a minute,
// without the catalog lock.
func (s *Step) verified(ctx context.Context, tx storage.Tx, repo storage.Repository) error {
	now := s.cfg.Now()
	if repo.Version == 0 || repo.State != storage.RepositoryActive || now.Sub(repo.VerifiedAt) < verifyEvery {
		return nil
	}
	return tx.VerifyRepository(ctx, repo.ID, now)
}
