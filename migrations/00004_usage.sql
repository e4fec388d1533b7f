-- +goose Up

-- What a run used. CPU time is that of its own code, 0 when its process was killed before it could tell. Memory is the most
-- that its process had resident until the run ended: runs of the app share a process. Both 0 for rows of before.
ALTER TABLE executions ADD COLUMN cpu_us bigint NOT NULL DEFAULT 0, ADD COLUMN memory_kib bigint NOT NULL DEFAULT 0;
