-- +goose Up

-- The app leads every key of what belongs to an app, so that the tables can be distributed by it.
ALTER TABLE ledger DROP CONSTRAINT ledger_pkey, ADD CONSTRAINT ledger_pkey PRIMARY KEY (app_id, commit_id, what);
