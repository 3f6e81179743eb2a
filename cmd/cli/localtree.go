package cli

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/localfile"
)

// localTree is a directory seen as a repository at one commit. It is read
// through os.Root, so that no link leads out of it.
type localTree struct {
	root   *os.Root
	limit  int // longer files are not read: their size is told
	facts  githubapp.Repository
	bySHA  map[string]string // blob SHA → path
	listed []githubapp.Entry
}

func openLocalTree(dir string, limit int) (*localTree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	name := filepath.Base(abs)
	return &localTree{
		root: root, limit: limit, bySHA: map[string]string{},
		facts: githubapp.Repository{
			ID: 1, Owner: "local", Name: name, DefaultBranch: "main", Head: "local",
			URL: "https://" + githubapp.DefaultHost + "/local/" + name,
		},
	}, nil
}

// Close lets the directory go.
func (t *localTree) Close() { _ = t.root.Close() }

// Facts implements refresh.Tree.
func (t *localTree) Facts() githubapp.Repository { return t.facts }

// Lookup implements refresh.Tree.
func (t *localTree) Lookup(_ context.Context, paths []string) (map[string]githubapp.Object, error) {
	found := map[string]githubapp.Object{}
	for _, p := range paths {
		info, err := t.root.Stat(filepath.FromSlash(p))
		if err != nil || !info.Mode().IsRegular() {
			continue // a pipe or device would block for ever
		}
		if info.Size() > int64(t.limit) {
			found[p] = githubapp.Object{SHA: "too-large:" + p, Size: info.Size()}
			continue
		}
		body, err := t.root.ReadFile(filepath.FromSlash(p))
		if err != nil {
			return nil, err
		}
		found[p] = t.object(p, body)
	}
	return found, nil
}

// object names a body as Git does.
func (t *localTree) object(path string, body []byte) githubapp.Object {
	sha := localfile.BlobSHA(body)
	t.bySHA[sha] = path
	return githubapp.Object{SHA: sha, Size: int64(len(body))}
}

// List implements refresh.Tree. Folders that nobody commits are left out.
func (t *localTree) List(ctx context.Context) ([]githubapp.Entry, error) {
	if t.listed != nil {
		return t.listed, nil
	}
	t.listed = []githubapp.Entry{}
	err := fs.WalkDir(t.root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules"):
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		t.listed = append(t.listed, githubapp.Entry{Path: path})
		return nil
	})
	return t.listed, err
}

// Read implements refresh.Tree.
func (t *localTree) Read(_ context.Context, objects []githubapp.Object) (map[string][]byte, error) {
	bodies := map[string][]byte{}
	for _, o := range objects {
		body, err := t.root.ReadFile(filepath.FromSlash(t.bySHA[o.SHA]))
		if err != nil {
			return nil, err
		}
		bodies[o.SHA] = body
	}
	return bodies, nil
}
