package sqlite

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/row"
)

const (
	selectRepositories = `SELECT ` + row.RepositoryColumns + ` FROM repositories`
	repositoryByID     = selectRepositories + ` WHERE id = ?`
	// Few repositories had another name: only theirs are taken apart.
	repositoriesNamed = selectRepositories + ` WHERE id IN (
			SELECT id FROM repositories WHERE lower(host) = lower(?1) AND lower(owner) = lower(?2) AND lower(name) = lower(?3)
			UNION ALL
			SELECT r.id FROM repositories r, json_each(r.former) WHERE r.former <> '' AND +lower(r.host) = lower(?1) AND json_each.value = lower(?2 || '/' || ?3))
		ORDER BY CASE WHEN lower(owner) <> lower(?2) OR lower(name) <> lower(?3) THEN 2 WHEN state = 'active' THEN 0
			WHEN state = 'unreachable' THEN 1 ELSE 3 END, id DESC`
	repositoryByCommit = selectRepositories + ` WHERE applied_sha = ? ORDER BY id LIMIT 1`
	allRepositories    = selectRepositories + ` ORDER BY host, owner, name, id`
)

func (r reader) Repository(ctx context.Context, id int64) (storage.Repository, error) {
	repo, err := one(ctx, r, row.ScanRepository, repositoryByID, id)
	if err != nil {
		return repo, fmt.Errorf("read repository %d: %w", id, err)
	}
	return repo, nil
}

func (r reader) RepositoryByName(ctx context.Context, host, owner, name string) (storage.Repository, error) {
	all, err := r.RepositoriesNamed(ctx, host, owner, name)
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("read repository %s/%s/%s: %w", host, owner, name, storage.ErrNotFound)
	}
	if err != nil {
		return storage.Repository{}, err
	}
	return all[0], nil
}

func (r reader) RepositoriesNamed(ctx context.Context, host, owner, name string) ([]storage.Repository, error) {
	all, err := collect(ctx, r, row.ScanRepository, repositoriesNamed, host, owner, name)
	if err != nil {
		return nil, fmt.Errorf("read repositories named %s/%s/%s: %w", host, owner, name, err)
	}
	return all, nil
}

func (r reader) RepositoryByCommit(ctx context.Context, sha string) (storage.Repository, error) {
	repo, err := one(ctx, r, row.ScanRepository, repositoryByCommit, sha)
	if err != nil {
		return repo, fmt.Errorf("read the repository at %s: %w", sha, err)
	}
	return repo, nil
}

func (r reader) Repositories(ctx context.Context) ([]storage.Repository, error) {
	all, err := collect(ctx, r, row.ScanRepository, allRepositories)
	if err != nil {
		return nil, fmt.Errorf("list repositories: %w", err)
	}
	return all, nil
}

var (
	insertRepository = insert("repositories", row.RepositoryColumns) + ` ON CONFLICT (id) DO NOTHING`
	updateRepository = `UPDATE repositories SET (` + row.RepositoryColumns + `) = (` + marks(row.RepositoryColumns) + `)
		WHERE id = ? AND version = ?`
)

func (t *tx) PutRepository(ctx context.Context, r storage.Repository) (int64, error) {
	query, args := insertRepository, row.Repository(r)
	if r.Version != 0 {
		query, args = updateRepository, append(args, r.ID, r.Version)
	}
	n, err := t.exec(ctx, query, args...)
	if err == nil && n == 0 {
		err = storage.ErrStale
	}
	if err != nil {
		return 0, fmt.Errorf("write repository %d %s: %w", r.ID, r.FullName(), err)
	}
	return r.Version + 1, nil
}

const (
	deleteRepository      = `DELETE FROM repositories WHERE id = ?`
	deleteRepositoryFiles = `DELETE FROM files WHERE repository_id = ?`
)

func (t *tx) DeleteRepository(ctx context.Context, id int64) error {
	for _, query := range []string{deleteRepository, deleteRepositoryFiles, deleteRepositoryDiagnostics} {
		if _, err := t.exec(ctx, query, id); err != nil {
			return fmt.Errorf("delete repository %d: %w", id, err)
		}
	}
	return nil
}

const selectFiles = `SELECT ` + row.FileColumns + ` FROM files WHERE repository_id = ? ORDER BY path`

func (r reader) Files(ctx context.Context, repositoryID int64) ([]storage.File, error) {
	all, err := collect(ctx, r, row.ScanFile, selectFiles, repositoryID)
	if err != nil {
		return nil, fmt.Errorf("list files of repository %d: %w", repositoryID, err)
	}
	return all, nil
}

var replaceFile = "INSERT OR REPLACE" + insert("files", row.FileColumns)[len("INSERT"):]

func (t *tx) PutFiles(ctx context.Context, files []storage.File) error {
	for _, f := range files {
		if _, err := t.exec(ctx, replaceFile, row.File(f)...); err != nil {
			return fmt.Errorf("write file %s of repository %d: %w", f.Path, f.RepositoryID, err)
		}
		if err := t.replaceDiagnostics(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

const deleteFiles = `DELETE FROM files WHERE repository_id = ? AND path ` + inSet

func (t *tx) DeleteFiles(ctx context.Context, repositoryID int64, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	for _, query := range []string{deleteFiles, deleteDiagnostics} {
		if _, err := t.exec(ctx, query, repositoryID, textSet(paths)); err != nil {
			return fmt.Errorf("delete files of repository %d: %w", repositoryID, err)
		}
	}
	return nil
}

const (
	selectLocations     = `SELECT ` + row.LocationColumns + ` FROM locations`
	allLocations        = selectLocations + ` ORDER BY target, source, type`
	repositoryLocations = selectLocations + ` WHERE lower(host) = lower(?) AND lower(owner) = lower(?) AND lower(repo) = lower(?)
		ORDER BY target, source, type`
)

func (r reader) Locations(ctx context.Context) ([]storage.Location, error) {
	all, err := collect(ctx, r, row.ScanLocation, allLocations)
	if err != nil {
		return nil, fmt.Errorf("list locations: %w", err)
	}
	return all, nil
}

func (r reader) RepositoryLocations(ctx context.Context, host, owner, repo string) ([]storage.Location, error) {
	all, err := collect(ctx, r, row.ScanLocation, repositoryLocations, host, owner, repo)
	if err != nil {
		return nil, fmt.Errorf("list locations in %s/%s/%s: %w", host, owner, repo, err)
	}
	return all, nil
}

var (
	// A kept location keeps its id: all other columns are written over.
	upsertLocation = insert("locations", row.LocationColumns) + ` ON CONFLICT (source, type, target) DO UPDATE SET
		host = excluded.host, owner = excluded.owner, repo = excluded.repo, git_ref = excluded.git_ref,
		path = excluded.path, origin = excluded.origin, name = excluded.name RETURNING id`
	deleteOtherLocations = `DELETE FROM locations WHERE source = ? AND id NOT ` + inSet
)

func (t *tx) ReplaceLocations(ctx context.Context, source string, locations []storage.Location) error {
	keep := []string{}
	for _, l := range row.Last(locations, row.LocationKey) {
		l.Source = source
		if l.ID == "" {
			l.ID = uuid.NewString()
		}
		id, err := one(ctx, t, func(s row.Scanner) (id string, err error) { return id, s.Scan(&id) },
			upsertLocation, row.Location(l)...)
		if err != nil {
			return fmt.Errorf("write location %s of %s: %w", l.Target, source, err)
		}
		keep = append(keep, id)
	}
	if _, err := t.exec(ctx, deleteOtherLocations, source, textSet(keep)); err != nil {
		return fmt.Errorf("replace locations of %s: %w", source, err)
	}
	return nil
}
