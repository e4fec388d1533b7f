-- +goose Up

-- What dead letters are grouped by: name and message of the error, with numbers and ids taken out. Nodes of the version
-- before leave it empty.
ALTER TABLE dead_letters ADD COLUMN error_group text NOT NULL DEFAULT '';
UPDATE dead_letters SET error_group = left(CASE
    WHEN error LIKE '{%' THEN regexp_replace(substring(error FROM '"name":"([^"]*)"') || ': ' || substring(error FROM '"message":"([^"]*)"'), '[0-9]+', '#', 'g')
    ELSE error END, 200)
WHERE (error LIKE '{"name":"%"message":"%') OR error NOT LIKE '{%';
CREATE INDEX dead_letters_group_idx ON dead_letters (app_id, script, error_group, id)
    WHERE resolution IS NULL OR resolution = 'handler_failed';
-- Everything that one request or event caused.
CREATE INDEX dead_letters_root_idx ON dead_letters (app_id, root_id);
CREATE INDEX abandoned_executions_execution_idx ON abandoned_executions (app_id, execution_id);
-- The latest of everything that did not succeed.
CREATE INDEX executions_unsuccessful_idx ON executions (app_id, id) WHERE status <> 'succeeded';

-- execution_stats by hour, for charts over days: written with it, by the same statement.
CREATE TABLE execution_stats_hours (
    app_id    bigint NOT NULL CONSTRAINT execution_stats_hours_app_fk REFERENCES apps (id) ON DELETE CASCADE,
    hour      timestamptz NOT NULL,
    script_id uuid NOT NULL,
    outcome   text NOT NULL,
    n         bigint NOT NULL,
    histogram bigint[] NOT NULL,
    CONSTRAINT execution_stats_hours_pkey PRIMARY KEY (app_id, hour, script_id, outcome)
);
INSERT INTO execution_stats_hours (app_id, hour, script_id, outcome, n, histogram)
SELECT app_id, hour, script_id, outcome, max(n), array_agg(v ORDER BY i)
FROM (SELECT s.app_id, date_trunc('hour', s.minute) AS hour, s.script_id, s.outcome, sum(s.n) AS n, h.i, sum(h.v)::bigint AS v
      FROM execution_stats s, unnest(s.histogram) WITH ORDINALITY AS h(v, i) GROUP BY 1, 2, 3, 4, h.i) x
GROUP BY 1, 2, 3, 4;
