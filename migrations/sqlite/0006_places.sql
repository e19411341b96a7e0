-- Where rows stand in the file, so that writing one call touches few pages of it.

-- Calls stand in chapters: stretches of time, each with some thousands of calls, that leave no gap. The indices of calls
-- begin with the chapter. New entries so go to the few pages of one chapter and not to a page for each account and key;
-- who looks for the calls of an account looks into each chapter of the time that is asked for.
CREATE TABLE call_chapters (
    number  INTEGER NOT NULL PRIMARY KEY,
    since   TEXT NOT NULL UNIQUE,                   -- it has the calls from then until the next one begins; '': from ever
    last_at TEXT NOT NULL,                          -- of its latest call
    size    INTEGER NOT NULL                        -- so many calls were written into it
) STRICT;

INSERT INTO call_chapters VALUES (1, '', '', 0);

INSERT INTO call_chapters (since, last_at, size)
SELECT DISTINCT at, '', 0 FROM (SELECT at, row_number() OVER (ORDER BY at) AS place FROM calls)
WHERE place % 2048 = 0 ORDER BY at;

UPDATE call_chapters SET (last_at, size) = (
    SELECT coalesce(max(at), ''), count(*) FROM calls
    WHERE at >= since AND at < coalesce((SELECT min(next.since) FROM call_chapters AS next
        WHERE next.since > call_chapters.since), 'end'));

-- One row for each forwarded call; the row is also its posting. A refused request leaves none.
CREATE TABLE calls_in_chapters (
    number                INTEGER NOT NULL PRIMARY KEY, -- in the order of writing
    id                    TEXT NOT NULL UNIQUE,     -- UUID version 7
    request_id            TEXT GENERATED ALWAYS AS (id) VIRTUAL, -- as in x-request-id
    chapter               INTEGER NOT NULL,         -- the one of its instant
    at                    TEXT NOT NULL,            -- of admission
    account               TEXT NOT NULL,
    key                   TEXT NOT NULL,
    plan                  TEXT NOT NULL,
    plan_version          TEXT,
    parent_account        TEXT,
    route                 TEXT NOT NULL,
    provider              TEXT NOT NULL,
    model                 TEXT,                     -- the public name
    upstream_model        TEXT,                     -- the provider's name
    endpoint              TEXT NOT NULL,
    stream                INTEGER NOT NULL,
    outcome               TEXT NOT NULL,            -- completed | client_closed | upstream_failed | indeterminate
    status                INTEGER NOT NULL,
    input_tokens          INTEGER NOT NULL,         -- includes cached and cache-write tokens
    cached_input_tokens   INTEGER NOT NULL,
    cache_write_tokens    INTEGER NOT NULL,
    cache_write_1h_tokens INTEGER NOT NULL DEFAULT 0, -- of the cache-write tokens
    audio_input_tokens    INTEGER NOT NULL DEFAULT 0, -- of the input
    output_tokens         INTEGER NOT NULL,         -- includes reasoning
    reasoning_tokens      INTEGER NOT NULL,
    audio_output_tokens   INTEGER NOT NULL DEFAULT 0, -- of the output
    images                INTEGER NOT NULL DEFAULT 0, -- made
    seconds               INTEGER NOT NULL DEFAULT 0, -- of sound that were read
    pages                 INTEGER NOT NULL DEFAULT 0, -- of documents that were read
    estimated             INTEGER NOT NULL,
    overrun               INTEGER NOT NULL,
    held_tokens           INTEGER NOT NULL,
    held_nano_usd         INTEGER,
    cost_nano_usd         INTEGER,
    price_version         TEXT,
    currency              TEXT,
    credit_charged        INTEGER NOT NULL DEFAULT 0, -- 1: its cost left the balance
    credit_draws          TEXT,                     -- as draws of credit_entries
    end_user              TEXT,
    tags                  TEXT,
    node_id               TEXT,
    attempt               INTEGER NOT NULL,
    idempotency_key       TEXT,
    queue_ms              INTEGER NOT NULL,
    first_byte_ms         INTEGER,
    total_ms              INTEGER NOT NULL,
    details               TEXT                      -- as 0005_explain.sql has it
) STRICT;

INSERT INTO calls_in_chapters (id, chapter, at, account, key, plan, plan_version, parent_account, route, provider, model,
    upstream_model, endpoint, stream, outcome, status, input_tokens, cached_input_tokens, cache_write_tokens,
    cache_write_1h_tokens, audio_input_tokens, output_tokens, reasoning_tokens, audio_output_tokens, images, seconds,
    pages, estimated, overrun, held_tokens, held_nano_usd, cost_nano_usd, price_version, currency, credit_charged,
    credit_draws, end_user, tags, node_id, attempt, idempotency_key, queue_ms, first_byte_ms, total_ms, details)
SELECT id, (SELECT number FROM call_chapters WHERE since <= at ORDER BY since DESC LIMIT 1), at, account, key, plan,
    plan_version, parent_account, route, provider, model, upstream_model, endpoint, stream, outcome, status,
    input_tokens, cached_input_tokens, cache_write_tokens, cache_write_1h_tokens, audio_input_tokens, output_tokens,
    reasoning_tokens, audio_output_tokens, images, seconds, pages, estimated, overrun, held_tokens, held_nano_usd,
    cost_nano_usd, price_version, currency, credit_charged, credit_draws, end_user, tags, node_id, attempt,
    idempotency_key, queue_ms, first_byte_ms, total_ms, details
FROM calls ORDER BY id;

DROP TABLE calls;
ALTER TABLE calls_in_chapters RENAME TO calls;

CREATE INDEX calls_of_account ON calls (chapter, account);
CREATE INDEX calls_of_key ON calls (chapter, key);

CREATE TRIGGER calls_stay_as_they_are BEFORE UPDATE ON calls
BEGIN SELECT RAISE(ABORT, 'calls are never changed; post an adjustment of the credit instead'); END;

-- A counter's window is named once, and what is used in it stands apart, so that the figures that every call moves are
-- close together.
CREATE TABLE counter_windows (
    owner_kind   TEXT NOT NULL,                     -- account | key
    owner        TEXT NOT NULL,
    unit         TEXT NOT NULL,                     -- requests | tokens | usd
    per          TEXT NOT NULL,                     -- hour | day | week | month | period
    window_start TEXT NOT NULL,
    sum          INTEGER NOT NULL,                  -- the row of counter_sums
    PRIMARY KEY (owner_kind, owner, unit, per, window_start)
) STRICT, WITHOUT ROWID;

-- A number is never given again, so that whoever remembers it cannot mean another one.
CREATE TABLE counter_sums (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    used   INTEGER NOT NULL
) STRICT;

INSERT INTO counter_windows
SELECT owner_kind, owner, unit, per, window_start,
    row_number() OVER (ORDER BY owner_kind, owner, unit, per, window_start) FROM counters;

INSERT INTO counter_sums (number, used)
SELECT sum, used FROM counter_windows JOIN counters USING (owner_kind, owner, unit, per, window_start) ORDER BY sum;

DROP TABLE counters;

CREATE INDEX counter_windows_by_age ON counter_windows (window_start);

-- What is used of each unit in each window.
CREATE VIEW counters AS
SELECT owner_kind, owner, unit, per, window_start, used FROM counter_windows LEFT JOIN counter_sums ON number = sum;
