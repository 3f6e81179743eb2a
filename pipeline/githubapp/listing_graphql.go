package githubapp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/callboard/callboard/pipeline/event"
)

// maxTravel is how much text travels with a listed repository.
const maxTravel = 32 << 10

// errNoGraphQL means that the endpoint itself is not there.
var errNoGraphQL = errors.New("GitHub has no GraphQL for us")

// pageNode is a repository of a page. A node that GitHub could not show is null.
type pageNode struct {
	repositoryNode
	PushedAt time.Time
	File     *blobNode
}

type pageInfo struct {
	HasNextPage bool
	EndCursor   string
}

// pageFields asks for the facts, the head and the blob of the file that is wanted.
func pageFields(q PageQuery, vars map[string]any) (declare, fields string) {
	fields = repositoryFields + " pushedAt"
	commit := "HEAD"
	if q.Branch != "" {
		commit = "refs/heads/" + q.Branch
		declare += ",$branch:String!"
		vars["branch"] = commit
		fields += " ref(qualifiedName:$branch){name target{oid}}"
	}
	if q.Path != "" {
		declare += ",$file:String!"
		vars["file"] = commit + ":" + q.Path
		fields += " file:object(expression:$file){... on Blob{oid byteSize isBinary isTruncated text}}"
	}
	return declare, fields
}

// listGraphQL asks for everything at once: one point a page.
func (c *client) listGraphQL(ctx context.Context, a Account, q PageQuery, after string) (Page, error) {
	vars := map[string]any{"login": a.Login, "first": q.Size}
	declare, fields := pageFields(q, vars)
	from := ""
	if after != "" {
		vars["after"] = after
		declare += ",$after:String!"
		from = ",after:$after"
	}
	// The oldest comes first: no push and no rename changes this order.
	const order = "{field:CREATED_AT,direction:ASC}"
	text := "query($login:String!,$first:Int!" + declare + "){rateLimit{cost}repositoryOwner(login:$login){" +
		"repositories(first:$first" + from + ",ownerAffiliations:[OWNER],orderBy:" + order + "){" +
		"totalCount pageInfo{hasNextPage endCursor}nodes{" + fields + "}}}}"
	var answer struct {
		RateLimit       costNode
		RepositoryOwner *struct {
			Repositories *struct {
				TotalCount int
				PageInfo   pageInfo
				Nodes      []*pageNode
			}
		}
	}
	errs, err := c.post(ctx, text, vars, &answer)
	if err != nil {
		return Page{}, withoutGraphQL(err)
	}
	c.charge(ctx, answer.RateLimit)
	owner := answer.RepositoryOwner
	bad, err := spoilt(errs, "repositoryOwner", "repositories", "nodes")
	switch {
	case err != nil:
		return Page{}, err
	case owner == nil || owner.Repositories == nil:
		return Page{}, fmt.Errorf("%w: it does not show the account", errBroken)
	}
	r := owner.Repositories
	page := Page{Total: r.TotalCount, Requests: 1}
	if r.PageInfo.HasNextPage {
		page.Next = byGraphQL + r.PageInfo.EndCursor
	}
	switch {
	case page.Next != "" && (len(r.Nodes) == 0 || r.PageInfo.EndCursor == "" || r.PageInfo.EndCursor == after):
		return Page{}, fmt.Errorf("%w: a page is empty, and more should come", errBroken)
	case len(r.Nodes) > q.Size || len(r.Nodes) > r.TotalCount:
		return Page{}, fmt.Errorf("%w: a page has %d repositories of %d", errBroken, len(r.Nodes), r.TotalCount)
	}
	for i, n := range r.Nodes {
		if n == nil || n.DatabaseID == 0 || n.Owner.Login == "" || n.Name == "" {
			page.Unreadable++
			continue
		}
		page.Repositories = append(page.Repositories, n.listed(q, bad[i]))
	}
	return page, nil
}

// listed takes over what a page says. unknown is for a node of which a part is
// missing: then only the facts are taken.
func (n *pageNode) listed(q PageQuery, unknown bool) Listed {
	r, err := n.on(q.Branch).repository()
	l := Listed{
		Seen: event.Seen{
			ID: r.ID, Owner: r.Owner, Name: r.Name, URL: r.URL, DefaultBranch: r.DefaultBranch,
			Visibility: r.Visibility, Archived: r.Archived, Fork: r.Fork, Topics: r.Topics,
		},
		PushedAt: n.PushedAt, HeadUnknown: unknown || err != nil,
	}
	if l.HeadUnknown {
		return l
	}
	l.Head, l.Path = r.Head, q.Path
	if n.File == nil || n.File.OID == "" {
		return l
	}
	l.BlobSHA, l.Size = n.File.OID, n.File.ByteSize
	if body, ok := n.File.whole(); ok && len(body) <= maxTravel {
		text := string(body)
		l.Text = &text
	}
	return l
}

// spoilt says which entries of a list have a part that GitHub could not give. An
// error that is about anything else is one.
func spoilt(errs []graphqlError, list ...string) (map[int]bool, error) {
	bad := map[int]bool{}
	for _, e := range errs {
		if len(e.Path) <= len(list) {
			return nil, e
		}
		for i, name := range list {
			if e.Path[i] != name {
				return nil, e
			}
		}
		at, ok := e.Path[len(list)].(float64)
		if !ok {
			return nil, e
		}
		bad[int(at)] = true
	}
	return bad, nil
}

// withoutGraphQL tells an endpoint that is not there from what it would not show.
func withoutGraphQL(err error) error {
	if errors.Is(err, ErrNotFound) && !errors.Is(err, errGone) {
		return errNoGraphQL
	}
	return err
}

// costNode is what GitHub says that a query cost.
type costNode struct{ Cost int }

func (c *client) charge(ctx context.Context, cost costNode) {
	c.governor.charge(rankOf(purposeOf(ctx)), cost.Cost-1)
}

// nodesOf asks for repositories by their node ids, in the same order.
func (c *client) nodesOf(ctx context.Context, q PageQuery, ids []string) ([]*pageNode, map[int]bool, error) {
	vars := map[string]any{"ids": ids}
	declare, fields := pageFields(q, vars)
	var text strings.Builder
	fmt.Fprintf(&text, "query($ids:[ID!]!%s){rateLimit{cost}nodes(ids:$ids){... on Repository{%s}}}", declare, fields)
	var answer struct {
		RateLimit costNode
		Nodes     []*pageNode
	}
	errs, err := c.post(ctx, text.String(), vars, &answer)
	if err != nil {
		return nil, nil, withoutGraphQL(err)
	}
	c.charge(ctx, answer.RateLimit)
	bad, err := spoilt(errs, "nodes")
	switch {
	case err != nil:
		return nil, nil, err
	case len(answer.Nodes) != len(ids):
		return nil, nil, fmt.Errorf("%w: it shows %d of %d repositories", errBroken, len(answer.Nodes), len(ids))
	}
	return answer.Nodes, bad, nil
}
