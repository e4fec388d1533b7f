-- name: ListScripts :many
SELECT s.*, v.language, v.handlers, v.handlers_error, v.imports FROM scripts s
JOIN script_versions v ON v.app_id = s.app_id AND v.script_id = s.id AND v.version = s.version
WHERE s.app_id = @app_id AND s.name > @after::text ORDER BY s.name LIMIT @max::int;

-- name: ScriptByName :one
SELECT s.*, v.language, v.source, v.source_sha256, v.handlers, v.handlers_error, v.imports, v.build_id FROM scripts s
JOIN script_versions v ON v.app_id = s.app_id AND v.script_id = s.id AND v.version = s.version
WHERE s.app_id = @app_id AND s.name = @name;

-- name: LockScriptsOfApp :exec
-- One deploy at a time in an app: bundles depend on each other.
SELECT pg_advisory_xact_lock(3, @app::int);

-- name: InsertScript :exec
INSERT INTO scripts (app_id, id, name, kind, access, timeout_ms, memory_mib, rate_limit, version)
VALUES (@app_id, @id, @name, @kind, @access, sqlc.narg(timeout_ms), sqlc.narg(memory_mib), @rate_limit, 1);

-- name: UpdateScript :exec
UPDATE scripts SET kind = @kind, access = @access, timeout_ms = sqlc.narg(timeout_ms), memory_mib = sqlc.narg(memory_mib),
    rate_limit = @rate_limit, version = @version, updated_at = clock_timestamp()
WHERE app_id = @app_id AND id = @id;

-- name: DeleteScript :exec
DELETE FROM scripts WHERE app_id = @app_id AND id = @id;

-- name: InsertVersion :exec
INSERT INTO script_versions (app_id, script_id, version, language, source, source_sha256, build_id, code, imports, handlers,
                             handlers_error, created_by)
VALUES (@app_id, @script_id, @version, @language, @source, @source_sha256, @build_id, @code, @imports, @handlers, @handlers_error,
        @created_by);

-- name: RebuildVersion :exec
UPDATE script_versions SET build_id = @build_id, code = @code, imports = @imports, handlers = @handlers, handlers_error = @handlers_error
WHERE app_id = @app_id AND script_id = @script_id AND version = @version;

-- name: LastVersion :one
SELECT max(version)::int AS version FROM script_versions WHERE app_id = @app_id AND script_id = @script_id;

-- name: ListVersions :many
SELECT version, language, imports, handlers, created_by, created_at, octet_length(source)::int AS size FROM script_versions
WHERE app_id = @app_id AND script_id = @script_id AND version < @before::int ORDER BY version DESC LIMIT @max::int;

-- name: VersionOfScript :one
SELECT * FROM script_versions WHERE app_id = @app_id AND script_id = @script_id AND version = @version;

-- name: ModulesOfApp :many
-- The current source of every module script of an app.
SELECT s.name, v.language, v.source FROM scripts s
JOIN script_versions v ON v.app_id = s.app_id AND v.script_id = s.id AND v.version = s.version
WHERE s.app_id = @app_id AND s.kind = 'module';

-- name: ImportersOf :many
SELECT s.id, s.name, s.kind, v.version, v.language, v.source FROM scripts s
JOIN script_versions v ON v.app_id = s.app_id AND v.script_id = s.id AND v.version = s.version
WHERE s.app_id = @app_id AND @module::text = ANY (v.imports) ORDER BY s.name;

-- name: CodeOfBuild :one
SELECT code FROM script_versions WHERE app_id = @app_id AND build_id = @build_id;

-- name: DefinedScripts :many
-- What the data plane needs of an app's scripts, the code comes with the first run.
SELECT s.id, s.name, s.kind, s.access, s.timeout_ms, s.memory_mib, s.rate_limit, s.version, v.language, v.build_id, v.handlers
FROM scripts s
JOIN script_versions v ON v.app_id = s.app_id AND v.script_id = s.id AND v.version = s.version
WHERE s.app_id = @app_id;

-- name: EndpointNames :many
SELECT name FROM scripts WHERE app_id = @app_id AND kind = 'endpoint' ORDER BY name LIMIT @max::int;

-- name: CountDefinitions :one
-- Of the whole installation.
SELECT (SELECT count(*) FROM apps)::bigint AS apps, (SELECT count(*) FROM scripts)::bigint AS scripts, (SELECT count(*) FROM triggers)::bigint AS triggers;

-- name: CountScripts :one
SELECT count(*)::bigint AS n FROM scripts WHERE app_id = @app_id;
