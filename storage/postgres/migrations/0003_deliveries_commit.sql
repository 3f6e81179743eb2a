-- +goose NO TRANSACTION
-- +goose Up

-- Which push brought a commit. Deliveries go on being accepted meanwhile, by
-- replicas that still run; an index that was left half made is made anew.
DROP INDEX CONCURRENTLY IF EXISTS deliveries_commit;
CREATE INDEX CONCURRENTLY deliveries_commit ON deliveries (commit_sha, received_at, id);
