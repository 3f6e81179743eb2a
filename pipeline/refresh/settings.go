package refresh

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/callboard/callboard/storage"
)

// settings names everything besides the tree that decides what its files are
// read to: a rename or another default branch changes every URL.
func (s *Step) settings(r storage.Repository) string {
	how, _, searched := s.searched(r)
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%q\n%s\n%v %v\n%+v\n%s\n%s\n%v\n%s\n%s", processing,
		how.Paths, how.Branch, searched, s.abandoned(r), s.cfg.Limits, r.HTMLURL, r.DefaultBranch, s.github.Hosts(),
		s.cfg.Rules, s.cfg.Owner))
	return hex.EncodeToString(sum[:8])
}

// Current says that a repository was read under the settings of now. While it is
// not known which Apps are installed on its account, those settings will do that
// would be right for any of them: the next scan knows.
func (s *Step) Current(r storage.Repository) bool {
	if r.SettingsHash == s.settings(r) {
		return true
	}
	apps := s.cfg.Policy.Apps(r.Host)
	if len(apps) == 0 || s.github.AppsOn(r.Host, r.Owner) != nil {
		return false
	}
	supposed := *s
	for i := range len(apps) + 1 {
		supposed.github = suppose{s.github, slices.Clone(apps[i:min(i+1, len(apps))])}
		if r.SettingsHash == supposed.settings(r) {
			return true
		}
	}
	return false
}

// suppose is a GitHub on which certain Apps are installed on every account.
type suppose struct {
	GitHub
	apps []int64
}

// AppsOn implements GitHub.
func (s suppose) AppsOn(string, string) []int64 { return append([]int64{}, s.apps...) }

// Outdated are the repositories that were read under other settings: other rules, another pattern. Without it they would stay as they
// are until their next push.
func (s *Step) Outdated(ctx context.Context) ([]storage.Repository, error) {
	repos, err := s.store.Repositories(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(repos, func(r storage.Repository) bool {
		return r.ID < 0 || r.State != storage.RepositoryActive || r.AppliedSHA == "" || s.Current(r)
	}), nil
}
