package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/callboard/callboard/pipeline/githubapp"
)

// gitDir is a directory inside a Git repository, asked through the git program.
type gitDir string

// run runs git and gives what it prints; git's own words are the error.
func (d gitDir) run(ctx context.Context, input []byte, args ...string) ([]byte, error) {
	// #nosec G204 -- the program is git; what the user names goes behind --end-of-options.
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", string(d)}, args...)...)
	var out, complaint bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &out, &complaint
	if err := cmd.Run(); err != nil {
		if said := strings.TrimSpace(complaint.String()); said != "" {
			return nil, errors.New(plain(said))
		}
		return nil, fmt.Errorf("run git: %w", err)
	}
	return out.Bytes(), nil
}

func (d gitDir) line(ctx context.Context, args ...string) (string, error) {
	out, err := d.run(ctx, nil, args...)
	return strings.TrimSpace(string(out)), err
}

// files are those that would be in a commit of everything: tracked ones, and
// new ones that are not ignored.
func (d gitDir) files(ctx context.Context) ([]string, error) {
	out, err := d.run(ctx, nil, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return nil, err
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 }), nil
}

// repositoryName is a repository on a GitHub host; Host may be unknown.
type repositoryName struct{ Host, Owner, Name string }

func (n repositoryName) String() string { return n.Owner + "/" + n.Name }

// parseRepository reads [host/]owner/name.
func parseRepository(s string) (repositoryName, error) {
	parts := strings.Split(s, "/")
	if len(parts) == 2 {
		parts = append([]string{""}, parts...)
	}
	if len(parts) != 3 || parts[1] == "" || parts[2] == "" {
		return repositoryName{}, fmt.Errorf("--repository must be owner/name or host/owner/name, not %q", plain(s))
	}
	return repositoryName{parts[0], parts[1], parts[2]}, nil
}

// parseRemote reads the URL of a remote: https://host/owner/name.git,
// ssh://git@host/owner/name or git@host:owner/name.git. The error does not show
// the URL, which may hold a password.
func parseRemote(remote string) (repositoryName, error) {
	if !strings.Contains(remote, "://") {
		user, path, ok := strings.Cut(remote, ":")
		if !ok {
			return repositoryName{}, errors.New("the remote origin is not a URL of a repository: name it with --repository owner/name")
		}
		remote = "ssh://" + user + "/" + strings.TrimPrefix(path, "/")
	}
	u, err := url.Parse(remote)
	if err != nil {
		return repositoryName{}, errors.New("the remote origin is not a URL: name the repository with --repository owner/name")
	}
	owner, name, ok := strings.Cut(strings.TrimSuffix(strings.Trim(u.Path, "/"), ".git"), "/")
	if !ok || owner == "" || name == "" || strings.Contains(name, "/") {
		return repositoryName{}, errors.New("the remote origin is no GitHub repository: name one with --repository owner/name")
	}
	host := u.Host
	if u.Scheme == "ssh" {
		host = u.Hostname()
	}
	return repositoryName{host, owner, name}, nil
}

// gitTree is a commit of a local repository, read without a checkout.
type gitTree struct {
	dir     gitDir
	facts   githubapp.Repository
	objects map[string]githubapp.Object // by path
	entries []githubapp.Entry
}

// openGitTree reads the tree of a commit; rev is anything that git understands.
func openGitTree(ctx context.Context, dir gitDir, rev string) (*gitTree, error) {
	sha, err := dir.line(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", rev+"^{commit}")
	if err != nil || sha == "" {
		return nil, fmt.Errorf("git knows no commit %q; fetch it first: git fetch origin pull/<number>/head, then --ref FETCH_HEAD", plain(rev))
	}
	out, err := dir.run(ctx, nil, "ls-tree", "-r", "-z", "--long", "--full-tree", sha)
	if err != nil {
		return nil, err
	}
	t := &gitTree{dir: dir, facts: githubapp.Repository{Head: sha}, objects: map[string]githubapp.Object{}}
	for record := range strings.SplitSeq(string(out), "\x00") {
		meta, path, ok := strings.Cut(record, "\t")
		f := strings.Fields(meta) // mode, type, object, size
		if !ok || len(f) != 4 || f[0] != "100644" && f[0] != "100755" {
			continue // links and submodules are no files, as on GitHub's side
		}
		size, err := strconv.ParseInt(f[3], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("git ls-tree: %w", err)
		}
		t.objects[path] = githubapp.Object{SHA: f[2], Size: size}
		t.entries = append(t.entries, githubapp.Entry{Path: path})
	}
	return t, nil
}

// Facts implements refresh.Tree.
func (t *gitTree) Facts() githubapp.Repository { return t.facts }

// List implements refresh.Tree.
func (t *gitTree) List(context.Context) ([]githubapp.Entry, error) { return t.entries, nil }

// Lookup implements refresh.Tree.
func (t *gitTree) Lookup(_ context.Context, paths []string) (map[string]githubapp.Object, error) {
	found := map[string]githubapp.Object{}
	for _, p := range paths {
		if o, ok := t.objects[p]; ok {
			found[p] = o
		}
	}
	return found, nil
}

// Read implements refresh.Tree. Git is asked once for all of them.
func (t *gitTree) Read(ctx context.Context, objects []githubapp.Object) (map[string][]byte, error) {
	var ask bytes.Buffer
	for _, o := range objects {
		fmt.Fprintln(&ask, o.SHA)
	}
	out, err := t.dir.run(ctx, ask.Bytes(), "cat-file", "--batch")
	if err != nil {
		return nil, err
	}
	bodies := map[string][]byte{}
	for _, o := range objects {
		head, rest, ok := bytes.Cut(out, []byte("\n")) // <sha> blob <size>
		f := strings.Fields(string(head))
		if !ok || len(f) != 3 || f[0] != o.SHA || int64(len(rest)) < o.Size+1 {
			return nil, fmt.Errorf("git cat-file: no object %s", o.SHA)
		}
		bodies[o.SHA], out = rest[:o.Size:o.Size], rest[o.Size+1:]
	}
	return bodies, nil
}

// root is the top of the working tree that dir is in.
func (d gitDir) root(ctx context.Context) (gitDir, error) {
	top, err := d.line(ctx, "rev-parse", "--show-toplevel")
	return gitDir(filepath.Clean(top)), err
}
