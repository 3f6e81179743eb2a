package githubapp

import "fmt"

// tally collects a connection and proves that it is whole.
type tally[T any] struct {
	key   func(*T) string
	nodes []*T
	seen  map[string]bool
	total int
}

// add takes a page. done is for the last one; what does not add up is an error.
func (t *tally[T]) add(page *connection[T], after string) (done bool, err error) {
	if t.seen == nil {
		t.seen, t.total = map[string]bool{}, page.TotalCount
	}
	for _, n := range page.Nodes {
		if n == nil || t.key(n) == "" {
			return false, fmt.Errorf("%w: an entry is empty", errBroken)
		}
		if k := t.key(n); !t.seen[k] {
			t.seen[k] = true
			t.nodes = append(t.nodes, n)
		}
	}
	more, next := page.PageInfo.HasNextPage, page.PageInfo.EndCursor
	switch {
	case page.TotalCount != t.total:
		return false, fmt.Errorf("%w: it changed from %d to %d entries meanwhile", errBroken, t.total, page.TotalCount)
	case more && (len(page.Nodes) == 0 || next == "" || next == after):
		return false, fmt.Errorf("%w: a page is empty, and more should come", errBroken)
	case !more && len(t.nodes) != t.total:
		return false, fmt.Errorf("%w: it has %d entries of %d", errBroken, len(t.nodes), t.total)
	}
	return !more, nil
}
