-- +goose Up

-- Versions of KV entries. Nodes take numbers in blocks, so a value names one write for ever but says nothing about order.
CREATE SEQUENCE kv_version INCREMENT BY 1000 MINVALUE 1000 START 1000;

CREATE TABLE users (
    id            bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT users_pkey PRIMARY KEY,
    username      text NOT NULL CONSTRAINT users_username_key UNIQUE,
    -- Argon2id in its PHC string form.
    password_hash text NOT NULL,
    role          text NOT NULL CONSTRAINT users_role_check CHECK (role IN ('owner', 'admin', 'member')),
    email         text,
    active        boolean NOT NULL DEFAULT true,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE apps (
    id          bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT apps_pkey PRIMARY KEY,
    slug        text NOT NULL CONSTRAINT apps_slug_key UNIQUE,
    name        text NOT NULL,
    description text NOT NULL DEFAULT '',
    -- Grows with every change of the app's definitions or of the people its triggers act as; caches compare it with their own.
    revision    bigint NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE app_hosts (
    host   text CONSTRAINT app_hosts_pkey PRIMARY KEY,
    app_id bigint NOT NULL CONSTRAINT app_hosts_app_fk REFERENCES apps (id) ON DELETE CASCADE
);
CREATE INDEX app_hosts_app_idx ON app_hosts (app_id);

CREATE TABLE members (
    app_id  bigint NOT NULL CONSTRAINT members_app_fk REFERENCES apps (id) ON DELETE CASCADE,
    user_id bigint NOT NULL CONSTRAINT members_user_fk REFERENCES users (id) ON DELETE CASCADE,
    role    text NOT NULL CONSTRAINT members_role_check CHECK (role IN ('admin', 'editor', 'viewer')),
    CONSTRAINT members_pkey PRIMARY KEY (app_id, user_id)
);
CREATE INDEX members_user_idx ON members (user_id);

CREATE TABLE sessions (
    id           uuid CONSTRAINT sessions_pkey PRIMARY KEY,
    user_id      bigint NOT NULL CONSTRAINT sessions_user_fk REFERENCES users (id) ON DELETE CASCADE,
    -- SHA-256 of the token; the token itself is known to the client alone.
    token_hash   bytea NOT NULL CONSTRAINT sessions_token_key UNIQUE,
    user_agent   text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at   timestamptz NOT NULL
);
CREATE INDEX sessions_user_idx ON sessions (user_id);

CREATE TABLE api_keys (
    id         uuid CONSTRAINT api_keys_pkey PRIMARY KEY,
    user_id    bigint NOT NULL CONSTRAINT api_keys_user_fk REFERENCES users (id) ON DELETE CASCADE,
    name       text NOT NULL,
    key_hash   bytea NOT NULL CONSTRAINT api_keys_hash_key UNIQUE,
    scopes     text[] NOT NULL,
    -- Set: the key works in this app alone.
    app_id     bigint CONSTRAINT api_keys_app_fk REFERENCES apps (id) ON DELETE CASCADE,
    expires_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX api_keys_user_idx ON api_keys (user_id);

CREATE TABLE audit (
    id     uuid CONSTRAINT audit_pkey PRIMARY KEY,
    at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor  text NOT NULL,
    -- No foreign key: the record outlives the app.
    app_id bigint,
    app    text,
    action text NOT NULL,
    target text NOT NULL,
    detail text NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_app_idx ON audit (app_id, id);

CREATE TABLE scripts (
    app_id     bigint NOT NULL CONSTRAINT scripts_app_fk REFERENCES apps (id) ON DELETE CASCADE,
    id         uuid NOT NULL,
    name       text NOT NULL,
    kind       text NOT NULL CONSTRAINT scripts_kind_check CHECK (kind IN ('endpoint', 'module')),
    access     text NOT NULL CONSTRAINT scripts_access_check CHECK (access IN ('public', 'key', 'private')),
    timeout_ms integer,
    memory_mib integer,
    -- The version that answers now; rollback moves it.
    version    integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT scripts_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT scripts_name_key UNIQUE (app_id, name)
);

CREATE TABLE script_versions (
    app_id         bigint NOT NULL,
    script_id      uuid NOT NULL,
    version        integer NOT NULL,
    language       text NOT NULL CONSTRAINT script_versions_language_check CHECK (language IN ('javascript', 'typescript')),
    source         text NOT NULL,
    source_sha256  bytea NOT NULL,
    -- The bundle that runs: new whenever a module that it contains is deployed, so it has an id of its own.
    build_id       uuid NOT NULL,
    code           text NOT NULL,
    -- Names of module scripts in the bundle, whichever way they came in.
    imports        text[] NOT NULL DEFAULT '{}',
    -- Handlers of the default export, and why they are unknown when evaluating the module failed.
    handlers       text[] NOT NULL DEFAULT '{}',
    handlers_error text NOT NULL DEFAULT '',
    created_by     text NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT script_versions_pkey PRIMARY KEY (app_id, script_id, version),
    CONSTRAINT script_versions_script_fk FOREIGN KEY (app_id, script_id) REFERENCES scripts (app_id, id) ON DELETE CASCADE
);

CREATE TABLE routes (
    app_id     bigint NOT NULL,
    id         uuid NOT NULL,
    script_id  uuid NOT NULL,
    method     text NOT NULL,
    -- 'any', an exact host, or '*.' and a domain.
    host       text NOT NULL,
    path       text NOT NULL,
    dispatch   text NOT NULL CONSTRAINT routes_dispatch_check CHECK (dispatch IN ('sync', 'async', 'outbox')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT routes_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT routes_script_fk FOREIGN KEY (app_id, script_id) REFERENCES scripts (app_id, id) ON DELETE CASCADE
);

CREATE TABLE triggers (
    app_id            bigint NOT NULL,
    id                uuid NOT NULL,
    kind              text NOT NULL,
    script_id         uuid NOT NULL,
    enabled           boolean NOT NULL DEFAULT true,
    -- kv: exact name, 'prefix:*' or '*'.
    collection        text NOT NULL DEFAULT '',
    -- kv: empty means every operation.
    ops               text[] NOT NULL DEFAULT '{}',
    -- dead_letter: filters, null means any.
    source_filter     text,
    trigger_filter    uuid,
    script_filter     uuid,
    max_attempts      integer NOT NULL,
    backoff           text NOT NULL CONSTRAINT triggers_backoff_check CHECK (backoff IN ('constant', 'linear', 'exponential')),
    base_ms           integer NOT NULL,
    max_ms            integer NOT NULL,
    jitter            double precision NOT NULL,
    -- Null once the registrant was deleted; the name stays for the reader.
    registered_by     bigint CONSTRAINT triggers_user_fk REFERENCES users (id) ON DELETE SET NULL,
    registered_name   text NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT triggers_pkey PRIMARY KEY (app_id, id),
    CONSTRAINT triggers_script_fk FOREIGN KEY (app_id, script_id) REFERENCES scripts (app_id, id) ON DELETE CASCADE
);
CREATE INDEX triggers_user_idx ON triggers (registered_by);

-- The tables of the hot path (kv, outbox, event_payloads, executions) have no foreign key to apps: its check would lock and
-- rewrite the app's row in every commit. A commit holds the app's shared advisory lock instead, and whoever deletes
-- definitions holds it exclusively.
CREATE TABLE kv (
    app_id     bigint NOT NULL,
    collection text COLLATE "C" NOT NULL,
    key        text COLLATE "C" NOT NULL,
    -- JSON text as JSON.stringify gave it; jsonb would refuse \u0000 and lose -0 and the order of keys.
    value      text NOT NULL,
    version    bigint NOT NULL,
    expires_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT kv_pkey PRIMARY KEY (app_id, collection, key)
) WITH (fillfactor = 80);
CREATE INDEX kv_expiry_idx ON kv (expires_at) WHERE expires_at IS NOT NULL;

-- A payload that several rows share; one that a single row needs lies in the row.
CREATE TABLE event_payloads (
    app_id     bigint NOT NULL,
    id         uuid NOT NULL,
    payload    text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT event_payloads_pkey PRIMARY KEY (app_id, id)
);

CREATE TABLE outbox (
    app_id            bigint NOT NULL,
    id                uuid NOT NULL,
    source            text NOT NULL,
    op                text NOT NULL DEFAULT '',
    trigger_id        uuid,
    script_id         uuid NOT NULL,
    payload           text,
    payload_id        uuid,
    -- Inbox id of a client that waits, and the node that holds it.
    reply_to          uuid,
    reply_node        text NOT NULL DEFAULT '',
    -- Who caused the event; who an http row runs as (json of a principal).
    origin_principal  text NOT NULL DEFAULT '',
    run_as            text NOT NULL DEFAULT '',
    parent_id         uuid,
    root_id           uuid NOT NULL,
    depth             integer NOT NULL,
    -- The dead letter this row handles (source dead_letter) or replays (any other source).
    dead_letter_id    uuid,
    idempotency_key   text NOT NULL DEFAULT '',
    -- Id of the first attempt's execution.
    execution_id      uuid NOT NULL,
    attempt_count     integer NOT NULL DEFAULT 0,
    interruptions     integer NOT NULL DEFAULT 0,
    max_attempts      integer NOT NULL,
    backoff           text NOT NULL,
    base_ms           integer NOT NULL,
    max_ms            integer NOT NULL,
    jitter            double precision NOT NULL,
    first_attempt_at  timestamptz,
    last_attempt_at   timestamptz,
    last_error        text NOT NULL DEFAULT '',
    -- When somebody must look at the row: it is due, or the lease of its claim ends.
    wake_at           timestamptz NOT NULL,
    claimed_by        text,
    claim_token       uuid,
    created_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT outbox_pkey PRIMARY KEY (app_id, id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.2);
CREATE INDEX outbox_wake_idx ON outbox (app_id, wake_at);
CREATE INDEX outbox_payload_idx ON outbox (app_id, payload_id) WHERE payload_id IS NOT NULL;
CREATE INDEX outbox_execution_idx ON outbox (app_id, execution_id) WHERE source = 'http';

-- Answers on their way to a node that holds the client.
CREATE TABLE inbox (
    id           uuid CONSTRAINT inbox_pkey PRIMARY KEY,
    app_id       bigint NOT NULL CONSTRAINT inbox_app_fk REFERENCES apps (id) ON DELETE CASCADE,
    node         text NOT NULL,
    script_id    uuid NOT NULL,
    execution_id uuid NOT NULL,
    status_code  integer NOT NULL,
    -- JSON: outcome, headers, body in base64.
    response     text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX inbox_node_idx ON inbox (node);

CREATE TABLE dead_letters (
    app_id           bigint NOT NULL CONSTRAINT dead_letters_app_fk REFERENCES apps (id) ON DELETE CASCADE,
    id               uuid NOT NULL,
    outbox_id        uuid NOT NULL,
    source           text NOT NULL,
    op               text NOT NULL,
    trigger_id       uuid,
    script_id        uuid NOT NULL,
    script           text NOT NULL,
    payload          text NOT NULL,
    -- failed, infrastructure, refused, trigger deleted, script deleted, removed by an operator.
    reason           text NOT NULL,
    error            text NOT NULL,
    attempts         integer NOT NULL,
    depth            integer NOT NULL,
    root_id          uuid NOT NULL,
    parent_id        uuid,
    last_execution_id uuid,
    origin_principal text NOT NULL DEFAULT '',
    run_as           text NOT NULL DEFAULT '',
    idempotency_key  text NOT NULL DEFAULT '',
    first_attempt_at timestamptz,
    last_attempt_at  timestamptz,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    resolution       text CONSTRAINT dead_letters_resolution_check
                     CHECK (resolution IN ('replayed', 'ignored', 'handled_by_script', 'handler_failed')),
    resolved_at      timestamptz,
    resolved_by      text,
    resolve_reason   text,
    -- The outbox row that a replay made, and the dead letter that this one is a failed replay of.
    replayed_as      uuid,
    replay_of        uuid,
    CONSTRAINT dead_letters_pkey PRIMARY KEY (app_id, id)
);
CREATE INDEX dead_letters_unresolved_idx ON dead_letters (app_id, id)
    WHERE resolution IS NULL OR resolution = 'handler_failed';
CREATE INDEX dead_letters_sweep_idx ON dead_letters (resolved_at)
    WHERE resolution IN ('replayed', 'ignored', 'handled_by_script');

-- Ids are UUIDv7, so a range of ids is a range of time: partitions by day are dropped whole, and an id finds its partition.
CREATE TABLE executions (
    app_id        bigint NOT NULL,
    id            uuid NOT NULL,
    script_id     uuid NOT NULL,
    script        text NOT NULL,
    version       integer NOT NULL,
    source        text NOT NULL,
    trigger_id    uuid,
    outbox_id     uuid,
    status        text NOT NULL,
    attempt       integer NOT NULL,
    depth         integer NOT NULL,
    root_id       uuid NOT NULL,
    parent_id     uuid,
    principal     text NOT NULL DEFAULT '',
    request       text NOT NULL DEFAULT '',
    node          text NOT NULL,
    started_at    timestamptz NOT NULL,
    duration_us   bigint NOT NULL,
    http_status   integer NOT NULL DEFAULT 0,
    error_name    text NOT NULL DEFAULT '',
    error_message text NOT NULL DEFAULT '',
    error_stack   text NOT NULL DEFAULT '',
    -- Outcome of waitUntil work after the response, when there was any.
    after_status  text NOT NULL DEFAULT '',
    -- JSON array of {at, level, message}; empty when nothing was logged.
    logs          text NOT NULL DEFAULT '',
    CONSTRAINT executions_pkey PRIMARY KEY (app_id, id)
) PARTITION BY RANGE (id);
CREATE INDEX executions_script_idx ON executions (app_id, script_id, id);
CREATE INDEX executions_root_idx ON executions (app_id, root_id);
CREATE INDEX executions_failed_idx ON executions (app_id, status, id) WHERE status <> 'succeeded';
CREATE TABLE executions_default PARTITION OF executions DEFAULT;

CREATE TABLE execution_stats (
    app_id    bigint NOT NULL CONSTRAINT execution_stats_app_fk REFERENCES apps (id) ON DELETE CASCADE,
    minute    timestamptz NOT NULL,
    script_id uuid NOT NULL,
    outcome   text NOT NULL,
    n         bigint NOT NULL,
    -- Runs by duration: bucket i counts runs that took less than 2^i milliseconds, the last the rest.
    histogram bigint[] NOT NULL,
    CONSTRAINT execution_stats_pkey PRIMARY KEY (app_id, minute, script_id, outcome)
);

CREATE TABLE abandoned_executions (
    app_id       bigint NOT NULL CONSTRAINT abandoned_executions_app_fk REFERENCES apps (id) ON DELETE CASCADE,
    id           uuid NOT NULL,
    script_id    uuid NOT NULL,
    script       text NOT NULL,
    execution_id uuid NOT NULL,
    status_code  integer NOT NULL,
    summary      text NOT NULL,
    -- client-closed, timeout, node-lost.
    reason       text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT abandoned_executions_pkey PRIMARY KEY (app_id, id)
);
CREATE INDEX abandoned_executions_sweep_idx ON abandoned_executions (created_at);

CREATE TABLE idempotency (
    app_id       bigint NOT NULL CONSTRAINT idempotency_app_fk REFERENCES apps (id) ON DELETE CASCADE,
    script_id    uuid NOT NULL,
    principal    text NOT NULL,
    key          text NOT NULL,
    -- SHA-256 of method, path, query and body.
    request_hash bytea NOT NULL,
    execution_id uuid NOT NULL,
    -- Null while the request runs; then the status sent.
    status_code  integer,
    headers      text NOT NULL DEFAULT '[]',
    -- Null when it was over 1 MiB.
    body         bytea,
    -- Running: when the reservation of a dead node ends. Done: when the record is swept.
    expires_at   timestamptz NOT NULL,
    CONSTRAINT idempotency_pkey PRIMARY KEY (app_id, script_id, principal, key)
);
CREATE INDEX idempotency_sweep_idx ON idempotency (expires_at);

-- Inserted only: a row per commit and figure. The row 'commit' (app 0) makes a commit's id unique, so that one whose
-- answer was lost can be sent again without taking effect twice. A sweep folds the figures by hour.
CREATE TABLE ledger (
    commit_id uuid NOT NULL,
    app_id    bigint NOT NULL,
    what      text NOT NULL CONSTRAINT ledger_what_check
              CHECK (what IN ('commit', 'enqueued', 'done', 'dead_lettered', 'skipped', 'discarded')),
    n         bigint NOT NULL,
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT ledger_pkey PRIMARY KEY (commit_id, app_id, what)
);
CREATE INDEX ledger_app_idx ON ledger (app_id, what) INCLUDE (n) WHERE what <> 'commit';
CREATE INDEX ledger_at_idx ON ledger (at);

CREATE TABLE nodes (
    name       text CONSTRAINT nodes_pkey PRIMARY KEY,
    version    text NOT NULL,
    -- Permits free when it last said so; another node may send it work by the outbox.
    free       integer NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
