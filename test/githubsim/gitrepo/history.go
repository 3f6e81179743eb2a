package gitrepo

import (
	"slices"
	"sort"
)

// Reachable is the set of commits that can be reached from the given ones.
func (r *Repo) Reachable(from ...string) (map[string]bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reachable(nil, from...)
}

func (r *Repo) reachable(stop map[string]bool, from ...string) (map[string]bool, error) {
	seen := map[string]bool{}
	todo := slices.Clone(from)
	for len(todo) > 0 {
		sha := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if sha == "" || sha == ZeroSHA || seen[sha] || stop[sha] {
			continue
		}
		c, err := r.commit(sha)
		if err != nil {
			return nil, err
		}
		seen[sha] = true
		todo = append(todo, c.Parents...)
	}
	return seen, nil
}

// Between lists the commits that after has and before (any of them) has not,
// oldest first.
func (r *Repo) Between(after string, before ...string) ([]*Commit, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if line, ok := r.straight(after, before); ok {
		return line, nil
	}
	old, err := r.reachable(nil, before...)
	if err != nil {
		return nil, err
	}
	fresh, err := r.reachable(old, after)
	if err != nil {
		return nil, err
	}
	return r.ordered(fresh)
}

// straight is the common case without reading the whole history: one parent
// each, down to one of the before commits.
func (r *Repo) straight(after string, before []string) ([]*Commit, bool) {
	var line []*Commit
	for sha := after; !slices.Contains(before, sha); {
		c, err := r.commit(sha)
		if err != nil || len(c.Parents) != 1 || len(line) > 4096 {
			return nil, false
		}
		line = append(line, c)
		sha = c.Parents[0]
	}
	slices.Reverse(line)
	return line, true
}

// ordered sorts a set of commits so that parents stand before children; mu is held.
func (r *Repo) ordered(set map[string]bool) ([]*Commit, error) {
	roots := make([]*Commit, 0, len(set))
	for sha := range set {
		c, err := r.commit(sha)
		if err != nil {
			return nil, err
		}
		roots = append(roots, c)
	}
	sort.Slice(roots, func(i, j int) bool {
		a, b := roots[i].Committer.When, roots[j].Committer.When
		if !a.Equal(b) {
			return a.Before(b)
		}
		return roots[i].SHA < roots[j].SHA
	})
	out := make([]*Commit, 0, len(roots))
	done := map[string]bool{}
	// An explicit stack: a history may be deeper than is good for recursion.
	for _, root := range roots {
		stack := []*Commit{root}
		for len(stack) > 0 {
			c := stack[len(stack)-1]
			if done[c.SHA] {
				stack = stack[:len(stack)-1]
				continue
			}
			ready := true
			for _, p := range c.Parents {
				if set[p] && !done[p] {
					stack = append(stack, r.commits[p])
					ready = false
				}
			}
			if ready {
				done[c.SHA] = true
				out = append(out, c)
				stack = stack[:len(stack)-1]
			}
		}
	}
	return out, nil
}

// Log lists the commits reachable from sha, newest first.
func (r *Repo) Log(sha string) ([]*Commit, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	set, err := r.reachable(nil, sha)
	if err != nil {
		return nil, err
	}
	out, err := r.ordered(set)
	slices.Reverse(out)
	return out, err
}

// IsAncestor says whether old can be reached from sha.
func (r *Repo) IsAncestor(old, sha string) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.straight(sha, []string{old}); ok {
		return true, nil
	}
	set, err := r.reachable(nil, sha)
	return set[old], err
}

// MergeBase is a newest common ancestor, or "".
func (r *Repo) MergeBase(a, b string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ours, err := r.reachable(nil, a)
	if err != nil {
		return "", err
	}
	theirs, err := r.reachable(nil, b)
	if err != nil {
		return "", err
	}
	for sha := range theirs {
		if !ours[sha] {
			delete(theirs, sha)
		}
	}
	common, err := r.ordered(theirs)
	if err != nil || len(common) == 0 {
		return "", err
	}
	return common[len(common)-1].SHA, nil
}
