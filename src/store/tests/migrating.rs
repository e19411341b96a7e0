//! A store of the fifth version, where calls stood by their id and counters by their name.

use rusqlite::Connection;

use crate::{
    domain::{Clock, Timestamp},
    store::{
        CallFilter, Reader, Store,
        tests::{Bench, account_id, flushed, key_id, post, posting},
    },
};

const MIGRATIONS: [&str; 5] = [
    include_str!("../../../migrations/sqlite/0001_initial.sql"),
    include_str!("../../../migrations/sqlite/0002_money.sql"),
    include_str!("../../../migrations/sqlite/0003_payments.sql"),
    include_str!("../../../migrations/sqlite/0004_notifications.sql"),
    include_str!("../../../migrations/sqlite/0005_explain.sql"),
];

// Five thousand calls of two accounts and seven keys, two of them every millisecond, each of which took 20 of a lot.
const ROWS: &str = "
    INSERT INTO calls (id, request_id, at, account, key, plan, route, provider, model, endpoint, stream, outcome, status,
        input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, estimated, overrun,
        held_tokens, cost_nano_usd, price_version, currency, credit_charged, credit_draws, attempt, queue_ms, total_ms,
        images, details)
    WITH numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 4999)
    SELECT printf('01932d3a-%04x-7000-8000-%012x', n / 2, n), printf('01932d3a-%04x-7000-8000-%012x', n / 2, n),
        strftime('%Y-%m-%dT%H:%M:%S', 1795162530 + n / 2000, 'unixepoch') || printf('.%03dZ', n / 2 % 1000),
        iif(n % 3 = 0, 'bob', 'acme'), 'key-' || (n % 7), 'pro', '/', 'openai', iif(n % 5 = 0, NULL, 'small'),
        'chat_completions', n % 2, 'completed', 200, n, 1, 2, 3, 0, 0, 0, 100, 20, 'v1', 'USD', 1,
        iif(n % 3 = 0, '{\"2\":20}', '{\"1\":20}'), 1, 0, n, n % 4, '{\"counted\":{\"key\":[\"requests/day\"]}}'
    FROM numbers;
    INSERT INTO credit_entries (number, id, account, kind, amount_nano_usd, currency, at, author, priority)
        VALUES (1, 'first', 'acme', 'top_up', 1000000, 'USD', '2026-11-01T00:00:00.000Z', 'cli', 50),
               (2, 'second', 'bob', 'top_up', 1000000, 'USD', '2026-11-01T00:00:00.000Z', 'cli', 50);
    INSERT INTO credit_lots SELECT number, amount_nano_usd - 20 * (SELECT count(*) FROM calls
        WHERE calls.account = credit_entries.account) FROM credit_entries;
    INSERT INTO credit_balances SELECT account, remaining_nano_usd FROM credit_entries JOIN credit_lots ON entry = number;
    INSERT INTO counters SELECT 'key', key, 'requests', 'day', '2026-11-20T00:00:00.000Z', count(*) FROM calls GROUP BY key;
    INSERT INTO counters SELECT 'account', account, 'usd', 'month', '2026-11-01T00:00:00.000Z', sum(cost_nano_usd)
        FROM calls GROUP BY account;
    INSERT INTO counters VALUES ('key', 'acme-ci', 'requests', 'hour', '2026-11-20T08:00:00.000Z', 0);
    PRAGMA application_id = 1178686021;
    PRAGMA user_version = 5;";

/// Every row of a table as text, without what only the new shape has.
fn rows(connection: &Connection, sql: &str) -> Vec<String> {
    let mut select = connection.prepare(sql).unwrap();
    let rows = select.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

const CALLS: &str = "SELECT json_array(id, request_id, at, account, key, plan, plan_version, parent_account, route, provider,
    model, upstream_model, endpoint, stream, outcome, status, input_tokens, cached_input_tokens, cache_write_tokens,
    output_tokens, reasoning_tokens, estimated, overrun, held_tokens, held_nano_usd, cost_nano_usd, price_version, currency,
    end_user, tags, node_id, attempt, idempotency_key, queue_ms, first_byte_ms, total_ms, credit_charged, credit_draws,
    cache_write_1h_tokens, audio_input_tokens, audio_output_tokens, images, seconds, pages, details)
    FROM calls ORDER BY id";
const COUNTERS: &str =
    "SELECT json_array(owner_kind, owner, unit, per, window_start, used) FROM counters ORDER BY 1";

#[tokio::test]
async fn calls_and_counters_of_an_earlier_version_find_their_places() {
    let mut bench = Bench::new();
    bench.clock = Clock::manual(Timestamp::from_millis(1_795_162_600_000));
    let old = Connection::open(bench.file()).unwrap();
    for migration in MIGRATIONS {
        old.execute_batch(migration).unwrap();
    }
    old.execute_batch(ROWS).unwrap();
    let before = (rows(&old, CALLS), rows(&old, COUNTERS));
    assert_eq!((before.0.len(), before.1.len()), (5_000, 10));
    drop(old);

    let (store, loaded) = Store::open(&bench.settings(), bench.clock.clone()).unwrap();
    assert_eq!(loaded.counters.len(), 10);
    let after = store.look(|connection| (rows(connection, CALLS), rows(connection, COUNTERS)));
    assert_eq!(after.await.unwrap(), before);
    let elsewhere = store.look(|connection| {
        rows(
            connection,
            "SELECT id FROM calls WHERE chapter <> (
                SELECT number FROM call_chapters WHERE since <= at ORDER BY since DESC LIMIT 1)
             UNION ALL SELECT 'chapter ' || number FROM call_chapters AS chapters
                WHERE (size, last_at) <> (SELECT count(*), max(at) FROM calls WHERE chapter = chapters.number)",
        )
    });
    assert!(elsewhere.await.unwrap().is_empty());
    let chapters = store.look(|connection| {
        rows(
            connection,
            "SELECT '' || size FROM call_chapters ORDER BY since",
        )
    });
    // The two of a millisecond are in one chapter.
    assert_eq!(chapters.await.unwrap(), ["2046", "2048", "906"]);
    let filter = CallFilter {
        account: Some(account_id("bob")),
        key: Some(key_id("key-3")),
        limit: 1_000,
        ..CallFilter::default()
    };
    let of_bob = store.calls(filter).await.unwrap().data;
    assert_eq!(of_bob.len(), 238);
    assert!(of_bob.is_sorted_by(|one, other| (one.at, one.id) > (other.at, other.id)));

    // Calls go on where they were.
    post(&store, (10_000..13_000).map(posting));
    flushed(&store).await;
    let counters = store.look(|connection| {
        rows(
            connection,
            "SELECT '' || used FROM counters WHERE owner = 'acme-ci'",
        )
    });
    assert_eq!(counters.await.unwrap(), ["3000"]);
    store.close().await;
    let verified = Reader::open(&bench.file()).unwrap().verify(|_| {}).unwrap();
    assert!(verified.is_right(), "{verified:?}");
    assert_eq!(verified.calls, 8_000);
}
