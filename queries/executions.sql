-- name: ListExecutions :many
-- Newest first, ids carry their time, so from and to are bounds on ids. Every filter has its index. The list ends with the
-- execution that takes it over max_bytes: what follows is measured, and not sent.
SELECT p.app_id, p.id, p.script_id, p.script, p.version, p.source, p.trigger_id, p.outbox_id, p.status, p.attempt, p.depth,
       p.root_id, p.parent_id, p.principal, p.request, p.node, p.started_at, p.duration_us, p.http_status, p.error_name,
       p.error_message, p.error_stack, p.after_status, p.logs, p.cpu_us, p.memory_kib FROM (
    SELECT e.*, sum(octet_length(e.request) + octet_length(e.error_name) + octet_length(e.error_message) + octet_length(e.error_stack)
                      + octet_length(e.logs) + @row_bytes::int) OVER (ORDER BY e.id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
    FROM (SELECT * FROM executions
          WHERE app_id = @app_id AND id < @before::uuid AND id >= @since::uuid
            AND (@script_id::uuid = @nil::uuid OR script_id = @script_id::uuid) AND (@status::text = '' OR status = @status::text)
            AND (@root_id::uuid = @nil::uuid OR root_id = @root_id::uuid)
          ORDER BY id DESC LIMIT @max::int) e) p
WHERE coalesce(p.bytes_before, 0) <= @max_bytes::bigint ORDER BY p.id DESC;

-- name: ExecutionByID :one
SELECT * FROM executions WHERE app_id = @app_id AND id = @id;

-- name: SetAfterStatus :exec
UPDATE executions SET after_status = @after_status, logs = @logs WHERE app_id = @app_id AND id = @id;

-- name: SearchExecutions :many
-- Those of the latest so many that have what no index finds: a trigger, a source, the name of a script that is gone, a text
-- in error, request or log. Logs over 64 KiB are not searched. It ends at max_bytes as ListExecutions does.
SELECT p.app_id, p.id, p.script_id, p.script, p.version, p.source, p.trigger_id, p.outbox_id, p.status, p.attempt, p.depth,
       p.root_id, p.parent_id, p.principal, p.request, p.node, p.started_at, p.duration_us, p.http_status, p.error_name,
       p.error_message, p.error_stack, p.after_status, p.logs, p.cpu_us, p.memory_kib FROM (
    SELECT e.*, sum(octet_length(e.request) + octet_length(e.error_name) + octet_length(e.error_message) + octet_length(e.error_stack)
                      + octet_length(e.logs) + @row_bytes::int) OVER (ORDER BY e.id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
    FROM (SELECT f.* FROM (
              SELECT * FROM executions
              WHERE app_id = @app_id AND id < @before::uuid AND id >= @since::uuid
                AND (@script_id::uuid = @nil::uuid OR script_id = @script_id::uuid) AND (@status::text = '' OR status = @status::text)
                AND (@root_id::uuid = @nil::uuid OR root_id = @root_id::uuid)
              ORDER BY id DESC LIMIT @depth::int) f
          WHERE (@script::text = '' OR f.script = @script::text) AND (@trigger_id::uuid = @nil::uuid OR f.trigger_id = @trigger_id::uuid)
            AND (@source::text = '' OR f.source = @source::text)
            AND (@search::text = '' OR strpos(lower(f.error_name || ': ' || f.error_message), lower(@search::text)) > 0
                 OR strpos(lower(f.request), lower(@search::text)) > 0
                 OR CASE WHEN octet_length(f.logs) <= 65536 THEN strpos(lower(f.logs), lower(@search::text)) > 0 END)
          ORDER BY f.id DESC LIMIT @max::int) e) p
WHERE coalesce(p.bytes_before, 0) <= @max_bytes::bigint ORDER BY p.id DESC;

-- name: SearchEnd :one
-- The last execution that such a search looked at, if it did not reach the end.
SELECT id FROM executions
WHERE app_id = @app_id AND id < @before::uuid AND id >= @since::uuid
  AND (@script_id::uuid = @nil::uuid OR script_id = @script_id::uuid) AND (@status::text = '' OR status = @status::text)
  AND (@root_id::uuid = @nil::uuid OR root_id = @root_id::uuid)
ORDER BY id DESC OFFSET @skip::int LIMIT 1;

-- name: LatestFailures :many
-- Of everything that did not succeed since a moment, without the long texts.
SELECT id, script, status, error_name, left(error_message, 500)::text AS error_message, started_at FROM executions
WHERE app_id = @app_id AND id >= @since::uuid AND status <> 'succeeded' ORDER BY id DESC LIMIT @max::int;

-- name: ExecutionsOfRoot :many
-- Everything that one request or event caused, oldest first, without the long texts.
SELECT id, script, version, source, trigger_id, outbox_id, status, attempt, depth, parent_id, left(request, 2000)::text AS request, node,
       started_at, duration_us, http_status, error_name, left(error_message, 500)::text AS error_message
FROM executions WHERE app_id = @app_id AND root_id = @root_id ORDER BY id LIMIT @max::int;

-- name: AppsOfExecution :many
-- In which of some apps an execution is recorded: an id alone does not say.
SELECT app_id FROM executions WHERE id = @id AND app_id = ANY (@apps::bigint[]);

-- name: AbandonedOfExecution :many
SELECT * FROM abandoned_executions WHERE app_id = @app_id AND execution_id = @execution_id ORDER BY id LIMIT 10;

-- name: AddStats :exec
-- The runs of one whole minute; each histogram is an array's text. The rows come in one order, so that two nodes do not wait
-- for each other; of an app that is gone nothing is kept.
WITH counted AS MATERIALIZED (
    SELECT q.app_id, q.script_id, q.outcome, q.n, q.histogram::bigint[] AS histogram
    FROM (SELECT unnest(@apps::bigint[]) AS app_id, unnest(@scripts::uuid[]) AS script_id, unnest(@outcomes::text[]) AS outcome,
                 unnest(@amounts::bigint[]) AS n, unnest(@histograms::text[]) AS histogram) q
    JOIN apps a ON a.id = q.app_id
    ORDER BY 1, 2, 3),
hour AS (
    INSERT INTO execution_stats_hours AS s (app_id, hour, script_id, outcome, n, histogram)
    SELECT app_id, date_trunc('hour', @minute::timestamptz), script_id, outcome, n, histogram FROM counted
    ON CONFLICT (app_id, hour, script_id, outcome) DO UPDATE
    SET n = s.n + excluded.n,
        histogram = (SELECT array_agg(s.histogram[g.i] + excluded.histogram[g.i] ORDER BY g.i) FROM generate_subscripts(excluded.histogram, 1) AS g(i)))
INSERT INTO execution_stats AS s (app_id, minute, script_id, outcome, n, histogram)
SELECT app_id, @minute::timestamptz, script_id, outcome, n, histogram FROM counted
ON CONFLICT (app_id, minute, script_id, outcome) DO UPDATE
SET n = s.n + excluded.n,
    histogram = (SELECT array_agg(s.histogram[g.i] + excluded.histogram[g.i] ORDER BY g.i) FROM generate_subscripts(excluded.histogram, 1) AS g(i));

-- name: StatsByMinute :many
SELECT minute AS at, outcome, n, histogram FROM execution_stats
WHERE app_id = @app_id AND minute >= @since AND minute < @until AND (@script_id::uuid = @nil::uuid OR script_id = @script_id::uuid);

-- name: StatsByHour :many
SELECT hour AS at, outcome, n, histogram FROM execution_stats_hours
WHERE app_id = @app_id AND hour >= @since AND hour < @until AND (@script_id::uuid = @nil::uuid OR script_id = @script_id::uuid);

-- name: CountRuns :many
-- Runs of some apps since an hour began, and those of them that did not succeed.
SELECT app_id, sum(n)::bigint AS runs, coalesce(sum(n) FILTER (WHERE outcome <> 'succeeded'), 0)::bigint AS errors FROM execution_stats_hours
WHERE app_id = ANY (@apps::bigint[]) AND hour >= @since GROUP BY app_id;

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

-- name: SweepStatsHours :execrows
DELETE FROM execution_stats_hours WHERE (app_id, hour, script_id, outcome) IN (
    SELECT s.app_id, s.hour, s.script_id, s.outcome FROM execution_stats_hours s
    WHERE s.hour < clock_timestamp() - sqlc.arg(retention_us)::bigint * interval '1 microsecond' LIMIT 5000);
