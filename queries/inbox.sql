-- name: TakeInbox :many
DELETE FROM inbox WHERE node = @node RETURNING id, app_id, script_id, execution_id, status_code, response;

-- name: OrphanedInbox :many
-- Answers that their node never fetched: it is gone, and with it the client.
DELETE FROM inbox WHERE created_at < clock_timestamp() - interval '30 seconds'
RETURNING id, app_id, script_id, execution_id, status_code, response;

-- name: SeenNode :exec
INSERT INTO nodes (name, version, free) VALUES (@name, @version, @free)
ON CONFLICT (name) DO UPDATE SET version = excluded.version, free = excluded.free, seen_at = clock_timestamp();

-- name: OtherNodesFree :one
SELECT coalesce(sum(free), 0)::bigint AS free FROM nodes WHERE name <> @name AND seen_at > clock_timestamp() - interval '10 seconds';
