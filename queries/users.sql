-- name: CountUsers :one
SELECT count(*)::bigint AS n FROM users;

-- name: InsertUser :one
INSERT INTO users (username, password_hash, role, email) VALUES (@username, @password_hash, @role, sqlc.narg(email)) RETURNING *;

-- name: UserByName :one
SELECT * FROM users WHERE username = @username;

-- name: UsernameTaken :one
-- Names that differ by case alone look alike to people.
SELECT EXISTS (SELECT FROM users WHERE lower(username) = lower(@username::text))::boolean AS taken;

-- name: ListUsers :many
SELECT * FROM users WHERE username > @after::text ORDER BY username LIMIT @max::int;

-- name: LockOwners :many
SELECT id FROM users WHERE role = 'owner' AND active FOR UPDATE;

-- name: UpdateUser :exec
UPDATE users SET role = @role, active = @active, email = sqlc.narg(email) WHERE id = @id;

-- name: SetPassword :exec
UPDATE users SET password_hash = @password_hash WHERE id = @id;

-- name: DeleteUser :exec
DELETE FROM users WHERE id = @id;

-- name: MemberRole :one
SELECT role FROM members WHERE app_id = @app_id AND user_id = @user_id;

-- name: ListMembers :many
SELECT u.username, m.role, u.active FROM members m JOIN users u ON u.id = m.user_id
WHERE m.app_id = @app_id AND u.username > @after::text ORDER BY u.username LIMIT @max::int;

-- name: InsertMember :exec
INSERT INTO members (app_id, user_id, role) VALUES (@app_id, @user_id, @role);

-- name: UpdateMember :execrows
UPDATE members SET role = @role WHERE app_id = @app_id AND user_id = @user_id;

-- name: DeleteMember :execrows
DELETE FROM members WHERE app_id = @app_id AND user_id = @user_id;

-- name: InsertSession :one
INSERT INTO sessions (id, user_id, token_hash, user_agent, expires_at)
VALUES (@id, @user_id, @token_hash, @user_agent, clock_timestamp() + sqlc.arg(lifetime_us)::bigint * interval '1 microsecond') RETURNING *;

-- name: SessionByToken :one
-- A live session with its user. Idle ones have ended even before the sweep finds them.
SELECT s.id, s.expires_at, u.id AS user_id, u.username, u.role, u.active,
       (s.last_seen_at <= clock_timestamp() - sqlc.arg(touch_us)::bigint * interval '1 microsecond')::boolean AS touch
FROM sessions s
JOIN users u ON u.id = s.user_id
WHERE s.token_hash = @token_hash AND s.expires_at > clock_timestamp()
  AND s.last_seen_at > clock_timestamp() - sqlc.arg(idle_us)::bigint * interval '1 microsecond';

-- name: AnySession :one
-- Sessions end and are swept, what their users did stays in the audit trail.
SELECT (EXISTS (SELECT FROM sessions)
        OR EXISTS (SELECT FROM audit WHERE actor NOT IN ('system', 'anonymous')))::boolean AS used;

-- name: TouchSession :exec
UPDATE sessions SET last_seen_at = clock_timestamp() WHERE id = @id;

-- name: ListSessions :many
SELECT id, user_agent, created_at, last_seen_at, expires_at FROM sessions
WHERE user_id = @user_id AND id > @after AND expires_at > clock_timestamp() ORDER BY id LIMIT @max::int;

-- name: DeleteSession :execrows
DELETE FROM sessions WHERE user_id = @user_id AND id = @id;

-- name: DeleteSessionsOfUser :exec
DELETE FROM sessions WHERE user_id = @user_id;

-- name: DeleteAllSessions :execrows
DELETE FROM sessions;

-- name: SweepSessions :execrows
DELETE FROM sessions WHERE id IN (SELECT s.id FROM sessions s WHERE s.expires_at < clock_timestamp() LIMIT 1000);

-- name: InsertAPIKey :one
INSERT INTO api_keys (id, user_id, name, key_hash, scopes, app_id, expires_at)
VALUES (@id, @user_id, @name, @key_hash, @scopes, sqlc.narg(app_id), sqlc.narg(expires_at)) RETURNING *;

-- name: APIKeyByHash :one
SELECT k.id, k.scopes, k.app_id, k.expires_at, u.id AS user_id, u.username, u.role, u.active,
       (k.expires_at IS NOT NULL AND k.expires_at <= clock_timestamp())::boolean AS expired,
       (k.last_used_at IS NULL
        OR k.last_used_at <= clock_timestamp() - sqlc.arg(touch_us)::bigint * interval '1 microsecond')::boolean AS touch
FROM api_keys k JOIN users u ON u.id = k.user_id WHERE k.key_hash = @key_hash;

-- name: TouchAPIKey :exec
-- Requests that begin together find the row touched by the first of them.
UPDATE api_keys SET last_used_at = clock_timestamp() WHERE id = @id
  AND (last_used_at IS NULL OR last_used_at <= clock_timestamp() - sqlc.arg(touch_us)::bigint * interval '1 microsecond');

-- name: ListAPIKeys :many
SELECT k.id, k.name, k.scopes, k.expires_at, k.created_at, k.last_used_at, coalesce(a.slug, '')::text AS app FROM api_keys k
LEFT JOIN apps a ON a.id = k.app_id WHERE k.user_id = @user_id AND k.id > @after ORDER BY k.id LIMIT @max::int;

-- name: DeleteAPIKey :execrows
DELETE FROM api_keys WHERE user_id = @user_id AND id = @id;

-- name: DeleteAPIKeysOfUser :execrows
DELETE FROM api_keys WHERE user_id = @user_id;

-- name: NotifyPrincipals :exec
SELECT pg_notify('picloud_principals', '');
