-- +goose Up

-- Which push brought a commit.
CREATE INDEX deliveries_commit ON deliveries (commit_sha, received_at, id);
