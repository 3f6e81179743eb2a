-- +goose Up

-- COLLATE "C" wherever a column is ordered, or lowered for a comparison: byte
-- order and ASCII case, as in SQLite.

-- The inbox. id is the order of arrival.
CREATE TABLE deliveries (
	id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	guid TEXT NOT NULL UNIQUE,
	event TEXT NOT NULL,
	action TEXT NOT NULL,
	installation_id BIGINT NOT NULL,
	repository_id BIGINT NOT NULL,
	repository TEXT COLLATE "C" NOT NULL,
	git_ref TEXT NOT NULL,
	commit_sha TEXT NOT NULL,
	pusher TEXT NOT NULL,
	received_at BIGINT NOT NULL,
	state TEXT NOT NULL,
	reason TEXT NOT NULL,
	attempts INTEGER NOT NULL,
	summary TEXT NOT NULL,
	revision BIGINT NOT NULL,
	done_at BIGINT NOT NULL,
	payload BYTEA NOT NULL
);
CREATE INDEX deliveries_received ON deliveries (received_at, id);
CREATE INDEX deliveries_repository ON deliveries (lower(repository), received_at, id);
CREATE INDEX deliveries_state ON deliveries (state, received_at, id);

-- The outbox: intended work. Every index leaves out what is done.
CREATE TABLE messages (
	id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	topic TEXT NOT NULL,
	key TEXT NOT NULL,
	payload TEXT NOT NULL,
	cause TEXT NOT NULL,
	attempts INTEGER NOT NULL,
	created_at BIGINT NOT NULL,
	run_after BIGINT NOT NULL,
	swept_at BIGINT NOT NULL,
	done_at BIGINT NOT NULL,
	parked_at BIGINT NOT NULL,
	error TEXT NOT NULL
);
CREATE INDEX messages_undone ON messages (topic, key, id) WHERE done_at = 0;
CREATE INDEX messages_due ON messages (run_after, id) WHERE done_at = 0 AND parked_at = 0;
CREATE INDEX messages_oldest ON messages (created_at) WHERE done_at = 0 AND parked_at = 0;
CREATE INDEX messages_parked ON messages (parked_at, id) WHERE done_at = 0 AND parked_at <> 0;
CREATE INDEX messages_done ON messages (done_at) WHERE done_at <> 0;

CREATE TABLE repositories (
	id BIGINT PRIMARY KEY,
	host TEXT COLLATE "C" NOT NULL,
	owner TEXT COLLATE "C" NOT NULL,
	name TEXT COLLATE "C" NOT NULL,
	default_branch TEXT NOT NULL,
	html_url TEXT NOT NULL,
	visibility TEXT NOT NULL,
	archived BOOLEAN NOT NULL,
	fork BOOLEAN NOT NULL,
	topics TEXT NOT NULL,
	installation_id BIGINT NOT NULL,
	discovered BOOLEAN NOT NULL,
	state TEXT NOT NULL,
	applied_sha TEXT NOT NULL,
	applied_at BIGINT NOT NULL,
	settings_hash TEXT NOT NULL,
	head_sha TEXT NOT NULL,
	head_at BIGINT NOT NULL,
	error TEXT NOT NULL,
	error_at BIGINT NOT NULL,
	version BIGINT NOT NULL
);
CREATE INDEX repositories_name ON repositories (lower(host), lower(owner), lower(name));

CREATE TABLE files (
	repository_id BIGINT NOT NULL,
	path TEXT COLLATE "C" NOT NULL,
	blob_sha TEXT NOT NULL,
	role TEXT NOT NULL,
	parent TEXT NOT NULL,
	origin TEXT NOT NULL,
	inputs TEXT NOT NULL,
	targets TEXT NOT NULL,
	external TEXT NOT NULL,
	status TEXT NOT NULL,
	diagnostics TEXT NOT NULL,
	documents INTEGER NOT NULL,
	PRIMARY KEY (repository_id, path)
);

-- Winning claims, and tombstones (deleted_at is not 0).
CREATE TABLE entities (
	id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	ref TEXT COLLATE "C" NOT NULL,
	uid TEXT NOT NULL,
	repository_id BIGINT NOT NULL,
	path TEXT COLLATE "C" NOT NULL,
	document INTEGER NOT NULL,
	line INTEGER NOT NULL,
	entity TEXT NOT NULL,
	hash TEXT NOT NULL,
	errors TEXT NOT NULL,
	revision BIGINT NOT NULL,
	commit_sha TEXT NOT NULL,
	delivery TEXT NOT NULL,
	since BIGINT NOT NULL,
	first_seen BIGINT NOT NULL,
	last_changed BIGINT NOT NULL,
	deleted_at BIGINT NOT NULL DEFAULT 0,
	deleted_cause TEXT NOT NULL DEFAULT '',
	-- Last, because it is wide and seldom read.
	descriptor TEXT NOT NULL
);
CREATE UNIQUE INDEX entities_ref ON entities (ref) WHERE deleted_at = 0;
CREATE INDEX entities_repository ON entities (repository_id, ref) WHERE deleted_at = 0;
CREATE INDEX entities_deleted ON entities (deleted_at) WHERE deleted_at <> 0;

-- The edges that the living entity origin_ref declares, in both directions.
CREATE TABLE relations (
	origin_ref TEXT COLLATE "C" NOT NULL,
	source TEXT COLLATE "C" NOT NULL,
	type TEXT COLLATE "C" NOT NULL,
	target TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (origin_ref, source, type, target)
);

-- Losing claims.
CREATE TABLE claims (
	ref TEXT COLLATE "C" NOT NULL,
	repository_id BIGINT NOT NULL,
	path TEXT COLLATE "C" NOT NULL,
	document INTEGER NOT NULL,
	line INTEGER NOT NULL,
	descriptor TEXT NOT NULL,
	entity TEXT NOT NULL,
	relations TEXT NOT NULL,
	since BIGINT NOT NULL,
	commit_sha TEXT NOT NULL,
	delivery TEXT NOT NULL,
	PRIMARY KEY (ref, repository_id, path, document)
);
CREATE INDEX claims_file ON claims (repository_id, path);

-- source makes a location unique: several sources may name one target.
CREATE TABLE locations (
	id TEXT PRIMARY KEY,
	type TEXT COLLATE "C" NOT NULL,
	target TEXT COLLATE "C" NOT NULL,
	source TEXT COLLATE "C" NOT NULL,
	host TEXT COLLATE "C" NOT NULL,
	owner TEXT COLLATE "C" NOT NULL,
	repo TEXT COLLATE "C" NOT NULL,
	git_ref TEXT NOT NULL,
	path TEXT COLLATE "C" NOT NULL,
	origin TEXT NOT NULL,
	UNIQUE (source, type, target)
);
CREATE INDEX locations_repository ON locations (lower(host), lower(owner), lower(repo));
CREATE INDEX locations_target ON locations (target, source, type);

-- The feed and the history.
CREATE TABLE changes (
	revision BIGINT PRIMARY KEY,
	ref TEXT COLLATE "C" NOT NULL,
	uid TEXT NOT NULL,
	what TEXT NOT NULL,
	before_hash TEXT NOT NULL,
	after_hash TEXT NOT NULL,
	fields TEXT NOT NULL,
	cause TEXT NOT NULL,
	at BIGINT NOT NULL
);
CREATE INDEX changes_ref ON changes (ref, revision);

-- One row: the newest revision, and the lock of all who write entities.
CREATE TABLE catalog_revision (
	id BIGINT PRIMARY KEY CHECK (id = 1),
	revision BIGINT NOT NULL
);
INSERT INTO catalog_revision (id, revision) VALUES (1, 0);

CREATE TABLE leases (
	name TEXT COLLATE "C" PRIMARY KEY,
	holder TEXT NOT NULL,
	expires_at BIGINT NOT NULL
);
