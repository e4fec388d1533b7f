-- name: ListExecutions :many
-- Newest first, ids carry their time, so from and to are bounds on ids.
SELECT * FROM executions
WHERE app_id = @app_id AND id < @before::uuid AND id >= @since::uuid
  AND (@script::text = '' OR script = @script::text) AND (@status::text = '' OR status = @status::text)
  AND (@source::text = '' OR source = @source::text) AND (@trigger_id::uuid = @nil::uuid OR trigger_id = @trigger_id::uuid)
  AND (@root_id::uuid = @nil::uuid OR root_id = @root_id::uuid)
ORDER BY id DESC LIMIT @max::int;

-- name: ExecutionByID :one
SELECT * FROM executions WHERE app_id = @app_id AND id = @id;

-- name: SetAfterStatus :exec
UPDATE executions SET after_status = @after_status, logs = @logs WHERE app_id = @app_id AND id = @id;

-- name: AddStats :exec
INSERT INTO execution_stats AS s (app_id, minute, script_id, outcome, n, histogram)
VALUES (@app_id, @minute, @script_id, @outcome, @n, @histogram)
ON CONFLICT (app_id, minute, script_id, outcome) DO UPDATE
SET n = s.n + excluded.n,
    histogram = (SELECT array_agg(s.histogram[g.i] + excluded.histogram[g.i] ORDER BY g.i) FROM generate_subscripts(excluded.histogram, 1) AS g(i));

-- name: ListAbandoned :many
SELECT * FROM abandoned_executions WHERE app_id = @app_id AND (@before::uuid = @nil::uuid OR id < @before::uuid)
ORDER BY id DESC LIMIT @max::int;

-- name: SweepAbandoned :execrows
DELETE FROM abandoned_executions WHERE (app_id, id) IN (
    SELECT a.app_id, a.id FROM abandoned_executions a
    WHERE a.created_at < clock_timestamp() - sqlc.arg(retention_us)::bigint * interval '1 microsecond' LIMIT 1000);

-- name: SweepStats :execrows
DELETE FROM execution_stats WHERE (app_id, minute, script_id, outcome) IN (
    SELECT s.app_id, s.minute, s.script_id, s.outcome FROM execution_stats s
    WHERE s.minute < clock_timestamp() - sqlc.arg(retention_us)::bigint * interval '1 microsecond' LIMIT 5000);
