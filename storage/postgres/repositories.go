package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/row"
)

const (
	selectRepositories = `SELECT ` + row.RepositoryColumns + ` FROM repositories`
	repositoryByID     = selectRepositories + ` WHERE id = $1`
	// Few repositories had another name: only theirs are taken apart.
	repositoriesNamed = selectRepositories + ` WHERE id IN (
			SELECT id FROM repositories WHERE lower(host) = lower($1) AND lower(owner) = lower($2) AND lower(name) = lower($3)
			UNION ALL
			SELECT r.id FROM repositories r, jsonb_array_elements_text(r.former::jsonb) f WHERE r.former <> '' AND lower(r.host) = lower($1) AND f.value = lower($2 || '/' || $3))
		ORDER BY CASE WHEN lower(owner) <> lower($2) OR lower(name) <> lower($3) THEN 2 WHEN state = 'active' THEN 0
			WHEN state = 'unreachable' THEN 1 ELSE 3 END, id DESC`
	repositoryByCommit = selectRepositories + ` WHERE applied_sha = $1 ORDER BY id LIMIT 1`
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
		WHERE id = $1 AND version = $23 - 1`
)

func (t *tx) PutRepository(ctx context.Context, r storage.Repository) (int64, error) {
	query, args := insertRepository, row.Repository(r)
	if r.Version != 0 {
		query = updateRepository
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
	deleteRepository      = `DELETE FROM repositories WHERE id = $1`
	deleteRepositoryFiles = `DELETE FROM files WHERE repository_id = $1`
)

func (t *tx) DeleteRepository(ctx context.Context, id int64) error {
	for _, query := range []string{deleteRepository, deleteRepositoryFiles, deleteRepositoryDiagnostics} {
		if _, err := t.exec(ctx, query, id); err != nil {
			return fmt.Errorf("delete repository %d: %w", id, err)
		}
	}
	return nil
}

const selectFiles = `SELECT ` + row.FileColumns + ` FROM files WHERE repository_id = $1 ORDER BY path`

func (r reader) Files(ctx context.Context, repositoryID int64) ([]storage.File, error) {
	all, err := collect(ctx, r, row.ScanFile, selectFiles, repositoryID)
	if err != nil {
		return nil, fmt.Errorf("list files of repository %d: %w", repositoryID, err)
	}
	return all, nil
}

var upsertFile = insert("files", row.FileColumns) + ` ON CONFLICT (repository_id, path) DO UPDATE SET (` +
	row.FileColumns + `) = (` + excluded(row.FileColumns) + `)`

func (t *tx) PutFiles(ctx context.Context, files []storage.File) error {
	if len(files) == 0 {
		return nil
	}
	files = row.Last(files, row.FileKey)
	var b batch
	for _, f := range files {
		b.add(upsertFile, row.File(f)...)
	}
	b.replaceDiagnostics(files)
	if err := t.send(ctx, &b); err != nil {
		return fmt.Errorf("write %d files: %w", len(files), err)
	}
	return nil
}

const deleteFiles = `DELETE FROM files WHERE repository_id = $1 AND path = ANY ($2)`

func (t *tx) DeleteFiles(ctx context.Context, repositoryID int64, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	var b batch
	b.add(deleteFiles, repositoryID, paths)
	b.add(deletePathDiagnostics, repositoryID, paths)
	if err := t.send(ctx, &b); err != nil {
		return fmt.Errorf("delete files of repository %d: %w", repositoryID, err)
	}
	return nil
}

const (
	selectLocations     = `SELECT ` + row.LocationColumns + ` FROM locations`
	allLocations        = selectLocations + ` ORDER BY target, source, type`
	repositoryLocations = selectLocations + ` WHERE lower(host) = lower($1) AND lower(owner) = lower($2) AND lower(repo) = lower($3)
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
	deleteOtherLocations = `DELETE FROM locations WHERE source = $1 AND id <> ALL ($2)`
)

func (t *tx) ReplaceLocations(ctx context.Context, source string, locations []storage.Location) error {
	locations = row.Last(locations, row.LocationKey)
	keep := make([]string, len(locations))
	var b batch
	for i, l := range locations {
		l.Source = source
		if l.ID == "" {
			l.ID = uuid.NewString()
		}
		b.add(upsertLocation, row.Location(l)...).QueryRow(func(r pgx.Row) error { return r.Scan(&keep[i]) })
	}
	if err := t.send(ctx, &b); err != nil {
		return fmt.Errorf("write locations of %s: %w", source, err)
	}
	if _, err := t.exec(ctx, deleteOtherLocations, source, keep); err != nil {
		return fmt.Errorf("replace locations of %s: %w", source, err)
	}
	return nil
}
