-- name: CountTables :one
-- Tables that are not the system's own. sqlc knows the system's catalogs by their qualified names only.
SELECT count(*)::bigint AS n FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND s.nspname !~ '^pg_' AND s.nspname <> 'information_schema';

-- name: HasSchema :one
-- Whether PiCloud has made its tables here. Names are looked up as in every other statement.
SELECT (to_regclass('goose_db_version') IS NOT NULL AND to_regclass('outbox') IS NOT NULL)::boolean AS ours;

-- name: ServerRole :one
-- Whether the server is a standby, its address (empty on a unix socket), and for how many seconds it has replayed nothing.
SELECT pg_is_in_recovery()::boolean AS standby, (coalesce(host(inet_server_addr()), '') || coalesce(':' || inet_server_port()::text, ''))::text AS address,
       coalesce(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 0)::bigint AS behind;

-- name: ServerFacts :one
-- What an operator wants to know of the server. The size is in bytes.
SELECT current_setting('server_version')::text AS version, pg_database_size(current_database())::bigint AS size,
       (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datname = current_database())::bigint AS connections,
       current_setting('max_connections')::text AS max_connections;

-- name: SessionSettings :one
-- What the first connection of a process must know: the encoding, and whether a setting made at the start of a session lasts.
SELECT current_setting('server_encoding')::text AS encoding, current_setting('plan_cache_mode')::text AS plan_cache_mode;

-- name: DailyPartitions :many
-- The partitions of executions that hold one day each; their names end with it.
SELECT c.relname::text AS name FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'executions'::regclass AND c.relname ~ '^executions_[0-9]{8}$';

-- name: SweepDefaultPartition :exec
-- Executions of days for which there was no partition.
DELETE FROM executions_default WHERE started_at < @before;
