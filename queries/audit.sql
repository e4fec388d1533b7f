-- name: InsertAudit :exec
INSERT INTO audit (id, actor, app_id, app, action, target, detail)
VALUES (@id, @actor, sqlc.narg(app_id), sqlc.narg(app), @action, @target, @detail);

-- name: ListAudit :many
-- app_id 0: the whole installation.
SELECT * FROM audit WHERE (@app_id::bigint = 0 OR app_id = @app_id::bigint) AND (@before::uuid = @nil::uuid OR id < @before::uuid)
  AND (@actor::text = '' OR actor = @actor::text) AND (@action::text = '' OR action = @action::text)
ORDER BY id DESC LIMIT @max::int;

-- name: SweepAudit :execrows
DELETE FROM audit WHERE id IN (
    SELECT a.id FROM audit a WHERE a.at < clock_timestamp() - sqlc.arg(retention_us)::bigint * interval '1 microsecond' LIMIT 1000);
