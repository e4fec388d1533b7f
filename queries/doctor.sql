-- name: DoctorQueue :one
-- abandoned: claims whose lease ended over a minute ago. overdue: rows that wait and were due over five minutes ago. ahead: leases,
-- of rows and others, that end later than any does; those without end were made by hand. Of each app, the @max rows are looked at
-- that have been due longest; parked ones, which wait for centuries, are left.
SELECT ((SELECT coalesce(sum(l.n), 0) FROM outbox_apps a CROSS JOIN LATERAL (
           SELECT count(*) AS n FROM outbox o WHERE o.app_id = a.app_id AND o.claimed_by IS NOT NULL AND o.wake_at > '-infinity'
             AND o.wake_at > (SELECT clock_timestamp() + interval '1 hour') AND o.wake_at < (SELECT clock_timestamp() + interval '100 years')) l)
         + (SELECT count(*) FROM leases WHERE until > clock_timestamp() + interval '1 hour' AND isfinite(until)))::bigint AS ahead,
       count(*) FILTER (WHERE d.claimed_by IS NOT NULL AND d.wake_at < clock_timestamp() - interval '1 minute')::bigint AS abandoned,
       count(*) FILTER (WHERE d.claimed_by IS NULL AND d.wake_at < clock_timestamp() - interval '5 minutes')::bigint AS overdue
FROM outbox_apps a CROSS JOIN LATERAL (
    SELECT o.claimed_by, o.wake_at FROM outbox o WHERE o.app_id = a.app_id AND o.wake_at > '-infinity' AND o.wake_at < (SELECT clock_timestamp())
    ORDER BY o.wake_at LIMIT @max::int) d;

-- name: DoctorSchedules :one
-- Schedules that should have fired over a minute ago, and enabled cron triggers without a schedule.
SELECT (SELECT count(*) FROM schedules s JOIN triggers t ON t.app_id = s.app_id AND t.id = s.trigger_id
        WHERE t.enabled AND s.fire_at < clock_timestamp() - interval '1 minute')::bigint AS overdue,
       (SELECT count(*) FROM triggers t WHERE t.kind = 'cron' AND t.enabled
          AND NOT EXISTS (SELECT 1 FROM schedules s WHERE s.app_id = t.app_id AND s.trigger_id = t.id))::bigint AS lost;

-- name: DoctorUnknownHolders :one
-- Rows claimed, and leases held, by nodes that are not in the table of nodes: one that stops gives back both before it leaves that
-- table, and one that was killed stays in it for a day.
SELECT (SELECT coalesce(sum(l.n), 0) FROM outbox_apps a CROSS JOIN LATERAL (
          SELECT count(*) AS n FROM outbox o WHERE o.app_id = a.app_id AND o.claimed_by IS NOT NULL AND o.wake_at > '-infinity'
            AND o.wake_at > (SELECT clock_timestamp()) AND o.wake_at < (SELECT clock_timestamp() + interval '100 years')
            AND NOT EXISTS (SELECT FROM nodes n WHERE n.name = o.claimed_by)) l)::bigint AS rows,
       (SELECT count(*) FROM leases l WHERE l.until > clock_timestamp() AND NOT EXISTS (SELECT FROM nodes n WHERE n.name = l.holder))::bigint AS leases;

-- name: DoctorNextSlots :many
-- When each schedule fires next, with what that follows from. fired: slots to come that fired already, when the database's clock was
-- ahead.
SELECT t.schedule, t.timezone, s.next_slot, s.fire_at, t.jitter_ms, clock_timestamp()::timestamptz AS now,
       ARRAY(SELECT x.slot FROM slots x WHERE x.app_id = s.app_id AND x.trigger_id = s.trigger_id AND x.slot > clock_timestamp()
               AND x.state IN ('fired', 'late'))::timestamptz[] AS fired
FROM schedules s JOIN triggers t ON t.app_id = s.app_id AND t.id = s.trigger_id
WHERE t.enabled AND s.next_slot > clock_timestamp();

-- name: DoctorMisplaced :one
-- Executions of days that have no partition, up to 10,001.
SELECT count(*)::bigint AS n FROM (SELECT FROM executions_default LIMIT 10001) x;

-- name: DoctorKeys :many
-- How many variables and secrets each master key sealed.
SELECT key_id, count(*)::bigint AS n FROM variables GROUP BY key_id ORDER BY key_id;

-- name: DoctorApps :many
SELECT id, slug FROM apps ORDER BY id;

-- name: QueueFacts :one
-- What the queues of all apps hold: events that wait and that run, for how long the most overdue has been due (microseconds),
-- unresolved dead letters, and for how long the most overdue schedule should have fired. As many as @max events are not counted:
-- the ledger says how many there are, and those run whose lease has not ended. They are found by the index of each app: a walk
-- through the table would read what a long queue left of it.
WITH few AS MATERIALIZED (
    SELECT count(*) AS rows, count(*) FILTER (WHERE claimed_by IS NULL) AS waiting, count(*) FILTER (WHERE claimed_by IS NOT NULL) AS running
    FROM (SELECT x.claimed_by FROM outbox_apps a CROSS JOIN LATERAL (
              SELECT o.claimed_by FROM outbox o WHERE o.app_id = a.app_id ORDER BY o.id LIMIT @max::int) x
          LIMIT @max::int) f
), held AS MATERIALIZED (
    SELECT CASE WHEN few.rows < @max::int THEN few.running ELSE (
        SELECT coalesce(sum(l.n), 0) FROM outbox_apps a CROSS JOIN LATERAL (
            SELECT count(*) AS n FROM outbox o WHERE o.app_id = a.app_id AND o.wake_at > '-infinity' AND o.wake_at > (SELECT clock_timestamp())
              AND o.wake_at < (SELECT clock_timestamp() + interval '1 minute') AND o.claimed_by IS NOT NULL) l) END AS running FROM few)
SELECT (CASE WHEN few.rows < @max::int THEN few.waiting ELSE greatest(few.rows, (
           SELECT sum(CASE what WHEN 'enqueued' THEN n ELSE -n END) FROM ledger WHERE what <> 'commit')) - held.running END)::bigint AS waiting,
       held.running::bigint AS running,
       (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(d.wake_at)) * 1000000, 0) FROM outbox_apps a CROSS JOIN LATERAL (
           SELECT o.wake_at FROM outbox o WHERE o.app_id = a.app_id AND o.wake_at > '-infinity' AND o.wake_at < (SELECT clock_timestamp()) AND o.claimed_by IS NULL
           ORDER BY o.wake_at LIMIT 1) d)::bigint AS due_us,
       (SELECT coalesce(sum(n), 0) FROM dead_letter_counts)::bigint AS unresolved,
       (SELECT coalesce(extract(epoch FROM clock_timestamp() - (
           SELECT s.fire_at FROM schedules s JOIN triggers t ON t.app_id = s.app_id AND t.id = s.trigger_id
           WHERE t.enabled AND s.fire_at < clock_timestamp() ORDER BY s.fire_at LIMIT 1)) * 1000000, 0))::bigint AS schedule_us
FROM few, held;
