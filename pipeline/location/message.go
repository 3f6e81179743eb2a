package location

import (
	"context"
	"errors"
	"strings"

	"github.com/callboard/callboard/pipeline/event"
	"github.com/callboard/callboard/storage"
)

// Messages asks for a look at every repository that locations point into, each
// once. Where only Location entities of other repositories do, it is a request
// of the lower rank: anybody who can push can make many of them.
func Messages(ctx context.Context, r storage.Reader, locations []storage.Location, cause storage.Cause) ([]storage.Message, error) {
	var msgs []storage.Message
	seen := map[string]int{} // at which message
	for _, l := range locations {
		req := event.Refresh{Host: l.Host, Owner: l.Owner, Name: l.Repo}
		topic := event.TopicRefresh
		if Foreign(l) {
			topic = event.TopicLook
		}
		if i, twice := seen[event.RefreshKey(req)]; twice {
			if topic == event.TopicRefresh && msgs[i].Topic == event.TopicLook {
				msgs[i].Topic = topic
			}
			continue
		}
		seen[event.RefreshKey(req)] = len(msgs)
		repo, err := r.RepositoryByName(ctx, l.Host, l.Owner, l.Repo)
		switch {
		case err == nil && !strings.EqualFold(repo.FullName(), l.Owner+"/"+l.Repo):
			// By its former name, which may be another's by now: GitHub knows.
		case err == nil:
			req.RepositoryID, req.Owner, req.Name = repo.ID, repo.Owner, repo.Name
		case !errors.Is(err, storage.ErrNotFound):
			return nil, err
		}
		msg, err := event.FollowMessage(req, cause)
		if err != nil {
			return nil, err
		}
		if topic == event.TopicLook && msg.Topic == event.TopicRefresh {
			msg.Topic = topic
		}
		msgs = append(msgs, msg)
	}
	return msgs, nil
}
