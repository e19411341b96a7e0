-- Telling people before it hurts: what was told, what is still to be sent, and to whom nothing is sent any more.

-- Where an account's people are written to.
ALTER TABLE accounts ADD COLUMN email TEXT;

-- One row for each event and recipient. A row is sent until it is delivered or its tries are used up; `id` stays the
-- same over all of them, so that a receiver recognises what it has already.
CREATE TABLE notifications (
    id          TEXT NOT NULL PRIMARY KEY,          -- msg_<UUID version 7>
    type        TEXT NOT NULL,                      -- such as quota.warning
    account     TEXT,                               -- NULL: about nobody, as a test is
    key         TEXT,                               -- NULL: about all keys of the account
    target      TEXT NOT NULL,                      -- a webhook's URL without its query, or email
    recipient   TEXT,                               -- the address of an e-mail
    body        TEXT NOT NULL,                      -- JSON, sent as it is
    status      TEXT NOT NULL,                      -- pending | delivered | failed | disabled
    attempts    INTEGER NOT NULL,                   -- made so far
    next_at     TEXT NOT NULL,                      -- of a pending one: not before
    last_error  TEXT,
    created_at  TEXT NOT NULL,
    finished_at TEXT                                -- NULL: pending
) STRICT, WITHOUT ROWID;

CREATE INDEX notifications_due ON notifications (target, next_at) WHERE status = 'pending';
CREATE INDEX notifications_by_time ON notifications (created_at);

-- What was told last about each thing that people are told about. Written with the rows that tell it.
CREATE TABLE notification_marks (
    slot  TEXT NOT NULL PRIMARY KEY,                -- the thing, such as limit|acme|-|plan|tokens|day|100000
    at    INTEGER NOT NULL,                         -- which one: the start of its window in milliseconds, or the like
    level INTEGER NOT NULL                          -- how far it had come, such as 80 percent
) STRICT, WITHOUT ROWID;

-- Webhooks that answered 410 Gone.
CREATE TABLE notification_targets_gone (
    target TEXT NOT NULL PRIMARY KEY,
    at     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
