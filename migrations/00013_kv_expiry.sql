-- +goose Up

-- By app: a commit that needs the room of expired entries looks for those of its app alone, whatever others keep.
CREATE INDEX kv_app_expiry_idx ON kv (app_id, expires_at) WHERE expires_at IS NOT NULL;
DROP INDEX kv_expiry_idx;
