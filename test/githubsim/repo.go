package githubsim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/callboard/callboard/test/githubsim/gitrepo"
)

// errNotFound is GitHub's 404: absent, or not for you.
var errNotFound = errors.New("not found")

// Repo is a repository. Its fields belong to the server; read them through
// the methods.
type Repo struct {
	s  *Server
	id int64
	// git is the repository on disk, named by id: a rename moves nothing.
	git *gitrepo.Repo

	// Guarded by the server's mu.
	owner                          *account
	name, description, homepage    string
	private, archived, fork, gone  bool
	internal                       bool // to an enterprise; private then too
	template                       bool
	topics                         []string
	createdAt, updatedAt, pushedAt time.Time
}

// RepoOptions describes a new repository. The zero value is public, with
// branch main.
type RepoOptions struct {
	DefaultBranch string
	Description   string
	Topics        []string
	Private       bool
	// Internal is Enterprise's third visibility. It is private to outsiders.
	Internal bool
	Fork     bool
	Archived bool
	Template bool
	// Message is the first commit's message.
	Message string
	// Modes are Git modes of files that are not plain, by path.
	Modes map[string]string
}

// ID is GitHub's numeric id, which never changes.
func (r *Repo) ID() int64 { return r.id }

// FullName is owner/name as it is now.
func (r *Repo) FullName() string {
	r.s.mu.RLock()
	defer r.s.mu.RUnlock()
	return r.fullName()
}

func (r *Repo) fullName() string { return r.owner.Login + "/" + r.name }

// HTMLURL is where a browser would look; file URLs start with it.
func (r *Repo) HTMLURL() string { return r.s.base + "/" + r.FullName() }

// CloneURL is for the git client.
func (r *Repo) CloneURL() string { return r.HTMLURL() + ".git" }

// CreateRepo makes a repository, with one commit when there are files, and
// sends repository.created, create and push. An unknown owner becomes an
// organisation.
func (s *Server) CreateRepo(owner, name string, o RepoOptions, files map[string]string, opts ...EditOption) (*Repo, error) {
	if !validRepoName(name) {
		return nil, fmt.Errorf("create repository %s/%s: invalid name", owner, name)
	}
	if o.DefaultBranch == "" {
		o.DefaultBranch = "main"
	}
	now := s.now()
	s.mu.Lock()
	acct := s.ensureAccount(owner, typeOrg)
	if s.repos[key(acct.Login+"/"+name)] != nil {
		s.mu.Unlock()
		return nil, fmt.Errorf("create repository %s/%s: name already exists on this account", owner, name)
	}
	r := &Repo{
		s: s, id: s.id(), owner: acct, name: name, description: o.Description,
		private: o.Private || o.Internal, internal: o.Internal, fork: o.Fork, template: o.Template, topics: slices.Clone(o.Topics),
		createdAt: now, updatedAt: now, pushedAt: now,
	}
	git, err := gitrepo.Init(s.repoDir(r.id), o.DefaultBranch)
	if err != nil {
		s.mu.Unlock()
		return nil, fmt.Errorf("create repository %s/%s: %w", owner, name, err)
	}
	r.git = git
	s.repos[key(r.fullName())] = r
	s.reposByID[r.id] = r
	s.order = append(s.order, r)
	delete(s.moved, key(r.fullName()))
	s.mu.Unlock()

	e := s.edit(opts)
	s.repositoryEvent(r, "created", e, nil)
	if len(files) > 0 {
		changes := make(map[string]*string, len(files))
		for p, text := range files {
			changes[p] = &text
		}
		for p, m := range o.Modes {
			opts = append(opts, Mode(p, m))
		}
		message := o.Message
		if message == "" {
			message = "Initial commit"
		}
		if _, err := s.Commit(r.FullName(), o.DefaultBranch, message, changes, opts...); err != nil {
			return nil, err
		}
	}
	if o.Archived {
		s.mu.Lock()
		r.archived = true
		s.mu.Unlock()
	}
	return r, nil
}

// validRepoName is GitHub's rule: letters, digits, dot, dash, underscore.
func validRepoName(name string) bool {
	if name == "" || name == "." || name == ".." || len(name) > 100 || strings.HasSuffix(name, ".git") {
		return false
	}
	for _, c := range name {
		allowed := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("._-", c)
		if !allowed {
			return false
		}
	}
	return true
}

// Repo finds a repository by owner/name, following renames.
func (s *Server) Repo(fullName string) (*Repo, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, _, err := s.find(fullName)
	return r, err
}

// find also says whether the name is an old one; mu is held.
func (s *Server) find(fullName string) (r *Repo, moved bool, err error) {
	if r := s.repos[key(fullName)]; r != nil {
		return r, false, nil
	}
	if r := s.reposByID[s.moved[key(fullName)]]; r != nil {
		return r, true, nil
	}
	return nil, false, fmt.Errorf("repository %s: %w", fullName, errNotFound)
}

// change runs f on a repository with mu held, and stamps it.
func (s *Server) change(fullName string, f func(*Repo) error) (*Repo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, _, err := s.find(fullName)
	if err != nil {
		return nil, err
	}
	if err := f(r); err != nil {
		return nil, fmt.Errorf("change %s: %w", fullName, err)
	}
	r.updatedAt = s.now()
	return r, nil
}

// RenameRepo gives a repository another name; the old one redirects. It sends
// repository.renamed.
func (s *Server) RenameRepo(repo, newName string, opts ...EditOption) error {
	var old string
	r, err := s.change(repo, func(r *Repo) error {
		old = r.name
		if !validRepoName(newName) {
			return fmt.Errorf("invalid name %q", newName)
		}
		return s.rekey(r, r.owner, newName)
	})
	if err != nil {
		return err
	}
	s.repositoryEvent(r, "renamed", s.edit(opts), object{"repository": object{"name": object{"from": old}}})
	return nil
}

// rekey moves a repository to another owner or name and leaves a redirect; mu is held.
func (s *Server) rekey(r *Repo, owner *account, name string) error {
	before, after := key(r.fullName()), key(owner.Login+"/"+name)
	if before != after && s.repos[after] != nil {
		return fmt.Errorf("name %s/%s is taken", owner.Login, name)
	}
	delete(s.repos, before)
	s.moved[before] = r.id
	delete(s.moved, after)
	r.owner, r.name = owner, name
	s.repos[after] = r
	return nil
}

// TransferRepo gives a repository to another account. It sends
// repository.transferred to the new owner's installations only, and leaves the
// installations that had selected it.
func (s *Server) TransferRepo(repo, newOwner string, opts ...EditOption) error {
	var from *account
	r, err := s.change(repo, func(r *Repo) error {
		from = r.owner
		to := s.ensureAccount(newOwner, typeOrg)
		if to == from {
			return errors.New("already there")
		}
		if err := s.rekey(r, to, r.name); err != nil {
			return err
		}
		for _, in := range s.installs {
			delete(in.selected, r.id)
		}
		return nil
	})
	if err != nil {
		return err
	}
	kind := "organization"
	if from.Type == typeUser {
		kind = "user"
	}
	s.mu.RLock()
	was := s.accountJSON(from)
	s.mu.RUnlock()
	s.repositoryEvent(r, "transferred", s.edit(opts), object{"owner": object{"from": object{kind: was}}})
	return nil
}

// ArchiveRepo makes a repository read-only, or writable again.
func (s *Server) ArchiveRepo(repo string, archived bool, opts ...EditOption) error {
	r, err := s.change(repo, func(r *Repo) error { r.archived = archived; return nil })
	if err != nil {
		return err
	}
	action := "unarchived"
	if archived {
		action = "archived"
	}
	s.repositoryEvent(r, action, s.edit(opts), nil)
	return nil
}

// SetPrivate changes the visibility and sends privatized or publicized.
func (s *Server) SetPrivate(repo string, private bool, opts ...EditOption) error {
	r, err := s.change(repo, func(r *Repo) error {
		r.private, r.internal = private, false
		return nil
	})
	if err != nil {
		return err
	}
	action := "publicized"
	if private {
		action = "privatized"
	}
	s.repositoryEvent(r, action, s.edit(opts), nil)
	return nil
}

// SetTopics replaces the topics and sends repository.edited.
func (s *Server) SetTopics(repo string, topics []string, opts ...EditOption) error {
	var old []string
	r, err := s.change(repo, func(r *Repo) error {
		old, r.topics = r.topics, slices.Clone(topics)
		return nil
	})
	if err != nil {
		return err
	}
	s.repositoryEvent(r, "edited", s.edit(opts), object{"topics": object{"from": old}})
	return nil
}

// SetDescription changes the description and sends repository.edited.
func (s *Server) SetDescription(repo, description string, opts ...EditOption) error {
	var old string
	r, err := s.change(repo, func(r *Repo) error {
		old, r.description = r.description, description
		return nil
	})
	if err != nil {
		return err
	}
	s.repositoryEvent(r, "edited", s.edit(opts), object{"description": object{"from": null(old)}})
	return nil
}

// SetDefaultBranch points HEAD to an existing branch and sends repository.edited.
func (s *Server) SetDefaultBranch(repo, branch string, opts ...EditOption) error {
	var old string
	r, err := s.change(repo, func(r *Repo) error {
		old = r.git.DefaultBranch()
		if r.git.Ref("refs/heads/"+branch) == "" {
			return fmt.Errorf("branch %s: %w", branch, errNotFound)
		}
		return r.git.SetDefaultBranch(branch)
	})
	if err != nil {
		return err
	}
	s.repositoryEvent(r, "edited", s.edit(opts), object{"default_branch": object{"from": old}})
	return nil
}

// DeleteRepo removes a repository and sends repository.deleted.
func (s *Server) DeleteRepo(repo string, opts ...EditOption) error {
	s.mu.RLock()
	r, _, err := s.find(repo)
	s.mu.RUnlock()
	if err != nil {
		return err
	}
	send := s.prepareRepositoryEvent(r, "deleted", s.edit(opts), nil)
	s.mu.Lock()
	if r.gone {
		s.mu.Unlock()
		return fmt.Errorf("repository %s: %w", repo, errNotFound)
	}
	r.gone = true
	delete(s.repos, key(r.fullName()))
	delete(s.reposByID, r.id)
	s.order = slices.DeleteFunc(s.order, func(o *Repo) bool { return o == r })
	for _, in := range s.installs {
		delete(in.selected, r.id)
	}
	s.mu.Unlock()
	send()
	return os.RemoveAll(filepath.Clean(r.git.Dir()))
}
