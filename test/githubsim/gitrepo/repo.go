// Package gitrepo is a bare Git repository on disk, made and read without
// starting a process: refs, commits, trees, blobs, differences.
//
// It owns the object store of one repository and its caches. It knows nothing
// of GitHub, of names or of access: that is the simulator's business. Only
// loose refs are supported; nothing here ever packs them.
package gitrepo

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// ErrNotFound says that the repository has no such ref, object or path.
var ErrNotFound = errors.New("not found")

// ZeroSHA stands for "no object" in pushes, as Git writes it.
const ZeroSHA = "0000000000000000000000000000000000000000"

// objectCacheSize bounds the unpacked objects kept per repository. Benchmarks
// open thousands of repositories at once.
const objectCacheSize = 1 << 20

// blobCacheSize bounds the contents kept per repository.
const blobCacheSize = 1 << 20

// Repo is one bare repository. It is safe for concurrent use.
type Repo struct {
	dir string

	// push serialises everything that moves refs, so that before and after of
	// a push are exact. It is never taken while mu is held.
	push sync.Mutex

	mu      sync.Mutex
	objects *filesystem.Storage
	head    string            // the default branch's short name
	refs    map[string]string // full ref name to SHA
	commits map[string]*Commit
	trees   map[string][]Entry // one level
	flat    map[string][]Entry // whole trees, as Walk answers
	blobs   map[string][]byte
	// blobBytes is the size of blobs together.
	blobBytes int
}

const config = `[core]
	repositoryformatversion = 0
	filemode = true
	bare = true
[receive]
	autogc = false
[gc]
	auto = 0
[uploadpack]
	allowFilter = true
	allowAnySHA1InWant = true
`

// Init makes a bare repository in dir, which must not exist yet.
func Init(dir, defaultBranch string) (*Repo, error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, fmt.Errorf("create repository: %w", err)
	}
	for _, sub := range []string{"", "objects", "refs", "refs/heads"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, fmt.Errorf("create repository: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o644); err != nil {
		return nil, fmt.Errorf("create repository: %w", err)
	}
	r := &Repo{dir: dir}
	r.reset()
	if err := r.SetDefaultBranch(defaultBranch); err != nil {
		return nil, err
	}
	return r, nil
}

// reset forgets everything read, which is needed after another process wrote.
func (r *Repo) reset() {
	r.objects = filesystem.NewStorageWithOptions(osfs.New(r.dir),
		cache.NewObjectLRU(objectCacheSize), filesystem.Options{})
	if r.commits == nil { // objects never change, so what is parsed stays true
		r.commits = map[string]*Commit{}
		r.trees = map[string][]Entry{}
		r.flat = map[string][]Entry{}
		r.blobs = map[string][]byte{}
		r.refs = map[string]string{}
	}
}

// Dir is the directory of the repository.
func (r *Repo) Dir() string { return r.dir }

// Exclusive runs f while no other Exclusive of this repository runs. Whoever
// moves refs does it inside.
func (r *Repo) Exclusive(f func() error) error {
	r.push.Lock()
	defer r.push.Unlock()
	return f()
}

// DefaultBranch is the short name of the branch that HEAD points to, whether
// or not it exists.
func (r *Repo) DefaultBranch() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.head
}

// SetDefaultBranch points HEAD to another branch.
func (r *Repo) SetDefaultBranch(branch string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.writeFile("HEAD", "ref: refs/heads/"+branch+"\n"); err != nil {
		return err
	}
	r.head = branch
	return nil
}

// Refs is a copy of all refs by full name.
func (r *Repo) Refs() map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.refs)
}

// Ref is the SHA of a full ref name, or "".
func (r *Repo) Ref(name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refs[name]
}

// Head is the SHA of the default branch, or "" while it does not exist.
func (r *Repo) Head() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refs["refs/heads/"+r.head]
}

// SetRef moves a full ref name to sha, or deletes it when sha is "".
func (r *Repo) SetRef(name, sha string) error {
	if !fs.ValidPath(name) || !strings.HasPrefix(name, "refs/") {
		return fmt.Errorf("ref %q: not a valid name", name)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if sha == "" {
		delete(r.refs, name)
		if err := os.Remove(filepath.Join(r.dir, name)); err != nil {
			return fmt.Errorf("delete %s: %w", name, err)
		}
		return nil
	}
	if err := r.writeFile(name, sha+"\n"); err != nil {
		return err
	}
	r.refs[name] = sha
	return nil
}

// Reload reads the refs again after another process (git receive-pack) wrote.
func (r *Repo) Reload() error {
	refs := map[string]string{}
	root := filepath.Join(r.dir, "refs")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".lock") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(r.dir, path)
		if err != nil {
			return err
		}
		refs[filepath.ToSlash(name)] = strings.TrimSpace(string(text))
		return nil
	})
	if err != nil {
		return fmt.Errorf("read refs: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refs = refs
	r.reset()
	return nil
}

// Resolve turns HEAD, a branch, a tag, a full ref name or a full SHA of a
// commit into the SHA of that commit.
func (r *Repo) Resolve(rev string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rev == "HEAD" || rev == "" {
		rev = "refs/heads/" + r.head
	}
	sha := ""
	for _, prefix := range []string{"", "refs/heads/", "refs/tags/", "refs/"} {
		if sha = r.refs[prefix+rev]; sha != "" {
			break
		}
	}
	if sha == "" && len(rev) == 40 {
		sha = rev
	}
	if sha == "" {
		return "", fmt.Errorf("revision %q: %w", rev, ErrNotFound)
	}
	sha, err := r.peel(sha)
	if err != nil {
		return "", fmt.Errorf("revision %q: %w", rev, err)
	}
	return sha, nil
}

// writeFile replaces a file of the repository as a whole.
func (r *Repo) writeFile(name, text string) error {
	path := filepath.Join(r.dir, filepath.FromSlash(name))
	err := os.WriteFile(path+".lock", []byte(text), 0o644)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
			err = os.WriteFile(path+".lock", []byte(text), 0o644)
		}
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.Rename(path+".lock", path); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// object reads one object; mu is held.
func (r *Repo) object(kind plumbing.ObjectType, sha string) (plumbing.EncodedObject, error) {
	o, err := r.objects.EncodedObject(kind, plumbing.NewHash(sha))
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return nil, fmt.Errorf("object %s: %w", sha, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("object %s: %w", sha, err)
	}
	return o, nil
}
