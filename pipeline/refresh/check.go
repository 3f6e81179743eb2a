package refresh

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// Checked is a file as a refresh would read it.
type Checked struct {
	storage.File
	Declarations []entity.Declaration
}

// Check reads a tree exactly as a refresh does, and writes nothing: the same
// pattern, Locations, placeholders and limits. paths are files to read besides
// those that the pattern matches, as if they were registered; with only set,
// instead of them.
func Check(ctx context.Context, cfg Config, hosts []string, tree Tree, paths []string, only bool) ([]Checked, error) {
	s := New(cfg, nil, offline{hosts}, slog.New(slog.DiscardHandler))
	facts := tree.Facts()
	repo := storage.Repository{
		ID: facts.ID, Host: hosts[0], Owner: facts.Owner, Name: facts.Name, HTMLURL: facts.URL,
		DefaultBranch: facts.DefaultBranch, AppliedSHA: facts.Head,
	}
	c := newCrawl(s, tree, repo, nil)
	if !only {
		c.patterns = discovery.Paths(cfg.Policy.Covering(s.account(repo.Host, repo.Owner)))
	}
	for _, p := range paths {
		c.locations = append(c.locations, storage.Location{Path: p, Origin: "url:" + fileURL(repo, "blob", p)})
	}
	if err := c.run(ctx); err != nil {
		return nil, err
	}
	var out []Checked
	for _, r := range c.changed {
		written := slices.DeleteFunc(r.declarations, func(d entity.Declaration) bool { return d.Document < 0 })
		out = append(out, Checked{File: r.File, Declarations: written})
	}
	slices.SortFunc(out, func(a, b Checked) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// offline stands where GitHub would: a check needs only the names of the hosts.
type offline struct{ hosts []string }

func (o offline) Hosts() []string { return o.hosts }

func (offline) Open(context.Context, githubapp.Name, []string) (Tree, error) {
	return nil, githubapp.ErrNotFound
}

func (offline) AppsOn(string, string) []int64 { return nil }

func (offline) LearnApps(context.Context, string) error { return nil }

func (offline) Covered(context.Context, githubapp.Name) (bool, error) { return false, nil }

func (offline) Moved(context.Context, githubapp.Name, string, string) (bool, error) {
	return false, githubapp.ErrNotFound
}
