package people

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/storage"
)

// maxDoubts is how many members and teams a look asks for one by one. Where more
// than that are missing, somebody has to say that it is right.
const maxDoubts = 20

// errDisagree is a GitHub whose answers cannot all be true.
var errDisagree = errors.New("GitHub's lists and its single answers disagree")

// doubt decides about what a look would take away, and says how many requests
// that cost. What somebody approved may go, if it is all among what was shown.
// Else little may go, and of what the lists lack nothing that GitHub still has
// when it is asked for it alone: a list may be short and say that it is complete.
func (s *Step) doubt(ctx context.Context, req request, p Provider, source storage.Repository, change Change, orgs []githubapp.People) (tooMany bool, requests int, err error) {
	gone := change.Removed()
	if approved, err := s.approved(ctx, req, source, gone); approved || err != nil {
		return false, 0, err
	}
	lost := unlisted(orgs, gone)
	share := s.cfg.MaxRemovedShare * float64(len(gone)+change.Keeps())
	if len(lost) > maxDoubts || len(gone) > s.cfg.MaxRemovedEntities && float64(len(gone)) > share {
		return true, 0, nil
	}
	for _, org := range orgs {
		whom := within(org.Org, lost)
		if len(whom) == 0 {
			continue
		}
		// Who is listed shows that a no means something.
		control := memberPath(org.Members[0].Login)
		whom = append(whom, control)
		requests += len(whom)
		present, err := s.github.Present(ctx, p.Host, org.Org, whom)
		if err != nil {
			return false, requests, explain(p.Host, org.Org, err)
		}
		for _, who := range whom {
			if present[who] != (who == control) {
				return false, requests, fmt.Errorf("%w about %s of %s: nothing is removed; it is asked again later", errDisagree, who, org.Org)
			}
		}
	}
	return false, requests, nil
}

// approved says whether somebody let all of these go.
func (s *Step) approved(ctx context.Context, req request, source storage.Repository, gone []string) (bool, error) {
	if !req.Released {
		return false, nil
	}
	scan, err := s.store.Scan(ctx, req.Scan)
	if errors.Is(err, storage.ErrNotFound) || err == nil && scan.State != storage.ScanRunning {
		return false, nil // what it holds now is not what was approved
	}
	if err != nil {
		return false, err
	}
	holds, err := s.store.Holds(ctx, scan.ID)
	if err != nil {
		return false, err
	}
	var shown []string
	for _, h := range holds {
		if h.RepositoryID != source.ID {
			continue
		}
		if err := json.Unmarshal(h.Payload, &shown); err != nil {
			return false, fmt.Errorf("read what scan %s showed: %w", scan.ID, err)
		}
	}
	return !slices.ContainsFunc(gone, func(path string) bool { return !slices.Contains(shown, path) }), nil
}

// unlisted are the paths of what GitHub's lists lack. Who is listed and goes all
// the same is left out on purpose.
func unlisted(orgs []githubapp.People, gone []string) (lost []string) {
	listed := map[string]bool{}
	for _, org := range orgs {
		for _, m := range org.Members {
			listed[memberPath(m.Login)] = true
		}
	}
	for _, path := range gone {
		if !listed[path] {
			lost = append(lost, path)
		}
	}
	return lost
}

// within are the members and teams behind paths as they are called in an
// organization. Members may be those of any, teams of others are left out.
func within(org string, paths []string) (whom []string) {
	for _, p := range paths {
		if strings.HasPrefix(p, "members/") {
			whom = append(whom, p)
		} else if path.Dir(p) == path.Dir(teamPath(org, "team")) {
			whom = append(whom, "teams/"+path.Base(p))
		}
	}
	return whom
}
