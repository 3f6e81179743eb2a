package localfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/callboard/callboard/pipeline/githubapp"
	"github.com/callboard/callboard/pipeline/match"
)

// maxEntries bounds what a glob may have to look through.
const maxEntries = 100_000

// List implements refresh.Tree. Nobody lists the whole file system: globs are
// looked for below the folder that they name.
func (t *Tree) List(context.Context) ([]githubapp.Entry, error) {
	return nil, errors.New("a file system is not listed whole")
}

// Glob gives the files that a pattern matches. known is false where its folder
// cannot be read or is empty, as that of a volume that is not mounted: then what
// matched before is not gone.
func (t *Tree) Glob(ctx context.Context, p *match.Pattern, work *int) (paths []string, known bool, err error) {
	var all []string
	seen := 0
	err = walk(ctx, p, func(file string, d fs.DirEntry) {
		seen++
		if !d.IsDir() { // also a link, which may lead to a file
			all = append(all, file)
		}
	})
	_, unreadable := errors.AsType[*fs.PathError](err)
	switch {
	case unreadable, err == nil && seen == 0:
		return nil, false, nil
	case err != nil:
		return nil, false, err
	}
	paths, err = match.NewTree(all).Select(ctx, p, work)
	return paths, err == nil, err
}

// walk visits what lies below the folder that a glob names, as deep as it reaches.
func walk(ctx context.Context, p *match.Pattern, visit func(file string, d fs.DirEntry)) error {
	folder := fixed(p.String())
	root, err := os.OpenRoot(filepath.FromSlash("/" + folder))
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	deepest := maxEntries
	if !strings.Contains(p.String(), "**") && !strings.Contains(p.String(), "{") {
		deepest = strings.Count(strings.TrimPrefix(p.String()[len(folder):], "/"), "/") + 1
	}
	entries := 0
	return fs.WalkDir(root.FS(), ".", func(rel string, d fs.DirEntry, err error) error {
		switch {
		case rel == ".":
			return err
		case err != nil:
			return fs.SkipDir // what cannot be read matches nothing
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		if entries++; entries > maxEntries {
			return fmt.Errorf("below /%s are more than %d files: name files and folders more exactly", folder, maxEntries)
		}
		visit(path.Join(folder, rel), d)
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules" || strings.Count(rel, "/")+1 >= deepest) {
			return fs.SkipDir
		}
		return nil
	})
}
