-- name: ListDeadLetters :many
-- state: unresolved, resolved or all. Newest first: before is the id of the last one seen. The list ends with the letter that
-- takes it over max_bytes: what follows is measured, and not sent. search is a text in the error or the payload, which are JSON:
-- escaped is the same text as it stands in a JSON string.
SELECT p.app_id, p.id, p.outbox_id, p.source, p.op, p.trigger_id, p.script_id, p.script, p.payload, p.reason, p.error,
       p.attempts, p.depth, p.root_id, p.parent_id, p.last_execution_id, p.origin_principal, p.run_as, p.idempotency_key,
       p.first_attempt_at, p.last_attempt_at, p.created_at, p.resolution, p.resolved_at, p.resolved_by, p.resolve_reason,
       p.replayed_as, p.replay_of, p.error_group FROM (
    SELECT d.*, sum(octet_length(d.payload) + octet_length(d.error) + coalesce(octet_length(d.resolve_reason), 0) + @row_bytes::int)
                    OVER (ORDER BY d.id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
    FROM (SELECT * FROM dead_letters
          WHERE app_id = @app_id AND (@before::uuid = @nil::uuid OR id < @before::uuid)
            AND (@state::text = 'all' OR (@state::text = 'unresolved') = (resolution IS NULL OR resolution = 'handler_failed'))
            AND (@script::text = '' OR script = @script::text) AND (@source::text = '' OR source = @source::text)
            AND (@trigger_id::uuid = @nil::uuid OR trigger_id = @trigger_id::uuid)
            AND (@error_group::text = '' OR error_group = @error_group::text)
            AND created_at >= @from_time::timestamptz AND created_at < @to_time::timestamptz
            AND (@search::text = '' OR strpos(lower(error), lower(@search::text)) > 0 OR strpos(lower(payload), lower(@search::text)) > 0
              OR strpos(lower(error), lower(@escaped::text)) > 0 OR strpos(lower(payload), lower(@escaped::text)) > 0)
          ORDER BY id DESC LIMIT @max::int) d) p
WHERE coalesce(p.bytes_before, 0) <= @max_bytes::bigint ORDER BY p.id DESC;

-- name: CountMatching :one
-- How many unresolved ones a bulk action is about.
SELECT count(*)::bigint AS n FROM dead_letters
WHERE app_id = @app_id AND (resolution IS NULL OR resolution = 'handler_failed')
  AND (@script::text = '' OR script = @script::text) AND (@source::text = '' OR source = @source::text)
  AND (@trigger_id::uuid = @nil::uuid OR trigger_id = @trigger_id::uuid)
  AND (@error_group::text = '' OR error_group = @error_group::text)
  AND created_at >= @from_time::timestamptz AND created_at < @to_time::timestamptz
  AND (@search::text = '' OR strpos(lower(error), lower(@search::text)) > 0 OR strpos(lower(payload), lower(@search::text)) > 0
    OR strpos(lower(error), lower(@escaped::text)) > 0 OR strpos(lower(payload), lower(@escaped::text)) > 0);

-- name: GroupDeadLetters :many
-- The unresolved ones by script and error, the largest group first. They are counted when they change, only the groups that
-- are shown look for their latest.
SELECT g.script, g.error_group, g.n, (
    SELECT d.id FROM dead_letters d
    WHERE d.app_id = @app_id AND d.script = g.script AND d.error_group = g.error_group AND (d.resolution IS NULL OR d.resolution = 'handler_failed')
    ORDER BY d.id DESC LIMIT 1)::uuid AS latest
FROM (SELECT script, error_group, sum(c.n)::bigint AS n FROM dead_letter_counts c WHERE app_id = @app_id
      GROUP BY script, error_group HAVING sum(c.n) > 0 ORDER BY sum(c.n) DESC, script, error_group LIMIT @max::int) g
ORDER BY g.n DESC, g.script, g.error_group;

-- name: DeadLettersOfRoot :many
SELECT id, script, source, op, reason, parent_id, last_execution_id, outbox_id, attempts, resolution, created_at FROM dead_letters
WHERE app_id = @app_id AND root_id = @root_id ORDER BY id LIMIT @max::int;

-- name: CountUnresolved :one
SELECT coalesce(sum(n), 0)::bigint AS n FROM dead_letter_counts WHERE app_id = @app_id;

-- name: CountUnresolvedLike :one
SELECT coalesce(sum(n), 0)::bigint AS n FROM dead_letter_counts
WHERE app_id = @app_id AND (@script::text = '' OR script = @script::text) AND (@error_group::text = '' OR error_group = @error_group::text);

-- name: CountUnresolvedOfApps :many
SELECT app_id, sum(n)::bigint AS n FROM dead_letter_counts WHERE app_id = ANY (@apps::bigint[]) GROUP BY app_id HAVING sum(n) > 0;

-- name: FoldLetterCounts :one
-- Puts the counts of each group together, up to a thousand groups at a time, and says how many there were. A group that letters
-- arrive for always has something to fold.
WITH many AS (
    SELECT app_id, script, error_group FROM dead_letter_counts
    GROUP BY app_id, script, error_group HAVING count(*) > 1 OR sum(n) = 0 LIMIT 1000
), parts AS (
    DELETE FROM dead_letter_counts d WHERE (d.app_id, d.id) IN (
        SELECT c.app_id, c.id FROM dead_letter_counts c JOIN many USING (app_id, script, error_group) FOR UPDATE OF c SKIP LOCKED)
    RETURNING d.app_id, d.script, d.error_group, d.n
), folded AS (
    INSERT INTO dead_letter_counts (app_id, script, error_group, n)
    SELECT app_id, script, error_group, sum(n) FROM parts GROUP BY app_id, script, error_group HAVING sum(n) <> 0)
SELECT count(DISTINCT (app_id, script, error_group))::bigint AS groups FROM parts;

-- name: DeadLetterByID :one
SELECT * FROM dead_letters WHERE app_id = @app_id AND id = @id;

-- name: ListLetterHeads :many
-- The unresolved ones without their payloads, newest first, before an id if one is given. The list ends with the letter that
-- takes it over max_bytes.
SELECT p.id, p.source, p.op, p.trigger_id, p.script, p.reason, p.error, p.attempts, p.created_at, p.resolution FROM (
    SELECT d.*, sum(octet_length(d.error) + @row_bytes::int)
                    OVER (ORDER BY d.id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
    FROM (SELECT id, source, op, trigger_id, script, reason, error, attempts, created_at, resolution FROM dead_letters
          WHERE app_id = @app_id AND (resolution IS NULL OR resolution = 'handler_failed')
            AND (@before::uuid = @nil::uuid OR id < @before::uuid) AND (@script::text = '' OR script = @script::text)
          ORDER BY id DESC LIMIT @max::int) d) p
WHERE coalesce(p.bytes_before, 0) <= @max_bytes::bigint ORDER BY p.id DESC;

-- name: ResolveDeadLetter :exec
UPDATE dead_letters SET resolution = @resolution, resolved_at = clock_timestamp(), resolved_by = @resolved_by,
    resolve_reason = @reason, replayed_as = sqlc.narg(replayed_as)
WHERE app_id = @app_id AND id = @id;

-- name: InsertDeadLettersOfTrigger :execrows
INSERT INTO dead_letters (app_id, id, outbox_id, source, op, trigger_id, script_id, script, payload, reason, error, attempts, depth,
                          root_id, parent_id, origin_principal, run_as, idempotency_key, first_attempt_at, last_attempt_at, replay_of,
                          error_group)
SELECT o.app_id, q.letter, o.id, o.source, o.op, o.trigger_id, o.script_id, @script::text, coalesce(o.payload, p.payload, 'null'),
       @reason::text, @reason::text, o.attempt_count, o.depth, o.root_id, o.parent_id, o.origin_principal, o.run_as, o.idempotency_key,
       o.first_attempt_at, o.last_attempt_at, o.dead_letter_id, @reason::text
FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@letters::uuid[]) AS letter) q
JOIN outbox o ON o.app_id = @app_id AND o.id = q.id
LEFT JOIN event_payloads p ON p.app_id = o.app_id AND p.id = o.payload_id;

-- name: SweepDeadLetters :execrows
DELETE FROM dead_letters WHERE (app_id, id) IN (
    SELECT d.app_id, d.id FROM dead_letters d WHERE d.resolution IN ('replayed', 'ignored', 'handled_by_script')
      AND d.resolved_at < clock_timestamp() - sqlc.arg(retention_us)::bigint * interval '1 microsecond' LIMIT 1000);
