-- name: InsertApp :one
INSERT INTO apps (slug, name, description) VALUES (@slug, @name, @description) RETURNING *;

-- name: AppBySlug :one
SELECT * FROM apps WHERE slug = @slug;

-- name: AppByID :one
SELECT * FROM apps WHERE id = @id;

-- name: ListApps :many
-- user_id 0: every app, else those the user is a member of.
SELECT a.* FROM apps a WHERE a.slug > @after::text
  AND (@user_id::bigint = 0 OR EXISTS (SELECT FROM members m WHERE m.app_id = a.id AND m.user_id = @user_id::bigint))
ORDER BY a.slug LIMIT @max::int;

-- name: UpdateApp :exec
UPDATE apps SET name = @name, description = @description WHERE id = @id;

-- name: DeleteApp :exec
DELETE FROM apps WHERE id = @id;

-- name: DeleteAppRows :exec
WITH a AS (DELETE FROM kv WHERE kv.app_id = @app_id), b AS (DELETE FROM event_payloads p WHERE p.app_id = @app_id)
DELETE FROM executions e WHERE e.app_id = @app_id;

-- name: DeleteLedgerOfApp :exec
DELETE FROM ledger WHERE app_id = @app_id;

-- name: AppHosts :many
SELECT host FROM app_hosts WHERE app_id = @app_id ORDER BY host;

-- name: DeleteAppHosts :exec
DELETE FROM app_hosts WHERE app_id = @app_id;

-- name: InsertAppHost :exec
INSERT INTO app_hosts (host, app_id) VALUES (@host, @app_id);

-- name: AppRevisionsAll :many
SELECT id, revision FROM apps;

-- name: BumpApp :exec
UPDATE apps SET revision = revision + 1 WHERE id = @id;

-- name: BumpAppsOfUser :many
-- A change of a person changes whom triggers may run as, in every app where the user registered one.
UPDATE apps a SET revision = a.revision + 1
WHERE EXISTS (SELECT FROM triggers t WHERE t.app_id = a.id AND t.registered_by = @user_id) RETURNING a.id;

-- name: NotifyDefinitions :exec
SELECT pg_notify('picloud_definitions', @payload::text);

-- name: LockApp :exec
-- Held while definitions are taken away: no commit raises an event for them meanwhile.
SELECT pg_advisory_xact_lock(1, @app::int);

-- name: LockRoutes :exec
SELECT pg_advisory_xact_lock(2, 0);
