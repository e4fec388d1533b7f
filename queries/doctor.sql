-- name: DoctorQueue :one
-- abandoned: claims whose lease ended over a minute ago. overdue: rows that wait and were due over five minutes ago. ahead: leases,
-- of rows and others, that end later than any does; those without end were made by hand.
SELECT ((SELECT count(*) FROM outbox WHERE claimed_by IS NOT NULL AND wake_at > clock_timestamp() + interval '1 hour' AND isfinite(wake_at))
         + (SELECT count(*) FROM leases WHERE until > clock_timestamp() + interval '1 hour' AND isfinite(until)))::bigint AS ahead,
       count(*) FILTER (WHERE claimed_by IS NOT NULL AND wake_at < clock_timestamp() - interval '1 minute')::bigint AS abandoned,
       count(*) FILTER (WHERE claimed_by IS NULL AND wake_at < clock_timestamp() - interval '5 minutes')::bigint AS overdue
FROM outbox WHERE wake_at < clock_timestamp();

-- name: DoctorSchedules :one
-- Schedules that should have fired over a minute ago, and enabled cron triggers without a schedule.
SELECT (SELECT count(*) FROM schedules s JOIN triggers t ON t.app_id = s.app_id AND t.id = s.trigger_id
        WHERE t.enabled AND s.fire_at < clock_timestamp() - interval '1 minute')::bigint AS overdue,
       (SELECT count(*) FROM triggers t WHERE t.kind = 'cron' AND t.enabled
          AND NOT EXISTS (SELECT 1 FROM schedules s WHERE s.app_id = t.app_id AND s.trigger_id = t.id))::bigint AS lost;

-- name: DoctorUnknownHolders :one
-- Rows claimed, and leases held, by nodes that are not in the table of nodes: one that stops gives back both before it leaves that
-- table, and one that was killed stays in it for a day.
SELECT (SELECT count(*) FROM outbox o WHERE o.claimed_by IS NOT NULL AND o.wake_at > clock_timestamp()
          AND NOT EXISTS (SELECT FROM nodes n WHERE n.name = o.claimed_by))::bigint AS rows,
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
-- unresolved dead letters, and for how long the most overdue schedule should have fired.
SELECT (SELECT count(*) FROM outbox WHERE claimed_by IS NULL)::bigint AS waiting,
       (SELECT count(*) FROM outbox WHERE claimed_by IS NOT NULL)::bigint AS running,
       (SELECT coalesce(max(extract(epoch FROM clock_timestamp() - wake_at) * 1000000), 0) FROM outbox WHERE claimed_by IS NULL AND wake_at < clock_timestamp())::bigint AS due_us,
       (SELECT count(*) FROM dead_letters WHERE resolution IS NULL OR resolution = 'handler_failed')::bigint AS unresolved,
       (SELECT coalesce(max(extract(epoch FROM clock_timestamp() - s.fire_at) * 1000000), 0) FROM schedules s JOIN triggers t ON t.app_id = s.app_id AND t.id = s.trigger_id
        WHERE t.enabled AND s.fire_at < clock_timestamp())::bigint AS schedule_us;
