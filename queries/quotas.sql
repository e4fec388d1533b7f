-- name: QuotasOfApp :one
SELECT * FROM app_quotas WHERE app_id = @app_id;

-- name: SetQuotas :exec
-- The caller holds the app's lock and that of counted KV, so that nobody counts meanwhile.
INSERT INTO app_quotas (app_id, kv_bytes, log_bytes, executions, scripts, requests_per_second, kv_used)
VALUES (@app_id, sqlc.narg(kv_bytes), sqlc.narg(log_bytes), sqlc.narg(executions), sqlc.narg(scripts), sqlc.narg(requests_per_second), @kv_used)
ON CONFLICT (app_id) DO UPDATE
SET kv_bytes = excluded.kv_bytes, log_bytes = excluded.log_bytes, executions = excluded.executions, scripts = excluded.scripts,
    requests_per_second = excluded.requests_per_second, kv_used = excluded.kv_used;

-- name: DeleteQuotas :exec
DELETE FROM app_quotas WHERE app_id = @app_id;

-- name: CountKV :one
-- What the entries of an app have, those included that have expired and are not swept yet.
SELECT coalesce(sum(octet_length(collection) + octet_length(key) + octet_length(value)), 0)::bigint AS bytes FROM kv WHERE app_id = @app_id;

-- name: MiscountedKV :many
-- Apps with a quota whose entries do not have the bytes that are counted.
SELECT q.app_id FROM app_quotas q WHERE q.kv_bytes IS NOT NULL AND q.kv_used <> (
    SELECT coalesce(sum(octet_length(k.collection) + octet_length(k.key) + octet_length(k.value)), 0) FROM kv k WHERE k.app_id = q.app_id)
ORDER BY q.app_id;

-- name: LockCountedKV :exec
-- Held by sweeps of expired keys and by whoever counts an app's KV for a new quota: what is swept while it is counted would be
-- counted for ever.
SELECT pg_advisory_xact_lock(10, 0);

-- name: LockKVQuotas :exec
-- Taken by a sweep before the rows of kv, as commits do.
SELECT FROM app_quotas WHERE kv_bytes IS NOT NULL ORDER BY app_id FOR UPDATE;

-- name: CountRecords :one
SELECT count(*)::bigint AS n, coalesce(sum(octet_length(logs)), 0)::bigint AS bytes FROM executions WHERE app_id = @app_id;

-- name: PruneExecutions :execrows
-- Deletes the oldest records of an app beyond its quota, 1000 of an app at most. App 0 is every app.
DELETE FROM executions e USING (
    SELECT q.app_id, old.id FROM app_quotas q CROSS JOIN LATERAL (
        SELECT o.id FROM executions o WHERE o.app_id = q.app_id ORDER BY o.id
        LIMIT least(1000, greatest(0, (SELECT count(*) FROM executions c WHERE c.app_id = q.app_id) - q.executions))) old
    WHERE q.executions IS NOT NULL AND (@app_id::bigint = 0 OR q.app_id = @app_id::bigint)) x
WHERE e.app_id = x.app_id AND e.id = x.id;

-- name: PruneLogs :execrows
-- Empties the oldest logs of an app beyond its quota, 1000 of an app at most. App 0 is every app. The length of a log is known
-- without reading it.
UPDATE executions e SET logs = '' FROM (
    SELECT q.app_id, old.id FROM app_quotas q CROSS JOIN LATERAL (
        SELECT l.id FROM (
            SELECT o.id, sum(octet_length(o.logs)) OVER (ORDER BY o.id DESC) AS bytes FROM executions o
            WHERE o.app_id = q.app_id AND o.logs <> '') l
        WHERE l.bytes > q.log_bytes ORDER BY l.id LIMIT 1000) old
    WHERE q.log_bytes IS NOT NULL AND (@app_id::bigint = 0 OR q.app_id = @app_id::bigint)) x
WHERE e.app_id = x.app_id AND e.id = x.id;
