package gitrepo

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// File is new content for a path. Nil Content deletes the path.
type File struct {
	Content []byte
	// Mode is 100644 (the default), 100755 or 120000.
	Mode string
	// SHA takes an existing object instead of Content; for submodules too.
	SHA string
}

// CommitSpec describes a commit to be made.
type CommitSpec struct {
	Parents []string
	// Base is the tree that Changes apply to, "" for the empty one.
	Base      string
	Changes   map[string]*File // a nil *File deletes
	Message   string
	Author    Signature
	Committer Signature
}

// WriteCommit stores the commit with all it needs and answers its SHA. It
// moves no ref.
func (r *Repo) WriteCommit(spec CommitSpec) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	root := &dir{}
	for name, f := range spec.Changes {
		if !fs.ValidPath(name) || name == "." {
			return "", fmt.Errorf("path %q: not valid in a tree", name)
		}
		root.put(name, f)
	}
	tree, err := r.writeDir(root, spec.Base)
	if err != nil {
		return "", err
	}
	if tree == "" { // Git knows the empty tree as an object too
		if tree, err = r.store(&object.Tree{}); err != nil {
			return "", err
		}
	}
	c := &object.Commit{
		Author:    object.Signature(spec.Author),
		Committer: object.Signature(spec.Committer),
		Message:   spec.Message,
		TreeHash:  plumbing.NewHash(tree),
	}
	for _, p := range spec.Parents {
		c.ParentHashes = append(c.ParentHashes, plumbing.NewHash(p))
	}
	return r.store(c)
}

// dir is the part of a tree that changes.
type dir struct {
	files map[string]*File
	dirs  map[string]*dir
}

func (d *dir) put(name string, f *File) {
	first, rest, nested := strings.Cut(name, "/")
	if !nested {
		if d.files == nil {
			d.files = map[string]*File{}
		}
		d.files[first] = f
		return
	}
	if d.dirs == nil {
		d.dirs = map[string]*dir{}
	}
	if d.dirs[first] == nil {
		d.dirs[first] = &dir{}
	}
	d.dirs[first].put(rest, f)
}

// writeDir applies d to the tree base and answers the new tree, "" if nothing
// is left; mu is held.
func (r *Repo) writeDir(d *dir, base string) (string, error) {
	entries := map[string]object.TreeEntry{}
	if base != "" {
		level, err := r.tree(base)
		if err != nil {
			return "", err
		}
		for _, e := range level {
			mode, err := filemode.New(e.Mode)
			if err != nil {
				return "", fmt.Errorf("mode of %s: %w", e.Name, err)
			}
			entries[e.Name] = object.TreeEntry{Name: e.Name, Mode: mode, Hash: plumbing.NewHash(e.SHA)}
		}
	}
	for name, f := range d.files {
		delete(entries, name)
		if f == nil || f.Content == nil && f.SHA == "" {
			continue
		}
		e, err := r.writeFileObject(name, f)
		if err != nil {
			return "", err
		}
		entries[name] = e
	}
	for name, child := range d.dirs {
		old := ""
		if e, ok := entries[name]; ok && e.Mode == filemode.Dir {
			old = e.Hash.String()
		}
		sha, err := r.writeDir(child, old)
		if err != nil {
			return "", err
		}
		delete(entries, name)
		if sha != "" {
			entries[name] = object.TreeEntry{Name: name, Mode: filemode.Dir, Hash: plumbing.NewHash(sha)}
		}
	}
	if len(entries) == 0 {
		return "", nil
	}
	t := &object.Tree{}
	for _, e := range entries {
		t.Entries = append(t.Entries, e)
	}
	sort.Sort(object.TreeEntrySorter(t.Entries))
	return r.store(t)
}

func (r *Repo) writeFileObject(name string, f *File) (object.TreeEntry, error) {
	mode := filemode.Regular
	if f.Mode != "" {
		m, err := filemode.New(f.Mode)
		if err != nil {
			return object.TreeEntry{}, fmt.Errorf("mode of %s: %w", name, err)
		}
		mode = m
	}
	if f.SHA != "" {
		return object.TreeEntry{Name: name, Mode: mode, Hash: plumbing.NewHash(f.SHA)}, nil
	}
	o := &plumbing.MemoryObject{}
	o.SetType(plumbing.BlobObject)
	if _, err := o.Write(f.Content); err != nil {
		return object.TreeEntry{}, fmt.Errorf("write %s: %w", name, err)
	}
	hash, err := r.save(o)
	return object.TreeEntry{Name: name, Mode: mode, Hash: hash}, err
}

// WriteBlob stores content and answers its SHA.
func (r *Repo) WriteBlob(content []byte) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := &plumbing.MemoryObject{}
	o.SetType(plumbing.BlobObject)
	if _, err := o.Write(content); err != nil {
		return "", fmt.Errorf("write blob: %w", err)
	}
	hash, err := r.save(o)
	return hash.String(), err
}

// store saves a tree or commit; mu is held.
func (r *Repo) store(what interface {
	Encode(plumbing.EncodedObject) error
}) (string, error) {
	o := &plumbing.MemoryObject{}
	if err := what.Encode(o); err != nil {
		return "", fmt.Errorf("encode object: %w", err)
	}
	hash, err := r.save(o)
	if err != nil {
		return "", err
	}
	sha := hash.String()
	switch v := what.(type) { // the next reader need not go to the disk
	case *object.Tree:
		r.trees[sha] = entries(v)
	case *object.Commit:
		r.commits[sha] = commitOf(sha, v)
	}
	return sha, nil
}

var deflaters = sync.Pool{New: func() any {
	w, _ := zlib.NewWriterLevel(nil, zlib.BestSpeed) // the level is a valid one
	return w
}}

// save writes a loose object unless it is there. It does so without go-git,
// which spends three times the system calls on it, and they are what making
// thousands of repositories costs. No rename is needed: nobody can know of the
// object before the ref moves.
func (r *Repo) save(o *plumbing.MemoryObject) (plumbing.Hash, error) {
	hash := o.Hash()
	name := hash.String()
	dir := filepath.Join(r.dir, "objects", name[:2])
	open := func() (*os.File, error) {
		return os.OpenFile(filepath.Join(dir, name[2:]), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o444)
	}
	f, err := open()
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return hash, fmt.Errorf("store object: %w", err)
		}
		f, err = open()
	}
	if errors.Is(err, fs.ErrExist) {
		return hash, nil // most trees share most of their files
	}
	if err != nil {
		return hash, fmt.Errorf("store object: %w", err)
	}
	if err := deflate(f, o); err != nil {
		return hash, fmt.Errorf("store object: %w", errors.Join(err, f.Close(), os.Remove(f.Name())))
	}
	if err := f.Close(); err != nil {
		return hash, fmt.Errorf("store object: %w", err)
	}
	return hash, nil
}

// deflate writes an object as Git keeps it: a header and the content, in zlib.
func deflate(f *os.File, o *plumbing.MemoryObject) error {
	content, err := o.Reader()
	if err != nil {
		return err
	}
	var buf bytes.Buffer
	z := deflaters.Get().(*zlib.Writer)
	defer deflaters.Put(z)
	z.Reset(&buf)
	if _, err := fmt.Fprintf(z, "%s %d\x00", o.Type(), o.Size()); err != nil {
		return err
	}
	if _, err := io.Copy(z, content); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	_, err = f.Write(buf.Bytes())
	return err
}
