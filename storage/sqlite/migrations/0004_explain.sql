-- +goose Up

-- Each diagnostic of each file by itself, so that they can be paged and counted
-- without reading all files.
CREATE TABLE diagnostics (
	repository_id INTEGER NOT NULL,
	path TEXT NOT NULL,
	position INTEGER NOT NULL,
	ref TEXT NOT NULL,
	rule TEXT NOT NULL,
	severity TEXT NOT NULL,
	diagnostic TEXT NOT NULL,
	PRIMARY KEY (repository_id, path, position)
) STRICT;
CREATE INDEX diagnostics_ref ON diagnostics (ref, repository_id, path, position);
CREATE INDEX diagnostics_rule ON diagnostics (rule, repository_id, path, position);
CREATE INDEX diagnostics_severity ON diagnostics (severity, repository_id, path, position);
CREATE INDEX diagnostics_total ON diagnostics (severity, rule);
INSERT INTO diagnostics
SELECT f.repository_id, f.path, d.key, coalesce(d.value ->> '$.ref', ''), d.value ->> '$.rule', d.value ->> '$.severity', d.value
FROM files f, json_each(f.diagnostics) d WHERE f.diagnostics <> '';

-- When GitHub last confirmed the head, also when nothing had changed.
ALTER TABLE repositories ADD COLUMN verified_at INTEGER NOT NULL DEFAULT 0;
UPDATE repositories SET verified_at = applied_at;
CREATE INDEX repositories_applied ON repositories (applied_sha);
CREATE INDEX repositories_failed ON repositories (id) WHERE error <> '';
