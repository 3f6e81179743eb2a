package githubsim

import (
	"errors"
	"fmt"

	"github.com/callboard/callboard/test/githubsim/gitrepo"
)

// Content is new text for a path of Commit; a nil entry deletes the path.
//
//go:fix inline
func Content(text string) *string { return new(text) }

// Commit makes one commit on a branch, which is created when missing, and
// sends push. It answers the new SHA.
func (s *Server) Commit(repo, branch, message string, changes map[string]*string, opts ...EditOption) (string, error) {
	e := s.edit(opts)
	var sha string
	err := s.update(repo, e, func(r *gitrepo.Repo) error {
		ref := "refs/heads/" + branch
		parent := r.Ref(ref)
		if parent == "" {
			parent = r.Head()
		}
		spec := e.spec(message, parent)
		for path, text := range changes {
			if text == nil {
				spec.Changes[path] = nil
				continue
			}
			spec.Changes[path] = &gitrepo.File{Content: []byte(*text), Mode: e.modes[path]}
		}
		var err error
		if spec.Base, err = treeOf(r, parent); err != nil {
			return err
		}
		if sha, err = r.WriteCommit(spec); err != nil {
			return err
		}
		return r.SetRef(ref, sha)
	})
	if err != nil {
		return "", fmt.Errorf("commit to %s: %w", repo, err)
	}
	return sha, nil
}

func (e edit) spec(message string, parents ...string) gitrepo.CommitSpec {
	who := gitrepo.Signature{Name: e.author, Email: e.email, When: e.when}
	spec := gitrepo.CommitSpec{Message: message, Author: who, Committer: who, Changes: map[string]*gitrepo.File{}}
	for _, p := range parents {
		if p != "" {
			spec.Parents = append(spec.Parents, p)
		}
	}
	return spec
}

func treeOf(r *gitrepo.Repo, commit string) (string, error) {
	if commit == "" {
		return "", nil
	}
	c, err := r.Commit(commit)
	if err != nil {
		return "", err
	}
	return c.Tree, nil
}

// ForcePush points a branch to any commit of the repository and sends push,
// forced if history is lost.
func (s *Server) ForcePush(repo, branch, sha string, opts ...EditOption) error {
	err := s.update(repo, s.edit(opts), func(r *gitrepo.Repo) error {
		commit, err := r.Resolve(sha)
		if err != nil {
			return err
		}
		return r.SetRef("refs/heads/"+branch, commit)
	})
	if err != nil {
		return fmt.Errorf("force push to %s: %w", repo, err)
	}
	return nil
}

// CreateBranch makes a branch at a revision and sends create and push.
func (s *Server) CreateBranch(repo, branch, from string, opts ...EditOption) error {
	return s.ForcePush(repo, branch, from, opts...)
}

// CreateTag makes a lightweight tag at a revision and sends create and push.
func (s *Server) CreateTag(repo, tag, rev string, opts ...EditOption) error {
	err := s.update(repo, s.edit(opts), func(r *gitrepo.Repo) error {
		commit, err := r.Resolve(rev)
		if err != nil {
			return err
		}
		return r.SetRef("refs/tags/"+tag, commit)
	})
	if err != nil {
		return fmt.Errorf("tag %s: %w", repo, err)
	}
	return nil
}

// DeleteBranch removes a branch other than the default one and sends delete
// and push.
func (s *Server) DeleteBranch(repo, branch string, opts ...EditOption) error {
	err := s.update(repo, s.edit(opts), func(r *gitrepo.Repo) error {
		if branch == r.DefaultBranch() {
			return errors.New("the default branch cannot be deleted")
		}
		if r.Ref("refs/heads/"+branch) == "" {
			return errNotFound
		}
		return r.SetRef("refs/heads/"+branch, "")
	})
	if err != nil {
		return fmt.Errorf("delete branch %s of %s: %w", branch, repo, err)
	}
	return nil
}

// Merge joins branch head into branch base with a merge commit and sends push.
// Where both sides changed a file, head's version wins.
func (s *Server) Merge(repo, base, head, message string, opts ...EditOption) (string, error) {
	e := s.edit(opts)
	var sha string
	err := s.update(repo, e, func(r *gitrepo.Repo) error {
		ours, theirs := r.Ref("refs/heads/"+base), r.Ref("refs/heads/"+head)
		if ours == "" || theirs == "" {
			return errNotFound
		}
		from, err := r.MergeBase(ours, theirs)
		if err != nil {
			return err
		}
		var trees [3]string
		for i, c := range []string{from, ours, theirs} {
			if trees[i], err = treeOf(r, c); err != nil {
				return err
			}
		}
		changed, err := r.Diff(trees[0], trees[2])
		if err != nil {
			return err
		}
		spec := e.spec(message, ours, theirs)
		spec.Base = trees[1]
		for _, c := range changed {
			if c.After == "" {
				spec.Changes[c.Path] = nil
				continue
			}
			entry, err := r.Find(trees[2], c.Path)
			if err != nil {
				return err
			}
			spec.Changes[c.Path] = &gitrepo.File{SHA: entry.SHA, Mode: entry.Mode}
		}
		if sha, err = r.WriteCommit(spec); err != nil {
			return err
		}
		return r.SetRef("refs/heads/"+base, sha)
	})
	if err != nil {
		return "", fmt.Errorf("merge %s into %s of %s: %w", head, base, repo, err)
	}
	return sha, nil
}

// Head is the SHA of a branch ("" for the default one), or "" when there is none.
func (s *Server) Head(repo, branch string) string {
	r, err := s.Repo(repo)
	if err != nil {
		return ""
	}
	if branch == "" {
		return r.git.Head()
	}
	return r.git.Ref("refs/heads/" + branch)
}

// Tree maps every file's path to its blob SHA at a revision.
func (s *Server) Tree(repo, rev string) (map[string]string, error) {
	r, err := s.Repo(repo)
	if err != nil {
		return nil, err
	}
	entries, _, err := r.walk(rev)
	if err != nil {
		return nil, fmt.Errorf("tree of %s: %w", repo, err)
	}
	out := map[string]string{}
	for _, e := range entries {
		if e.Type != "tree" {
			out[e.Path] = e.SHA
		}
	}
	return out, nil
}

// ReadFile is a file's content at a revision.
func (s *Server) ReadFile(repo, rev, path string) (string, error) {
	r, err := s.Repo(repo)
	if err != nil {
		return "", err
	}
	_, tree, err := r.walk(rev)
	if err != nil {
		return "", fmt.Errorf("read %s of %s: %w", path, repo, err)
	}
	e, err := r.git.Find(tree, path)
	if err != nil {
		return "", fmt.Errorf("read %s of %s: %w", path, repo, err)
	}
	b, err := r.git.Blob(e.SHA)
	return string(b), err
}

func (r *Repo) walk(rev string) ([]gitrepo.Entry, string, error) {
	sha, err := r.git.Resolve(rev)
	if err != nil {
		return nil, "", err
	}
	tree, err := treeOf(r.git, sha)
	if err != nil {
		return nil, "", err
	}
	entries, err := r.git.Walk(tree)
	return entries, tree, err
}

// update moves refs inside f, one update of a repository at a time, and tells
// the hooks what moved.
func (s *Server) update(repo string, e edit, f func(*gitrepo.Repo) error) error {
	r, err := s.Repo(repo)
	if err != nil {
		return err
	}
	return s.updateRepo(r, e, f)
}

func (s *Server) updateRepo(r *Repo, e edit, f func(*gitrepo.Repo) error) error {
	return r.git.Exclusive(func() error {
		s.mu.RLock()
		archived := r.archived
		s.mu.RUnlock()
		if archived {
			return errors.New("repository was archived so is read-only")
		}
		before := r.git.Refs()
		if err := f(r.git); err != nil {
			return err
		}
		return s.refsMoved(r, before, e)
	})
}
