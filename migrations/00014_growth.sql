-- +goose Up

-- How many unresolved dead letters each script has of each kind of error: the sum of n. Whatever changes dead letters adds
-- rows, in its own transaction; a sweep puts those of a group together. A counter row that every commit updated would make
-- the commits of an app wait for each other.
CREATE TABLE dead_letter_counts (
    app_id      bigint NOT NULL,
    id          uuid NOT NULL DEFAULT gen_random_uuid(),
    script      text NOT NULL,
    error_group text NOT NULL,
    n           bigint NOT NULL,
    CONSTRAINT dead_letter_counts_pkey PRIMARY KEY (app_id, id)
);
CREATE INDEX dead_letter_counts_group_idx ON dead_letter_counts (app_id, script, error_group) INCLUDE (n);

-- Triggers count, and not the statements, so that no way of changing dead letters is left out: neither that of a node of an
-- earlier version, nor a person's at the database.
-- +goose StatementBegin
CREATE FUNCTION count_new_dead_letters() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dead_letter_counts (app_id, script, error_group, n)
    SELECT app_id, script, error_group, count(*) FROM new_rows
    WHERE resolution IS NULL OR resolution = 'handler_failed' GROUP BY app_id, script, error_group;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION count_changed_dead_letters() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dead_letter_counts (app_id, script, error_group, n)
    SELECT app_id, script, error_group, sum(n) FROM (
        SELECT app_id, script, error_group, 1 AS n FROM new_rows WHERE resolution IS NULL OR resolution = 'handler_failed'
        UNION ALL
        SELECT app_id, script, error_group, -1 FROM old_rows WHERE resolution IS NULL OR resolution = 'handler_failed') x
    GROUP BY app_id, script, error_group HAVING sum(n) <> 0;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION count_gone_dead_letters() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dead_letter_counts (app_id, script, error_group, n)
    SELECT app_id, script, error_group, -count(*) FROM old_rows
    WHERE resolution IS NULL OR resolution = 'handler_failed' GROUP BY app_id, script, error_group;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER dead_letters_count_new AFTER INSERT ON dead_letters
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_new_dead_letters();
CREATE TRIGGER dead_letters_count_changed AFTER UPDATE ON dead_letters
    REFERENCING NEW TABLE AS new_rows OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION count_changed_dead_letters();
CREATE TRIGGER dead_letters_count_gone AFTER DELETE ON dead_letters
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION count_gone_dead_letters();

INSERT INTO dead_letter_counts (app_id, script, error_group, n)
SELECT app_id, script, error_group, count(*) FROM dead_letters
WHERE resolution IS NULL OR resolution = 'handler_failed' GROUP BY app_id, script, error_group;

-- A list of dead letters from one source finds them without reading the others.
CREATE INDEX dead_letters_source_idx ON dead_letters (app_id, source, id)
    WHERE resolution IS NULL OR resolution = 'handler_failed';

-- The apps that have rows in the outbox: one step along an index each, however many rows they have.
CREATE VIEW outbox_apps AS
WITH RECURSIVE walk AS (
    (SELECT app_id FROM outbox WHERE wake_at > '-infinity' ORDER BY app_id LIMIT 1)
    UNION ALL
    SELECT (SELECT o.app_id FROM outbox o WHERE o.wake_at > '-infinity' AND o.app_id > walk.app_id ORDER BY o.app_id LIMIT 1)
    FROM walk WHERE walk.app_id IS NOT NULL)
SELECT app_id FROM walk WHERE app_id IS NOT NULL;
