package gitrepo

import (
	"fmt"
	"io"
	"path"
	"sort"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Signature is who did something and when.
type Signature struct {
	Name, Email string
	When        time.Time
}

// Commit is one commit.
type Commit struct {
	SHA, Tree string
	Parents   []string
	Message   string
	Author    Signature
	Committer Signature
}

// Entry is a file, directory, link or submodule of a tree.
type Entry struct {
	// Name is the last part of Path; Path is relative to the walked tree.
	Name, Path string
	// Mode as Git prints it: 100644, 100755, 120000, 040000, 160000.
	Mode string
	// Type is blob, tree or commit.
	Type string
	SHA  string
	// Size of a blob in bytes; filled by Walk only.
	Size int64
}

// peel follows annotated tags to the commit; mu is held.
func (r *Repo) peel(sha string) (string, error) {
	for range 10 {
		if r.commits[sha] != nil {
			return sha, nil
		}
		o, err := r.object(plumbing.AnyObject, sha)
		if err != nil {
			return "", err
		}
		switch o.Type() {
		case plumbing.CommitObject:
			return sha, nil
		case plumbing.TagObject:
			var tag object.Tag
			if err := tag.Decode(o); err != nil {
				return "", fmt.Errorf("decode tag %s: %w", sha, err)
			}
			sha = tag.Target.String()
		default:
			return "", fmt.Errorf("object %s is no commit: %w", sha, ErrNotFound)
		}
	}
	return "", fmt.Errorf("object %s: too many tags on tags", sha)
}

// Type is the type of an object: commit, tree, blob or tag.
func (r *Repo) Type(sha string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o, err := r.object(plumbing.AnyObject, sha)
	if err != nil {
		return "", err
	}
	return o.Type().String(), nil
}

// Commit reads a commit.
func (r *Repo) Commit(sha string) (*Commit, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.commit(sha)
}

func (r *Repo) commit(sha string) (*Commit, error) {
	if c := r.commits[sha]; c != nil {
		return c, nil
	}
	o, err := r.object(plumbing.CommitObject, sha)
	if err != nil {
		return nil, err
	}
	var oc object.Commit
	if err := oc.Decode(o); err != nil {
		return nil, fmt.Errorf("decode commit %s: %w", sha, err)
	}
	c := commitOf(sha, &oc)
	r.commits[sha] = c
	return c, nil
}

func commitOf(sha string, oc *object.Commit) *Commit {
	c := &Commit{
		SHA: sha, Tree: oc.TreeHash.String(), Message: oc.Message,
		Author:    Signature(oc.Author),
		Committer: Signature(oc.Committer),
	}
	for _, p := range oc.ParentHashes {
		c.Parents = append(c.Parents, p.String())
	}
	return c
}

// Tree reads one level of a tree.
func (r *Repo) Tree(sha string) ([]Entry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tree(sha)
}

func (r *Repo) tree(sha string) ([]Entry, error) {
	if t, ok := r.trees[sha]; ok {
		return t, nil
	}
	o, err := r.object(plumbing.TreeObject, sha)
	if err != nil {
		return nil, err
	}
	var ot object.Tree
	if err := ot.Decode(o); err != nil {
		return nil, fmt.Errorf("decode tree %s: %w", sha, err)
	}
	out := entries(&ot)
	r.trees[sha] = out
	return out, nil
}

func entries(ot *object.Tree) []Entry {
	out := make([]Entry, 0, len(ot.Entries))
	for _, e := range ot.Entries {
		entry := Entry{
			Name: e.Name, Path: e.Name, SHA: e.Hash.String(),
			Mode: fmt.Sprintf("%06o", uint32(e.Mode)), Type: "blob",
		}
		switch e.Mode {
		case filemode.Dir:
			entry.Type = "tree"
		case filemode.Submodule:
			entry.Type = "commit"
		}
		out = append(out, entry)
	}
	return out
}

// Walk reads a tree with everything below it, in Git's order: a directory
// stands before its content. The answer is shared and must not be changed.
func (r *Repo) Walk(sha string) ([]Entry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if out, ok := r.flat[sha]; ok {
		return out, nil
	}
	out, err := r.walk(nil, sha, "")
	if err != nil {
		return nil, err
	}
	r.flat[sha] = out
	return out, nil
}

func (r *Repo) walk(out []Entry, sha, dir string) ([]Entry, error) {
	level, err := r.tree(sha)
	if err != nil {
		return nil, err
	}
	for _, e := range level {
		e.Path = path.Join(dir, e.Name)
		if e.Type == "blob" {
			if e.Size, err = r.objects.EncodedObjectSize(plumbing.NewHash(e.SHA)); err != nil {
				return nil, fmt.Errorf("size of %s: %w", e.Path, err)
			}
		}
		out = append(out, e)
		if e.Type == "tree" {
			if out, err = r.walk(out, e.SHA, e.Path); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// Blob reads a file's content, which is shared and must not be changed.
func (r *Repo) Blob(sha string) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b, ok := r.blobs[sha]; ok {
		return b, nil
	}
	o, err := r.object(plumbing.BlobObject, sha)
	if err != nil {
		return nil, err
	}
	rd, err := o.Reader()
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", sha, err)
	}
	defer rd.Close()
	b, err := io.ReadAll(rd)
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", sha, err)
	}
	r.keep(sha, b)
	return b, nil
}

// keep remembers small blobs, up to a bound: go-git goes to the disk each time.
func (r *Repo) keep(sha string, b []byte) {
	if len(b) > blobCacheSize/16 {
		return
	}
	if r.blobBytes += len(b); r.blobBytes > blobCacheSize {
		clear(r.blobs)
		r.blobBytes = len(b)
	}
	r.blobs[sha] = b
}

// Find is the entry at a path below a tree. The empty path is the tree itself.
func (r *Repo) Find(tree, name string) (Entry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.find(tree, name)
}

func (r *Repo) find(tree, name string) (Entry, error) {
	name = strings.Trim(name, "/")
	at := Entry{Path: "", Mode: "040000", Type: "tree", SHA: tree}
	if name == "" {
		return at, nil
	}
	for part := range strings.SplitSeq(name, "/") {
		if at.Type != "tree" {
			return Entry{}, fmt.Errorf("path %q: %w", name, ErrNotFound)
		}
		level, err := r.tree(at.SHA)
		if err != nil {
			return Entry{}, err
		}
		found := false
		for _, e := range level {
			if e.Name == part {
				e.Path = path.Join(at.Path, part)
				at, found = e, true
				break
			}
		}
		if !found {
			return Entry{}, fmt.Errorf("path %q: %w", name, ErrNotFound)
		}
	}
	return at, nil
}

// Change is one differing file between two trees: before or after is "" where
// the file is absent.
type Change struct{ Path, Before, After string }

// Diff lists the files that differ between two trees, sorted by path. An empty
// SHA stands for the empty tree. Equal subtrees are not entered.
func (r *Repo) Diff(before, after string) ([]Change, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out, err := r.diff(nil, before, after, "")
	sort.Slice(out, func(i, j int) bool { return out[i].Path < out[j].Path })
	return out, err
}

func (r *Repo) diff(out []Change, before, after, dir string) ([]Change, error) {
	if before == after {
		return out, nil
	}
	type pair struct{ a, b Entry }
	pairs := map[string]pair{}
	for i, sha := range []string{before, after} {
		if sha == "" {
			continue
		}
		level, err := r.tree(sha)
		if err != nil {
			return nil, err
		}
		for _, e := range level {
			p := pairs[e.Name]
			if i == 0 {
				p.a = e
			} else {
				p.b = e
			}
			pairs[e.Name] = p
		}
	}
	for name, p := range pairs {
		if p.a.SHA == p.b.SHA && p.a.Mode == p.b.Mode {
			continue
		}
		full := path.Join(dir, name)
		treeA, treeB := sub(p.a, "tree"), sub(p.b, "tree")
		if fileA, fileB := p.a.SHA != "" && treeA == "", p.b.SHA != "" && treeB == ""; fileA || fileB {
			out = append(out, Change{Path: full, Before: notTree(p.a), After: notTree(p.b)})
		}
		var err error
		if out, err = r.diff(out, treeA, treeB, full); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func sub(e Entry, kind string) string {
	if e.Type == kind {
		return e.SHA
	}
	return ""
}

func notTree(e Entry) string {
	if e.Type == "tree" {
		return ""
	}
	return e.SHA
}
