-- name: PutSchedule :exec
INSERT INTO schedules (app_id, trigger_id, next_slot, fire_at) VALUES (@app_id, @trigger_id, @next_slot, @fire_at)
ON CONFLICT (app_id, trigger_id) DO UPDATE SET next_slot = excluded.next_slot, fire_at = excluded.fire_at;

-- name: LastSlot :one
-- The last slot that was decided, if any: a schedule goes on behind it, whatever the clock says.
SELECT slot FROM slots WHERE app_id = @app_id AND trigger_id = @trigger_id ORDER BY slot DESC LIMIT 1;

-- name: DropSchedule :exec
DELETE FROM schedules WHERE app_id = @app_id AND trigger_id = @trigger_id;

-- name: DueSchedules :many
-- busy: a run of an earlier slot waits or goes on, and they must not overlap. fired: slots to come that fired already, when the
-- database's clock was ahead.
SELECT s.app_id, s.trigger_id, s.next_slot, a.revision, clock_timestamp()::timestamptz AS now,
       ARRAY(SELECT x.slot FROM slots x WHERE x.app_id = s.app_id AND x.trigger_id = s.trigger_id AND x.slot > s.next_slot
               AND x.state IN ('fired', 'late'))::timestamptz[] AS fired,
       (t.overlap = 'skip' AND EXISTS (SELECT 1 FROM outbox o WHERE o.app_id = s.app_id AND o.trigger_id = s.trigger_id AND o.source = 'cron'))::boolean AS busy
FROM schedules s JOIN triggers t ON t.app_id = s.app_id AND t.id = s.trigger_id JOIN apps a ON a.id = s.app_id
WHERE t.enabled AND s.fire_at <= clock_timestamp() ORDER BY s.fire_at LIMIT @max::int;

-- name: SchedulesToCome :many
-- Enabled schedules whose next slot is still to come. fired: those slots after now that fired already, when the database's
-- clock was ahead.
SELECT s.app_id, s.trigger_id, s.next_slot, a.revision, clock_timestamp()::timestamptz AS now,
       ARRAY(SELECT x.slot FROM slots x WHERE x.app_id = s.app_id AND x.trigger_id = s.trigger_id AND x.slot > clock_timestamp()
               AND x.state IN ('fired', 'late'))::timestamptz[] AS fired
FROM schedules s JOIN triggers t ON t.app_id = s.app_id AND t.id = s.trigger_id JOIN apps a ON a.id = s.app_id
WHERE t.enabled AND s.next_slot > clock_timestamp();

-- name: BringBackSchedule :execrows
-- Gives a schedule an earlier slot, unless it has moved on.
UPDATE schedules SET next_slot = @next_slot, fire_at = @fire_at
WHERE app_id = @app_id AND trigger_id = @trigger_id AND next_slot = @expected;

-- name: ForgetSlotsToCome :exec
-- Slots that were given up before their time.
DELETE FROM slots WHERE app_id = @app_id AND trigger_id = @trigger_id AND slot > @after AND state IN ('missed', 'skipped');

-- name: NextFire :one
-- Microseconds until the earliest schedule is due, by the database's clock.
SELECT (extract(epoch FROM s.fire_at - clock_timestamp()) * 1000000)::bigint AS us
FROM schedules s JOIN triggers t ON t.app_id = s.app_id AND t.id = s.trigger_id
WHERE t.enabled ORDER BY s.fire_at LIMIT 1;

-- name: LockSchedules :many
SELECT s.trigger_id, s.next_slot FROM schedules s
JOIN (SELECT unnest(@apps::bigint[]) AS app_id, unnest(@ids::uuid[]) AS trigger_id) q ON s.app_id = q.app_id AND s.trigger_id = q.trigger_id
ORDER BY s.app_id, s.trigger_id FOR UPDATE OF s;

-- name: MoveSchedules :exec
UPDATE schedules s SET next_slot = q.next_slot, fire_at = q.fire_at
FROM (SELECT unnest(@apps::bigint[]) AS app_id, unnest(@ids::uuid[]) AS trigger_id, unnest(@next_slots::timestamptz[]) AS next_slot,
             unnest(@fire_ats::timestamptz[]) AS fire_at) q
WHERE s.app_id = q.app_id AND s.trigger_id = q.trigger_id;

-- name: InsertSlots :exec
INSERT INTO slots (app_id, trigger_id, slot, state, reason, execution_id)
SELECT q.app_id, q.trigger_id, q.slot, q.state, q.reason, nullif(q.execution_id, @nil::uuid)
FROM (SELECT unnest(@apps::bigint[]) AS app_id, unnest(@ids::uuid[]) AS trigger_id, unnest(@slots::timestamptz[]) AS slot,
             unnest(@states::text[]) AS state, unnest(@reasons::text[]) AS reason, unnest(@executions::uuid[]) AS execution_id) q;

-- name: ListSlots :many
-- Newest first: before is the time of the last one seen.
SELECT slot, state, reason, decided_at, execution_id FROM slots
WHERE app_id = @app_id AND trigger_id = @trigger_id AND slot < @before ORDER BY slot DESC LIMIT @max::int;

-- name: ScheduleOf :one
-- overdue_us: how long ago it was to fire, by the database's clock; negative while that is still to come.
SELECT next_slot, fire_at, (extract(epoch FROM clock_timestamp() - fire_at) * 1000000)::bigint AS overdue_us
FROM schedules WHERE app_id = @app_id AND trigger_id = @trigger_id;

-- name: OverdueSchedules :many
-- Those of an app that should have fired some time ago, the most overdue first.
SELECT s.trigger_id, t.schedule, c.name AS script, (extract(epoch FROM clock_timestamp() - s.fire_at) * 1000000)::bigint AS us
FROM schedules s JOIN triggers t ON t.app_id = s.app_id AND t.id = s.trigger_id JOIN scripts c ON c.app_id = t.app_id AND c.id = t.script_id
WHERE s.app_id = @app_id AND t.enabled AND s.fire_at < clock_timestamp() - sqlc.arg(grace_us)::bigint * interval '1 microsecond'
ORDER BY s.fire_at LIMIT 20;

-- name: SweepSlots :execrows
DELETE FROM slots WHERE (app_id, trigger_id, slot) IN (
    SELECT s.app_id, s.trigger_id, s.slot FROM slots s WHERE s.decided_at < clock_timestamp() - sqlc.arg(retention_us)::bigint * interval '1 microsecond' LIMIT 5000);

-- name: TakeLease :one
-- Takes a lease, or keeps it; no row: another holds it. A lease that ends later than one that is taken now was taken while the
-- database's clock was ahead, which was_ahead says, and counts for nothing; one without end was made by hand.
WITH before AS (
    SELECT l.until > clock_timestamp() + sqlc.arg(lease_us)::bigint * interval '1 microsecond' AND isfinite(l.until) AS ahead
    FROM leases l WHERE l.name = @name)
INSERT INTO leases (name, holder, until) VALUES (@name, @holder, clock_timestamp() + sqlc.arg(lease_us)::bigint * interval '1 microsecond')
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE leases.holder = excluded.holder OR leases.until < clock_timestamp()
   OR leases.until > clock_timestamp() + sqlc.arg(lease_us)::bigint * interval '1 microsecond' AND isfinite(leases.until)
RETURNING coalesce((SELECT ahead FROM before), false)::boolean AS was_ahead;

-- name: DropLease :exec
DELETE FROM leases WHERE name = @name AND holder = @holder;
