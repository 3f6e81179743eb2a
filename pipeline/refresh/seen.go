package refresh

import (
	"context"
	"errors"

	"github.com/callboard/callboard/pipeline/discovery"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/storage"
)

// tree looks at the repository, or takes what a scan saw of it. That is only
// done for one that has no row: whatever was heard since would have left one,
// also that it is gone (never), and the row that Apply adds fails if one came meanwhile.
func (s *Step) tree(ctx context.Context, req request, stored storage.Repository, files []storage.File, how discovery.Reading) (Tree, error) {
	if req.Seen == nil || stored.Version != 0 || req.Force || req.Gone != "" || req.Seen.Branch != how.Branch {
		return s.find(ctx, req, stored, files, how)
	}
	return &seenTree{
		seen: *req.Seen,
		open: func(ctx context.Context) (Tree, error) { return s.find(ctx, req, stored, files, how) },
	}, nil
}

// errMoved says that what a scan saw is not the head any more.
var errMoved = errors.New("the head moved since the scan")

// seenTree is a tree of which the descriptor is known. It asks GitHub for
// anything else.
type seenTree struct {
	seen  event.Seen
	open  func(ctx context.Context) (Tree, error)
	whole Tree
}

// Facts implements Tree.
func (t *seenTree) Facts() githubapp.Repository {
	if t.whole != nil {
		return t.whole.Facts()
	}
	return githubapp.Repository{
		ID: t.seen.ID, Owner: t.seen.Owner, Name: t.seen.Name, URL: t.seen.URL, DefaultBranch: t.seen.DefaultBranch,
		Visibility: t.seen.Visibility, Archived: t.seen.Archived, Fork: t.seen.Fork, Topics: t.seen.Topics, Head: t.seen.Head,
	}
}

// Lookup implements Tree.
func (t *seenTree) Lookup(ctx context.Context, paths []string) (map[string]githubapp.Object, error) {
	objects := map[string]githubapp.Object{}
	for _, p := range paths {
		switch {
		case t.seen.Head == "": // an empty repository has no files
		case t.seen.Path != "" && p == t.seen.Path:
			if t.seen.BlobSHA != "" {
				objects[p] = githubapp.Object{SHA: t.seen.BlobSHA, Size: t.seen.Size}
			}
		default:
			whole, err := t.ask(ctx)
			if err != nil {
				return nil, err
			}
			return whole.Lookup(ctx, paths)
		}
	}
	return objects, nil
}

// List implements Tree.
func (t *seenTree) List(ctx context.Context) ([]githubapp.Entry, error) {
	if t.seen.Head == "" {
		return nil, nil
	}
	whole, err := t.ask(ctx)
	if err != nil {
		return nil, err
	}
	return whole.List(ctx)
}

// Read implements Tree.
func (t *seenTree) Read(ctx context.Context, objects []githubapp.Object) (map[string][]byte, error) {
	bodies := map[string][]byte{}
	for _, o := range objects {
		if t.seen.Text == nil || o.SHA != t.seen.BlobSHA {
			whole, err := t.ask(ctx)
			if err != nil {
				return nil, err
			}
			return whole.Read(ctx, objects)
		}
		bodies[o.SHA] = []byte(*t.seen.Text)
	}
	return bodies, nil
}

// ask opens the real tree. Its head may have moved on since the scan, and then
// what was answered from memory is of another commit.
func (t *seenTree) ask(ctx context.Context) (Tree, error) {
	if t.whole != nil {
		return t.whole, nil
	}
	whole, err := t.open(ctx)
	if err != nil {
		return nil, err
	}
	if whole.Facts().Head != t.seen.Head {
		return nil, errMoved
	}
	t.whole = whole
	return whole, nil
}
