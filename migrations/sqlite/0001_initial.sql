-- The first shape of a Faregate store.
--
-- Instants are RFC 3339 text in UTC with exactly three decimals (2026-11-20T08:15:30.250Z): a person reads them,
-- they sort as text, and SQLite's own date functions take them. Truth values are 0 and 1. What has the shape of the
-- configuration file (models, limits, allowed_ips, tags) is JSON text, which SQLite's json functions read.

-- Accounts that were created through the command line or the admin API.
CREATE TABLE accounts (
    id                   TEXT NOT NULL PRIMARY KEY,
    plan                 TEXT NOT NULL,
    source               TEXT NOT NULL,             -- api | config
    created_at           TEXT NOT NULL,
    disabled             INTEGER NOT NULL,
    subscription_status  TEXT,                      -- NULL: no subscription
    current_period_start TEXT,
    current_period_end   TEXT,
    past_due_since       TEXT,
    trial_end            TEXT,
    cancel_at            TEXT,
    cancel_at_period_end INTEGER NOT NULL,
    ends_at              TEXT,
    models               TEXT,                      -- NULL: left to the plan
    limits               TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Keys that were created through the command line or the admin API. `account` may be one of the configuration file,
-- so it refers to no table.
CREATE TABLE keys (
    id          TEXT NOT NULL PRIMARY KEY,
    account     TEXT NOT NULL,
    source      TEXT NOT NULL,                      -- api | config
    public_part TEXT NOT NULL,                      -- what may be logged of the newest secret
    created_at  TEXT NOT NULL,
    expires_at  TEXT,
    revoked_at  TEXT,
    disabled    INTEGER NOT NULL,
    models      TEXT,                               -- NULL: left to the account and the plan
    limits      TEXT NOT NULL,
    allowed_ips TEXT NOT NULL                       -- []: from anywhere
) STRICT, WITHOUT ROWID;

-- The secrets that open a key, as digests: one, or several while a rotation overlaps.
CREATE TABLE key_hashes (
    key_hash TEXT NOT NULL PRIMARY KEY,             -- sha256:<64 hex>, as the configuration file takes it
    key      TEXT NOT NULL REFERENCES keys (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,                      -- the newest secret is the last
    ends_at  TEXT                                   -- when the overlap ends
) STRICT, WITHOUT ROWID;

CREATE INDEX key_hashes_of_key ON key_hashes (key);

-- When an account was first seen, one of the configuration file included; `per: period` is counted from there.
CREATE TABLE first_seen (
    account TEXT NOT NULL PRIMARY KEY,
    at      TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What is used of each unit in each window.
CREATE TABLE counters (
    owner_kind   TEXT NOT NULL,                     -- account | key
    owner        TEXT NOT NULL,
    unit         TEXT NOT NULL,                     -- requests | tokens
    per          TEXT NOT NULL,                     -- hour | day | week | month | period
    window_start TEXT NOT NULL,
    used         INTEGER NOT NULL,
    PRIMARY KEY (owner_kind, owner, unit, per, window_start)
) STRICT, WITHOUT ROWID;

CREATE INDEX counters_by_age ON counters (window_start);

-- One row for each forwarded call; the row is also its posting. A refused request leaves none.
CREATE TABLE calls (
    id                  TEXT NOT NULL PRIMARY KEY,  -- UUID version 7
    request_id          TEXT NOT NULL,              -- as in x-request-id
    at                  TEXT NOT NULL,              -- of admission
    account             TEXT NOT NULL,
    key                 TEXT NOT NULL,
    plan                TEXT NOT NULL,
    plan_version        TEXT,
    parent_account      TEXT,
    route               TEXT NOT NULL,
    provider            TEXT NOT NULL,
    model               TEXT,                       -- the public name
    upstream_model      TEXT,                       -- the provider's name
    endpoint            TEXT NOT NULL,
    stream              INTEGER NOT NULL,
    outcome             TEXT NOT NULL,              -- completed | client_closed | upstream_failed | indeterminate
    status              INTEGER NOT NULL,
    input_tokens        INTEGER NOT NULL,           -- includes cached and cache-write tokens
    cached_input_tokens INTEGER NOT NULL,
    cache_write_tokens  INTEGER NOT NULL,
    output_tokens       INTEGER NOT NULL,           -- includes reasoning
    reasoning_tokens    INTEGER NOT NULL,
    estimated           INTEGER NOT NULL,
    overrun             INTEGER NOT NULL,
    held_tokens         INTEGER NOT NULL,
    held_nano_usd       INTEGER,
    cost_nano_usd       INTEGER,
    price_version       TEXT,
    currency            TEXT,
    end_user            TEXT,
    tags                TEXT,
    node_id             TEXT,
    attempt             INTEGER NOT NULL,
    idempotency_key     TEXT,
    queue_ms            INTEGER NOT NULL,
    first_byte_ms       INTEGER,
    total_ms            INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX calls_by_time ON calls (at);
CREATE INDEX calls_of_account ON calls (account, at);
CREATE INDEX calls_of_key ON calls (key, at);
