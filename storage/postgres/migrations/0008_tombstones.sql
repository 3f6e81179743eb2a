-- +goose Up

-- What is buried keeps its relations, to come back as it was. Rows that were
-- buried before have none.
ALTER TABLE entities ADD COLUMN buried_relations TEXT NOT NULL DEFAULT '';
CREATE INDEX entities_buried ON entities (ref, deleted_at, id) WHERE deleted_at <> 0;
CREATE INDEX entities_buried_repository ON entities (repository_id, deleted_at, ref) WHERE deleted_at <> 0;
DROP INDEX entities_deleted;
CREATE INDEX entities_deleted ON entities (deleted_at, ref) WHERE deleted_at <> 0;
