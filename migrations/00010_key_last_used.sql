-- +goose Up

-- When a request last carried the key, to the minute; null: not since this column exists.
ALTER TABLE api_keys ADD COLUMN last_used_at timestamptz;
