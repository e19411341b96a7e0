//! What stays as it is, what goes after its time, and what comes from earlier versions.

use std::time::Duration;

use rusqlite::Connection;

use crate::{
    accounts::Draws,
    domain::Timestamp,
    store::{
        EntryFilter, EntryKind, Reader,
        tests::{
            Bench, TODAY, account_id,
            credit::{balance, charged, entry, lots, top_up, verified},
            flushed, in_memory, post, posting,
        },
    },
};

#[tokio::test]
async fn no_entry_and_no_call_is_ever_changed() {
    let store = in_memory();
    store
        .post_entry(entry(EntryKind::Grant, 5), Draws::new())
        .await
        .unwrap();
    post(&store, [charged(1, 1, &[(1, 1)])]);
    let tries = store.look(|connection: &Connection| {
        [
            "UPDATE credit_entries SET amount_nano_usd = 6",
            "DELETE FROM credit_entries",
            "INSERT OR REPLACE INTO credit_entries SELECT number, id, account, kind, 6, currency, at, author,
                reason, expires_at, priority, related, draws FROM credit_entries",
            "UPDATE calls SET cost_nano_usd = 0",
        ]
        .map(|sql| connection.execute_batch(sql).unwrap_err().to_string())
    });
    let words = tries.await.unwrap();
    for words in &words {
        assert!(
            words.contains("never") || words.contains("exists"),
            "{words}"
        );
    }
    assert!(verified(&store).await.is_right());
    store.close().await;
}

#[tokio::test]
async fn old_calls_leave_their_cost_behind() {
    let day = Duration::from_secs(86_400);
    let mut bench = Bench::new();
    bench.keep_calls = Some(day);
    let (store, _) = bench.open();
    top_up(&store, 1_000_000).await;
    // More than a batch of acme's, one of bob's, and some that no credit paid for.
    post(
        &store,
        (0..1_500).map(|number| charged(number, 3, &[(1, 3)])),
    );
    let mut bobs = charged(2_000, 10, &[]);
    bobs.call.account = account_id("bob");
    post(&store, [bobs]);
    post(&store, (3_000..3_010).map(posting));
    flushed(&store).await;
    let before = (balance(&store).await, lots(&store).await);
    assert_eq!(before.0, 1_000_000 - 4_500);

    // Before the day has ended, nothing goes.
    bench.clock.advance(day);
    flushed(&store).await;
    flushed(&store).await;
    assert_eq!(verified(&store).await.calls, 1_511);
    bench.clock.advance(day);
    for _ in 0..4 {
        flushed(&store).await;
    }
    let after = verified(&store).await;
    assert!(after.is_right(), "{after:?}");
    assert_eq!(after.calls, 0);
    assert_eq!((balance(&store).await, lots(&store).await), before);
    let kind = Some(EntryKind::UsageCarried);
    let page = store
        .entries(EntryFilter {
            kind,
            ..EntryFilter::default()
        })
        .await
        .unwrap();
    let carried: Vec<_> = page
        .data
        .iter()
        .map(|entry| (entry.account.as_str(), entry.amount.nanos()))
        .collect();
    // Two batches, and one account in the second.
    assert_eq!(carried, [("bob", -10), ("acme", -1_500), ("acme", -3_000)]);
    store.close().await;
}

#[tokio::test]
async fn a_store_of_the_first_version_is_brought_along() {
    let bench = Bench::new();
    let connection = Connection::open(bench.file()).unwrap();
    connection
        .execute_batch(include_str!("../../../migrations/sqlite/0001_initial.sql"))
        .unwrap();
    connection
        .execute_batch(
            "PRAGMA application_id = 1178686021; PRAGMA user_version = 1;
             INSERT INTO counters VALUES ('account', 'acme', 'tokens', 'day', '2026-11-20T00:00:00.000Z', 99);
             INSERT INTO counters VALUES ('account', 'acme', 'tokens', 'month', '2026-11-01T00:00:00.000Z', 99);",
        )
        .unwrap();
    drop(connection);
    let (store, loaded) = bench.open();
    assert_eq!(loaded.counters.len(), 2);
    // What was counted before cannot be compared: its calls may have been deleted without a note.
    assert!(verified(&store).await.is_right());
    store.close().await;
}

/// A call that came before midnight and was admitted after it counts in a day whose calls are all kept but for it.
#[tokio::test]
async fn a_call_that_is_deleted_is_not_missed_in_the_day_after_it() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let mut late = posting(1);
    late.call.at = Timestamp::from_millis(TODAY.millis() - 10_000);
    late.counters[1].window_start = TODAY;
    post(&store, [late]);
    flushed(&store).await;
    store.close().await;
    let right = || {
        let reader = Reader::open(&bench.file()).unwrap();
        reader.verify(|_| {}).unwrap().is_right()
    };
    assert!(right());
    let tidied = "DELETE FROM calls; INSERT INTO kept_since (what, at)
        SELECT 'calls', window_start FROM counter_windows WHERE per = 'day'";
    let connection = Connection::open(bench.file()).unwrap();
    connection.execute_batch(tidied).unwrap();
    assert!(right());
    // Without its deletion, the call is missed.
    connection.execute_batch("DELETE FROM kept_since").unwrap();
    assert!(!right());
}
