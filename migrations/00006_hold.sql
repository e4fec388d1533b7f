-- +goose Up

-- One row: whether events and schedules stand still, and why. A restored copy is on hold until somebody says that the
-- installation it was copied from is gone.
CREATE TABLE installation (
    one      boolean NOT NULL DEFAULT true CONSTRAINT installation_pkey PRIMARY KEY CONSTRAINT installation_one_check CHECK (one),
    hold     text NOT NULL DEFAULT '',
    -- When the hold ended: slots of schedules before belonged to the installation that was copied.
    released timestamptz
);
INSERT INTO installation DEFAULT VALUES;
