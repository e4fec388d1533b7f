-- +goose Up
-- The scripts that receive a secret, by name, whether there are such scripts or not; null: every script of the app.
ALTER TABLE variables ADD COLUMN scripts text[],
    ADD CONSTRAINT variables_scripts_check CHECK (scripts IS NULL OR secret AND cardinality(scripts) > 0);
