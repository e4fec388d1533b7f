-- +goose Up

-- Which node works on a key, and how to see whether that node lives: its listening connection goes the moment the process
-- does. Empty and null: written by a version that does not say.
ALTER TABLE idempotency ADD COLUMN node text NOT NULL DEFAULT '';
ALTER TABLE nodes ADD COLUMN listener_pid integer, ADD COLUMN listener_start timestamptz;

-- +goose StatementBegin
CREATE FUNCTION connection_lives(pid integer, started timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT 1 FROM pg_stat_activity a WHERE a.pid = $1 AND a.backend_start = $2)
$$;
-- +goose StatementEnd
