-- +goose Up

-- How far each recurring duty came.
CREATE TABLE checkpoints (
	name TEXT PRIMARY KEY,
	value TEXT NOT NULL,
	updated_at INTEGER NOT NULL
) STRICT;
