-- Money: prepaid credit, and what calls cost.
--
-- Amounts are whole billionths of a US dollar. What happened stands in credit_entries and calls, which nobody changes;
-- credit_balances and credit_lots are sums over them, moved in the transaction that adds the row:
--
--     balance of an account = sum of its entries - sum of the costs of its calls with credit_charged = 1
--     remaining of a lot    = amount of its entry - everything that the draws of entries and calls took from it
--
-- Where the lots of an account have more than its balance says, the difference is debt that a lot has yet to pay.

-- Everything but a call that moves credit. An amount above zero makes a lot, from which calls draw.
CREATE TABLE credit_entries (
    number          INTEGER NOT NULL PRIMARY KEY,   -- in the order of writing; names the lot
    id              TEXT NOT NULL UNIQUE,           -- of whoever asked for it, so that asking twice posts once
    account         TEXT NOT NULL,
    kind            TEXT NOT NULL,                  -- top_up | grant | refund | adjustment | expiry | transfer | usage_carried
    amount_nano_usd INTEGER NOT NULL CHECK (amount_nano_usd <> 0),
    currency        TEXT NOT NULL,
    at              TEXT NOT NULL,
    author          TEXT NOT NULL,                  -- config | cli | api | api:<who> | webhook:<provider> | faregate
    reason          TEXT,
    expires_at      TEXT,                           -- of the lot
    priority        INTEGER NOT NULL,               -- of the lot; lower ones are drawn first
    related         TEXT,                           -- the lot of an expiry, the other account of a transfer, a payment
    draws           TEXT                            -- {"<lot>": <billionths>}: what it took from lots
) STRICT;

CREATE INDEX credit_entries_by_time ON credit_entries (at);
CREATE INDEX credit_entries_of_account ON credit_entries (account, number);

-- What is left of each lot.
CREATE TABLE credit_lots (
    entry              INTEGER NOT NULL PRIMARY KEY REFERENCES credit_entries (number),
    remaining_nano_usd INTEGER NOT NULL
) STRICT;

CREATE TABLE credit_balances (
    account          TEXT NOT NULL PRIMARY KEY,
    balance_nano_usd INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The columns of money that calls have from the start (held_nano_usd, cost_nano_usd, price_version, currency) are
-- filled from here on.
ALTER TABLE calls ADD COLUMN credit_charged INTEGER NOT NULL DEFAULT 0;         -- 1: its cost left the balance
ALTER TABLE calls ADD COLUMN credit_draws TEXT;                                 -- as draws of credit_entries
ALTER TABLE calls ADD COLUMN cache_write_1h_tokens INTEGER NOT NULL DEFAULT 0;  -- of the cache-write tokens
ALTER TABLE calls ADD COLUMN audio_input_tokens INTEGER NOT NULL DEFAULT 0;     -- of the input
ALTER TABLE calls ADD COLUMN audio_output_tokens INTEGER NOT NULL DEFAULT 0;    -- of the output
ALTER TABLE calls ADD COLUMN images INTEGER NOT NULL DEFAULT 0;                 -- made
ALTER TABLE calls ADD COLUMN seconds INTEGER NOT NULL DEFAULT 0;                -- of sound that were read
ALTER TABLE calls ADD COLUMN pages INTEGER NOT NULL DEFAULT 0;                  -- of documents that were read

-- From when on everything of a kind is there; what is older may have been deleted.
CREATE TABLE kept_since (
    what TEXT NOT NULL PRIMARY KEY,                 -- calls
    at   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Earlier versions did not note it: windows that began under them cannot be compared with their calls.
INSERT INTO kept_since
SELECT 'calls', strftime('%Y-%m-%dT%H:%M:%fZ', max(window_start), '+0.001 seconds')
FROM counters HAVING count(*) > 0;

-- A posted figure is corrected by another entry, never by a change.
CREATE TRIGGER credit_entries_stay_as_they_are BEFORE UPDATE ON credit_entries
BEGIN SELECT RAISE(ABORT, 'entries are never changed; post an adjustment instead'); END;

CREATE TRIGGER credit_entries_stay BEFORE DELETE ON credit_entries
BEGIN SELECT RAISE(ABORT, 'entries are never deleted; post an adjustment instead'); END;

-- INSERT OR REPLACE deletes without asking the trigger above.
CREATE TRIGGER credit_entries_are_not_replaced BEFORE INSERT ON credit_entries
WHEN EXISTS (SELECT 1 FROM credit_entries WHERE number = NEW.number OR id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'an entry of this number or id exists'); END;

CREATE TRIGGER calls_stay_as_they_are BEFORE UPDATE ON calls
BEGIN SELECT RAISE(ABORT, 'calls are never changed; post an adjustment of the credit instead'); END;
