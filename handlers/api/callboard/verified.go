package callboard

import (
	"context"
	"strings"
	"time"

	"github.com/callboard/callboard/storage"
)

// proofScans is how many of the newest scans are looked at for proofs.
const proofScans = 100

// proof is the account that a complete scan went over.
type proof struct {
	host, owner  string
	installation int64
}

// shown are repositories as the API shows them. A scan writes nothing for a
// repository that it saw unchanged: the row of the scan verifies all of them.
func (a *API) shown(ctx context.Context, repos ...storage.Repository) ([]Repository, error) {
	scans, err := a.store.Scans(ctx, storage.ScanFilter{Kind: storage.ScanRepositories, State: storage.ScanDone, Limit: proofScans})
	if err != nil {
		return nil, err
	}
	last := map[proof]time.Time{}
	for _, s := range scans { // newest first
		of := proof{strings.ToLower(s.Host), strings.ToLower(s.Owner), s.InstallationID}
		if _, newer := last[of]; !newer && s.Complete() && s.Failed == 0 {
			last[of] = s.StartedAt
		}
	}
	out := make([]Repository, len(repos))
	for i, r := range repos {
		at := last[proof{strings.ToLower(r.Host), strings.ToLower(r.Owner), r.InstallationID}]
		if r.Discovered && r.State == storage.RepositoryActive && at.After(r.VerifiedAt) {
			r.VerifiedAt = at
		}
		out[i] = newRepository(r, a.now())
	}
	return out, nil
}
