package sqlite

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
	relationsOf = `(SELECT json_group_array(json_array(source, type, target)) FROM relations WHERE origin_ref = entities.ref)`
	slimEntity  = `SELECT ` + row.EntityColumns + `, ` + relationsOf + ` FROM entities WHERE deleted_at = 0`
	fullEntity  = `SELECT ` + row.EntityColumns + `, ` + relationsOf + `, descriptor FROM entities WHERE deleted_at = 0`

	entitiesByRef        = fullEntity + ` AND ref ` + inSet
	entitiesByRepository = fullEntity + ` AND repository_id = ? ORDER BY ref`
)

func (r reader) Entities(ctx context.Context, refs []string) ([]storage.Entity, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	all, err := collect(ctx, r, row.ScanFullEntity, entitiesByRef, textSet(refs))
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
	insertRelation = insert("relations", "origin_ref, source, type, target") + ` ON CONFLICT DO NOTHING`
)

const deleteRelations = `DELETE FROM relations WHERE origin_ref ` + inSet

func (t *tx) PutEntities(ctx context.Context, entities []storage.Entity) error {
	if len(entities) == 0 {
		return nil
	}
	entities = row.Last(entities, row.EntityKey)
	refs := make([]string, len(entities))
	for i, e := range entities {
		refs[i] = e.Ref
	}
	if _, err := t.exec(ctx, deleteRelations, textSet(refs)); err != nil {
		return fmt.Errorf("replace relations: %w", err)
	}
	for _, e := range entities {
		if _, err := t.exec(ctx, upsertEntity, row.Entity(e)...); err != nil {
			return fmt.Errorf("write entity %s: %w", e.Ref, err)
		}
		for _, edge := range e.Relations {
			if _, err := t.exec(ctx, insertRelation, e.Ref, edge.Source, edge.Type, edge.Target); err != nil {
				return fmt.Errorf("write relations of %s: %w", e.Ref, err)
			}
		}
	}
	return nil
}

const buryEntities = `UPDATE entities SET deleted_at = ?, deleted_cause = ?, buried_relations = ` + relationsOf + `
	WHERE deleted_at = 0 AND ref ` + inSet

func (t *tx) BuryEntities(ctx context.Context, refs []string, at time.Time, cause storage.Cause) error {
	if len(refs) == 0 {
		return nil
	}
	if _, err := t.exec(ctx, buryEntities, t.micros(at), row.Cause(cause), textSet(refs)); err != nil {
		return fmt.Errorf("bury %d entities: %w", len(refs), err)
	}
	if _, err := t.exec(ctx, deleteRelations, textSet(refs)); err != nil {
		return fmt.Errorf("bury relations: %w", err)
	}
	return nil
}

const (
	selectClaims       = `SELECT ` + row.ClaimColumns + ` FROM claims`
	claimRank          = ` ORDER BY since, repository_id, path, document`
	claimOrder         = ` ORDER BY ref, since, repository_id, path, document`
	claimsByRef        = selectClaims + ` WHERE ref ` + inSet + claimOrder
	claimsByRepository = selectClaims + ` WHERE repository_id = ?` + claimOrder
)

func (r reader) Claims(ctx context.Context, refs []string) ([]storage.Claim, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	all, err := collect(ctx, r, row.ScanClaim, claimsByRef, textSet(refs))
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

var replaceClaim = "INSERT OR REPLACE" + insert("claims", row.ClaimColumns)[len("INSERT"):]

func (t *tx) PutClaims(ctx context.Context, claims []storage.Claim) error {
	for _, c := range claims {
		if _, err := t.exec(ctx, replaceClaim, row.Claim(c)...); err != nil {
			return fmt.Errorf("write claim on %s by %s: %w", c.Ref, c.Path, err)
		}
	}
	return nil
}

const (
	deleteClaims = `DELETE FROM claims WHERE repository_id = ? AND path ` + inSet
	deleteClaim  = `DELETE FROM claims WHERE ref = ? AND repository_id = ? AND path = ? AND document = ?`
)

func (t *tx) DeleteClaims(ctx context.Context, repositoryID int64, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	if _, err := t.exec(ctx, deleteClaims, repositoryID, textSet(paths)); err != nil {
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
