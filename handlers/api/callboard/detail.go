package callboard

import (
	"context"
	"time"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// RepositoryDetail is a repository with everything that explains it.
type RepositoryDetail struct {
	Repository
	// Why answers "why is my entity not updated?", the most important first.
	Why []string `json:"why"`
	// Excluded is why the providers of the configuration leave the repository out.
	Excluded string `json:"excluded,omitempty"`
	Files    []File `json:"files"`
	// Entities are the refs that it declares and that are served.
	Entities []string `json:"entities"`
	// Lost are the refs that it declares and another file holds.
	Lost []LostClaim `json:"lost"`
	// Messages are the refreshes that wait or were given up.
	Messages []Message `json:"messages"`
	// Deliveries are the newest that GitHub sent for it.
	Deliveries []Delivery `json:"deliveries"`
}

// File is a catalog file as last read.
type File struct {
	Path    string           `json:"path"`
	BlobSHA string           `json:"blobSha,omitempty"`
	Role    storage.FileRole `json:"role"`
	// Parent is the file whose Location reached this one.
	Parent string `json:"parent,omitempty"`
	// Origin is the location ref that it came in by.
	Origin string `json:"origin,omitempty"`
	// Status is ok, broken, ignored or missing.
	Status    storage.FileStatus `json:"status"`
	Documents int                `json:"documents"`
	// Inputs are the other files that it was made from, with their blob SHAs;
	// Targets and External what its Locations lead to.
	Inputs   map[string]string `json:"inputs,omitempty"`
	Targets  []string          `json:"targets,omitempty"`
	External []string          `json:"external,omitempty"`
	// Unreadable are those of External in repositories that Callboard could not
	// read; Absent those that the catalog does not have although it reads theirs.
	Unreadable  []string            `json:"unreadable,omitempty"`
	Absent      []string            `json:"absent,omitempty"`
	Diagnostics []entity.Diagnostic `json:"diagnostics"`
}

// LostClaim is a ref that two files declare, seen from the one that is not served.
type LostClaim struct {
	Ref  string `json:"ref"`
	Path string `json:"path"`
	Line int    `json:"line,omitempty"`
	// Winner is the file that is served, as owner/name and path. It declared the ref first.
	WinnerRepository string    `json:"winnerRepository,omitempty"`
	WinnerPath       string    `json:"winnerPath,omitempty"`
	Since            time.Time `json:"since,omitzero"`
}

// Message is a piece of intended work.
type Message struct {
	ID        int64         `json:"id"`
	Topic     string        `json:"topic"`
	Cause     storage.Cause `json:"cause"`
	Attempts  int           `json:"attempts"`
	CreatedAt time.Time     `json:"createdAt"`
	// RunAfter is when it is due; ParkedAt when it was given up.
	RunAfter time.Time `json:"runAfter,omitzero"`
	ParkedAt time.Time `json:"parkedAt,omitzero"`
	Error    string    `json:"error,omitempty"`
}

const (
	// recentDeliveries and searchedParked bound what is read to explain a repository.
	recentDeliveries = 5
	searchedParked   = 1000
)

func (a *API) detail(ctx context.Context, repo storage.Repository) (RepositoryDetail, error) {
	shown, err := a.shown(ctx, repo)
	if err != nil {
		return RepositoryDetail{}, err
	}
	out := RepositoryDetail{
		Repository: shown[0],
		Files:      []File{}, Entities: []string{}, Lost: []LostClaim{}, Messages: []Message{}, Deliveries: []Delivery{},
	}
	files, err := a.store.Files(ctx, repo.ID)
	if err != nil {
		return out, err
	}
	for _, f := range files {
		out.Files = append(out.Files, newFile(f))
	}
	if err := a.addOutside(ctx, repo, out.Files); err != nil {
		return out, err
	}
	entities, err := a.store.RepositoryEntities(ctx, repo.ID)
	if err != nil {
		return out, err
	}
	for _, e := range entities {
		out.Entities = append(out.Entities, e.Ref)
	}
	if err := a.addLost(ctx, repo, &out); err != nil {
		return out, err
	}
	if err := a.addMessages(ctx, repo, &out); err != nil {
		return out, err
	}
	deliveries, err := a.store.Deliveries(ctx, storage.DeliveryFilter{Repository: repo.FullName(), Limit: recentDeliveries})
	if err != nil {
		return out, err
	}
	for _, d := range deliveries {
		out.Deliveries = append(out.Deliveries, newDelivery(d))
	}
	if reason := a.excluded(repo); reason != "" && repo.Discovered {
		out.Excluded = reason
	}
	out.Why = why(out, a.now())
	return out, nil
}

func newFile(f storage.File) File {
	out := File{
		Path: f.Path, BlobSHA: f.BlobSHA, Role: f.Role, Parent: f.Parent, Origin: f.Origin, Status: f.Status,
		Documents: f.Documents, Inputs: f.Inputs, Targets: f.Targets, External: f.External, Diagnostics: f.Diagnostics,
	}
	if out.Diagnostics == nil {
		out.Diagnostics = []entity.Diagnostic{}
	}
	return out
}

func (a *API) addLost(ctx context.Context, repo storage.Repository, out *RepositoryDetail) error {
	claims, err := a.store.RepositoryClaims(ctx, repo.ID)
	if err != nil || len(claims) == 0 {
		return err
	}
	var refs []string
	for _, c := range claims {
		refs = append(refs, c.Ref)
	}
	winners, err := a.store.Entities(ctx, refs)
	if err != nil {
		return err
	}
	byRef := make(map[string]storage.Entity, len(winners))
	for _, w := range winners {
		byRef[w.Ref] = w
	}
	rs := a.repositories()
	for _, c := range claims {
		lost := LostClaim{Ref: c.Ref, Path: c.Path, Line: c.Line, Since: utc(c.Since)}
		if w, ok := byRef[c.Ref]; ok {
			if lost.WinnerRepository, err = rs.name(ctx, w.RepositoryID); err != nil {
				return err
			}
			lost.WinnerPath = w.Path
		}
		out.Lost = append(out.Lost, lost)
	}
	return nil
}

// addMessages finds the refreshes that are not done, also those that are due
// later and those given up, and takes the heads that they tell of into account.
func (a *API) addMessages(ctx context.Context, repo storage.Repository, out *RepositoryDetail) error {
	waiting, err := a.waiting(ctx, refreshKeys(repo)...)
	if err != nil {
		return err
	}
	for _, m := range waiting {
		out.Messages = append(out.Messages, newMessage(m))
	}
	out.hear(waiting, a.now())
	return nil
}

func newMessage(m storage.Message) Message {
	return Message{
		ID: m.ID, Topic: m.Topic, Cause: m.Cause, Attempts: m.Attempts, Error: m.Error,
		CreatedAt: m.CreatedAt.UTC(), RunAfter: utc(m.RunAfter), ParkedAt: utc(m.ParkedAt),
	}
}
