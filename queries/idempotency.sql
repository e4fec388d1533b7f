-- name: ReserveIdempotency :execrows
-- Takes the key for an execution, a reservation whose time or whose node is over is taken over, a record whose time is over
-- replaced.
INSERT INTO idempotency AS i (app_id, script_id, principal, key, request_hash, execution_id, node, expires_at)
VALUES (@app_id, @script_id, @principal, @key, @request_hash, @execution_id, @node, clock_timestamp() + sqlc.arg(lease_us)::bigint * interval '1 microsecond')
ON CONFLICT (app_id, script_id, principal, key) DO UPDATE
SET request_hash = excluded.request_hash, execution_id = excluded.execution_id, node = excluded.node, expires_at = excluded.expires_at, status_code = NULL,
    headers = '[]', body = NULL
WHERE i.expires_at <= clock_timestamp()
   OR i.status_code IS NULL AND i.request_hash = excluded.request_hash AND i.node <> '' AND NOT EXISTS (
      SELECT 1 FROM nodes n WHERE n.name = i.node AND (connection_lives(n.listener_pid, n.listener_start)
         OR n.listener_pid IS NULL AND n.seen_at > clock_timestamp() - interval '15 seconds'));

-- name: IdempotencyRecord :one
SELECT * FROM idempotency WHERE app_id = @app_id AND script_id = @script_id AND principal = @principal AND key = @key;

-- name: FreeIdempotency :exec
DELETE FROM idempotency WHERE app_id = @app_id AND script_id = @script_id AND principal = @principal AND key = @key
  AND execution_id = @execution_id AND status_code IS NULL;

-- name: StoredAnswersSize :one
-- The length of a body is known without reading it.
SELECT count(*)::bigint AS n, coalesce(sum(octet_length(body)), 0)::bigint AS bytes
FROM (SELECT body FROM idempotency WHERE app_id = @app_id LIMIT 100001) x;

-- name: SweepIdempotency :execrows
DELETE FROM idempotency WHERE (app_id, script_id, principal, key) IN (
    SELECT i.app_id, i.script_id, i.principal, i.key FROM idempotency i WHERE i.expires_at < clock_timestamp() LIMIT 1000);
