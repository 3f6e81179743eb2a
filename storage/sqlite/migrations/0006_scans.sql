-- +goose Up

-- How far each reconciliation of an account is.
CREATE TABLE scans (
	id TEXT PRIMARY KEY,
	kind TEXT NOT NULL,
	host TEXT NOT NULL,
	owner TEXT NOT NULL,
	installation_id INTEGER NOT NULL,
	cause TEXT NOT NULL,
	state TEXT NOT NULL,
	list_cursor TEXT NOT NULL,
	page_size INTEGER NOT NULL,
	pages INTEGER NOT NULL,
	total INTEGER NOT NULL,
	seen INTEGER NOT NULL,
	changed INTEGER NOT NULL,
	missing INTEGER NOT NULL,
	failed INTEGER NOT NULL,
	removing INTEGER NOT NULL,
	released INTEGER NOT NULL,
	requests INTEGER NOT NULL,
	retries INTEGER NOT NULL,
	started_at INTEGER NOT NULL,
	updated_at INTEGER NOT NULL,
	finished_at INTEGER NOT NULL,
	error TEXT NOT NULL,
	approved_by TEXT NOT NULL,
	-- Last, because it is wide and only read where the scan goes on.
	seen_ids BLOB NOT NULL
) STRICT;
CREATE INDEX scans_started ON scans (started_at, id);
CREATE INDEX scans_account ON scans (lower(host), lower(owner), started_at, id);
CREATE INDEX scans_finished ON scans (finished_at) WHERE finished_at <> 0;

-- Removals that wait until all of their scan are counted.
CREATE TABLE holds (
	repository_id INTEGER PRIMARY KEY,
	scan_id TEXT NOT NULL,
	repository TEXT NOT NULL,
	entities INTEGER NOT NULL,
	refs TEXT NOT NULL,
	payload TEXT NOT NULL,
	at INTEGER NOT NULL
) STRICT;
CREATE INDEX holds_scan ON holds (scan_id, repository_id);

-- What a scan still waits for.
CREATE INDEX messages_scan ON messages (cause ->> '$.scan') WHERE done_at = 0 AND instr(cause, '"scan":') > 0;
