package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/row"
)

// Relations come as one array with their entity, so that one query is one
// consistent answer.
const (
	relationsOf = `(SELECT json_agg(json_build_array(source, type, target))::text FROM relations WHERE origin_ref = entities.ref)`
	slimEntity  = `SELECT ` + row.EntityColumns + `, ` + relationsOf + ` FROM entities WHERE deleted_at = 0`
	fullEntity  = `SELECT ` + row.EntityColumns + `, ` + relationsOf + `, descriptor FROM entities WHERE deleted_at = 0`

	entitiesByRef        = fullEntity + ` AND ref = ANY ($1)`
	entitiesByRepository = fullEntity + ` AND repository_id = $1 ORDER BY ref`
)

func (r reader) Entities(ctx context.Context, refs []string) ([]storage.Entity, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	all, err := collect(ctx, r, row.ScanFullEntity, entitiesByRef, refs)
	if err != nil {
		return nil, fmt.Errorf("read %d entities: %w", len(refs), err)
	}
	return all, nil
}

func (r reader) RepositoryEntities(ctx context.Context, repositoryID int64) ([]storage.Entity, error) {
	all, err := collect(ctx, r, row.ScanFullEntity, entitiesByRepository, repositoryID)
	if err != nil {
		return nil, fmt.Errorf("read entities of repository %d: %w", repositoryID, err)
	}
	return all, nil
}

func (r reader) EachEntity(ctx context.Context, fn func(storage.Entity) error) (revision int64, err error) {
	err = r.snapshot(ctx, func(q queryer) error {
		if revision, err = one(ctx, q, number, selectRevision); err != nil {
			return err
		}
		return each(ctx, q, row.ScanEntity, fn, slimEntity)
	})
	if err != nil {
		return 0, fmt.Errorf("read all entities: %w", err)
	}
	return revision, nil
}

var (
	upsertEntity = insert("entities", row.EntityColumns+", descriptor") + ` ON CONFLICT (ref) WHERE deleted_at = 0 DO UPDATE SET (` +
		row.EntityColumns + `, descriptor) = (` + excluded(row.EntityColumns+", descriptor") + `)`
)

const (
	deleteRelations = `DELETE FROM relations WHERE origin_ref = ANY ($1)`
	insertRelations = `INSERT INTO relations (origin_ref, source, type, target)
		SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) ON CONFLICT DO NOTHING`
)

func (t *tx) PutEntities(ctx context.Context, entities []storage.Entity) error {
	if len(entities) == 0 {
		return nil
	}
	entities = row.Last(entities, row.EntityKey)
	refs := make([]string, len(entities))
	var origins, sources, types, targets []string
	var b batch
	for i, e := range entities {
		refs[i] = e.Ref
		b.add(upsertEntity, row.Entity(e)...)
		for _, edge := range e.Relations {
			origins, sources = append(origins, e.Ref), append(sources, edge.Source)
			types, targets = append(types, edge.Type), append(targets, edge.Target)
		}
	}
	b.add(deleteRelations, refs)
	if len(origins) > 0 {
		b.add(insertRelations, origins, sources, types, targets)
	}
	if err := t.send(ctx, &b); err != nil {
		return fmt.Errorf("write %d entities: %w", len(entities), err)
	}
	return nil
}

const buryEntities = `UPDATE entities SET deleted_at = $1, deleted_cause = $2, buried_relations = coalesce(` + relationsOf + `, '')
	WHERE deleted_at = 0 AND ref = ANY ($3)`

func (t *tx) BuryEntities(ctx context.Context, refs []string, at time.Time, cause storage.Cause) error {
	if len(refs) == 0 {
		return nil
	}
	var b batch
	b.add(buryEntities, t.micros(at), row.Cause(cause), refs)
	b.add(deleteRelations, refs)
	if err := t.send(ctx, &b); err != nil {
		return fmt.Errorf("bury %d entities: %w", len(refs), err)
	}
	return nil
}

const (
	selectClaims       = `SELECT ` + row.ClaimColumns + ` FROM claims`
	claimRank          = ` ORDER BY since, repository_id, path, document`
	claimOrder         = ` ORDER BY ref, since, repository_id, path, document`
	claimsByRef        = selectClaims + ` WHERE ref = ANY ($1)` + claimOrder
	claimsByRepository = selectClaims + ` WHERE repository_id = $1` + claimOrder
)

func (r reader) Claims(ctx context.Context, refs []string) ([]storage.Claim, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	all, err := collect(ctx, r, row.ScanClaim, claimsByRef, refs)
	if err != nil {
		return nil, fmt.Errorf("read claims on %d refs: %w", len(refs), err)
	}
	return all, nil
}

func (r reader) RepositoryClaims(ctx context.Context, repositoryID int64) ([]storage.Claim, error) {
	all, err := collect(ctx, r, row.ScanClaim, claimsByRepository, repositoryID)
	if err != nil {
		return nil, fmt.Errorf("read claims of repository %d: %w", repositoryID, err)
	}
	return all, nil
}

var upsertClaim = insert("claims", row.ClaimColumns) + ` ON CONFLICT (ref, repository_id, path, document) DO UPDATE SET (` +
	row.ClaimColumns + `) = (` + excluded(row.ClaimColumns) + `)`

func (t *tx) PutClaims(ctx context.Context, claims []storage.Claim) error {
	var b batch
	for _, c := range claims {
		b.add(upsertClaim, row.Claim(c)...)
	}
	if err := t.send(ctx, &b); err != nil {
		return fmt.Errorf("write %d claims: %w", len(claims), err)
	}
	return nil
}

const (
	deleteClaims = `DELETE FROM claims WHERE repository_id = $1 AND path = ANY ($2)`
	deleteClaim  = `DELETE FROM claims WHERE ref = $1 AND repository_id = $2 AND path = $3 AND document = $4`
)

func (t *tx) DeleteClaims(ctx context.Context, repositoryID int64, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	if _, err := t.exec(ctx, deleteClaims, repositoryID, paths); err != nil {
		return fmt.Errorf("delete claims of repository %d: %w", repositoryID, err)
	}
	return nil
}

func (t *tx) DeleteClaim(ctx context.Context, c storage.Claim) error {
	if _, err := t.exec(ctx, deleteClaim, c.Ref, c.RepositoryID, c.Path, c.Document); err != nil {
		return fmt.Errorf("delete claim on %s: %w", c.Ref, err)
	}
	return nil
}
