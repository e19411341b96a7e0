"""Accounts and keys: as rows of a Faregate store, as YAML, as a map of nginx."""

import hashlib
import os
import sqlite3

# What the load driver sends; it puts eight digits in place of the sign.
KEY = "sk-compare-#-2f6b1c9e7d"
# A company has several keys; each account has its own credit, subscription and limits.
KEYS_PER_ACCOUNT = 10
AT = "2026-01-01T00:00:00.000Z"
PERIOD = ("2026-01-01T00:00:00.000Z", "2099-01-01T00:00:00.000Z")
CREDIT_NANOS = 1_000_000_000_000_000


def key(number):
    return KEY.replace("#", f"{number:08d}")


def digest(number):
    return "sha256:" + hashlib.sha256(key(number).encode()).hexdigest()


def accounts_for(keys):
    return max(1, keys // KEYS_PER_ACCOUNT)


def plan(account, plans):
    return f"plan-{account % plans}"


def fill_store(path, keys, plans=1, *, credit):
    """Writes accounts with a subscription each, and a million dollars of credit where that is wanted, and their keys.

    The admin API writes the same rows, one by one; a million of them would take an hour.
    """
    accounts = accounts_for(keys)
    store = sqlite3.connect(path, isolation_level=None)
    store.execute("PRAGMA synchronous = OFF")
    store.execute("BEGIN")
    store.executemany(
        "INSERT INTO accounts (id, plan, source, created_at, disabled, subscription_status, current_period_start,"
        " current_period_end, cancel_at_period_end, limits) VALUES (?, ?, 'api', ?, 0, 'active', ?, ?, 0, '{}')",
        ((f"account-{n}", plan(n, plans), AT, *PERIOD) for n in range(accounts)),
    )
    store.executemany(
        "INSERT INTO credit_entries (number, id, account, kind, amount_nano_usd, currency, at, author, priority)"
        " VALUES (?, ?, ?, 'top_up', ?, 'USD', ?, 'api', 50)",
        ((n + 1, f"first-{n}", f"account-{n}", CREDIT_NANOS, AT) for n in range(accounts if credit else 0)),
    )
    store.execute("INSERT INTO credit_lots SELECT number, amount_nano_usd FROM credit_entries")
    store.execute("INSERT INTO credit_balances SELECT account, amount_nano_usd FROM credit_entries")
    store.executemany(
        "INSERT INTO keys (id, account, source, public_part, created_at, disabled, limits, allowed_ips)"
        " VALUES (?, ?, 'api', ?, ?, 0, '{}', '[]')",
        ((f"key-{n}", f"account-{n % accounts}", key(n)[:14], AT) for n in range(keys)),
    )
    rows = sorted((digest(n), f"key-{n}") for n in range(keys))
    store.executemany("INSERT INTO key_hashes (key_hash, key, position) VALUES (?, ?, 0)", rows)
    store.execute("COMMIT")
    store.close()


def yaml(keys, plans=1):
    """The same accounts and keys as text of a configuration file."""
    accounts = accounts_for(keys)
    lines = ["accounts:"]
    for account in range(accounts):
        lines.append(f"  - id: account-{account}")
        lines.append(f"    plan: {plan(account, plans)}")
        lines.append(f"    credit: {CREDIT_NANOS // 1_000_000_000}")
        lines.append("    subscription:")
        lines.append("      status: active")
        lines.append(f"      current_period_start: {PERIOD[0]}")
        lines.append(f"      current_period_end: {PERIOD[1]}")
        lines.append("    keys:")
        for number in range(account, keys, accounts):
            lines.append(f"      - {{id: key-{number}, key_hash: {digest(number)}}}")
    return "\n".join(lines) + "\n"


def nginx_map(path, keys):
    """Writes one line for each key: what the client sends, and by what it is counted."""
    with open(path, "w", encoding="ascii") as file:
        for number in range(keys):
            file.write(f'"Bearer {key(number)}" key-{number};\n')


def add_calls(path, rows, keys):
    """Writes calls of the past year into a store, as many as asked for, oldest first."""
    accounts = accounts_for(keys)
    store = sqlite3.connect(path, isolation_level=None)
    store.execute("PRAGMA synchronous = OFF")
    store.execute("PRAGMA cache_size = -1000000")
    indexes = store.execute("SELECT name, sql FROM sqlite_master WHERE tbl_name = 'calls' AND type = 'index' AND sql NOT NULL")
    indexes = indexes.fetchall()
    store.execute("BEGIN")
    # One by one, rows would go to a random place of two indexes.
    for name, _ in indexes:
        store.execute(f"DROP INDEX {name}")
    # Spread over 300 days that end 40 days ago: nothing is old enough to be deleted, and no window is open.
    store.execute(
        """
        WITH RECURSIVE
            n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :rows),
            t (i, ms) AS (SELECT i, (strftime('%s', 'now', '-340 days') + 0) * 1000
                + CAST(i * (300.0 * 86400000 / :rows) AS INTEGER) FROM n)
        INSERT INTO calls (id, chapter, at, account, key, plan, route, provider, model, upstream_model, endpoint,
            stream, outcome, status, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens,
            reasoning_tokens, estimated, overrun, held_tokens, held_nano_usd, cost_nano_usd, currency, attempt,
            queue_ms, first_byte_ms, total_ms, credit_charged)
        SELECT
            lower(printf('%08x-%04x-7%03x-8%03x-%012x', ms >> 16, ms & 65535, i & 4095, (i >> 12) & 4095, i)),
            2 + i / 2048,
            strftime('%Y-%m-%dT%H:%M:%S', ms / 1000, 'unixepoch') || printf('.%03dZ', ms % 1000),
            'account-' || ((i * 7919) % :accounts), 'key-' || ((i * 7919) % :keys), 'plan-0', '/', 'upstream',
            'gpt-4o-mini', 'gpt-4o-mini', 'chat.completions', 0, 'completed', 200, 96, 0, 0, 88, 0, 0, 0, 352,
            300000, 67200, 'USD', 1, 0, 240, 260, 0
        FROM t
        """,
        {"rows": rows, "accounts": accounts, "keys": keys},
    )
    store.execute("INSERT INTO call_chapters SELECT chapter, min(at), max(at), count(*) FROM calls GROUP BY chapter")
    for _, sql in indexes:
        store.execute(sql)
    store.execute("COMMIT")
    store.close()
    return os.path.getsize(path)
