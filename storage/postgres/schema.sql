-- Made by go test ./storage/postgres -run TestSchemaIsFresh -update

CREATE TABLE catalog_revision (
	id BIGINT NOT NULL,
	revision BIGINT NOT NULL
);
CREATE TABLE changes (
	revision BIGINT NOT NULL,
	ref TEXT COLLATE "C" NOT NULL,
	uid TEXT NOT NULL,
	what TEXT NOT NULL,
	before_hash TEXT NOT NULL,
	after_hash TEXT NOT NULL,
	fields TEXT NOT NULL,
	cause TEXT NOT NULL,
	at BIGINT NOT NULL
);
CREATE TABLE checkpoints (
	name TEXT COLLATE "C" NOT NULL,
	value TEXT NOT NULL,
	updated_at BIGINT NOT NULL
);
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
	delivery TEXT NOT NULL
);
CREATE TABLE deliveries (
	id BIGINT GENERATED ALWAYS AS IDENTITY NOT NULL,
	guid TEXT NOT NULL,
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
CREATE TABLE diagnostics (
	repository_id BIGINT NOT NULL,
	path TEXT COLLATE "C" NOT NULL,
	position INTEGER NOT NULL,
	ref TEXT COLLATE "C" NOT NULL,
	rule TEXT COLLATE "C" NOT NULL,
	severity TEXT COLLATE "C" NOT NULL,
	diagnostic TEXT NOT NULL
);
CREATE TABLE entities (
	id BIGINT GENERATED ALWAYS AS IDENTITY NOT NULL,
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
	deleted_at BIGINT DEFAULT 0 NOT NULL,
	deleted_cause TEXT DEFAULT ''::text NOT NULL,
	descriptor TEXT NOT NULL,
	buried_relations TEXT DEFAULT ''::text NOT NULL
);
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
	roots TEXT DEFAULT ''::text NOT NULL,
	errors TEXT DEFAULT ''::text NOT NULL
);
CREATE TABLE holds (
	repository_id BIGINT NOT NULL,
	scan_id TEXT COLLATE "C" NOT NULL,
	repository TEXT NOT NULL,
	entities INTEGER NOT NULL,
	refs TEXT NOT NULL,
	payload TEXT NOT NULL,
	at BIGINT NOT NULL
);
CREATE TABLE leases (
	name TEXT COLLATE "C" NOT NULL,
	holder TEXT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE TABLE locations (
	id TEXT NOT NULL,
	type TEXT COLLATE "C" NOT NULL,
	target TEXT COLLATE "C" NOT NULL,
	source TEXT COLLATE "C" NOT NULL,
	host TEXT COLLATE "C" NOT NULL,
	owner TEXT COLLATE "C" NOT NULL,
	repo TEXT COLLATE "C" NOT NULL,
	git_ref TEXT NOT NULL,
	path TEXT COLLATE "C" NOT NULL,
	origin TEXT NOT NULL,
	name TEXT COLLATE "C" DEFAULT ''::text NOT NULL
);
CREATE TABLE messages (
	id BIGINT GENERATED ALWAYS AS IDENTITY NOT NULL,
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
CREATE TABLE relations (
	origin_ref TEXT COLLATE "C" NOT NULL,
	source TEXT COLLATE "C" NOT NULL,
	type TEXT COLLATE "C" NOT NULL,
	target TEXT COLLATE "C" NOT NULL
);
CREATE TABLE repositories (
	id BIGINT NOT NULL,
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
	version BIGINT NOT NULL,
	verified_at BIGINT DEFAULT 0 NOT NULL,
	former TEXT DEFAULT ''::text NOT NULL
);
CREATE TABLE scans (
	id TEXT COLLATE "C" NOT NULL,
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
	seen_ids BYTEA NOT NULL
);

CREATE UNIQUE INDEX catalog_revision_pkey ON catalog_revision USING btree (id);
CREATE UNIQUE INDEX changes_pkey ON changes USING btree (revision);
CREATE INDEX changes_ref ON changes USING btree (ref, revision);
CREATE UNIQUE INDEX checkpoints_pkey ON checkpoints USING btree (name);
CREATE INDEX claims_file ON claims USING btree (repository_id, path);
CREATE UNIQUE INDEX claims_pkey ON claims USING btree (ref, repository_id, path, document);
CREATE INDEX deliveries_commit ON deliveries USING btree (commit_sha, received_at, id);
CREATE UNIQUE INDEX deliveries_guid_key ON deliveries USING btree (guid);
CREATE UNIQUE INDEX deliveries_pkey ON deliveries USING btree (id);
CREATE INDEX deliveries_received ON deliveries USING btree (received_at, id);
CREATE INDEX deliveries_repository ON deliveries USING btree (lower(repository), received_at, id);
CREATE INDEX deliveries_state ON deliveries USING btree (state, received_at, id);
CREATE UNIQUE INDEX diagnostics_pkey ON diagnostics USING btree (repository_id, path, "position");
CREATE INDEX diagnostics_ref ON diagnostics USING btree (ref, repository_id, path, "position");
CREATE INDEX diagnostics_rule ON diagnostics USING btree (rule, repository_id, path, "position");
CREATE INDEX diagnostics_severity ON diagnostics USING btree (severity, repository_id, path, "position");
CREATE INDEX diagnostics_total ON diagnostics USING btree (severity, rule);
CREATE INDEX entities_buried ON entities USING btree (ref, deleted_at, id) WHERE (deleted_at <> 0);
CREATE INDEX entities_buried_repository ON entities USING btree (repository_id, deleted_at, ref) WHERE (deleted_at <> 0);
CREATE INDEX entities_deleted ON entities USING btree (deleted_at, ref) WHERE (deleted_at <> 0);
CREATE UNIQUE INDEX entities_pkey ON entities USING btree (id);
CREATE UNIQUE INDEX entities_ref ON entities USING btree (ref) WHERE (deleted_at = 0);
CREATE INDEX entities_repository ON entities USING btree (repository_id, ref) WHERE (deleted_at = 0);
CREATE UNIQUE INDEX files_pkey ON files USING btree (repository_id, path);
CREATE UNIQUE INDEX holds_pkey ON holds USING btree (repository_id);
CREATE INDEX holds_scan ON holds USING btree (scan_id, repository_id);
CREATE UNIQUE INDEX leases_pkey ON leases USING btree (name);
CREATE UNIQUE INDEX locations_pkey ON locations USING btree (id);
CREATE INDEX locations_repository ON locations USING btree (lower(host), lower(owner), lower(repo));
CREATE UNIQUE INDEX locations_source_type_target_key ON locations USING btree (source, type, target);
CREATE INDEX locations_target ON locations USING btree (target, source, type);
CREATE INDEX messages_done ON messages USING btree (done_at) WHERE (done_at <> 0);
CREATE INDEX messages_due ON messages USING btree (run_after, id) WHERE ((done_at = 0) AND (parked_at = 0));
CREATE INDEX messages_oldest ON messages USING btree (created_at) WHERE ((done_at = 0) AND (parked_at = 0));
CREATE INDEX messages_parked ON messages USING btree (parked_at, id) WHERE ((done_at = 0) AND (parked_at <> 0));
CREATE UNIQUE INDEX messages_pkey ON messages USING btree (id);
CREATE INDEX messages_scan ON messages USING btree ((((cause)::jsonb ->> 'scan'::text))) WHERE ((done_at = 0) AND (POSITION(('"scan":'::text) IN (cause)) > 0));
CREATE INDEX messages_undone ON messages USING btree (topic, key, id) WHERE (done_at = 0);
CREATE UNIQUE INDEX relations_pkey ON relations USING btree (origin_ref, source, type, target);
CREATE INDEX repositories_applied ON repositories USING btree (applied_sha);
CREATE INDEX repositories_failed ON repositories USING btree (id) WHERE (error <> ''::text);
CREATE INDEX repositories_former ON repositories USING btree (id) WHERE (former <> ''::text);
CREATE INDEX repositories_name ON repositories USING btree (lower(host), lower(owner), lower(name));
CREATE UNIQUE INDEX repositories_pkey ON repositories USING btree (id);
CREATE INDEX scans_account ON scans USING btree (lower(host), lower(owner), started_at, id);
CREATE INDEX scans_finished ON scans USING btree (finished_at) WHERE (finished_at <> 0);
CREATE UNIQUE INDEX scans_pkey ON scans USING btree (id);
CREATE INDEX scans_started ON scans USING btree (started_at, id);
