-- name: ReadKeys :many
-- Committed, unexpired entries, i is the place in the arrays.
SELECT q.i::int AS i, k.value, k.version, k.expires_at
FROM (SELECT unnest(@positions::int[]) AS i, unnest(@apps::bigint[]) AS app_id, unnest(@collections::text[]) AS collection,
             unnest(@keys::text[]) AS key) q
JOIN kv k ON k.app_id = q.app_id AND k.collection = q.collection AND k.key = q.key
WHERE k.expires_at IS NULL OR k.expires_at > clock_timestamp();

-- name: ListKeys :many
-- Bounds are exclusive below and above, an empty upper bound is none. The page ends with the value that takes it over
-- max_bytes; found counts the entries that it had without that bound.
SELECT p.key, p.value, p.version, p.expires_at, p.updated_at, p.found FROM (
    SELECT k.*, count(*) OVER () AS found,
           sum(octet_length(k.value)) OVER (ORDER BY k.key) - octet_length(k.value) AS bytes_before
    FROM (SELECT key, value, version, expires_at, updated_at FROM kv
          WHERE app_id = @app_id AND collection = @collection AND key >= @prefix::text AND key > @after::text
            AND (@below::text = '' OR key < @below::text)
            AND (expires_at IS NULL OR expires_at > clock_timestamp())
          ORDER BY key LIMIT @max::int) k) p
WHERE p.bytes_before <= @max_bytes::bigint ORDER BY p.key;

-- name: ReadEntry :one
SELECT key, value, version, expires_at, updated_at FROM kv
WHERE app_id = @app_id AND collection = @collection AND key = @key
  AND (expires_at IS NULL OR expires_at > clock_timestamp());

-- name: ListCollections :many
WITH RECURSIVE c AS (
    (SELECT collection FROM kv WHERE app_id = @app_id AND collection > @after::text ORDER BY collection LIMIT 1)
    UNION ALL
    SELECT (SELECT k.collection FROM kv k WHERE k.app_id = @app_id AND k.collection > c.collection ORDER BY k.collection LIMIT 1)
    FROM c WHERE c.collection IS NOT NULL)
SELECT c.collection::text AS collection, (SELECT count(*) FROM (SELECT 1 FROM kv n WHERE n.app_id = @app_id
    AND n.collection = c.collection AND (n.expires_at IS NULL OR n.expires_at > clock_timestamp()) LIMIT 10001) x)::bigint AS keys
FROM c WHERE c.collection IS NOT NULL LIMIT @max::int;

-- name: SweepExpiredKeys :one
-- Counts what it deletes as no longer used. The caller has locked what it counts.
WITH gone AS (
    DELETE FROM kv WHERE (app_id, collection, key) IN (
        SELECT k.app_id, k.collection, k.key FROM apps a CROSS JOIN LATERAL (
            SELECT x.app_id, x.collection, x.key FROM kv x
            WHERE x.app_id = a.id AND x.expires_at <= clock_timestamp() - interval '5 seconds'
            ORDER BY x.expires_at LIMIT 1000 FOR UPDATE SKIP LOCKED) k
        LIMIT 1000)
      AND expires_at <= clock_timestamp() - interval '5 seconds'
    RETURNING app_id, octet_length(collection) + octet_length(key) + octet_length(value) AS bytes),
freed AS (
    UPDATE app_quotas q SET kv_used = q.kv_used - f.bytes
    FROM (SELECT app_id, sum(bytes) AS bytes FROM gone GROUP BY app_id) f WHERE q.app_id = f.app_id AND q.kv_bytes IS NOT NULL)
SELECT count(*)::bigint AS n FROM gone;

-- name: DeleteExpiredOfApp :many
-- For an app that needs the room. The caller holds the lock of its quota, and counts.
DELETE FROM kv WHERE (app_id, collection, key) IN (
    SELECT k.app_id, k.collection, k.key FROM kv k WHERE k.app_id = @app_id AND k.expires_at <= @now::timestamptz
    ORDER BY k.expires_at LIMIT @max::int FOR UPDATE SKIP LOCKED)
RETURNING collection, key, (octet_length(collection) + octet_length(key) + octet_length(value))::bigint AS bytes;

-- name: NextVersionBlock :one
-- The first of 1000 versions that belong to the caller alone.
SELECT (nextval('kv_version') - 999)::bigint AS first;
