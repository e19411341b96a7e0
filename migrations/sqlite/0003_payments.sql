-- What payment providers tell by webhook, and what follows from it.

-- Every event that was signed, once, for all time: a repeated one is known by its id.
CREATE TABLE payment_events (
    number      INTEGER NOT NULL PRIMARY KEY,       -- in the order of arrival
    id          TEXT NOT NULL UNIQUE,               -- stripe:evt_…
    vendor      TEXT NOT NULL,                      -- stripe | paddle | lemonsqueezy | standard
    type        TEXT NOT NULL,                      -- the vendor's word
    created_at  TEXT NOT NULL,                      -- by the vendor's clock
    received_at TEXT NOT NULL,
    status      TEXT NOT NULL,                      -- applied | ignored | parked | failed
    account     TEXT,
    words       TEXT,                               -- why it was parked or ignored, or what it did
    attempts    INTEGER NOT NULL,                   -- how often it was looked at
    payload     BLOB                                -- the body as it came; NULL above 256 KiB
) STRICT;

CREATE INDEX payment_events_by_status ON payment_events (status, number);

-- What an event says about an object of the vendor. What holds is a function of all facts about the object, so their
-- order does not matter.
CREATE TABLE payment_facts (
    event      TEXT NOT NULL PRIMARY KEY REFERENCES payment_events (id),
    vendor     TEXT NOT NULL,
    object     TEXT NOT NULL,                       -- stripe:sub_…, stripe:pi_…
    created_at TEXT NOT NULL,
    customer   TEXT,                                -- the vendor's
    named      TEXT,                                -- the account that the event names
    account    TEXT,                                -- NULL while it is not known whose it is
    fact       TEXT NOT NULL                        -- JSON
) STRICT, WITHOUT ROWID;

CREATE INDEX payment_facts_of_object ON payment_facts (object);
CREATE INDEX payment_facts_of_account ON payment_facts (account);
CREATE INDEX payment_facts_of_customer ON payment_facts (vendor, customer);

-- Customers whose account was named by an event; those of the configuration file are not here.
CREATE TABLE payment_customers (
    vendor   TEXT NOT NULL,
    customer TEXT NOT NULL,
    account  TEXT NOT NULL,
    since    TEXT NOT NULL,
    PRIMARY KEY (vendor, customer)
) STRICT, WITHOUT ROWID;

CREATE INDEX payment_customers_of_account ON payment_customers (account, vendor);

-- The standing of accounts as events tell it. It holds in place of what was declared, until that is declared anew.
CREATE TABLE payment_standings (
    account               TEXT NOT NULL PRIMARY KEY,
    object                TEXT NOT NULL,            -- the subscription that it follows from
    at                    TEXT NOT NULL,            -- when it changed
    subscription_status   TEXT NOT NULL,
    current_period_start  TEXT,
    current_period_end    TEXT,
    past_due_since        TEXT,
    trial_end             TEXT,
    cancel_at             TEXT,
    cancel_at_period_end  INTEGER NOT NULL,
    ends_at               TEXT,
    plan                  TEXT,                     -- NULL: the declared one
    declared_subscription TEXT NOT NULL,            -- what was declared when it changed
    declared_plan         TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Entries of a payment or a grant.
CREATE INDEX credit_entries_of_related ON credit_entries (related) WHERE related IS NOT NULL;
