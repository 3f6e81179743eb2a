// Package localfile reads the files of the machine itself that catalog.locations
// names (contract catalog 3.1 and 3.3), and notices when they change.
//
// What the configuration names is the operator's own, and may be anything. What
// such files name in turn is read only below the folders of the locations, and no
// link leads out of these. The package does not know what a descriptor means: a
// refresh reads the files through it as it reads a repository.
//
//	tree := localfile.Open(locations, 5<<20)
//	defer tree.Close()
//	objects, err := tree.Lookup(ctx, []string{"srv/catalog/all.yaml"}) // paths without their first slash
package localfile

import (
	"cmp"
	"context"
	"crypto/sha1" //nolint:gosec // Git names blobs by SHA-1
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/match"
	"github.com/callboard/callboard/storage"
)

// Tree is the file system as far as locations let it be read. Its paths are
// absolute ones without their first slash.
type Tree struct {
	limit   int64
	own     map[string]bool // paths that the configuration names
	folders []string        // what lies below may be named by files
	roots   map[string]*os.Root
	faults  map[string]string
	bySHA   map[string]string
}

// Open is the tree of some locations. Longer files than limit are not read.
func Open(locations []storage.Location, limit int) *Tree {
	t := &Tree{
		limit: int64(limit), own: map[string]bool{}, roots: map[string]*os.Root{}, faults: map[string]string{}, bySHA: map[string]string{},
	}
	for _, l := range locations {
		folder := fixed(l.Path)
		if folder == l.Path {
			t.own[l.Path] = true
			folder = path.Dir(l.Path)
		}
		if folder == "." {
			folder = ""
		}
		t.folders = append(t.folders, folder)
	}
	slices.SortFunc(t.folders, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	t.folders = slices.Compact(t.folders)
	return t
}

// Close lets the folders go.
func (t *Tree) Close() {
	for _, r := range t.roots {
		_ = r.Close()
	}
}

// fixed is the part of a glob that names a folder, or the whole of a plain path.
func fixed(glob string) string {
	if p, err := match.Compile(glob); err == nil {
		if plain, ok := p.Plain(); ok {
			return plain
		}
	}
	folder := glob[:strings.IndexAny(glob+"*", "*?{[")]
	return folder[:max(0, strings.LastIndexByte(folder, '/'))]
}

// Facts implements refresh.Tree: there are none.
func (t *Tree) Facts() githubapp.Repository { return githubapp.Repository{} }

// Fault is why a file that was looked up is there and cannot be read, "" for others.
func (t *Tree) Fault(path string) string { return t.faults[path] }

// Lookup implements refresh.Tree.
func (t *Tree) Lookup(ctx context.Context, paths []string) (map[string]githubapp.Object, error) {
	found := map[string]githubapp.Object{}
	for _, p := range paths {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		delete(t.faults, p)
		body, size, err := t.read(p)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			t.faults[p] = err.Error()
		case size > t.limit:
			found[p] = githubapp.Object{SHA: "too-large:" + p, Size: size}
		default:
			sha := BlobSHA(body)
			found[p], t.bySHA[sha] = githubapp.Object{SHA: sha, Size: size}, p
		}
	}
	return found, nil
}

// Read implements refresh.Tree.
func (t *Tree) Read(ctx context.Context, objects []githubapp.Object) (map[string][]byte, error) {
	bodies := map[string][]byte{}
	for _, o := range objects {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		p := t.bySHA[o.SHA]
		body, _, err := t.read(p)
		if err == nil && BlobSHA(body) != o.SHA {
			err = errors.New("it is being written")
		}
		if err != nil {
			return nil, fmt.Errorf("read /%s: %w", p, err)
		}
		bodies[o.SHA] = body
	}
	return bodies, nil
}

var (
	errOutside   = errors.New("it lies outside the folders of catalog.locations; name it there")
	errIrregular = errors.New("it is not a regular file")
)

// read gives a file, or only its size when that is too large.
func (t *Tree) read(p string) (body []byte, size int64, err error) {
	f, err := t.open(p)
	if err != nil {
		if inner, ok := errors.AsType[*fs.PathError](err); ok {
			err = inner.Err
		}
		return nil, 0, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, 0, err
	case !info.Mode().IsRegular():
		return nil, 0, errIrregular
	case info.Size() > t.limit:
		return nil, info.Size(), nil
	}
	body, err = io.ReadAll(io.LimitReader(f, t.limit+1)) // it may grow meanwhile
	return body, int64(len(body)), err
}

// open opens without waiting: a pipe would keep us until somebody writes to it.
func (t *Tree) open(p string) (*os.File, error) {
	const flags = os.O_RDONLY | syscall.O_NONBLOCK
	if t.own[p] {
		return os.OpenFile(filepath.FromSlash("/"+p), flags, 0)
	}
	for _, folder := range t.folders {
		rel, below := strings.CutPrefix(p, folder+"/")
		if folder == "" {
			rel, below = p, true
		}
		if !below {
			continue
		}
		root, err := t.root(folder)
		if err != nil {
			return nil, err
		}
		return root.OpenFile(filepath.FromSlash(rel), flags, 0)
	}
	return nil, errOutside
}

func (t *Tree) root(folder string) (*os.Root, error) {
	if r, ok := t.roots[folder]; ok {
		return r, nil
	}
	r, err := os.OpenRoot(filepath.FromSlash("/" + folder))
	if err == nil {
		t.roots[folder] = r
	}
	return r, err
}

// BlobSHA names a body as Git does.
func BlobSHA(body []byte) string {
	h := sha1.New() //nolint:gosec // Git names blobs by SHA-1
	fmt.Fprintf(h, "blob %d\x00", len(body))
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}
