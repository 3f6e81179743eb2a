package githubapp

import (
	"context"
	"fmt"
	"net/http"

	"github.com/google/go-github/v60/github"
)

// maxTreeRequests bounds the walk of a tree that GitHub truncates.
const maxTreeRequests = 2000

// Entry is a file of a tree. Symbolic links and submodules are not files.
type Entry struct {
	Path string
	Object
}

// List reads the whole tree of the commit: one request, or a walk of the
// sub-trees where GitHub cuts the answer (100,000 entries or 7 MB).
func (s *Snapshot) List(ctx context.Context) ([]Entry, error) {
	if s.listed || s.Head == "" {
		return s.tree, nil
	}
	w := walk{s: s}
	if err := w.tree(ctx, s.Head, ""); err != nil {
		return nil, fmt.Errorf("list the tree of %s/%s at %s: %w", s.Owner, s.Name, s.Head, err)
	}
	s.tree, s.listed = w.entries, true
	for _, e := range w.entries {
		s.objects[e.Path] = e.Object
	}
	return s.tree, nil
}

type walk struct {
	s        *Snapshot
	entries  []Entry
	requests int
}

// tree adds everything below a tree. A recursive answer that is cut is thrown
// away and the folder is read level by level, each of its folders recursively again.
func (w *walk) tree(ctx context.Context, sha, prefix string) error {
	whole, err := w.get(ctx, sha, true)
	if err != nil {
		return err
	}
	if !whole.GetTruncated() {
		w.add(whole.Entries, prefix)
		return nil
	}
	level, err := w.get(ctx, sha, false)
	if err != nil {
		return err
	}
	if level.GetTruncated() {
		return fmt.Errorf("folder %q alone is too long for GitHub to list", prefix)
	}
	w.add(level.Entries, prefix)
	for _, e := range level.Entries {
		if e.GetType() == "tree" {
			if err := w.tree(ctx, e.GetSHA(), prefix+e.GetPath()+"/"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walk) get(ctx context.Context, sha string, recursive bool) (*github.Tree, error) {
	if w.requests++; w.requests > maxTreeRequests {
		return nil, fmt.Errorf("the tree takes more than %d requests", maxTreeRequests)
	}
	tree, res, err := w.s.client.rest.Git.GetTree(ctx, w.s.Owner, w.s.Name, sha, recursive)
	if err != nil {
		if res != nil && res.StatusCode == http.StatusNotFound {
			return nil, ErrNotFound
		}
		return nil, classify(err)
	}
	return tree, nil
}

func (w *walk) add(entries []*github.TreeEntry, prefix string) {
	for _, e := range entries {
		if e.GetType() == "blob" && e.GetMode() != "120000" {
			w.entries = append(w.entries, Entry{
				Path:   prefix + e.GetPath(),
				Object: Object{SHA: e.GetSHA(), Size: int64(e.GetSize())},
			})
		}
	}
}
