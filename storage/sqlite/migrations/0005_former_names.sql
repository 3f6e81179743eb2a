-- +goose Up

-- The names that a repository had and locations still name.
ALTER TABLE repositories ADD COLUMN former TEXT NOT NULL DEFAULT '';
CREATE INDEX repositories_former ON repositories (id) WHERE former <> '';

-- The errors of a file that no entity of it can show.
ALTER TABLE files ADD COLUMN errors TEXT NOT NULL DEFAULT '';
