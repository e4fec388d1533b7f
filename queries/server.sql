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

-- name: ConnectionLimits :one
-- How many connections the server takes, how many of them it keeps for superusers and for whom it calls so (since version 16), and the
-- limits of this user and database, which bind no superuser; -1 is none. in_use counts the connections of everybody.
SELECT current_setting('max_connections')::int AS max_connections,
       (current_setting('superuser_reserved_connections')::int + coalesce(current_setting('reserved_connections', true), '0')::int)::int AS reserved,
       CASE WHEN r.rolsuper THEN -1 ELSE r.rolconnlimit END::int AS of_role,
       CASE WHEN r.rolsuper THEN -1 ELSE d.datconnlimit END::int AS of_database,
       (SELECT count(*) FROM pg_catalog.pg_stat_activity a WHERE a.datid IS NOT NULL AND coalesce(a.backend_type, 'client backend') = 'client backend')::int AS in_use
FROM pg_catalog.pg_roles r, pg_catalog.pg_database d WHERE r.rolname = session_user AND d.datname = current_database();

-- name: Durability :one
-- Whether a commit is on the disk when it is answered, and whether a crash of the machine leaves the files whole.
SELECT current_setting('fsync')::text AS fsync, current_setting('full_page_writes')::text AS full_page_writes,
       current_setting('synchronous_commit')::text AS synchronous_commit;

-- name: SchemaRights :one
-- Whether tables can be made: schema is the one they would be made in, empty if the search path leads to none. Names are quoted where
-- they need it.
SELECT current_setting('transaction_read_only')::text AS read_only, quote_ident(current_user)::text AS username,
       coalesce(quote_ident(current_schema()), '')::text AS schema,
       coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)::bool AS may_create;
