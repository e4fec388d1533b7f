-- +goose Up

-- Variables and secrets of apps, under one set of names: what a script finds in env.
CREATE TABLE variables (
    app_id     bigint NOT NULL CONSTRAINT variables_app_fk REFERENCES apps (id) ON DELETE CASCADE,
    name       text COLLATE "C" NOT NULL,
    -- A secret's value is never shown again.
    secret     boolean NOT NULL,
    -- AES-256-GCM: nonce and ciphertext, bound to app, name and kind.
    sealed     bytea NOT NULL,
    -- Which master key it is sealed under.
    key_id     text NOT NULL,
    updated_by text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT variables_pkey PRIMARY KEY (app_id, name)
);
