package githubapp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/pipeline/fault"
)

// ErrTooHeavy means that GitHub could not make the page in its time: ask for
// fewer repositories with the same cursor.
var ErrTooHeavy = errors.New("the page is too heavy for GitHub")

// Account is an organization or user whose repositories are listed.
type Account struct {
	Host  string
	Login string
	// InstallationID is that of the App there, 0 to look for it, or for a token.
	InstallationID int64
	// Selected says that the App is installed on some repositories only.
	Selected bool
}

// PageQuery asks for one page of an account's repositories.
type PageQuery struct {
	// Cursor is the Next of the page before, "" for the first. It may be kept, and
	// used with another Size.
	Cursor string
	// Size is how many repositories, 1 to 100.
	Size int
	// Path is a file whose blob is wanted with each repository, "" for none.
	Path string
	// Branch is read instead of the default branch where it is set.
	Branch string
}

// Page is some repositories of an account.
type Page struct {
	Repositories []Listed
	// Total is how many GitHub says that there are, -1 where it does not say.
	Total int
	// Unreadable counts those that GitHub listed and could not show.
	Unreadable int
	// Next is the cursor of the next page, "" at the end.
	Next string
	// Requests is what the page cost.
	Requests int
}

// Listed is a repository of a page.
type Listed struct {
	event.Seen
	PushedAt time.Time
	// HeadUnknown says that GitHub told only the facts, and neither head nor blob.
	HeadUnknown bool
}

// The three ways to list, which a cursor begins with.
const (
	byGraphQL = "g:" // then GraphQL's own cursor
	bySelect  = "s:" // REST lists, GraphQL shows heads and blobs; then how many came before
	byREST    = "r:" // facts only; then how many came before
)

// errBroken is an answer that contradicts itself: nothing may be concluded from
// it, and it lasts as long as GitHub has its trouble.
var errBroken = fault.Unavailable(errors.New("GitHub's list is broken"))

// Repositories reads one page of an account's repositories. A page that GitHub
// could not make whole is an error, or says what is missing in Unreadable: only
// then may absence be believed.
//
// Where GraphQL cannot even show one repository in its time, or is away, REST
// lists them from the beginning, facts only: who counts has seen some already.
func (c *Clients) Repositories(ctx context.Context, a Account, q PageQuery) (Page, error) {
	q.Size = min(max(q.Size, 1), 100)
	q.Path = strings.TrimPrefix(q.Path, "/")
	var page Page
	err := c.with(ctx, place{host: a.Host, owner: a.Login, installation: a.InstallationID}, func(cl *client) (err error) {
		page, err = cl.repositories(ctx, a, q)
		return err
	})
	if err != nil {
		return Page{}, fmt.Errorf("list the repositories of %s: %w", a.Login, err)
	}
	return page, nil
}

func (c *client) repositories(ctx context.Context, a Account, q PageQuery) (page Page, err error) {
	way, at := byGraphQL, ""
	switch {
	case q.Cursor != "" && len(q.Cursor) < 2:
		return Page{}, fmt.Errorf("%q is no cursor", q.Cursor)
	case q.Cursor != "":
		way, at = q.Cursor[:2], q.Cursor[2:]
	case a.Selected && !c.plain:
		// GraphQL shows public repositories too that were not selected.
		way = bySelect
	}
	switch way {
	case byGraphQL:
		page, err = c.listGraphQL(ctx, a, q, at)
	case bySelect:
		page, err = c.listSelected(ctx, a, q, at)
	case byREST:
		return c.listREST(ctx, a, at)
	default:
		return Page{}, fmt.Errorf("%q is no cursor", q.Cursor)
	}
	if q.Size == 1 && errors.Is(err, ErrTooHeavy) || errors.Is(err, errNoGraphQL) {
		page, err = c.listREST(ctx, a, "")
		page.Requests++
	}
	return page, err
}
