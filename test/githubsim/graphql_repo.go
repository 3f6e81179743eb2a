package githubsim

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/callboard/callboard/test/githubsim/gitrepo"
	"github.com/callboard/callboard/test/githubsim/graphql"
)

func decodeNodeID(id string) (string, error) {
	_, code, _ := strings.Cut(id, "_")
	b, err := base64.RawURLEncoding.DecodeString(code)
	if err != nil {
		return "", fmt.Errorf("decode node id: %w", err)
	}
	return string(b), nil
}

// repoNode is a Repository.
type repoNode struct {
	q *query
	r *Repo
}

func (n *repoNode) Type() string { return "Repository" }

// Field implements graphql.Object.
func (n *repoNode) Field(name string, args graphql.Args) (any, error) {
	git := n.r.git
	switch name {
	case "isEmpty":
		return len(git.Refs()) == 0, nil
	case "defaultBranchRef":
		if git.Head() == "" {
			return nil, nil
		}
		return n.ref("refs/heads/" + git.DefaultBranch()), nil
	case "ref":
		full := args.String("qualifiedName")
		for _, ref := range []string{full, "refs/heads/" + full, "refs/tags/" + full} {
			if git.Ref(ref) != "" {
				return n.ref(ref), nil
			}
		}
		return nil, nil
	case "refs":
		var refs []string
		for ref := range git.Refs() {
			if strings.HasPrefix(ref, args.String("refPrefix")) {
				refs = append(refs, ref)
			}
		}
		slices.Sort(refs)
		return connection(n.q, "Ref", refs, args, func(ref string) any { return n.ref(ref) })
	case "object":
		return n.object(args)
	}
	n.q.s.mu.RLock()
	defer n.q.s.mu.RUnlock()
	return n.meta(name, args)
}

// meta are the fields that need no Git; mu is held.
func (n *repoNode) meta(name string, args graphql.Args) (any, error) {
	r, s := n.r, n.q.s
	switch name {
	case "id":
		return nodeID("R", r.id), nil
	case "databaseId":
		return r.id, nil
	case "name":
		return r.name, nil
	case "nameWithOwner":
		return r.fullName(), nil
	case "owner":
		return &accountNode{n.q, r.owner}, nil
	case "url":
		return s.base + "/" + r.fullName(), nil
	case "description":
		return null(r.description), nil
	case "homepageUrl":
		return null(r.homepage), nil
	case "isArchived":
		return r.archived, nil
	case "isFork":
		return r.fork, nil
	case "isPrivate":
		return r.private, nil
	case "isTemplate":
		return r.template, nil
	case "isDisabled", "isLocked", "isMirror":
		return false, nil
	case "visibility":
		return strings.ToUpper(r.visibility()), nil
	case "createdAt":
		return stamp(r.createdAt), nil
	case "updatedAt":
		return stamp(r.updatedAt), nil
	case "pushedAt":
		return stamp(r.pushedAt), nil
	case "diskUsage", "stargazerCount", "forkCount":
		return 0, nil
	case "repositoryTopics":
		return connection(n.q, "RepositoryTopic", r.topics, args, func(t string) any {
			return graphql.Map{Name: "RepositoryTopic", Fields: map[string]any{
				"topic": graphql.Map{Name: "Topic", Fields: map[string]any{"name": t}},
			}}
		})
	}
	return nil, graphql.ErrNoField
}

func (n *repoNode) ref(full string) any {
	prefix := full[:strings.LastIndex(full, "/")+1]
	for _, p := range []string{"refs/heads/", "refs/tags/"} {
		if strings.HasPrefix(full, p) {
			prefix = p
		}
	}
	return graphql.Map{Name: "Ref", Fields: map[string]any{
		"id": nodeID("REF", n.r.id), "name": strings.TrimPrefix(full, prefix), "prefix": prefix,
		"target": func() (any, error) {
			sha, err := n.r.git.Resolve(full)
			if err != nil {
				return nil, gitError(err)
			}
			return &gitNode{q: n.q, r: n.r, kind: "Commit", sha: sha}, nil
		},
	}}
}

// object resolves the expression "rev:path" or "rev", or an oid. What is not
// there is null and no error.
func (n *repoNode) object(args graphql.Args) (any, error) {
	rev, path, hasPath := strings.Cut(args.String("expression"), ":")
	if oid := args.String("oid"); oid != "" {
		rev, hasPath = oid, false
		kind, err := n.r.git.Type(oid)
		if err != nil {
			return nil, gitError(err)
		}
		if kind != "commit" && kind != "tag" {
			return n.gitObject(kind, oid, ""), nil
		}
	}
	sha, err := n.r.git.Resolve(rev)
	if err != nil {
		return nil, gitError(err)
	}
	if !hasPath {
		return &gitNode{q: n.q, r: n.r, kind: "Commit", sha: sha}, nil
	}
	tree, err := treeOf(n.r.git, sha)
	if err != nil {
		return nil, err
	}
	e, err := n.r.git.Find(tree, path)
	if err != nil {
		return nil, gitError(err)
	}
	return n.gitObject(e.Type, e.SHA, e.Path), nil
}

func (n *repoNode) gitObject(kind, sha, path string) any {
	if kind == "commit" { // a submodule: its commit is elsewhere
		return nil
	}
	return &gitNode{q: n.q, r: n.r, kind: strings.ToUpper(kind[:1]) + kind[1:], sha: sha, path: path}
}

// gitNode is a Commit, Tree or Blob.
type gitNode struct {
	q               *query
	r               *Repo
	kind, sha, path string
}

func (n *gitNode) Type() string { return n.kind }

// Field implements graphql.Object.
func (n *gitNode) Field(name string, args graphql.Args) (any, error) {
	switch name {
	case "id":
		return nodeID(n.kind[:1], n.r.id) + n.sha, nil
	case "oid":
		return n.sha, nil
	case "abbreviatedOid":
		return n.sha[:7], nil
	case "commitUrl":
		return n.r.HTMLURL() + "/commit/" + n.sha, nil
	case "repository":
		return &repoNode{n.q, n.r}, nil
	}
	switch n.kind {
	case "Commit":
		return n.commit(name, args)
	case "Tree":
		return n.tree(name)
	case "Blob":
		return n.blob(name)
	}
	return nil, graphql.ErrNoField
}

func (n *gitNode) commit(name string, args graphql.Args) (any, error) {
	c, err := n.r.git.Commit(n.sha)
	if err != nil {
		return nil, err
	}
	switch name {
	case "committedDate":
		return stamp(c.Committer.When), nil
	case "authoredDate":
		return stamp(c.Author.When), nil
	case "message":
		return strings.TrimRight(c.Message, "\n"), nil
	case "messageHeadline":
		line, _, _ := strings.Cut(c.Message, "\n")
		return line, nil
	case "author":
		return n.person(c.Author), nil
	case "committer":
		return n.person(c.Committer), nil
	case "url":
		return n.r.HTMLURL() + "/commit/" + n.sha, nil
	case "tree":
		return &gitNode{q: n.q, r: n.r, kind: "Tree", sha: c.Tree}, nil
	case "file":
		e, err := n.r.git.Find(c.Tree, args.String("path"))
		if err != nil {
			return nil, gitError(err)
		}
		return n.entry(e, e.Path), nil
	case "parents":
		return connection(n.q, "Commit", c.Parents, args, func(sha string) any {
			return &gitNode{q: n.q, r: n.r, kind: "Commit", sha: sha}
		})
	case "history":
		log, err := n.r.git.Log(n.sha)
		if err == nil && args.String("path") != "" {
			log, err = touching(n.r.git, log, args.String("path"))
		}
		if err != nil {
			return nil, err
		}
		return connection(n.q, "CommitHistory", log, args, func(k *gitrepo.Commit) any {
			return &gitNode{q: n.q, r: n.r, kind: "Commit", sha: k.SHA}
		})
	}
	return nil, graphql.ErrNoField
}

func (n *gitNode) person(p gitrepo.Signature) any {
	return graphql.Map{Name: "GitActor", Fields: map[string]any{
		"name": p.Name, "email": p.Email, "date": p.When.Format("2006-01-02T15:04:05-07:00"),
		"user": func() (any, error) {
			login := n.q.s.loginOf(p.Email)
			n.q.s.mu.RLock()
			defer n.q.s.mu.RUnlock()
			if a := n.q.s.accounts[key(login)]; a != nil {
				return &accountNode{n.q, a}, nil
			}
			return nil, nil
		},
	}}
}

func (n *gitNode) tree(name string) (any, error) {
	if name != "entries" {
		return nil, graphql.ErrNoField
	}
	level, err := n.r.git.Tree(n.sha)
	if err != nil {
		return nil, err
	}
	out := make([]any, len(level))
	for i, e := range level {
		path := e.Name
		if n.path != "" {
			path = n.path + "/" + e.Name
		}
		out[i] = n.entry(e, path)
	}
	return out, nil
}

func (n *gitNode) entry(e gitrepo.Entry, path string) any {
	var mode int
	if _, err := fmt.Sscanf(e.Mode, "%o", &mode); err != nil {
		mode = 0
	}
	return graphql.Map{Name: "TreeEntry", Fields: map[string]any{
		"name": e.Name, "type": e.Type, "mode": mode, "oid": e.SHA, "path": path,
		"extension": extension(e.Name), "isGenerated": false, "submodule": nil,
		"size": func() (any, error) {
			if e.Type != "blob" {
				return 0, nil
			}
			b, err := n.r.git.Blob(e.SHA)
			return len(b), err
		},
		"object": func() (any, error) {
			return (&repoNode{n.q, n.r}).gitObject(e.Type, e.SHA, path), nil
		},
	}}
}

func extension(name string) string {
	if i := strings.LastIndex(name, "."); i >= 0 {
		return name[i:]
	}
	return ""
}

// blob: the text of a binary file is null, and long text is cut.
func (n *gitNode) blob(name string) (any, error) {
	b, err := n.r.git.Blob(n.sha)
	if err != nil {
		return nil, err
	}
	limit := n.q.s.opt.blobTextLimit
	binary := bytes.IndexByte(b[:min(len(b), 8000)], 0) >= 0
	switch name {
	case "byteSize":
		return len(b), nil
	case "isBinary":
		return binary, nil
	case "isTruncated":
		return !binary && len(b) > limit, nil
	case "text":
		if binary {
			return nil, nil
		}
		if len(b) > limit {
			b = b[:limit]
			for len(b) > 0 && !utf8.Valid(b[max(0, len(b)-4):]) && !utf8.RuneStart(b[len(b)-1]) {
				b = b[:len(b)-1] // not in the middle of a character
			}
		}
		return string(b), nil
	}
	return nil, graphql.ErrNoField
}
