-- name: ClaimDue :many
-- Up to @max rows of some apps that are due, or whose lease has ended, fairly by app: the oldest of each first, in the order
-- of @apps, then the second oldest of each, as many of an app as it has room for in @rooms. No row of an app that wakes before its time in @sinces is looked at: under a
-- foreign snapshot every row that ever was lies there. Rows that another node looks at are skipped; seen counts them too.
-- Needs no durability: a lost claim is a lease that ended.
WITH now AS MATERIALIZED (SELECT clock_timestamp() AS t), app AS (
    SELECT unnest(@apps::bigint[]) AS app_id, unnest(@sinces::timestamptz[]) AS since, unnest(@rooms::int[]) AS room, generate_series(1, cardinality(@apps::bigint[])) AS turn
), due AS MATERIALIZED (
    SELECT d.app_id, d.id, d.wake_at FROM app, LATERAL (
        SELECT o.app_id, o.id, o.wake_at, row_number() OVER (ORDER BY o.wake_at) AS rank FROM outbox o
        WHERE o.app_id = app.app_id AND o.wake_at > '-infinity' AND o.wake_at >= app.since AND o.wake_at <= (SELECT t FROM now)
          AND o.source = ANY (@sources::text[])
        ORDER BY o.wake_at LIMIT @max::int) d
    WHERE d.rank <= app.room
    ORDER BY d.rank, app.turn LIMIT @max::int
), locked AS MATERIALIZED (
    SELECT o.app_id, o.id, due.wake_at FROM due JOIN outbox o ON o.app_id = ANY (ARRAY[due.app_id]) AND o.id BETWEEN due.id AND due.id
      AND o.wake_at <= (SELECT t FROM now) FOR UPDATE OF o SKIP LOCKED
), claimed AS (
UPDATE outbox o
SET interruptions = o.interruptions + CASE WHEN o.claimed_by IS NULL THEN 0 ELSE 1 END,
    claimed_by = @node::text, claim_token = @token::uuid, wake_at = clock_timestamp() + sqlc.arg(lease_us)::bigint * interval '1 microsecond'
FROM locked l WHERE o.app_id = ANY (ARRAY[l.app_id]) AND o.id BETWEEN l.id AND l.id
RETURNING o.*, l.wake_at AS due_at)
SELECT c.app_id, c.id, c.source, c.op, c.trigger_id, c.script_id, coalesce(c.payload, p.payload, 'null')::text AS payload, c.reply_to,
       c.reply_node, c.origin_principal, c.run_as, c.parent_id, c.root_id, c.depth, c.dead_letter_id, c.idempotency_key, c.execution_id,
       c.attempt_count, c.interruptions, c.max_attempts, c.backoff, c.base_ms, c.max_ms, c.jitter, c.due_at, a.revision,
       (SELECT count(*) FROM due)::bigint AS seen
FROM claimed c JOIN apps a ON a.id = c.app_id LEFT JOIN event_payloads p ON p.app_id = c.app_id AND p.id = c.payload_id;

-- name: FirstWakes :many
-- When the earliest row of each app must be looked at, and how long that is from now, in microseconds. No row that wakes
-- before its app's time in @sinces, or before @since, is looked at.
SELECT x.app_id, x.wake_at::timestamptz AS wake_at, (extract(epoch FROM x.wake_at - clock_timestamp()) * 1000000)::bigint AS microseconds
FROM (SELECT a.id AS app_id, (
        SELECT min(o.wake_at) FROM outbox o WHERE o.app_id = a.id AND o.wake_at > '-infinity'
          AND o.wake_at >= coalesce(s.since, @since::timestamptz) AND o.source = ANY (@sources::text[])) AS wake_at
    FROM apps a LEFT JOIN (SELECT unnest(@apps::bigint[]) AS app_id, unnest(@sinces::timestamptz[]) AS since) s ON s.app_id = a.id) x
WHERE x.wake_at IS NOT NULL;

-- name: WakeImpossible :execrows
-- Makes rows due that wait for a time which no lease and no retry's delay reaches: they got it while the database's clock was
-- ahead. least_us is more than any lease, in microseconds. Parked rows, which wait for centuries, are left, and so are those of a
-- replay at a rate, which were not tried yet and may wait for long: unless they were made when the clock was ahead.
UPDATE outbox o SET wake_at = clock_timestamp()
FROM apps a CROSS JOIN LATERAL (
    SELECT x.app_id, x.id FROM outbox x
    WHERE x.app_id = a.id AND x.wake_at > '-infinity' AND x.wake_at > clock_timestamp() + sqlc.arg(least_us)::bigint * interval '1 microsecond'
      AND x.wake_at < clock_timestamp() + interval '100 years' AND x.source = ANY (@sources::text[])
      AND (x.claimed_by IS NOT NULL OR x.wake_at > clock_timestamp() + x.max_ms * (1 + x.jitter) * interval '1 millisecond')
      AND (x.claimed_by IS NOT NULL OR x.attempt_count + x.interruptions > 0 OR x.dead_letter_id IS NULL OR x.source = 'dead_letter'
        OR x.created_at > clock_timestamp() + sqlc.arg(least_us)::bigint * interval '1 microsecond')
    FOR UPDATE SKIP LOCKED) l
WHERE o.app_id = ANY (ARRAY[l.app_id]) AND o.id BETWEEN l.id AND l.id;

-- name: RenewLeases :many
UPDATE outbox o SET wake_at = clock_timestamp() + sqlc.arg(lease_us)::bigint * interval '1 microsecond'
FROM (SELECT unnest(@apps::bigint[]) AS app_id, unnest(@ids::uuid[]) AS id, unnest(@tokens::uuid[]) AS token) q
CROSS JOIN LATERAL (SELECT x.app_id, x.id FROM outbox x WHERE x.app_id = q.app_id AND x.id = q.id AND x.claim_token = q.token FOR UPDATE SKIP LOCKED) x
WHERE o.app_id = ANY (ARRAY[x.app_id]) AND o.id BETWEEN x.id AND x.id
RETURNING o.id;

-- name: ReleaseClaims :exec
-- A node that stops gives its rows back: neither an attempt nor an interruption.
UPDATE outbox o SET wake_at = clock_timestamp(), claimed_by = NULL, claim_token = NULL
FROM (SELECT unnest(@apps::bigint[]) AS app_id, unnest(@ids::uuid[]) AS id, unnest(@tokens::uuid[]) AS token) q
WHERE o.app_id = ANY (ARRAY[q.app_id]) AND o.id BETWEEN q.id AND q.id AND o.claim_token = q.token;

-- name: ListOutbox :many
-- Oldest first. The list ends with the row that takes it over max_bytes: what follows is measured, and not sent.
SELECT o.id, o.source, o.op, o.trigger_id, o.script_id, coalesce(s.name, '')::text AS script, o.claimed_by, o.attempt_count,
       o.interruptions, o.max_attempts, o.wake_at, o.depth, o.root_id, o.whole_payload::text AS payload, o.last_error,
       o.reply_to, o.created_at, coalesce(t.enabled, true)::boolean AS trigger_enabled,
       (o.wake_at <= clock_timestamp())::boolean AS due
FROM (SELECT r.*, sum(octet_length(r.whole_payload) + octet_length(r.last_error) + @row_bytes::int)
                      OVER (ORDER BY r.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
      FROM (SELECT q.*, coalesce(q.payload, p.payload, 'null') AS whole_payload
            FROM (SELECT * FROM outbox f WHERE f.app_id = @app_id AND f.id > @after ORDER BY f.id LIMIT @max::int) q
            LEFT JOIN event_payloads p ON p.app_id = q.app_id AND p.id = q.payload_id) r) o
LEFT JOIN scripts s ON s.app_id = o.app_id AND s.id = o.script_id
LEFT JOIN triggers t ON t.app_id = o.app_id AND t.id = o.trigger_id
WHERE coalesce(o.bytes_before, 0) <= @max_bytes::bigint ORDER BY o.id;

-- name: OutboxOfRoot :many
-- What one request or event still has in the queue, of the 2000 rows that came after it: the queue has no index for it.
SELECT o.id, o.source, o.op, o.trigger_id, coalesce(s.name, '')::text AS script, o.parent_id, o.claimed_by, o.attempt_count, o.wake_at,
       o.depth, o.created_at
FROM (SELECT * FROM outbox q WHERE q.app_id = @app_id AND q.id >= @root_id ORDER BY q.id LIMIT 2000) o
LEFT JOIN scripts s ON s.app_id = o.app_id AND s.id = o.script_id
WHERE o.root_id = @root_id ORDER BY o.id LIMIT @max::int;

-- name: LeasesByNode :many
-- Who holds how many rows, of the whole installation, and when the first of their leases ends. Of those that are due, the @max
-- oldest of each app are looked at.
SELECT h.claimed_by::text AS node, count(*)::bigint AS n, min(h.wake_at)::timestamptz AS ends,
       count(*) FILTER (WHERE h.wake_at < clock_timestamp())::bigint AS ended
FROM outbox_apps a CROSS JOIN LATERAL (
    (SELECT o.claimed_by, o.wake_at FROM outbox o WHERE o.app_id = a.app_id AND o.wake_at > '-infinity'
       AND o.wake_at < (SELECT clock_timestamp()) ORDER BY o.wake_at LIMIT @max::int)
    UNION ALL
    (SELECT o.claimed_by, o.wake_at FROM outbox o WHERE o.app_id = a.app_id AND o.wake_at > '-infinity'
       AND o.wake_at >= (SELECT clock_timestamp()) AND o.wake_at < (SELECT clock_timestamp() + interval '1 hour')
     ORDER BY o.wake_at LIMIT @max::int)) h
WHERE h.claimed_by IS NOT NULL GROUP BY h.claimed_by ORDER BY h.claimed_by;

-- name: OldestWaiting :one
-- How long the oldest row that waits has existed, in microseconds; none: 0.
SELECT coalesce(extract(epoch FROM clock_timestamp() - (
    SELECT created_at FROM outbox WHERE app_id = @app_id AND claimed_by IS NULL ORDER BY id LIMIT 1)) * 1000000, 0)::bigint AS age;

-- name: OutboxRow :one
SELECT o.id, o.claimed_by, o.source, o.script_id, o.execution_id FROM outbox o WHERE o.app_id = @app_id AND o.id = @id;

-- name: OutboxByExecution :one
SELECT o.id, o.script_id, coalesce(s.name, '')::text AS script, o.depth, o.root_id, o.parent_id, o.created_at, o.claimed_by
FROM outbox o LEFT JOIN scripts s ON s.app_id = o.app_id AND s.id = o.script_id
WHERE o.app_id = @app_id AND o.source = 'http' AND o.execution_id = @execution_id AND o.attempt_count = 0;

-- name: WakeNow :execrows
UPDATE outbox SET wake_at = clock_timestamp() WHERE app_id = @app_id AND id = @id AND claimed_by IS NULL;

-- name: HTTPQueueSize :one
SELECT count(*)::bigint AS n, coalesce(sum(octet_length(payload)), 0)::bigint AS bytes
FROM (SELECT payload FROM outbox WHERE app_id = @app_id AND source = 'http' LIMIT 100001) x;

-- name: SweepPayloads :execrows
DELETE FROM event_payloads WHERE (app_id, id) IN (
    SELECT p.app_id, p.id FROM event_payloads p WHERE p.created_at < clock_timestamp() - interval '10 minutes'
      AND NOT EXISTS (SELECT FROM outbox o WHERE o.app_id = p.app_id AND o.payload_id = p.id) LIMIT 1000);

-- name: WaitingOfTrigger :many
SELECT id, script_id FROM outbox WHERE app_id = @app_id AND trigger_id = @trigger_id FOR UPDATE;

-- name: WaitingOfScript :many
SELECT id, script_id FROM outbox WHERE app_id = @app_id AND script_id = @script_id FOR UPDATE;

-- name: CountOutboxOfApps :many
-- Counts the rows of each app, fewer than @max of them: exact says that there are no more. Of more, running are those whose
-- lease has not ended; leases are under a minute.
SELECT a.app_id::bigint AS app_id, n.waiting::bigint AS waiting,
       (CASE WHEN n.rows < @max::int THEN n.running ELSE (
           SELECT count(*) FROM outbox l WHERE l.app_id = a.app_id AND l.wake_at > '-infinity' AND l.wake_at > (SELECT clock_timestamp())
             AND l.wake_at < (SELECT clock_timestamp() + interval '1 minute') AND l.claimed_by IS NOT NULL) END)::bigint AS running,
       (n.rows < @max::int)::boolean AS exact
FROM unnest(@apps::bigint[]) AS a (app_id) CROSS JOIN LATERAL (
    SELECT count(*) AS rows, count(*) FILTER (WHERE f.claimed_by IS NULL) AS waiting, count(*) FILTER (WHERE f.claimed_by IS NOT NULL) AS running
    FROM (SELECT o.claimed_by FROM outbox o WHERE o.app_id = a.app_id ORDER BY o.id LIMIT @max::int) f) n;

-- name: DiscardOutbox :execrows
DELETE FROM outbox WHERE app_id = @app_id;

-- name: LedgerSums :many
SELECT what, sum(n)::bigint AS n FROM ledger WHERE app_id = @app_id AND what <> 'commit' GROUP BY what;

-- name: LedgerSumsOfApps :many
SELECT app_id, what, sum(n)::bigint AS n FROM ledger WHERE app_id = ANY (@apps::bigint[]) AND what <> 'commit' GROUP BY app_id, what;

-- name: FoldLedger :one
-- Folds figures older than ten minutes by hour, by then no commit is sent again, so its id has done its work. Rows of
-- commits carry UUIDv7, folded ones UUIDv4.
WITH old AS (
    DELETE FROM ledger WHERE (app_id, commit_id, what) IN (
        SELECT l.app_id, l.commit_id, l.what FROM ledger l WHERE l.at < clock_timestamp() - interval '10 minutes'
          AND get_byte(uuid_send(l.commit_id), 6) >> 4 = 7 LIMIT 20000 FOR UPDATE SKIP LOCKED)
    RETURNING app_id, what, n, at
), folded AS (
    INSERT INTO ledger (commit_id, app_id, what, n, at)
    SELECT gen_random_uuid(), app_id, what, sum(n), date_trunc('hour', at) FROM old WHERE what <> 'commit'
    GROUP BY app_id, what, date_trunc('hour', at))
SELECT count(*)::bigint AS rows FROM old;
