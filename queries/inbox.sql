-- name: TakeInbox :many
DELETE FROM inbox WHERE node = @node RETURNING id, app_id, script_id, execution_id, status_code, response;

-- name: OrphanedInbox :many
-- Answers that their node never fetched: it is gone, and with it the client.
DELETE FROM inbox WHERE created_at < clock_timestamp() - interval '30 seconds'
RETURNING id, app_id, script_id, execution_id, status_code, response;
