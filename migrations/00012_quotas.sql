-- +goose Up

-- How often a route may be called, as JSON {requests, seconds, by, header?}; '' for as often as one likes.
ALTER TABLE routes ADD COLUMN rate_limit text NOT NULL DEFAULT '';

-- The same for all requests to a script, whatever path they came by.
ALTER TABLE scripts ADD COLUMN rate_limit text NOT NULL DEFAULT '';

-- What an app may use. An app without a quota has no row; null is no limit.
CREATE TABLE app_quotas (
    app_id              bigint CONSTRAINT app_quotas_pkey PRIMARY KEY CONSTRAINT app_quotas_app_fk REFERENCES apps (id) ON DELETE CASCADE,
    -- Bytes of the names and values of KV entries. A commit that would exceed it is refused.
    kv_bytes            bigint CONSTRAINT app_quotas_kv_bytes_check CHECK (kv_bytes >= 0),
    -- Of records of executions: the bytes of their logs, and how many there are. What is older is taken away.
    log_bytes           bigint CONSTRAINT app_quotas_log_bytes_check CHECK (log_bytes >= 0),
    executions          bigint CONSTRAINT app_quotas_executions_check CHECK (executions >= 0),
    scripts             bigint CONSTRAINT app_quotas_scripts_check CHECK (scripts >= 0),
    requests_per_second bigint CONSTRAINT app_quotas_requests_check CHECK (requests_per_second > 0),
    -- What the entries in kv have now. It is counted only while kv_bytes is set: by the commits, under this row's lock.
    kv_used             bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 80);
