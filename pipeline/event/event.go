// Package event names what travels through the pipeline: topics, their
// payloads and the keys under which the same facts appear in logs.
//
// A topic carries its version as a suffix; a changed payload is a new topic.
package event

import (
	"encoding/json"
	"fmt"

	"github.com/callboard/callboard/storage"
)

// Topics.
const (
	// TopicRefresh asks for one repository to be made equal to its Git tree.
	// Key: RefreshKey; payload: Refresh.
	TopicRefresh = "repository.refresh.v1"
	// TopicLook asks for the same because a Location entity of another repository
	// names a file in it. Such requests come after all others. Key and payload as
	// TopicRefresh.
	TopicLook = "repository.look.v1"
	// TopicInstallation carries an installation or installation_repositories
	// delivery, which names many repositories. Key: "installation/<id>"; payload: Installation.
	TopicInstallation = "installation.changed.v1"
)

// Refresh is a hint that a repository moved. What it says of the repository
// only helps to find it: the Git tree is the truth.
type Refresh struct {
	Host           string `json:"host"`
	RepositoryID   int64  `json:"repositoryId,omitempty"` // 0 while only the name is known
	Owner          string `json:"owner"`
	Name           string `json:"name"`
	InstallationID int64  `json:"installationId,omitempty"`
	// Head is the commit that a push says is the new head.
	// Before is the commit that the push says was the head.
	Head   string `json:"head,omitempty"`
	Before string `json:"before,omitempty"`
	// Discovered says that the repository itself is ours to read (it sends us
	// webhooks), not only a file in it that a location names.
	Discovered bool `json:"discovered,omitempty"`
	// Gone says GitHub told us that the repository was deleted ("deleted") or
	// taken away from the installation ("removed").
	Gone string `json:"gone,omitempty"`
	// Look reads the tree although the head may not have moved: what is wanted
	// of it changed. Force reads every file again besides.
	Look  bool `json:"look,omitempty"`
	Force bool `json:"force,omitempty"`
}

// RefreshKey is the ordering key of a repository's messages. One repository
// has one key whether or not its id is known yet: refreshes by name resolve to
// the id first and go on under it.
func RefreshKey(r Refresh) string {
	if r.RepositoryID != 0 {
		return fmt.Sprintf("%s/%d", r.Host, r.RepositoryID)
	}
	return fmt.Sprintf("%s/%s/%s", r.Host, r.Owner, r.Name)
}

// RefreshMessage makes the message of a refresh, due at once.
func RefreshMessage(r Refresh, cause storage.Cause) (storage.Message, error) {
	payload, err := json.Marshal(r)
	if err != nil {
		return storage.Message{}, fmt.Errorf("encode a refresh of %s/%s: %w", r.Owner, r.Name, err)
	}
	return storage.Message{Topic: TopicRefresh, Key: RefreshKey(r), Payload: payload, Cause: cause}, nil
}

// RefreshOf asks for a repository that is known.
func RefreshOf(r storage.Repository) Refresh {
	return Refresh{
		Host: r.Host, RepositoryID: r.ID, Owner: r.Owner, Name: r.Name,
		InstallationID: r.InstallationID, Discovered: r.Discovered,
	}
}

// Installation points to the delivery whose payload lists the repositories.
type Installation struct {
	Host           string `json:"host"`
	InstallationID int64  `json:"installationId"`
	Delivery       string `json:"delivery"`
}

// Log keys.
const (
	LogDelivery   = "delivery_id"
	LogRepository = "repository"
	LogEntity     = "entity_ref"
	LogTopic      = "topic"
	LogKey        = "key"
	LogAttempt    = "attempt"
	LogCommit     = "commit"
	LogRevision   = "revision"
	LogDuration   = "duration_ms"
	LogError      = "error"
)
