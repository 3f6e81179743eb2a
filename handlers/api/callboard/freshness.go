package callboard

import (
	"context"
	"net/http"
	"net/url"

	"github.com/callboard/callboard/handlers/respond"
	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/storage"
)

// behindScan bounds how many repositories one request looks through for those
// that are behind: a page may be short while there is a next one.
const (
	behindScan  = 10_000
	behindBatch = 1000
)

// Freshness is GET freshness?behind=true&error=true&limit=&cursor=: how far the
// catalog is with each repository, pushes that wait included, by id.
func (a *API) Freshness(w http.ResponseWriter, r *http.Request) error {
	q, err := readQuery(r, "behind", "error", "limit", "cursor")
	if err != nil {
		return err
	}
	limit, err := readLimit(q)
	if err != nil {
		return err
	}
	behind, err := readBool(q, "behind")
	if err != nil {
		return err
	}
	failed, err := readBool(q, "error")
	if err != nil {
		return err
	}
	after, err := readCursor[int64](q)
	if err != nil {
		return err
	}
	f := storage.RepositoryFilter{Failed: failed, After: after, Limit: limit + 1}
	if behind {
		f.Limit = behindBatch
	}
	out, err := a.freshness(r.Context(), q, f, behind, limit)
	if err != nil {
		return err
	}
	return respond.JSON(w, r, http.StatusOK, out)
}

func (a *API) freshness(ctx context.Context, q url.Values, f storage.RepositoryFilter, behind bool, limit int) (Page[Repository], error) {
	out := Page[Repository]{Items: []Repository{}}
	for scanned := 0; ; scanned += f.Limit {
		if scanned >= behindScan {
			out.NextCursor = writeCursor(q, f.After)
			return out, nil
		}
		batch, err := a.heard(ctx, f)
		if err != nil {
			return out, err
		}
		for _, repo := range batch {
			if behind && !repo.Behind {
				continue
			}
			if len(out.Items) == limit {
				out.NextCursor = writeCursor(q, out.Items[limit-1].ID)
				return out, nil
			}
			out.Items = append(out.Items, repo)
		}
		if len(batch) < f.Limit {
			return out, nil
		}
		f.After = batch[len(batch)-1].ID
	}
}

// heard reads repositories and what waiting messages tell of their heads.
func (a *API) heard(ctx context.Context, f storage.RepositoryFilter) ([]Repository, error) {
	list, err := a.store.RepositoryPage(ctx, f)
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, repo := range list {
		keys = append(keys, refreshKeys(repo)...)
	}
	waiting, err := a.waiting(ctx, keys...)
	if err != nil {
		return nil, err
	}
	byKey := map[string][]storage.Message{}
	for _, m := range waiting {
		byKey[m.Key] = append(byKey[m.Key], m)
	}
	out, err := a.shown(ctx, list...)
	if err != nil {
		return nil, err
	}
	for i, repo := range list {
		for _, key := range refreshKeys(repo) {
			out[i].hear(byKey[key], a.now())
		}
	}
	return out, nil
}

// waiting are the refreshes of the keys that are not done, whoever asked for them.
func (a *API) waiting(ctx context.Context, keys ...string) ([]storage.Message, error) {
	var all []storage.Message
	for _, topic := range event.RefreshTopics() {
		msgs, err := a.store.UndoneMessages(ctx, topic, keys...)
		if err != nil {
			return nil, err
		}
		all = append(all, msgs...)
	}
	return all, nil
}

// refreshKeys are all keys that messages of a repository can have.
func refreshKeys(repo storage.Repository) []string {
	if repo.Name == event.PeopleName {
		return []string{event.PeopleKey(event.People{Host: repo.Host, Org: repo.Owner})}
	}
	byID := event.RefreshOf(repo)
	byName := byID
	byName.RepositoryID = 0
	return []string{event.RefreshKey(byID), event.RefreshKey(byName)}
}
