-- name: SeenNode :exec
-- listener_pid is that of the node's listening connection, null while it has none: then that it was seen lately is all that others have.
INSERT INTO nodes (name, version, free, listener_pid, listener_start)
VALUES (@name, @version, @free, sqlc.narg(listener_pid)::int,
        (SELECT a.backend_start FROM pg_catalog.pg_stat_activity a WHERE a.pid = sqlc.narg(listener_pid)::int))
ON CONFLICT (name) DO UPDATE SET version = excluded.version, free = excluded.free, seen_at = clock_timestamp(),
  listener_pid = excluded.listener_pid, listener_start = excluded.listener_start;

-- name: OtherNodesFree :one
SELECT coalesce(sum(free), 0)::bigint AS free FROM nodes WHERE name <> @name AND seen_at > clock_timestamp() - interval '10 seconds';

-- name: ListNodes :many
SELECT * FROM nodes ORDER BY name LIMIT 1000;

-- name: NodeStarted :exec
INSERT INTO nodes (name, version, free) VALUES (@name, @version, @free)
ON CONFLICT (name) DO UPDATE SET version = excluded.version, free = excluded.free, seen_at = clock_timestamp(), started_at = clock_timestamp(),
  listener_pid = NULL, listener_start = NULL;

-- name: NodeStopped :exec
DELETE FROM nodes WHERE name = @name;

-- name: SweepNodes :execrows
-- Nodes that ended without saying so.
DELETE FROM nodes WHERE seen_at < clock_timestamp() - interval '1 day';

-- name: Notify :exec
-- A transaction of its own: NOTIFY makes the commits that carry it wait for each other.
SELECT pg_notify(@channel::text, @payload::text);

-- name: NodeOfAnotherVersion :one
-- One that lives as in LivingNodes. No row: there is none.
SELECT name, version FROM nodes
WHERE version <> @version AND (seen_at > clock_timestamp() - interval '30 seconds' OR connection_lives(listener_pid, listener_start))
ORDER BY name LIMIT 1;

-- name: LivingNodes :many
-- Nodes whose listener is connected, or that said within half a minute that they live; and for how many seconds each has been silent.
SELECT name, greatest(0, extract(epoch FROM clock_timestamp() - seen_at))::bigint AS silent FROM nodes
WHERE seen_at > clock_timestamp() - interval '30 seconds' OR connection_lives(listener_pid, listener_start) ORDER BY name LIMIT 10;
