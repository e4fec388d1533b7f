-- name: ListVariables :many
SELECT name, sealed, key_id, scripts, updated_by, updated_at FROM variables
WHERE app_id = @app_id AND secret = @secret AND name > @after::text ORDER BY name LIMIT @max::int;

-- name: AllVariables :many
SELECT name, secret, sealed, key_id, scripts FROM variables WHERE app_id = @app_id ORDER BY name;

-- name: VariableByName :one
SELECT name, secret, sealed, key_id, updated_by, updated_at FROM variables WHERE app_id = @app_id AND name = @name;

-- name: MeasureVariables :one
-- How much an app holds beside one name.
SELECT count(*)::bigint AS n, coalesce(sum(octet_length(sealed)), 0)::bigint AS bytes FROM variables WHERE app_id = @app_id AND name <> @name;

-- name: PutVariable :exec
INSERT INTO variables (app_id, name, secret, sealed, key_id, scripts, updated_by)
VALUES (@app_id, @name, @secret, @sealed, @key_id, @scripts, @updated_by)
ON CONFLICT (app_id, name) DO UPDATE
SET sealed = excluded.sealed, key_id = excluded.key_id, scripts = excluded.scripts, updated_by = excluded.updated_by, updated_at = clock_timestamp();

-- name: SecretForScripts :one
-- A secret that is for some of these scripts alone, and which of them it names.
SELECT v.name, s.script::text AS script FROM variables v, unnest(v.scripts) AS s(script)
WHERE v.app_id = @app_id AND s.script = ANY (@scripts::text[]) ORDER BY v.name, s.script LIMIT 1;

-- name: DeleteVariable :execrows
DELETE FROM variables WHERE app_id = @app_id AND name = @name AND secret = @secret;

-- name: KeysOfVariables :many
SELECT key_id, count(*)::bigint AS n FROM variables GROUP BY key_id ORDER BY key_id;

-- name: StopVariableWrites :exec
-- Until the transaction ends nobody else sets a variable; everybody reads them.
LOCK TABLE variables IN SHARE ROW EXCLUSIVE MODE;

-- name: SealedOtherwise :one
-- Whether any value of the installation is sealed under another key.
SELECT EXISTS (SELECT 1 FROM variables WHERE key_id <> @key_id)::boolean AS any;

-- name: LockVariables :many
-- Everything of the installation, to be sealed anew.
SELECT app_id, name, secret, sealed, key_id FROM variables ORDER BY app_id, name FOR UPDATE;

-- name: ResealVariable :exec
UPDATE variables SET sealed = @sealed, key_id = @key_id WHERE app_id = @app_id AND name = @name;

-- name: BumpAllApps :exec
UPDATE apps SET revision = revision + 1;
