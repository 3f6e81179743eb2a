package githubapp

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/callboard/callboard/pipeline/event"
)

// restRepository is a repository as the REST API lists it.
type restRepository struct {
	ID            int64       `json:"id"`
	NodeID        string      `json:"node_id"`
	Name          string      `json:"name"`
	Owner         accountJSON `json:"owner"`
	HTMLURL       string      `json:"html_url"`
	DefaultBranch string      `json:"default_branch"`
	Visibility    string      `json:"visibility"`
	Private       bool        `json:"private"`
	Archived      bool        `json:"archived"`
	Fork          bool        `json:"fork"`
	Topics        []string    `json:"topics"`
	PushedAt      *time.Time  `json:"pushed_at"`
}

func (r restRepository) listed() Listed {
	l := Listed{
		Seen: event.Seen{
			ID: r.ID, Owner: r.Owner.Login, Name: r.Name, URL: r.HTMLURL, DefaultBranch: r.DefaultBranch,
			Visibility: r.Visibility, Archived: r.Archived, Fork: r.Fork, Topics: r.Topics,
		},
		HeadUnknown: true,
	}
	if l.Visibility == "" { // as older Enterprise Servers answer
		if l.Visibility = "public"; r.Private {
			l.Visibility = "private"
		}
	}
	if r.PushedAt != nil {
		l.PushedAt = *r.PushedAt
	}
	return l
}

// listSelected lists what an installation was given, and asks for heads and
// blobs of these in a second request.
func (c *client) listSelected(ctx context.Context, a Account, q PageQuery, at string) (Page, error) {
	found, page, err := c.restPage(ctx, a, bySelect, at, q.Size)
	if err != nil || len(found) == 0 {
		return page, err
	}
	var ids []string
	for _, r := range found {
		ids = append(ids, r.NodeID)
	}
	nodes, bad, err := c.nodesOf(ctx, q, ids)
	if err != nil {
		return Page{}, err
	}
	page.Requests++
	for i, r := range found {
		// A node that is not shown, or is another one, leaves the facts of the list.
		if n := nodes[i]; n != nil && n.DatabaseID == r.ID {
			page.Repositories = append(page.Repositories, n.listed(q, bad[i]))
		} else {
			page.Repositories = append(page.Repositories, r.listed())
		}
	}
	return page, nil
}

// listREST lists facts only, a hundred a request.
func (c *client) listREST(ctx context.Context, a Account, at string) (Page, error) {
	found, page, err := c.restPage(ctx, a, byREST, at, 100)
	for _, r := range found {
		page.Repositories = append(page.Repositories, r.listed())
	}
	return page, err
}

// restPage reads a page of the REST API. Its pages are numbered, so the cursor
// counts what came before, and after a change of size some come twice.
func (c *client) restPage(ctx context.Context, a Account, way, at string, size int) ([]restRepository, Page, error) {
	before := 0
	if at != "" {
		var err error
		if before, err = strconv.Atoi(at); err != nil || before < 0 {
			return nil, Page{}, fmt.Errorf("%q is no cursor", way+at)
		}
	}
	number := before/size + 1
	if number > maxPages*100 {
		return nil, Page{}, fmt.Errorf("more than %d pages of repositories", maxPages*100)
	}
	listed, total, more, err := c.restList(ctx, a, url.Values{
		"per_page": {strconv.Itoa(size)}, "page": {strconv.Itoa(number)},
	})
	if err != nil {
		return nil, Page{}, err
	}
	page := Page{Total: total, Requests: 1}
	if more {
		page.Next = way + strconv.Itoa(number*size)
	}
	if more && len(listed) == 0 {
		return nil, Page{}, fmt.Errorf("%w: a page is empty, and more should come", errBroken)
	}
	found := listed[:0]
	for _, r := range listed {
		if r.ID == 0 || r.Name == "" || r.Owner.Login == "" {
			page.Unreadable++
			continue
		}
		// In the list of a user may be repositories of others.
		if !c.plain || strings.EqualFold(r.Owner.Login, a.Login) {
			found = append(found, r)
		}
	}
	return found, page, nil
}

// restList asks one of the lists of the REST API. Only an installation's says how
// many there are.
func (c *client) restList(ctx context.Context, a Account, page url.Values) (list []restRepository, total int, more bool, err error) {
	if !c.plain {
		var answer struct {
			TotalCount   int              `json:"total_count"`
			Repositories []restRepository `json:"repositories"`
		}
		res, err := c.get(ctx, "installation/repositories?"+page.Encode(), &answer)
		if err != nil {
			return nil, 0, false, err
		}
		return answer.Repositories, answer.TotalCount, res.NextPage != 0, nil
	}
	page.Set("sort", "created")
	page.Set("direction", "asc")
	for _, path := range []string{"orgs/", "users/"} {
		res, err := c.get(ctx, path+url.PathEscape(a.Login)+"/repos?"+page.Encode(), &list)
		switch {
		case err == nil:
			return list, -1, res.NextPage != 0, nil
		case res == nil || res.StatusCode != http.StatusNotFound:
			return nil, 0, false, err
		}
	}
	return nil, 0, false, fmt.Errorf("%w: it does not show the account", errBroken)
}
