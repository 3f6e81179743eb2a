-- +goose Up

-- How far each recurring duty came.
CREATE TABLE checkpoints (
	name TEXT COLLATE "C" PRIMARY KEY,
	value TEXT NOT NULL,
	updated_at BIGINT NOT NULL
);
