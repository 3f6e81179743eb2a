package callboard

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"time"

	"github.com/callboard/callboard/storage"
)

// Place is where something is written: in which file of which repository, at
// which commit.
type Place struct {
	Repository   string `json:"repository"`
	RepositoryID int64  `json:"repositoryId"`
	Host         string `json:"host,omitempty"`
	Path         string `json:"path"`
	// Document is the position in the YAML stream, from 0; Line where it starts,
	// from 1, and 0 for the whole file.
	Document int    `json:"document"`
	Line     int    `json:"line,omitempty"`
	Commit   string `json:"commit,omitempty"`
	// URL shows the line at the commit.
	URL string `json:"url,omitempty"`
}

// Claim is a declaration of a ref by a file.
type Claim struct {
	Place
	// Since is when the repository first declared the ref.
	Since time.Time `json:"since,omitzero"`
	// Delivery brought this version.
	Delivery string `json:"delivery,omitempty"`
}

// repositories reads each repository once for an answer.
type repositories struct {
	store storage.Reader
	known map[int64]storage.Repository
}

func (a *API) repositories() repositories {
	return repositories{a.store, map[int64]storage.Repository{}}
}

// get gives an empty repository for one that is not known.
func (rs repositories) get(ctx context.Context, id int64) (storage.Repository, error) {
	if repo, ok := rs.known[id]; ok {
		return repo, nil
	}
	repo, err := rs.store.Repository(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		repo, err = storage.Repository{ID: id}, nil
	}
	if err == nil {
		rs.known[id] = repo
	}
	return repo, err
}

func (rs repositories) name(ctx context.Context, id int64) (string, error) {
	repo, err := rs.get(ctx, id)
	if err != nil || repo.Owner == "" {
		return "", err
	}
	return repo.FullName(), nil
}

func (rs repositories) place(ctx context.Context, id int64, path string, document, line int, commit string) (Place, error) {
	repo, err := rs.get(ctx, id)
	if err != nil {
		return Place{}, err
	}
	p := Place{
		RepositoryID: id, Host: repo.Host, Path: path, Document: max(0, document), Line: line, Commit: commit,
		URL: lineURL(repo, path, commit, line),
	}
	if repo.Owner != "" {
		p.Repository = repo.FullName()
	}
	return p, nil
}

func (rs repositories) claim(ctx context.Context, c storage.Claim) (Claim, error) {
	p, err := rs.place(ctx, c.RepositoryID, c.Path, c.Document, c.Line, c.Commit)
	return Claim{Place: p, Since: utc(c.Since), Delivery: c.Delivery}, err
}

// lineURL is GitHub's page of a line. It names the commit, because the line may
// be another one at the head.
func lineURL(repo storage.Repository, path, commit string, line int) string {
	if commit == "" {
		commit = repo.DefaultBranch
	}
	if repo.HTMLURL == "" || commit == "" || path == "" {
		return ""
	}
	page := url.URL{Path: "/blob/" + commit + "/" + path}
	out := repo.HTMLURL + page.EscapedPath()
	if line > 0 {
		out += "#L" + strconv.Itoa(line)
	}
	return out
}
