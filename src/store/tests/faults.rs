use std::fs::OpenOptions;

use rusqlite::Connection;

use crate::{
    accounts::Draws,
    store::{
        EntryKind, Health, LedgerBusy, Store, WriteError,
        inflight::beside,
        tests::{
            Bench, account_id,
            credit::{balance, charged, entry, top_up, usd, verified},
            flushed, post, posting,
        },
    },
};

/// Lets the database grow no further, as on a full disk; or lets it again.
pub(super) async fn fill_disk(store: &Store, full: bool) {
    let look = store.look(move |connection: &Connection| {
        let pages: i64 = connection
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .unwrap();
        let limit = if full { pages } else { 1_000_000 };
        connection
            .pragma_update_and_check(None, "max_page_count", limit, |_| Ok(()))
            .unwrap();
    });
    look.await.unwrap();
}

async fn calls_and_tokens(store: &Store) -> (i64, i64) {
    let sql =
        "SELECT (SELECT count(*) FROM calls), (SELECT used FROM counters WHERE unit = 'tokens')";
    let look = store.look(move |connection| {
        connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
    });
    look.await.unwrap().unwrap()
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_needs_no_restart() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    post(&store, [posting(0)]);
    flushed(&store).await;
    let ledger = store.ledger();
    let before = ledger.reserve().unwrap();

    fill_disk(&store, true).await;
    post(&store, (1..400).map(posting));
    let mut health = store.watch_health();
    let health = health
        .wait_for(|health| !health.is_writable())
        .await
        .unwrap()
        .clone();
    let Health::Retrying(words) = health else {
        panic!("a full disk is nothing fatal: {health:?}");
    };
    assert!(words.contains("there is no room"), "{words}");
    assert_eq!(ledger.reserve().unwrap_err(), LedgerBusy::Broken);
    // A call that was under way is posted all the same.
    before.post(posting(400));
    flushed(&store).await;
    // How many found room in the last pages is chance; their counters went with them.
    let (calls, tokens) = calls_and_tokens(&store).await;
    assert!(calls < 401 && tokens == calls * 15, "{calls} {tokens}");

    fill_disk(&store, false).await;
    store
        .watch_health()
        .wait_for(Health::is_writable)
        .await
        .unwrap();
    flushed(&store).await;
    assert_eq!(calls_and_tokens(&store).await, (401, 401 * 15));
    assert!(ledger.reserve().is_ok());
    store.close().await;
}

#[tokio::test]
async fn a_change_is_refused_while_the_disk_is_full_and_taken_as_soon_as_it_is_not() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    fill_disk(&store, true).await;
    post(&store, (0..400).map(posting));
    let ids = || vec![account_id("acme")];
    let refused = store.remember_accounts(ids()).await;
    assert!(
        matches!(refused, Err(WriteError::Unavailable(_))),
        "{refused:?}"
    );

    fill_disk(&store, false).await;
    // Trying to write what waits comes first, so that this does not depend on when it would be tried again.
    store.remember_accounts(ids()).await.unwrap();
    assert_eq!(store.health(), Health::Writable);
    assert_eq!(calls_and_tokens(&store).await.0, 400);
    store.close().await;
}

#[tokio::test]
async fn a_store_that_is_closed_on_a_full_disk_ends() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    fill_disk(&store, true).await;
    post(&store, (0..400).map(posting));
    store.close().await;
    assert!(!store.health().is_writable());
    bench.open().0.close().await;
}

#[tokio::test]
async fn a_person_who_holds_the_database_is_waited_for() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let person = Connection::open(bench.file()).unwrap();
    person.execute_batch("BEGIN IMMEDIATE").unwrap();
    post(&store, [posting(1)]);
    let mut health = store.watch_health();
    let broken = health
        .wait_for(|health| !health.is_writable())
        .await
        .unwrap()
        .clone();
    assert!(
        broken.words().unwrap().contains("another program"),
        "{broken:?}"
    );
    person.execute_batch("COMMIT").unwrap();
    health.wait_for(Health::is_writable).await.unwrap();
    assert_eq!(calls_and_tokens(&store).await, (1, 15));
    store.close().await;
}

#[tokio::test]
async fn a_file_that_was_moved_away_is_not_written_to() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    post(&store, [posting(0)]);
    flushed(&store).await;
    let elsewhere = bench.folder.path().join("elsewhere.db");
    std::fs::rename(bench.file(), &elsewhere).unwrap();
    let refused = store.remember_accounts(vec![account_id("acme")]).await;
    let Err(WriteError::Unavailable(words)) = refused else {
        panic!("it would have been lost: {refused:?}");
    };
    assert!(words.contains("was moved or deleted"), "{words}");

    post(&store, [posting(1)]);
    let mut health = store.watch_health();
    health
        .wait_for(|health| !health.is_writable())
        .await
        .unwrap();
    assert_eq!(calls_and_tokens(&store).await.0, 1);

    std::fs::rename(&elsewhere, bench.file()).unwrap();
    health.wait_for(Health::is_writable).await.unwrap();
    assert_eq!(calls_and_tokens(&store).await, (2, 30));
    store.close().await;
}

/// What SQLite writes into a log that has no name any more is in the store once it is closed, and gone with a kill.
#[tokio::test]
async fn a_log_that_was_deleted_is_not_written_to() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    post(&store, [posting(0)]);
    flushed(&store).await;
    std::fs::remove_file(beside(&bench.file(), "-wal")).unwrap();
    let refused = store.remember_accounts(vec![account_id("acme")]).await;
    let Err(WriteError::Unavailable(words)) = refused else {
        panic!("it could be lost: {refused:?}");
    };
    assert!(words.contains("-wal was moved or deleted"), "{words}");
    post(&store, [posting(1)]);
    store.close().await;
    let (store, _) = bench.open();
    assert_eq!(calls_and_tokens(&store).await, (2, 30));
    store.close().await;
}

/// A store whose file has lost all that was in it.
async fn cut_short(bench: &Bench) -> Store {
    let (store, _) = bench.open();
    post(&store, [posting(0)]);
    flushed(&store).await;
    // Old records have been looked for by then, which would find it too.
    flushed(&store).await;
    let file = OpenOptions::new().write(true).open(bench.file()).unwrap();
    file.set_len(0).unwrap();
    store
}

async fn says_that_it_was_cut_short(store: &Store, account: &str) {
    let refused = store.remember_accounts(vec![account_id(account)]).await;
    let Err(WriteError::Unavailable(words)) = refused else {
        panic!("it was written: {refused:?}");
    };
    assert!(words.contains("faregate.db was cut short"), "{words}");
}

/// What SQLite writes into it from then on makes it no more whole.
#[tokio::test]
async fn a_store_that_was_cut_short_is_not_written_to() {
    let bench = Bench::new();
    let store = cut_short(&bench).await;
    post(&store, [posting(1)]);
    says_that_it_was_cut_short(&store, "acme").await;
    let health = store.health();
    assert!(matches!(health, Health::Fatal(_)), "{health:?}");
    store.close().await;
}

/// Whoever finds it so may be no posting, which would have failed the store, but a change that is only refused.
#[tokio::test]
async fn a_store_that_a_change_finds_cut_short_is_not_written_to() {
    let bench = Bench::new();
    let store = cut_short(&bench).await;
    for account in ["acme", "bob"] {
        says_that_it_was_cut_short(&store, account).await;
    }
    let health = store.health();
    assert!(matches!(health, Health::Fatal(_)), "{health:?}");
    store.close().await;
}

#[tokio::test]
async fn a_store_that_somebody_made_smaller_is_whole() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    post(&store, (0..2000).map(posting));
    flushed(&store).await;
    let length = || bench.file().metadata().unwrap().len();
    let person = Connection::open(bench.file()).unwrap();
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
    person.query_row(checkpoint, [], |_| Ok(())).unwrap();
    post(&store, [posting(2000)]);
    flushed(&store).await;
    let before = length();
    person.execute_batch("DELETE FROM calls; VACUUM").unwrap();
    person.query_row(checkpoint, [], |_| Ok(())).unwrap();
    assert!(length() < before);
    post(&store, [posting(2001)]);
    flushed(&store).await;
    assert!(store.health().is_writable());
    store.close().await;
}

/// What waited for the end of the `VACUUM` writes before anybody looks at the file again.
#[tokio::test]
async fn a_store_that_has_grown_since_somebody_made_it_smaller_is_whole() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    post(&store, (0..2000).map(posting));
    flushed(&store).await;
    let person = Connection::open(bench.file()).unwrap();
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
    person.query_row(checkpoint, [], |_| Ok(())).unwrap();
    post(&store, [posting(2000)]);
    flushed(&store).await;
    person.execute_batch("DELETE FROM calls; VACUUM").unwrap();
    person.query_row(checkpoint, [], |_| Ok(())).unwrap();
    let slot = "x".repeat(20_000);
    let mark = "INSERT INTO notification_marks (slot, at, level) VALUES (?, 0, 0)";
    person.execute(mark, [slot]).unwrap();
    post(&store, [posting(2001)]);
    flushed(&store).await;
    assert!(store.health().is_writable());
    store.close().await;
}

#[tokio::test]
async fn an_entry_on_a_full_disk_is_refused_whole_and_taken_later() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    top_up(&store, 1_000).await;
    fill_disk(&store, true).await;
    // Long enough that no free place in a page holds it.
    let mut long = entry(EntryKind::TopUp, 500);
    long.id = Some("once".to_owned());
    long.reason = Some("x".repeat(100_000));
    for _ in 0..2 {
        let refused = store.post_entry(long.clone(), Draws::new()).await;
        assert!(
            matches!(refused, Err(WriteError::Unavailable(_))),
            "{refused:?}"
        );
    }
    assert_eq!(balance(&store).await, 1_000);
    assert!(verified(&store).await.is_right());
    fill_disk(&store, false).await;
    let posted = store.post_entry(long.clone(), Draws::new()).await.unwrap();
    assert!(!posted.existed);
    assert_eq!(balance(&store).await, 1_500);
    store.close().await;
    // It was on the disk when it was told.
    let (store, loaded) = bench.open();
    assert_eq!(loaded.credit[0].balance, usd(1_500));
    assert!(store.post_entry(long, Draws::new()).await.unwrap().existed);
    store.close().await;
}

#[tokio::test]
async fn charges_that_found_no_room_are_charged_once_in_the_end() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    top_up(&store, 1_000_000).await;
    fill_disk(&store, true).await;
    post(&store, (0..400).map(|number| charged(number, 9, &[(1, 9)])));
    store
        .watch_health()
        .wait_for(|health| !health.is_writable())
        .await
        .unwrap();
    let partly = verified(&store).await;
    assert!(partly.is_right() && partly.calls < 400, "{partly:?}");
    fill_disk(&store, false).await;
    store
        .watch_health()
        .wait_for(Health::is_writable)
        .await
        .unwrap();
    flushed(&store).await;
    assert_eq!(balance(&store).await, 1_000_000 - 400 * 9);
    let whole = verified(&store).await;
    assert!(whole.is_right() && whole.calls == 400, "{whole:?}");
    store.close().await;
}
