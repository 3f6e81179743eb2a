-- Made by go test ./storage/sqlite -run TestSchemaIsFresh -update

CREATE TABLE catalog_revision (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	revision INTEGER NOT NULL
) STRICT;
CREATE TABLE changes (
	revision INTEGER PRIMARY KEY,
	ref TEXT NOT NULL,
	uid TEXT NOT NULL,
	what TEXT NOT NULL,
	before_hash TEXT NOT NULL,
	after_hash TEXT NOT NULL,
	fields TEXT NOT NULL,
	cause TEXT NOT NULL,
	at INTEGER NOT NULL
) STRICT;
CREATE INDEX changes_ref ON changes (ref, revision);
CREATE TABLE checkpoints (
	name TEXT PRIMARY KEY,
	value TEXT NOT NULL,
	updated_at INTEGER NOT NULL
) STRICT;
CREATE TABLE claims (
	ref TEXT NOT NULL,
	repository_id INTEGER NOT NULL,
	path TEXT NOT NULL,
	document INTEGER NOT NULL,
	line INTEGER NOT NULL,
	descriptor TEXT NOT NULL,
	entity TEXT NOT NULL,
	relations TEXT NOT NULL,
	since INTEGER NOT NULL,
	commit_sha TEXT NOT NULL,
	delivery TEXT NOT NULL,
	PRIMARY KEY (ref, repository_id, path, document)
) STRICT;
CREATE INDEX claims_file ON claims (repository_id, path);
CREATE TABLE deliveries (
	id INTEGER PRIMARY KEY,
	guid TEXT NOT NULL UNIQUE,
	event TEXT NOT NULL,
	action TEXT NOT NULL,
	installation_id INTEGER NOT NULL,
	repository_id INTEGER NOT NULL,
	repository TEXT NOT NULL,
	git_ref TEXT NOT NULL,
	commit_sha TEXT NOT NULL,
	pusher TEXT NOT NULL,
	received_at INTEGER NOT NULL,
	state TEXT NOT NULL,
	reason TEXT NOT NULL,
	attempts INTEGER NOT NULL,
	summary TEXT NOT NULL,
	revision INTEGER NOT NULL,
	done_at INTEGER NOT NULL,
	payload BLOB NOT NULL
) STRICT;
CREATE INDEX deliveries_commit ON deliveries (commit_sha, received_at, id);
CREATE INDEX deliveries_received ON deliveries (received_at, id);
CREATE INDEX deliveries_repository ON deliveries (lower(repository), received_at, id);
CREATE INDEX deliveries_state ON deliveries (state, received_at, id);
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
CREATE TABLE entities (
	id INTEGER PRIMARY KEY,
	ref TEXT NOT NULL,
	uid TEXT NOT NULL,
	repository_id INTEGER NOT NULL,
	path TEXT NOT NULL,
	document INTEGER NOT NULL,
	line INTEGER NOT NULL,
	entity TEXT NOT NULL,
	hash TEXT NOT NULL,
	errors TEXT NOT NULL,
	revision INTEGER NOT NULL,
	commit_sha TEXT NOT NULL,
	delivery TEXT NOT NULL,
	since INTEGER NOT NULL,
	first_seen INTEGER NOT NULL,
	last_changed INTEGER NOT NULL,
	deleted_at INTEGER NOT NULL DEFAULT 0,
	deleted_cause TEXT NOT NULL DEFAULT '',
	-- Last, because it is wide and seldom read.
	descriptor TEXT NOT NULL
, buried_relations TEXT NOT NULL DEFAULT '') STRICT;
CREATE INDEX entities_buried ON entities (ref, deleted_at, id) WHERE deleted_at <> 0;
CREATE INDEX entities_buried_repository ON entities (repository_id, deleted_at, ref) WHERE deleted_at <> 0;
CREATE INDEX entities_deleted ON entities (deleted_at, ref) WHERE deleted_at <> 0;
CREATE UNIQUE INDEX entities_ref ON entities (ref) WHERE deleted_at = 0;
CREATE INDEX entities_repository ON entities (repository_id, ref) WHERE deleted_at = 0;
CREATE TABLE files (
	repository_id INTEGER NOT NULL,
	path TEXT NOT NULL,
	blob_sha TEXT NOT NULL,
	role TEXT NOT NULL,
	parent TEXT NOT NULL,
	origin TEXT NOT NULL,
	inputs TEXT NOT NULL,
	targets TEXT NOT NULL,
	external TEXT NOT NULL,
	status TEXT NOT NULL,
	diagnostics TEXT NOT NULL,
	documents INTEGER NOT NULL, roots TEXT NOT NULL DEFAULT '', errors TEXT NOT NULL DEFAULT '',
	PRIMARY KEY (repository_id, path)
) STRICT;
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
CREATE TABLE leases (
	name TEXT PRIMARY KEY,
	holder TEXT NOT NULL,
	expires_at INTEGER NOT NULL
) STRICT;
CREATE TABLE locations (
	id TEXT PRIMARY KEY,
	type TEXT NOT NULL,
	target TEXT NOT NULL,
	source TEXT NOT NULL,
	host TEXT NOT NULL,
	owner TEXT NOT NULL,
	repo TEXT NOT NULL,
	git_ref TEXT NOT NULL,
	path TEXT NOT NULL,
	origin TEXT NOT NULL, name TEXT NOT NULL DEFAULT '',
	UNIQUE (source, type, target)
) STRICT;
CREATE INDEX locations_repository ON locations (lower(host), lower(owner), lower(repo));
CREATE INDEX locations_target ON locations (target, source, type);
CREATE TABLE messages (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	topic TEXT NOT NULL,
	key TEXT NOT NULL,
	payload TEXT NOT NULL,
	cause TEXT NOT NULL,
	attempts INTEGER NOT NULL,
	created_at INTEGER NOT NULL,
	run_after INTEGER NOT NULL,
	swept_at INTEGER NOT NULL,
	done_at INTEGER NOT NULL,
	parked_at INTEGER NOT NULL,
	error TEXT NOT NULL
) STRICT;
CREATE INDEX messages_done ON messages (done_at) WHERE done_at <> 0;
CREATE INDEX messages_due ON messages (run_after, id) WHERE done_at = 0 AND parked_at = 0;
CREATE INDEX messages_oldest ON messages (created_at) WHERE done_at = 0 AND parked_at = 0;
CREATE INDEX messages_parked ON messages (parked_at, id) WHERE done_at = 0 AND parked_at <> 0;
CREATE INDEX messages_scan ON messages (cause ->> '$.scan') WHERE done_at = 0 AND instr(cause, '"scan":') > 0;
CREATE INDEX messages_undone ON messages (topic, key, id) WHERE done_at = 0;
CREATE TABLE relations (
	origin_ref TEXT NOT NULL,
	source TEXT NOT NULL,
	type TEXT NOT NULL,
	target TEXT NOT NULL,
	PRIMARY KEY (origin_ref, source, type, target)
) STRICT, WITHOUT ROWID;
CREATE TABLE repositories (
	id INTEGER PRIMARY KEY,
	host TEXT NOT NULL,
	owner TEXT NOT NULL,
	name TEXT NOT NULL,
	default_branch TEXT NOT NULL,
	html_url TEXT NOT NULL,
	visibility TEXT NOT NULL,
	archived INTEGER NOT NULL,
	fork INTEGER NOT NULL,
	topics TEXT NOT NULL,
	installation_id INTEGER NOT NULL,
	discovered INTEGER NOT NULL,
	state TEXT NOT NULL,
	applied_sha TEXT NOT NULL,
	applied_at INTEGER NOT NULL,
	settings_hash TEXT NOT NULL,
	head_sha TEXT NOT NULL,
	head_at INTEGER NOT NULL,
	error TEXT NOT NULL,
	error_at INTEGER NOT NULL,
	version INTEGER NOT NULL
, verified_at INTEGER NOT NULL DEFAULT 0, former TEXT NOT NULL DEFAULT '') STRICT;
CREATE INDEX repositories_applied ON repositories (applied_sha);
CREATE INDEX repositories_failed ON repositories (id) WHERE error <> '';
CREATE INDEX repositories_former ON repositories (id) WHERE former <> '';
CREATE INDEX repositories_name ON repositories (lower(host), lower(owner), lower(name));
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
CREATE INDEX scans_account ON scans (lower(host), lower(owner), started_at, id);
CREATE INDEX scans_finished ON scans (finished_at) WHERE finished_at <> 0;
CREATE INDEX scans_started ON scans (started_at, id);
