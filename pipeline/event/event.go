// Package event names what travels through the pipeline: topics, their
// payloads and the keys under which the same facts appear in logs.
//
// A topic carries its version as a suffix; a changed payload is a new topic.
package event

import (
	"encoding/json"
	"fmt"
	"strings"

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
	// TopicScanned asks for the same because a scan found the repository moved, new
	// or gone. Such requests come after all others too. Key and payload as TopicRefresh.
	TopicScanned = "repository.scanned.v1"
	// TopicScan asks for one page of a scan of an account's repositories.
	// Key: ScanKey; payload: Scan.
	TopicScan = "account.scan.v1"
	// TopicPeople asks for the users and groups of an organization to be made equal
	// to its members and teams. Key: PeopleKey; payload: People.
	TopicPeople = "organization.people.v1"
	// TopicFiles asks for a look at the files that catalog.locations names.
	// Key: FilesKey; payload: Files.
	TopicFiles = "files.read.v1"
	// TopicInstallation carries an installation or installation_repositories
	// delivery, which names many repositories. Key: "installation/<id>"; payload: Installation.
	TopicInstallation = "installation.changed.v1"
)

// RefreshTopics are those whose messages ask for one repository, or for what else
// is kept as one, to be looked at.
func RefreshTopics() []string { return []string{TopicRefresh, TopicLook, TopicScanned, TopicPeople} }

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
	// Seen is what a scan saw of a repository that was not known.
	Seen *Seen `json:"seen,omitempty"`
	// Released is how many entities a scan lets go: so many were counted, and are few
	// enough or approved. A refresh that would remove more is held again.
	Released int `json:"released,omitempty"`
	// Follows says that a removal of a scan, or a push that waits with it, led here:
	// nobody but the scan will ask again.
	Follows bool `json:"follows,omitempty"`
	// Settings are those under which something was found and held.
	Settings string `json:"settings,omitempty"`
}

// Seen is a repository as a page of a scan shows it, with its descriptor where
// that is a plain path. It spares a request, as long as the repository is not
// known by anything newer: it must have no row in the store.
type Seen struct {
	ID            int64    `json:"id"`
	Owner         string   `json:"owner"`
	Name          string   `json:"name"`
	URL           string   `json:"url"`
	DefaultBranch string   `json:"defaultBranch"`
	Visibility    string   `json:"visibility"`
	Archived      bool     `json:"archived,omitempty"`
	Fork          bool     `json:"fork,omitempty"`
	Topics        []string `json:"topics,omitempty"`
	Head          string   `json:"head"`
	// Branch was looked at instead of the default one, where it is set.
	Branch string `json:"branch,omitempty"`
	// Path is the file that was looked for; BlobSHA is "" where there is none.
	Path    string `json:"path,omitempty"`
	BlobSHA string `json:"blobSha,omitempty"`
	Size    int64  `json:"size,omitempty"`
	// Text is nil where the file is too large to travel, or not text.
	Text *string `json:"text,omitempty"`
}

// Scan asks for a scan of an account to begin or to go on.
type Scan struct {
	Host  string `json:"host"`
	Owner string `json:"owner,omitempty"` // "" for all accounts of the host
	// InstallationID is that of the App there, 0 where it is not known or a token is used.
	InstallationID int64 `json:"installationId,omitempty"`
	// Scan is the id of the row that says how far it is; "" for one that is to begin.
	Scan string `json:"scan,omitempty"`
}

// ScanKey is the ordering key of the requests for a scan of an account, and of
// the steps of each scan.
func ScanKey(s Scan) string {
	if s.Scan != "" {
		return "scan/" + s.Scan
	}
	return "scan/" + strings.ToLower(s.Host+"/"+s.Owner)
}

// People asks for a look at the members and teams of an organization.
type People struct {
	Host string `json:"host"`
	Org  string `json:"org"`
	// Scan is as in Scan.
	Scan string `json:"scan,omitempty"`
	// Released says that what goes may go, however much it is.
	Released bool `json:"released,omitempty"`
	// Force writes everybody again who did not change.
	Force bool `json:"force,omitempty"`
}

// PeopleName names, where a repository has its name, what declares the users and
// groups of an organization. No repository may be called so.
const PeopleName = "~people"

// FilesName names, where a repository has its name, the files of the machine itself
// that catalog.locations names. FilesOwner stands for their owner.
const (
	FilesName  = "~files"
	FilesOwner = "local"
)

// Files asks for those files to be looked at.
type Files struct {
	// Force reads again what did not change.
	Force bool `json:"force,omitempty"`
}

// FilesMessage makes the message of a look at files, due at once. All have one key.
func FilesMessage(f Files, cause storage.Cause) (storage.Message, error) {
	payload, err := json.Marshal(f)
	if err != nil {
		return storage.Message{}, fmt.Errorf("encode a look at files: %w", err)
	}
	return storage.Message{Topic: TopicFiles, Key: FilesKey, Payload: payload, Cause: cause}, nil
}

// FilesKey is the ordering key of the looks at files.
const FilesKey = "files"

// PeopleMessage makes the message of a look at people, due at once.
func PeopleMessage(p People, cause storage.Cause) (storage.Message, error) {
	payload, err := json.Marshal(p)
	if err != nil {
		return storage.Message{}, fmt.Errorf("encode a look at the people of %s: %w", p.Org, err)
	}
	return storage.Message{Topic: TopicPeople, Key: PeopleKey(p), Payload: payload, Cause: cause}, nil
}

// PeopleKey is the ordering key of the looks at an organization's people.
func PeopleKey(p People) string { return "people/" + strings.ToLower(p.Host+"/"+p.Org) }

// RefreshKey is the ordering key of a repository's messages. One repository
// has one key whether or not its id is known yet: refreshes by name resolve to
// the id first and go on under it.
func RefreshKey(r Refresh) string {
	if r.RepositoryID != 0 {
		return fmt.Sprintf("%s/%d", r.Host, r.RepositoryID)
	}
	return fmt.Sprintf("%s/%s/%s", r.Host, r.Owner, r.Name)
}

// RefreshMessage makes the message of a refresh, due at once. What declares people,
// and local files, are refreshed by a look at them.
func RefreshMessage(r Refresh, cause storage.Cause) (storage.Message, error) {
	switch r.Name {
	case FilesName:
		return FilesMessage(Files{Force: r.Force}, cause)
	case PeopleName:
		return PeopleMessage(People{Host: r.Host, Org: r.Owner, Force: r.Force}, cause)
	}
	payload, err := json.Marshal(r)
	if err != nil {
		return storage.Message{}, fmt.Errorf("encode a refresh of %s/%s: %w", r.Owner, r.Name, err)
	}
	return storage.Message{Topic: TopicRefresh, Key: RefreshKey(r), Payload: payload, Cause: cause}, nil
}

// FollowMessage makes the message of a look that follows from a change. What follows
// from a scan is part of it, so that what goes in the end is counted with the rest.
func FollowMessage(r Refresh, cause storage.Cause) (storage.Message, error) {
	cause.Reason, cause.Delivery = storage.ReasonLocation, ""
	r.Look, r.Follows = true, cause.Scan != ""
	msg, err := RefreshMessage(r, cause)
	switch {
	case msg.Topic != TopicRefresh:
		msg.Cause.Scan = "" // people and local files have a guard of their own
	case r.Follows:
		msg.Topic = TopicScanned
	}
	return msg, err
}

// RefreshOf asks for a repository that is known.
func RefreshOf(r storage.Repository) Refresh {
	return Refresh{
		Host: r.Host, RepositoryID: r.ID, Owner: r.Owner, Name: r.Name,
		InstallationID: r.InstallationID, Discovered: r.Discovered,
	}
}

// Installation points to the delivery whose payload says what happened.
type Installation struct {
	Host           string `json:"host"`
	InstallationID int64  `json:"installationId"`
	// Account is who the App is installed on.
	Account  string `json:"account,omitempty"`
	Delivery string `json:"delivery"`
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
