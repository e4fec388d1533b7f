-- +goose Up

-- cron triggers. Times are those of an expression in a zone; jitter_ms spreads them (jitter is that of retries).
ALTER TABLE triggers
    ADD COLUMN schedule  text NOT NULL DEFAULT '',
    ADD COLUMN timezone  text NOT NULL DEFAULT '',
    ADD COLUMN catch_up  text NOT NULL DEFAULT 'one' CONSTRAINT triggers_catch_up_check CHECK (catch_up IN ('none', 'one', 'all')),
    ADD COLUMN overlap   text NOT NULL DEFAULT 'allow' CONSTRAINT triggers_overlap_check CHECK (overlap IN ('allow', 'skip')),
    ADD COLUMN jitter_ms integer NOT NULL DEFAULT 0;

-- Where an enabled cron trigger stands: the first slot that was not decided, and when it is to fire. A commit that decides
-- slots holds the row and finds next_slot as it expected, so no slot is decided twice.
CREATE TABLE schedules (
    app_id     bigint NOT NULL,
    trigger_id uuid NOT NULL,
    next_slot  timestamptz NOT NULL,
    fire_at    timestamptz NOT NULL,
    CONSTRAINT schedules_pkey PRIMARY KEY (app_id, trigger_id),
    CONSTRAINT schedules_trigger_fk FOREIGN KEY (app_id, trigger_id) REFERENCES triggers (app_id, id) ON DELETE CASCADE
) WITH (fillfactor = 70);
CREATE INDEX schedules_fire_idx ON schedules (fire_at);

-- What became of each slot. Written in the transaction that inserts the outbox row.
CREATE TABLE slots (
    app_id       bigint NOT NULL,
    trigger_id   uuid NOT NULL,
    slot         timestamptz NOT NULL,
    state        text NOT NULL CONSTRAINT slots_state_check CHECK (state IN ('fired', 'late', 'missed', 'skipped')),
    reason       text NOT NULL DEFAULT '',
    decided_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    execution_id uuid,
    CONSTRAINT slots_pkey PRIMARY KEY (app_id, trigger_id, slot),
    CONSTRAINT slots_trigger_fk FOREIGN KEY (app_id, trigger_id) REFERENCES triggers (app_id, id) ON DELETE CASCADE
);
CREATE INDEX slots_decided_idx ON slots (decided_at);

-- Who leads what, and until when.
CREATE TABLE leases (
    name   text NOT NULL CONSTRAINT leases_pkey PRIMARY KEY,
    holder text NOT NULL,
    until  timestamptz NOT NULL
);
