-- +goose Up

-- The name of the generated Location entity: of a registered location it stays
-- when the target changes.
ALTER TABLE locations ADD COLUMN name TEXT COLLATE "C" NOT NULL DEFAULT '';

-- The locations that name a file, each of which has an entity of its own.
ALTER TABLE files ADD COLUMN roots TEXT NOT NULL DEFAULT '';
