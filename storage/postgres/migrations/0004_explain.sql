-- +goose Up

-- Each diagnostic of each file by itself, so that they can be paged and counted
-- without reading all files.
CREATE TABLE diagnostics (
	repository_id BIGINT NOT NULL,
	path TEXT COLLATE "C" NOT NULL,
	position INTEGER NOT NULL,
	ref TEXT COLLATE "C" NOT NULL,
	rule TEXT COLLATE "C" NOT NULL,
	severity TEXT COLLATE "C" NOT NULL,
	diagnostic TEXT NOT NULL,
	PRIMARY KEY (repository_id, path, position)
);
CREATE INDEX diagnostics_ref ON diagnostics (ref, repository_id, path, position);
CREATE INDEX diagnostics_rule ON diagnostics (rule, repository_id, path, position);
CREATE INDEX diagnostics_severity ON diagnostics (severity, repository_id, path, position);
CREATE INDEX diagnostics_total ON diagnostics (severity, rule);
-- Taken apart, JSON may not hold NUL.
INSERT INTO diagnostics
SELECT f.repository_id, f.path, d.n - 1, coalesce(d.value ->> 'ref', ''), d.value ->> 'rule', d.value ->> 'severity', d.value::text
FROM files f, json_array_elements(replace(f.diagnostics, '\u0000', '\ufffd')::json) WITH ORDINALITY AS d (value, n) WHERE f.diagnostics <> '';

-- Last, because it locks a table that every refresh reads.
-- When GitHub last confirmed the head, also when nothing had changed.
ALTER TABLE repositories ADD COLUMN verified_at BIGINT NOT NULL DEFAULT 0;
UPDATE repositories SET verified_at = applied_at;
CREATE INDEX repositories_applied ON repositories (applied_sha);
CREATE INDEX repositories_failed ON repositories (id) WHERE error <> '';
