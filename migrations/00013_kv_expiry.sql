-- +goose Up

-- By app: a commit that needs the room of expired entries looks for those of its app alone, whatever others keep.
-- kv_expiry_idx stays: nodes of the version before sweep by it, and to drop it would wait for commits that wait for this.
CREATE INDEX kv_app_expiry_idx ON kv (app_id, expires_at) WHERE expires_at IS NOT NULL;
