package location

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/storage"
)

// Messages asks for a look at every repository that locations point into, each
// once.
func Messages(ctx context.Context, r storage.Reader, locations []storage.Location, cause storage.Cause) ([]storage.Message, error) {
	cause.Reason, cause.Delivery = storage.ReasonLocation, ""
	var msgs []storage.Message
	seen := map[string]bool{}
	for _, l := range locations {
		req := event.Refresh{Host: l.Host, Owner: l.Owner, Name: l.Repo, Look: true}
		if seen[event.RefreshKey(req)] {
			continue
		}
		seen[event.RefreshKey(req)] = true
		repo, err := r.RepositoryByName(ctx, l.Host, l.Owner, l.Repo)
		switch {
		case err == nil:
			req.RepositoryID, req.Owner, req.Name = repo.ID, repo.Owner, repo.Name
		case !errors.Is(err, storage.ErrNotFound):
			return nil, err
		}
		payload, err := json.Marshal(req)
		if err != nil {
			return nil, fmt.Errorf("encode a refresh of %s/%s: %w", l.Owner, l.Repo, err)
		}
		msgs = append(msgs, storage.Message{
			Topic: event.TopicRefresh, Key: event.RefreshKey(req), Payload: payload, Cause: cause,
		})
	}
	return msgs, nil
}
