DO $$
DECLARE
    was oid := (SELECT oid FROM pg_roles WHERE rolname = 'picloud_former');
    what record;
BEGIN
    ALTER DATABASE picloud OWNER TO picloud;

    -- The schema public belongs to the database's owner already.
    FOR what IN SELECT oid::regnamespace AS name FROM pg_namespace WHERE nspowner = was AND nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
        EXECUTE format('ALTER SCHEMA %s OWNER TO picloud', what.name);
    END LOOP;

    -- ALTER TABLE takes views and sequences too. Indexes, and sequences that belong to a column, follow their table.
    FOR what IN SELECT c.oid::regclass AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relowner = was AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i') AND c.relkind = 'S')
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO picloud', what.name);
    END LOOP;

    FOR what IN SELECT p.oid::regprocedure AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE p.proowner = was AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    LOOP
        EXECUTE format('ALTER ROUTINE %s OWNER TO picloud', what.name);
    END LOOP;

    -- A table's row type and an array type follow the type that they belong to.
    FOR what IN SELECT t.oid::regtype AS name FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
        WHERE t.typowner = was AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
          AND (t.typtype IN ('e', 'd', 'r') OR c.relkind = 'c')
    LOOP
        EXECUTE format('ALTER TYPE %s OWNER TO picloud', what.name);
    END LOOP;
END
$$;
