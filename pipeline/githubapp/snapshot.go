package githubapp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Name finds a repository: by id when it is known, else by owner and name.
type Name struct {
	Host           string
	ID             int64
	Owner          string
	Name           string
	InstallationID int64
	// Branch is looked at instead of the default branch where it is set. A
	// repository without it is as good as empty.
	Branch string
}

// Repository is what GitHub says of a repository.
type Repository struct {
	ID    int64
	Owner string
	Name  string
	URL   string
	// DefaultBranch is the branch that was looked at.
	DefaultBranch string
	Visibility    string // public, internal, private
	Archived      bool
	Fork          bool
	Topics        []string
	// Head is the commit of the default branch, "" for an empty repository.
	Head string
}

// Object is a file of a commit.
type Object struct {
	SHA  string
	Size int64
}

// Snapshot is a repository at one commit. Its methods ask GitHub; what was
// asked before is answered from memory.
type Snapshot struct {
	Repository
	client  *client
	objects map[string]Object // path → blob; zero SHA for known absent
	bodies  map[string][]byte // blob SHA → content
	tree    []Entry           // whole tree, once listed
	listed  bool
}

const repositoryFields = `databaseId name owner{login} url visibility isArchived isFork isEmpty
repositoryTopics(first:100){nodes{topic{name}}}
defaultBranchRef{name target{oid}}`

type repositoryNode struct {
	DatabaseID       int64
	Name             string
	Owner            struct{ Login string }
	URL              string
	Visibility       string
	IsArchived       bool
	IsFork           bool
	IsEmpty          bool
	RepositoryTopics struct {
		Nodes []struct{ Topic struct{ Name string } }
	}
	DefaultBranchRef *branchNode
	Ref              *branchNode
}

type branchNode struct {
	Name   string
	Target struct{ OID string }
}

// on takes a configured branch for the default one. Whether it is there says the
// answer itself, so its absence is no fault.
func (n repositoryNode) on(branch string) repositoryNode {
	if branch == "" {
		return n
	}
	if n.DefaultBranchRef = n.Ref; n.Ref == nil {
		n.DefaultBranchRef = &branchNode{Name: branch}
	}
	return n
}

func (n repositoryNode) repository() (Repository, error) {
	r := Repository{
		ID: n.DatabaseID, Owner: n.Owner.Login, Name: n.Name, URL: n.URL,
		Visibility: strings.ToLower(n.Visibility), Archived: n.IsArchived, Fork: n.IsFork,
	}
	for _, t := range n.RepositoryTopics.Nodes {
		r.Topics = append(r.Topics, t.Topic.Name)
	}
	switch {
	case n.DefaultBranchRef != nil:
		r.DefaultBranch = n.DefaultBranchRef.Name
		r.Head = n.DefaultBranchRef.Target.OID
	case !n.IsEmpty:
		return r, ErrNoBranch
	}
	return r, nil
}

// Open looks at the head of a repository's default branch in one request,
// which also carries the ids of the files at paths and the text of the first
// of them: for a repository with one descriptor that request is all.
func (c *Clients) Open(ctx context.Context, n Name, paths []string) (*Snapshot, error) {
	var s *Snapshot
	err := c.with(ctx, n.place(), func(cl *client) (err error) {
		s, err = cl.find(ctx, n, paths)
		return err
	})
	return s, err
}

func (c *client) find(ctx context.Context, n Name, paths []string) (*Snapshot, error) {
	s, err := c.open(ctx, n, paths)
	if n.ID == 0 || err == nil && s.ID == n.ID {
		return s, err
	}
	if err != nil && (!errors.Is(err, ErrNotFound) || errors.Is(err, errGone)) {
		return nil, err
	}
	// The name is free or somebody else's by now; the id still finds it.
	repo, res, err := c.rest.Repositories.GetByID(ctx, n.ID)
	if err != nil {
		if res != nil && res.StatusCode == http.StatusNotFound {
			return nil, ErrNotFound
		}
		return nil, classify(err)
	}
	n.Owner, n.Name = repo.GetOwner().GetLogin(), repo.GetName()
	return c.open(ctx, n, paths)
}

// maxPrefetch bounds the look-ups that ride along with Open.
const maxPrefetch = 40

func (c *client) open(ctx context.Context, n Name, paths []string) (*Snapshot, error) {
	if len(paths) > maxPrefetch {
		paths = paths[:maxPrefetch]
	}
	var q strings.Builder
	vars := map[string]any{"owner": n.Owner, "name": n.Name}
	q.WriteString("query($owner:String!,$name:String!")
	declareExpressions(&q, len(paths))
	commit := "HEAD"
	if n.Branch != "" {
		commit = "refs/heads/" + n.Branch
		vars["branch"] = commit
		q.WriteString(",$branch:String!")
	}
	q.WriteString("){repository(owner:$owner,name:$name){" + repositoryFields)
	if n.Branch != "" {
		q.WriteString(" ref(qualifiedName:$branch){name target{oid}}")
	}
	for i, p := range paths {
		fields := "oid byteSize"
		if i == 0 {
			fields += " text isBinary isTruncated"
		}
		fmt.Fprintf(&q, "\np%d:object(expression:$e%d){... on Blob{%s}}", i, i, fields)
		vars[fmt.Sprintf("e%d", i)] = commit + ":" + p
	}
	q.WriteString("}}")

	var node repositoryNode
	blobs := map[string]*blobNode{}
	answer := struct{ Repository *splitNode }{&splitNode{fixed: &node, blobs: blobs}}
	if err := c.query(ctx, q.String(), vars, &answer); err != nil {
		return nil, err
	}
	if answer.Repository == nil || node.DatabaseID == 0 {
		return nil, ErrNotFound
	}
	repo, err := node.on(n.Branch).repository()
	if err != nil {
		return nil, err
	}
	s := &Snapshot{Repository: repo, client: c, objects: map[string]Object{}, bodies: map[string][]byte{}}
	for i, p := range paths {
		s.remember(p, blobs[fmt.Sprintf("p%d", i)])
	}
	return s, nil
}

// Moved asks with one conditional request, which costs no quota when the
// answer is no, whether the head of a branch is another commit than sha.
func (c *Clients) Moved(ctx context.Context, n Name, branch, sha string) (bool, error) {
	var moved bool
	err := c.with(ctx, n.place(), func(cl *client) (err error) {
		moved, err = cl.moved(ctx, n, branch, sha)
		return err
	})
	return moved, err
}

func (c *client) moved(ctx context.Context, n Name, branch, sha string) (bool, error) {
	// For this media type the commit id is the ETag (GitHub REST, "Get a commit").
	head, res, err := c.rest.Repositories.GetCommitSHA1(ctx, n.Owner, n.Name, branch, sha)
	if res != nil {
		switch res.StatusCode {
		case http.StatusNotModified:
			return false, nil
		case http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusConflict:
			return true, nil // let the full look say what became of it
		}
	}
	if err != nil {
		return false, classify(err)
	}
	return head != sha, nil
}
