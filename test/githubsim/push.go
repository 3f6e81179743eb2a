package githubsim

import (
	"slices"
	"sort"
	"strings"

	"github.com/callboard/callboard/test/githubsim/gitrepo"
)

// Limits of GitHub's push events, contracts/github.md section 2.
const (
	maxPushCommits   = 2048
	maxCommitFiles   = 3000
	maxPushedTags    = 3
	maxPushedBranchs = 5000
)

// refsMoved compares the refs with what they were and sends create, delete and
// push events for each that moved. It runs inside Exclusive.
func (s *Server) refsMoved(r *Repo, before map[string]string, e edit) error {
	after := r.git.Refs()
	type move struct{ ref, before, after string }
	var moves []move
	count := map[bool]int{} // by "is a tag"
	for ref, sha := range after {
		if before[ref] != sha {
			moves = append(moves, move{ref, before[ref], sha})
		}
	}
	for ref, sha := range before {
		if after[ref] == "" {
			moves = append(moves, move{ref, sha, ""})
		}
	}
	if len(moves) == 0 {
		return nil
	}
	sort.Slice(moves, func(i, j int) bool { return moves[i].ref < moves[j].ref })
	for _, m := range moves {
		count[strings.HasPrefix(m.ref, "refs/tags/")]++
	}
	// The first branch pushed to an empty repository becomes the default one.
	if r.git.Head() == "" {
		for _, m := range moves {
			if branch, ok := strings.CutPrefix(m.ref, "refs/heads/"); ok && m.after != "" {
				if err := r.git.SetDefaultBranch(branch); err != nil {
					return err
				}
				break
			}
		}
	}
	now := s.now()
	s.mu.Lock()
	r.pushedAt, r.updatedAt = now, now
	s.mu.Unlock()
	if e.quiet || !s.heard(r) {
		return nil
	}
	for _, m := range moves {
		tag := strings.HasPrefix(m.ref, "refs/tags/")
		if !tag && !strings.HasPrefix(m.ref, "refs/heads/") ||
			tag && count[true] > maxPushedTags || !tag && count[false] > maxPushedBranchs {
			continue
		}
		switch {
		case m.before == "":
			s.refEvent(r, "create", m.ref, e)
		case m.after == "":
			s.refEvent(r, "delete", m.ref, e)
		}
		if err := s.pushEvent(r, m.ref, m.before, m.after, before, e); err != nil {
			return err
		}
	}
	return nil
}

// pushEvent sends the push of one ref. old are all refs as they were before.
func (s *Server) pushEvent(r *Repo, ref, before, after string, old map[string]string, e edit) error {
	p := object{
		"ref": ref, "base_ref": nil,
		"before": orZero(before), "after": orZero(after),
		"created": before == "", "deleted": after == "", "forced": false,
		"commits": []any{}, "head_commit": nil,
	}
	html := r.HTMLURL()
	short := func(sha string) string { return sha[:min(12, len(sha))] }
	branch := strings.TrimPrefix(strings.TrimPrefix(ref, "refs/heads/"), "refs/tags/")
	if before == "" {
		p["compare"] = html + "/compare/" + branch
		for name, sha := range old { // a new branch on a commit that another one has
			if sha == after && strings.HasPrefix(name, "refs/heads/") {
				p["base_ref"] = name
			}
		}
	} else {
		p["compare"] = html + "/compare/" + short(before) + "..." + short(orZero(after))
	}
	if after != "" {
		if err := s.pushCommits(r, p, ref, before, after, old, html); err != nil {
			return err
		}
	}
	return s.send(r, "push", "", e, p, true)
}

// pushCommits fills in what a push brought: commits, head_commit, forced.
func (s *Server) pushCommits(r *Repo, p object, ref, before, after string, old map[string]string, html string) error {
	after, err := r.git.Resolve(after) // an annotated tag is followed
	if err != nil {
		return err
	}
	if before != "" {
		fast, err := r.git.IsAncestor(before, after)
		if err != nil {
			return err
		}
		p["forced"] = !fast
	}
	var others []string // what else was there: a commit on it is not distinct
	for name, sha := range old {
		if name != ref && strings.HasPrefix(name, "refs/heads/") {
			others = append(others, sha)
		}
	}
	base := []string{before}
	if before == "" {
		base = others
	}
	commits, err := r.git.Between(after, slices.DeleteFunc(base, func(s string) bool { return s == "" })...)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	if len(others) > 0 && len(commits) > 0 {
		if known, err = r.git.Reachable(others...); err != nil {
			return err
		}
	}
	if len(commits) > maxPushCommits {
		commits = commits[len(commits)-maxPushCommits:]
	}
	list := make([]any, len(commits))
	for i, c := range commits {
		if list[i], err = s.pushCommit(r, c, !known[c.SHA], html); err != nil {
			return err
		}
	}
	if strings.HasPrefix(ref, "refs/heads/") {
		p["commits"] = list
	}
	head, err := r.git.Commit(after)
	if err != nil {
		return err
	}
	p["head_commit"], err = s.pushCommit(r, head, !known[after], html)
	return err
}

// pushCommit is one commit of a push payload.
func (s *Server) pushCommit(r *Repo, c *gitrepo.Commit, distinct bool, html string) (object, error) {
	var parent string
	if len(c.Parents) > 0 {
		p, err := r.git.Commit(c.Parents[0])
		if err != nil {
			return nil, err
		}
		parent = p.Tree
	}
	diff, err := r.git.Diff(parent, c.Tree)
	if err != nil {
		return nil, err
	}
	added, removed, modified := []string{}, []string{}, []string{}
	for i, d := range diff {
		if i == maxCommitFiles {
			break
		}
		switch {
		case d.Before == "":
			added = append(added, d.Path)
		case d.After == "":
			removed = append(removed, d.Path)
		default:
			modified = append(modified, d.Path)
		}
	}
	return object{
		"id": c.SHA, "tree_id": c.Tree, "distinct": distinct, "message": strings.TrimRight(c.Message, "\n"),
		"timestamp": c.Committer.When.Format("2006-01-02T15:04:05-07:00"),
		"url":       html + "/commit/" + c.SHA,
		"author":    s.pushPerson(c.Author), "committer": s.pushPerson(c.Committer),
		"added": added, "removed": removed, "modified": modified,
	}, nil
}

// pushPerson names the account too when the mail address is one's.
func (s *Server) pushPerson(p gitrepo.Signature) object {
	o := object{"name": p.Name, "email": p.Email}
	if login := s.loginOf(p.Email); login != "" {
		o["username"] = login
	}
	return o
}

func orZero(sha string) string {
	if sha == "" {
		return gitrepo.ZeroSHA
	}
	return sha
}

// refEvent sends create or delete of a branch or tag.
func (s *Server) refEvent(r *Repo, event, ref string, e edit) {
	kind, name := "branch", strings.TrimPrefix(ref, "refs/heads/")
	if tag, ok := strings.CutPrefix(ref, "refs/tags/"); ok {
		kind, name = "tag", tag
	}
	p := object{"ref": name, "ref_type": kind, "pusher_type": "user"}
	if event == "create" {
		s.mu.RLock()
		p["full_ref"], p["master_branch"], p["description"] = ref, r.git.DefaultBranch(), null(r.description)
		s.mu.RUnlock()
	}
	s.report(s.send(r, event, "", e, p, false))
}
