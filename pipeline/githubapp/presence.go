package githubapp

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// Present asks for members ("members/<login>") and teams ("teams/<slug>") of an
// organization one by one, and answers those that it has. Anything but a yes or
// a no is an error. GitHub's REST API says so by status: a member is 204 or 404,
// a team 200 or 404. Who may not know the members is led to the public ones
// (302), where only a yes means anything.
func (c *Clients) Present(ctx context.Context, host, org string, whom []string) (map[string]bool, error) {
	present := map[string]bool{}
	err := c.with(ctx, place{host: host, owner: org}, func(cl *client) error {
		for _, who := range whom {
			kind, name := path.Split(who)
			res, err := cl.get(ctx, "orgs/"+url.PathEscape(org)+"/"+kind+url.PathEscape(name), nil)
			switch {
			case err == nil:
				present[who] = true
			case res == nil || res.StatusCode != http.StatusNotFound:
				return err
			case strings.Contains(res.Request.URL.Path, "/public_members/"):
				return fmt.Errorf("%w: GitHub does not say who is a member (the App needs the permission members: read, a token the scope read:org)", ErrForbidden)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ask for people of %s: %w", org, err)
	}
	return present, nil
}
