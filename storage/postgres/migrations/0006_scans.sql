-- +goose NO TRANSACTION
-- +goose Up

-- How far each reconciliation of an account is.
CREATE TABLE IF NOT EXISTS scans (
	id TEXT COLLATE "C" PRIMARY KEY,
	kind TEXT COLLATE "C" NOT NULL,
	host TEXT COLLATE "C" NOT NULL,
	owner TEXT COLLATE "C" NOT NULL,
	installation_id BIGINT NOT NULL,
	cause TEXT NOT NULL,
	state TEXT COLLATE "C" NOT NULL,
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
	started_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	finished_at BIGINT NOT NULL,
	error TEXT NOT NULL,
	approved_by TEXT NOT NULL,
	-- Last, because it is wide and only read where the scan goes on.
	seen_ids BYTEA NOT NULL
);
CREATE INDEX IF NOT EXISTS scans_started ON scans (started_at, id);
CREATE INDEX IF NOT EXISTS scans_account ON scans (lower(host), lower(owner), started_at, id);
CREATE INDEX IF NOT EXISTS scans_finished ON scans (finished_at) WHERE finished_at <> 0;

-- Removals that wait until all of their scan are counted.
CREATE TABLE IF NOT EXISTS holds (
	repository_id BIGINT PRIMARY KEY,
	scan_id TEXT COLLATE "C" NOT NULL,
	repository TEXT NOT NULL,
	entities INTEGER NOT NULL,
	refs TEXT NOT NULL,
	payload TEXT NOT NULL,
	at BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS holds_scan ON holds (scan_id, repository_id);

-- What a scan still waits for. Deliveries go on being accepted meanwhile, by
-- replicas that still run; an index that was left half made is made anew.
DROP INDEX CONCURRENTLY IF EXISTS messages_scan;
CREATE INDEX CONCURRENTLY messages_scan ON messages ((cause::jsonb ->> 'scan')) WHERE done_at = 0 AND position('"scan":' IN cause) > 0;
