-- The statements of a commit (internal/orchestrator/commit.go), in the order in which one is made. Parameters are arrays:
-- a commit takes many runs at once.

-- name: OpenCommit :execrows
-- Makes the commit's id unique, nothing is inserted when it took effect before.
INSERT INTO ledger (commit_id, app_id, what, n) VALUES (@commit_id, 0, 'commit', @n) ON CONFLICT DO NOTHING;

-- name: LockAppsShared :exec
-- Held against whoever deletes definitions (LockAppExclusive), and by small commits against big ones.
SELECT pg_advisory_xact_lock_shared(1, a) FROM unnest(@apps::int[]) AS a;

-- name: LockApps :exec
SELECT pg_advisory_xact_lock(1, a) FROM unnest(@apps::int[]) AS a;

-- name: LockKeys :exec
-- Locks by name, so that keys which do not exist are covered, the caller sorts.
SELECT pg_advisory_xact_lock(k) FROM unnest(@keys::bigint[]) AS k;

-- name: DatabaseTime :one
SELECT clock_timestamp()::timestamptz AS now;

-- name: AppRevisions :many
SELECT id, revision FROM apps WHERE id = ANY (@apps::bigint[]);

-- name: CurrentKeys :many
-- The present state of the keys a commit checks or writes, values only where an event needs the old one.
SELECT q.i::int AS i, k.version, k.expires_at, octet_length(k.value)::int AS bytes,
       (k.expires_at IS NOT NULL AND k.expires_at <= clock_timestamp())::boolean AS expired,
       CASE WHEN q.want THEN k.value ELSE '' END::text AS value
FROM (SELECT unnest(@positions::int[]) AS i, unnest(@apps::bigint[]) AS app_id, unnest(@collections::text[]) AS collection,
             unnest(@keys::text[]) AS key, unnest(@wanted::boolean[]) AS want) q
JOIN kv k ON k.app_id = q.app_id AND k.collection = q.collection AND k.key = q.key;

-- name: LockKVUse :many
-- What apps with a quota of KV bytes may have and have, so that no other commit decides about the same bytes.
SELECT app_id, kv_bytes::bigint AS kv_bytes, kv_used FROM app_quotas
WHERE app_id = ANY (@apps::bigint[]) AND kv_bytes IS NOT NULL ORDER BY app_id FOR UPDATE;

-- name: SetKVUse :exec
UPDATE app_quotas q SET kv_used = u.used
FROM (SELECT unnest(@apps::bigint[]) AS app_id, unnest(@used::bigint[]) AS used) u WHERE q.app_id = u.app_id;

-- The statements on the outbox look each row up by its key, written as an array of one and a range of one: with two plain equalities
-- the planner turns the join round and walks the whole index, when a vacuum found the table empty a moment before a flood.

-- name: LockClaimed :many
-- Which of the claimed rows still have the token of their claim.
SELECT o.id, o.claim_token FROM outbox o
JOIN (SELECT unnest(@apps::bigint[]) AS app_id, unnest(@ids::uuid[]) AS id, unnest(@tokens::uuid[]) AS token) q
  ON o.app_id = ANY (ARRAY[q.app_id]) AND o.id BETWEEN q.id AND q.id AND o.claim_token = q.token
FOR UPDATE OF o;

-- name: LockWaiting :many
-- Which of the rows are claimed by nobody: an operator takes them out of the queue.
SELECT o.id FROM outbox o
JOIN (SELECT unnest(@apps::bigint[]) AS app_id, unnest(@ids::uuid[]) AS id) q
  ON o.app_id = ANY (ARRAY[q.app_id]) AND o.id BETWEEN q.id AND q.id
WHERE o.claim_token IS NULL
FOR UPDATE OF o;

-- name: LockReservations :many
-- Which idempotency reservations are still held by the execution that made them.
SELECT i.execution_id FROM idempotency i
JOIN (SELECT unnest(@apps::bigint[]) AS app_id, unnest(@scripts::uuid[]) AS script_id, unnest(@principals::text[]) AS principal,
             unnest(@keys::text[]) AS key, unnest(@executions::uuid[]) AS execution_id) q
  ON i.app_id = q.app_id AND i.script_id = q.script_id AND i.principal = q.principal AND i.key = q.key
 AND i.execution_id = q.execution_id
FOR UPDATE OF i;

-- name: DeleteKeys :exec
DELETE FROM kv k USING (SELECT unnest(@apps::bigint[]) AS app_id, unnest(@collections::text[]) AS collection,
                               unnest(@keys::text[]) AS key) q
WHERE k.app_id = q.app_id AND k.collection = q.collection AND k.key = q.key;

-- name: PutKeys :exec
-- Expiry in microseconds since 1970, 0 for none.
INSERT INTO kv AS k (app_id, collection, key, value, version, expires_at, updated_at)
SELECT q.app_id, q.collection, q.key, q.value, q.version,
       CASE WHEN q.expires = 0 THEN NULL ELSE timestamptz 'epoch' + q.expires * interval '1 microsecond' END, clock_timestamp()
FROM (SELECT unnest(@apps::bigint[]) AS app_id, unnest(@collections::text[]) AS collection, unnest(@keys::text[]) AS key,
             unnest(@values::text[]) AS value, unnest(@versions::bigint[]) AS version, unnest(@expiries::bigint[]) AS expires) q
ON CONFLICT (app_id, collection, key) DO UPDATE
SET value = excluded.value, version = excluded.version, expires_at = excluded.expires_at, updated_at = excluded.updated_at;

-- name: InsertPayloads :exec
INSERT INTO event_payloads (app_id, id, payload)
SELECT unnest(@apps::bigint[]), unnest(@ids::uuid[]), unnest(@payloads::text[]);

-- name: InsertOutbox :exec
-- claim_token null: due at its time, or at once when that has passed; else claimed by the inserting node, with a lease in microseconds.
INSERT INTO outbox (app_id, id, source, op, trigger_id, script_id, payload, payload_id, reply_to, reply_node, origin_principal,
                    run_as, parent_id, root_id, depth, dead_letter_id, idempotency_key, execution_id, max_attempts, backoff,
                    base_ms, max_ms, jitter, wake_at, claimed_by, claim_token)
SELECT q.app_id, q.id, q.source, q.op, q.trigger_id, q.script_id, nullif(q.payload, ''), q.payload_id, q.reply_to, q.reply_node,
       q.origin, q.run_as, q.parent_id, q.root_id, q.depth, q.dead_letter_id, q.idem, q.execution_id, q.max_attempts, q.backoff,
       q.base_ms, q.max_ms, q.jitter,
       CASE WHEN q.token IS NULL THEN greatest(clock_timestamp(), q.due_at) ELSE clock_timestamp() + sqlc.arg(lease_us)::bigint * interval '1 microsecond' END,
       CASE WHEN q.token IS NULL THEN NULL ELSE @node::text END, q.token
FROM (SELECT unnest(@apps::bigint[]) AS app_id, unnest(@ids::uuid[]) AS id, unnest(@sources::text[]) AS source,
             unnest(@ops::text[]) AS op, nullif(unnest(@triggers::uuid[]), @nil::uuid) AS trigger_id,
             unnest(@scripts::uuid[]) AS script_id, unnest(@payloads::text[]) AS payload,
             nullif(unnest(@payload_ids::uuid[]), @nil::uuid) AS payload_id,
             nullif(unnest(@reply_tos::uuid[]), @nil::uuid) AS reply_to, unnest(@reply_nodes::text[]) AS reply_node,
             unnest(@origins::text[]) AS origin, unnest(@runs_as::text[]) AS run_as,
             nullif(unnest(@parents::uuid[]), @nil::uuid) AS parent_id, unnest(@roots::uuid[]) AS root_id,
             unnest(@depths::int[]) AS depth, nullif(unnest(@dead_letters::uuid[]), @nil::uuid) AS dead_letter_id,
             unnest(@idempotency_keys::text[]) AS idem, unnest(@executions::uuid[]) AS execution_id,
             unnest(@attempt_limits::int[]) AS max_attempts, unnest(@backoffs::text[]) AS backoff,
             unnest(@base_delays_ms::int[]) AS base_ms, unnest(@max_delays_ms::int[]) AS max_ms, unnest(@jitters::float8[]) AS jitter,
             nullif(unnest(@tokens::uuid[]), @nil::uuid) AS token, unnest(@due_ats::timestamptz[]) AS due_at) q;

-- name: RetryOutbox :exec
-- Rows that wait again: counts as given, due after a delay in microseconds.
UPDATE outbox o
SET attempt_count = q.attempts, interruptions = q.interruptions, last_error = q.error,
    first_attempt_at = CASE WHEN q.attempted THEN coalesce(o.first_attempt_at, clock_timestamp()) ELSE o.first_attempt_at END,
    last_attempt_at = CASE WHEN q.attempted THEN clock_timestamp() ELSE o.last_attempt_at END,
    wake_at = clock_timestamp() + q.delay * interval '1 microsecond', claimed_by = NULL, claim_token = NULL
FROM (SELECT unnest(@apps::bigint[]) AS app_id, unnest(@ids::uuid[]) AS id, unnest(@attempts::int[]) AS attempts,
             unnest(@interruptions::int[]) AS interruptions, unnest(@errors::text[]) AS error,
             unnest(@attempted::boolean[]) AS attempted, unnest(@delays::bigint[]) AS delay) q
WHERE o.app_id = ANY (ARRAY[q.app_id]) AND o.id BETWEEN q.id AND q.id;

-- name: BuryOutbox :exec
-- Copies rows to dead_letters, DeleteOutbox follows in the same transaction.
INSERT INTO dead_letters (app_id, id, outbox_id, source, op, trigger_id, script_id, script, payload, reason, error, attempts, depth,
                          root_id, parent_id, last_execution_id, origin_principal, run_as, idempotency_key, first_attempt_at,
                          last_attempt_at, replay_of, error_group)
SELECT o.app_id, q.letter, o.id, o.source, o.op, o.trigger_id, o.script_id, q.script,
       coalesce(o.payload, (SELECT p.payload FROM event_payloads p WHERE p.app_id = o.app_id AND p.id = o.payload_id), 'null'),
       q.reason, q.error, q.attempts, o.depth, o.root_id, o.parent_id, nullif(q.execution, @nil::uuid), o.origin_principal, o.run_as,
       o.idempotency_key, coalesce(o.first_attempt_at, clock_timestamp()), clock_timestamp(), o.dead_letter_id, q.error_group
FROM (SELECT unnest(@apps::bigint[]) AS app_id, unnest(@ids::uuid[]) AS id, unnest(@letters::uuid[]) AS letter,
             unnest(@scripts::text[]) AS script, unnest(@reasons::text[]) AS reason, unnest(@errors::text[]) AS error,
             unnest(@attempt_counts::int[]) AS attempts, unnest(@executions::uuid[]) AS execution, unnest(@error_groups::text[]) AS error_group) q
JOIN outbox o ON o.app_id = ANY (ARRAY[q.app_id]) AND o.id BETWEEN q.id AND q.id;

-- name: DeleteOutbox :exec
DELETE FROM outbox o USING (SELECT unnest(@apps::bigint[]) AS app_id, unnest(@ids::uuid[]) AS id) q
WHERE o.app_id = ANY (ARRAY[q.app_id]) AND o.id BETWEEN q.id AND q.id;

-- name: HandleDeadLetters :exec
-- What a handler's run says of its dead letter. Failure wins over success, replayed and ignored are never overwritten.
UPDATE dead_letters d
SET resolution = q.resolution, resolved_at = clock_timestamp(), resolved_by = 'script', resolve_reason = q.reason
FROM (SELECT DISTINCT ON (app_id, id) * FROM (
        SELECT unnest(@apps::bigint[]) AS app_id, unnest(@ids::uuid[]) AS id, unnest(@resolutions::text[]) AS resolution,
               unnest(@reasons::text[]) AS reason) x
      ORDER BY app_id, id, resolution DESC) q
WHERE d.app_id = q.app_id AND d.id = q.id
  AND (d.resolution IS NULL OR d.resolution = 'handled_by_script' AND q.resolution = 'handler_failed');

-- name: InsertExecutions :exec
INSERT INTO executions (app_id, id, script_id, script, version, source, trigger_id, outbox_id, status, attempt, depth, root_id,
                        parent_id, principal, request, node, started_at, duration_us, http_status, error_name, error_message,
                        error_stack, after_status, logs, cpu_us, memory_kib)
SELECT unnest(@apps::bigint[]), unnest(@ids::uuid[]), unnest(@script_ids::uuid[]), unnest(@scripts::text[]), unnest(@versions::int[]),
       unnest(@sources::text[]), nullif(unnest(@triggers::uuid[]), @nil::uuid), nullif(unnest(@outbox_ids::uuid[]), @nil::uuid),
       unnest(@statuses::text[]), unnest(@attempts::int[]), unnest(@depths::int[]), unnest(@roots::uuid[]),
       nullif(unnest(@parents::uuid[]), @nil::uuid), unnest(@principals::text[]), unnest(@requests::text[]), @node::text,
       unnest(@start_times::timestamptz[]), unnest(@durations::bigint[]), unnest(@http_statuses::int[]), unnest(@error_names::text[]),
       unnest(@error_messages::text[]), unnest(@error_stacks::text[]), unnest(@after_statuses::text[]), unnest(@logs::text[]),
       unnest(@cpu_us::bigint[]), unnest(@memory_kib::bigint[])
ON CONFLICT DO NOTHING;

-- name: CountLedger :exec
INSERT INTO ledger (commit_id, app_id, what, n)
SELECT @commit_id::uuid, unnest(@apps::bigint[]), unnest(@counters::text[]), unnest(@amounts::bigint[]);

-- name: StoreIdempotency :exec
UPDATE idempotency i
SET status_code = q.status, headers = q.headers, body = CASE WHEN q.kept THEN q.body END,
    expires_at = clock_timestamp() + sqlc.arg(retention_us)::bigint * interval '1 microsecond'
FROM (SELECT unnest(@apps::bigint[]) AS app_id, unnest(@scripts::uuid[]) AS script_id, unnest(@principals::text[]) AS principal,
             unnest(@keys::text[]) AS key, unnest(@statuses::int[]) AS status, unnest(@header_lists::text[]) AS headers,
             unnest(@bodies::bytea[]) AS body, unnest(@bodies_kept::boolean[]) AS kept) q
WHERE i.app_id = q.app_id AND i.script_id = q.script_id AND i.principal = q.principal AND i.key = q.key;

-- name: InsertInbox :exec
INSERT INTO inbox (id, app_id, node, script_id, execution_id, status_code, response)
SELECT unnest(@ids::uuid[]), unnest(@apps::bigint[]), unnest(@nodes::text[]), unnest(@scripts::uuid[]), unnest(@executions::uuid[]),
       unnest(@statuses::int[]), unnest(@responses::text[]);

-- name: InsertAbandoned :exec
INSERT INTO abandoned_executions (app_id, id, script_id, script, execution_id, status_code, summary, reason)
SELECT unnest(@apps::bigint[]), unnest(@ids::uuid[]), unnest(@script_ids::uuid[]), unnest(@scripts::text[]),
       unnest(@executions::uuid[]), unnest(@statuses::int[]), unnest(@summaries::text[]), unnest(@reasons::text[]);

-- name: LockUnresolved :many
-- Which of the dead letters are still unresolved.
SELECT d.id FROM dead_letters d
JOIN (SELECT unnest(@apps::bigint[]) AS app_id, unnest(@ids::uuid[]) AS id) q ON d.app_id = q.app_id AND d.id = q.id
WHERE d.resolution IS NULL OR d.resolution = 'handler_failed'
ORDER BY d.app_id, d.id FOR UPDATE OF d;
