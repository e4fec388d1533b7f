-- name: ListTriggers :many
SELECT t.*, s.name AS script, coalesce(f.name, '')::text AS failed_script FROM triggers t
JOIN scripts s ON s.app_id = t.app_id AND s.id = t.script_id
LEFT JOIN scripts f ON f.app_id = t.app_id AND f.id = t.script_filter
WHERE t.app_id = @app_id AND t.id > @after ORDER BY t.id LIMIT @max::int;

-- name: TriggerByID :one
SELECT t.*, s.name AS script, coalesce(f.name, '')::text AS failed_script FROM triggers t
JOIN scripts s ON s.app_id = t.app_id AND s.id = t.script_id
LEFT JOIN scripts f ON f.app_id = t.app_id AND f.id = t.script_filter
WHERE t.app_id = @app_id AND t.id = @id;

-- name: DefinedTriggers :many
-- Every trigger with what its registrant may do now: null role and no instance role means nothing.
SELECT t.*, coalesce(u.username, '')::text AS username, coalesce(u.active, false)::boolean AS user_active,
       coalesce(u.role, '')::text AS user_role, coalesce(m.role, '')::text AS member_role
FROM triggers t LEFT JOIN users u ON u.id = t.registered_by
LEFT JOIN members m ON m.app_id = t.app_id AND m.user_id = t.registered_by
WHERE t.app_id = @app_id;

-- name: RegistrantOfTrigger :one
-- Who registered a trigger, with what they may do now. FOR SHARE keeps them from being deactivated meanwhile.
SELECT u.username, u.active, u.role, coalesce((SELECT m.role FROM members m WHERE m.app_id = @app_id AND m.user_id = u.id), '')::text AS member_role
FROM users u WHERE u.id = sqlc.narg(registered_by)::bigint FOR SHARE;

-- name: CountEnabledTriggers :one
SELECT count(*)::bigint AS n FROM triggers WHERE app_id = @app_id AND enabled;

-- name: InsertTrigger :exec
INSERT INTO triggers (app_id, id, kind, script_id, enabled, collection, ops, source_filter, trigger_filter, script_filter,
                      max_attempts, backoff, base_ms, max_ms, jitter, schedule, timezone, catch_up, overlap, jitter_ms,
                      registered_by, registered_name)
VALUES (@app_id, @id, @kind, @script_id, @enabled, @collection, @ops, sqlc.narg(source_filter), sqlc.narg(trigger_filter),
        sqlc.narg(script_filter), @max_attempts, @backoff, @base_ms, @max_ms, @jitter, @schedule, @timezone, @catch_up, @overlap, @jitter_ms,
        @registered_by, @registered_name);

-- name: UpdateTrigger :exec
UPDATE triggers SET script_id = @script_id, enabled = @enabled, collection = @collection, ops = @ops,
    source_filter = sqlc.narg(source_filter), trigger_filter = sqlc.narg(trigger_filter), script_filter = sqlc.narg(script_filter),
    max_attempts = @max_attempts, backoff = @backoff, base_ms = @base_ms, max_ms = @max_ms, jitter = @jitter,
    schedule = @schedule, timezone = @timezone, catch_up = @catch_up, overlap = @overlap, jitter_ms = @jitter_ms,
    registered_by = @registered_by, registered_name = @registered_name
WHERE app_id = @app_id AND id = @id;

-- name: DeleteTrigger :exec
DELETE FROM triggers WHERE app_id = @app_id AND id = @id;

-- name: DisableTriggersOfUser :exec
UPDATE triggers SET enabled = false WHERE registered_by = @user_id;

-- name: TriggersOfScript :many
SELECT id FROM triggers WHERE app_id = @app_id AND script_id = @script_id;

-- name: ParkRows :exec
-- Rows of a disabled trigger wait until it is enabled again: for centuries longer than they would.
UPDATE outbox SET wake_at = wake_at + interval '200 years'
WHERE app_id = @app_id AND trigger_id = @trigger_id AND claimed_by IS NULL AND wake_at < clock_timestamp() + interval '100 years';

-- name: UnparkRows :exec
-- They are due now, but for those of a replay at a rate whose time has not come.
UPDATE outbox SET wake_at = greatest(clock_timestamp(), CASE WHEN attempt_count + interruptions = 0 THEN wake_at - interval '200 years' END)
WHERE app_id = @app_id AND trigger_id = @trigger_id AND claimed_by IS NULL AND wake_at > clock_timestamp() + interval '100 years';
