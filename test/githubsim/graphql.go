package githubsim

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/callboard/callboard/test/githubsim/graphql"
)

// interfaces lists what GitHub's types also are, for fragments.
var interfaces = map[string][]string{
	"Organization": {"RepositoryOwner", "Node", "Actor", "ProfileOwner"},
	"User":         {"RepositoryOwner", "Node", "Actor", "ProfileOwner"},
	"Repository":   {"Node", "RepositoryInfo", "Starrable"},
	"Commit":       {"GitObject", "Node"},
	"Tree":         {"GitObject", "Node"},
	"Blob":         {"GitObject", "Node"},
	"Tag":          {"GitObject", "Node"},
	"Ref":          {"Node"},
	"Team":         {"Node"},
}

// query is the root of one GraphQL request.
type query struct {
	*call
	cost int // requests that the connections stand for, before division
	// failed is the status to answer with instead, 0 for none.
	failed int
}

// serveGraphQL answers POST /api/graphql. Errors of fields are a 200, as with
// GitHub; only authentication and limits use the status.
func (s *Server) serveGraphQL(w http.ResponseWriter, r *http.Request) {
	c := &call{s: s, w: w, r: r, resource: "graphql"}
	w.Header().Set("X-GitHub-Media-Type", "github.v4; format=json")
	err := c.run(func(c *call) error {
		if c.r.Method != http.MethodPost {
			return errNotFound
		}
		if c.who.token == nil {
			return errNeedsAuth
		}
		var req graphql.Request
		if err := c.body(&req); err != nil {
			return err
		}
		q := &query{call: c}
		schema := graphql.Schema{Query: q, Interfaces: interfaces}
		body := schema.Execute(req)
		if q.failed != 0 {
			return &apiError{q.failed, "Something went wrong while executing your query. This may be the result of a timeout."}
		}
		c.spend(q.points())
		c.answer(body)
		return nil
	})
	if limit := (*exhaustedError)(nil); errors.As(err, &limit) {
		// GitHub, "Rate limits for the GraphQL API": an error in a 200.
		c.spend(0)
		c.answer([]byte(GraphQLError("RATE_LIMITED", limit.message).Body))
		return
	}
	c.fail(err)
}

// answer writes a GraphQL document.
func (c *call) answer(body []byte) {
	c.w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if _, err := c.w.Write(body); err != nil {
		c.s.opt.log.DebugContext(c.r.Context(), "graphql answer not taken", "error", err)
	}
}

// points is the cost of the request so far: connection requests by hundreds.
func (q *query) points() int { return max(1, (q.cost+50)/100) }

func (q *query) Type() string { return "Query" }

// Field implements graphql.Object.
func (q *query) Field(name string, args graphql.Args) (any, error) {
	switch name {
	case "rateLimit":
		return q.rateLimit(), nil
	case "viewer":
		return q.viewer(), nil
	case "repository":
		return q.repository(args)
	case "repositoryOwner":
		return q.owner(args.String("login"), "")
	case "organization":
		return q.owner(args.String("login"), typeOrg)
	case "user":
		return q.owner(args.String("login"), typeUser)
	case "node":
		return q.node(args.String("id"))
	case "nodes":
		var out []any
		for _, id := range args.List("ids") {
			n, err := q.node(fmt.Sprint(id))
			if err != nil {
				n = err // of this entry only
			}
			out = append(out, n)
		}
		return out, nil
	}
	return nil, graphql.ErrNoField
}

func (q *query) rateLimit() graphql.Object {
	w := q.s.limits.state(q.who.budget(), "graphql", 0, q.s.now())
	points := func(f func(points int) int) func() (any, error) {
		return func() (any, error) { return f(q.points()), nil }
	}
	return graphql.Map{Name: "RateLimit", Fields: map[string]any{
		"limit": w.limit, "resetAt": stamp(w.reset), "nodeCount": 0,
		"cost":      points(func(n int) int { return n }),
		"remaining": points(func(n int) int { return max(0, w.remaining()-n) }),
		"used":      points(func(n int) int { return min(w.limit, w.used+n) }),
	}}
}

func (q *query) viewer() graphql.Object {
	if t := q.who.token; t.inst == nil {
		return &accountNode{q, t.user}
	}
	name := q.who.name()
	return graphql.Map{Name: "User", Fields: map[string]any{"login": name, "name": name, "id": nodeID("BOT", q.who.token.inst.app.id)}}
}

func (q *query) repository(args graphql.Args) (any, error) {
	name := args.String("owner") + "/" + args.String("name")
	q.s.mu.RLock()
	defer q.s.mu.RUnlock()
	r, moved, err := q.s.find(name)
	if err != nil || !q.who.mayRead(r) || q.s.concealed(r) || moved && !args.Bool("followRenames", true) {
		return nil, &graphql.Error{Kind: "NOT_FOUND", Message: fmt.Sprintf("Could not resolve to a Repository with the name '%s'.", name)}
	}
	return &repoNode{q, r}, nil
}

// owner finds an account. An unknown repositoryOwner is null without an error;
// an unknown organization or user has one.
func (q *query) owner(login, kind string) (any, error) {
	q.s.mu.RLock()
	defer q.s.mu.RUnlock()
	a, err := q.s.lookup(login, kind)
	switch {
	case err == nil:
		return &accountNode{q, a}, nil
	case kind == "":
		return nil, nil
	}
	return nil, &graphql.Error{Kind: "NOT_FOUND", Message: fmt.Sprintf("Could not resolve to an %s with the login of '%s'.", kind, login)}
}

func (q *query) node(id string) (any, error) {
	q.s.mu.RLock()
	defer q.s.mu.RUnlock()
	var number int64
	if text, err := decodeNodeID(id); err == nil {
		_, _ = fmt.Sscanf(text, "R:%d", &number)
	}
	if r := q.s.reposByID[number]; r != nil && q.who.mayRead(r) && !q.s.concealed(r) {
		return &repoNode{q, r}, nil
	}
	for _, a := range q.s.accounts {
		if a.nodeID() == id {
			return &accountNode{q, a}, nil
		}
	}
	return nil, &graphql.Error{Kind: "NOT_FOUND", Message: fmt.Sprintf("Could not resolve to a node with the global id of '%s'", id)}
}

// connection cuts one page out of items. Cursors are positions; first or last
// is required and at most 100, as GitHub demands.
func connection[T any](q *query, name string, items []T, args graphql.Args, node func(T) any) (any, error) {
	n, forward := args.Int("first")
	back := false
	if !forward {
		if n, back = args.Int("last"); !back {
			return nil, &graphql.Error{Kind: "MISSING_PAGINATION_BOUNDARIES", Message: "You must provide a `first` or `last` value to properly paginate the `" + name + "` connection."}
		}
	}
	if n < 0 || n > 100 {
		return nil, &graphql.Error{Kind: "EXCESSIVE_PAGINATION", Message: fmt.Sprintf("Requesting %d records on the `%s` connection exceeds the `first` limit of 100 records.", n, name)}
	}
	fault, err := q.listing(name, n)
	if err != nil {
		return nil, err
	}
	total := fault.total(len(items))
	if fault.Empty {
		items = nil
	}
	from, to := 0, len(items)
	if after := args.String("after"); after != "" {
		if at, ok := cursorAt(after); ok {
			from = min(at, len(items))
		} else {
			return nil, &graphql.Error{Kind: "INVALID_CURSOR_ARGUMENTS", Message: "`" + after + "` does not appear to be a valid cursor."}
		}
	}
	if before, ok := cursorAt(args.String("before")); ok {
		to = max(from, min(before-1, to))
	}
	if forward {
		to = min(to, from+n)
	} else {
		from = max(from, to-n)
	}
	q.cost++
	nodes, edges := make([]any, 0, to-from), make([]any, 0, to-from)
	for i := from; i < to; i++ {
		v := node(items[i])
		nodes = append(nodes, v)
		edges = append(edges, graphql.Map{Name: "Edge", Fields: map[string]any{"node": v, "cursor": cursor(i + 1)}})
	}
	page := map[string]any{
		"hasNextPage": to < len(items), "hasPreviousPage": from > 0, "startCursor": nil, "endCursor": nil,
	}
	if to > from {
		page["startCursor"], page["endCursor"] = cursor(from+1), cursor(to)
	}
	return graphql.Map{Name: name + "Connection", Fields: map[string]any{
		"totalCount": total, "nodes": nodes, "edges": edges,
		"pageInfo": graphql.Map{Name: "PageInfo", Fields: page},
	}}, nil
}

func cursor(at int) string { return nodeID("cursor", int64(at)) }

func cursorAt(text string) (int, bool) {
	var at int
	b, err := decodeNodeID(text)
	if err != nil {
		return 0, false
	}
	_, err = fmt.Sscanf(b, "cursor:%d", &at)
	return at, err == nil
}

// gitError hides a missing object as null, as GitHub does for object().
func gitError(err error) error {
	if isNotFound(err) || errors.Is(err, errEmptyRepo) {
		return nil
	}
	return err
}
