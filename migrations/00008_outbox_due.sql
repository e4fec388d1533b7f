-- +goose Up

-- Statements that stay prepared for ever may be planned while the outbox is empty, when every index looks alike. This one
-- serves those alone that say wake_at > '-infinity', so what looks a row up by its key cannot take it and read the whole
-- queue of an app for each row.
CREATE INDEX outbox_due_idx ON outbox (app_id, wake_at) WHERE wake_at > '-infinity';
DROP INDEX outbox_wake_idx;
