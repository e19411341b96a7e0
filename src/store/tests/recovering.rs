//! What a killed process leaves, and what the next one makes of it.

use std::{fs, time::Duration};

use rusqlite::Connection;

use super::{Bench, SLOTS, TODAY, faults::fill_disk, flushed, post, posting, tokens_today};
use crate::{
    domain::{NanoUsd, Per, Unit, Usage},
    providers::Endpoint,
    store::{
        Checkpoint, Durability, Health, HeldCounter, HoldRecord, LedgerBusy, Owner, Posting, Slot,
        Store, Whose,
    },
};

/// What the call of [`posting`] holds.
fn hold(number: u64) -> HoldRecord {
    let Posting { call, counters, .. } = posting(number);
    HoldRecord {
        id: call.id,
        at: call.at,
        account: call.account,
        key: call.key,
        plan: call.plan,
        route: call.route,
        provider: call.provider,
        model: call.model,
        upstream_model: call.upstream_model,
        endpoint: Endpoint::ChatCompletions,
        stream: call.stream,
        queue_ms: call.queue_ms,
        held_tokens: call.held_tokens,
        input_estimate: 10,
        held: Some(NanoUsd::from_nanos(500)),
        least: NanoUsd::from_nanos(100),
        price_version: None,
        agreed: None,
        credit: false,
        counters: counters
            .iter()
            .map(|change| HeldCounter {
                whose: match change.name.owner {
                    Owner::Account(_) => Whose::Account,
                    Owner::Key(_) => Whose::Key,
                },
                unit: change.name.unit,
                per: change.name.per,
                window_start: change.window_start,
            })
            .collect(),
    }
}

/// Ten tokens of input, and so many of output.
fn seen(output: u64) -> Checkpoint {
    let usage = Usage {
        input: 10,
        output,
        ..Usage::default()
    };
    Checkpoint {
        usage,
        cost: NanoUsd::from_nanos(100 + 20 * output as i64),
    }
}

pub(super) fn forward(store: &Store, number: u64) -> Slot {
    let mut slot = store.ledger().reserve().unwrap();
    slot.write_hold(&hold(number)).unwrap();
    slot
}

/// What `kill -9` leaves of `bench` at this moment, in a folder of its own.
fn killed(bench: &Bench) -> Bench {
    let copy = Bench::new();
    for file in bench.folder.path().read_dir().unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), copy.folder.path().join(file.file_name())).unwrap();
    }
    copy
}

/// Calls as outcome and output tokens, and what the counters of tokens and requests say.
type Books = (Vec<(String, i64)>, u64, u64);

/// The books after the next start.
async fn books(bench: &Bench) -> Books {
    let (store, loaded) = bench.open();
    let rows = "SELECT outcome, output_tokens FROM calls ORDER BY id";
    let look = store.look(move |connection: &Connection| {
        let mut rows = connection.prepare(rows).unwrap();
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.unwrap().map(Result::unwrap).collect()
    });
    let calls = look.await.unwrap();
    assert_eq!(store.ledger().inflight().taken(), 0);
    store.close().await;
    let used = |unit| {
        let mut counters = loaded.counters.iter();
        let counter = counters.find(|row| row.name.unit == unit);
        counter.map_or(0, |row| row.used)
    };
    (calls, used(Unit::Tokens), used(Unit::Requests))
}

fn completed(output: i64) -> (String, i64) {
    ("completed".to_owned(), output)
}

fn indeterminate(output: i64) -> (String, i64) {
    ("indeterminate".to_owned(), output)
}

#[tokio::test]
async fn a_kill_at_any_point_of_a_call_leaves_it_in_the_books_once() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let slot = store.ledger().reserve().unwrap();
    assert_eq!(books(&killed(&bench)).await, (vec![], 0, 0));
    drop(slot);

    let mut slot = forward(&store, 1);
    let held = killed(&bench);
    assert_eq!(books(&held).await, (vec![indeterminate(0)], 10, 1));
    // A second start finds nothing to do.
    assert_eq!(books(&held).await, (vec![indeterminate(0)], 10, 1));

    slot.checkpoint(Duration::ZERO, 1, || seen(1));
    slot.checkpoint(Duration::from_secs(1), 80, || seen(80));
    assert_eq!(
        books(&killed(&bench)).await,
        (vec![indeterminate(80)], 90, 1)
    );

    // Nobody writes while somebody else does, so that the call is settled and not in the database.
    let person = Connection::open(bench.file()).unwrap();
    person.execute_batch("BEGIN IMMEDIATE").unwrap();
    slot.post(posting(1));
    let posted = killed(&bench);
    assert_eq!(books(&posted).await, (vec![completed(5)], 15, 1));
    person.execute_batch("COMMIT").unwrap();
    flushed(&store).await;
    let written = killed(&bench);
    assert_eq!(books(&written).await, (vec![completed(5)], 15, 1));
    assert_eq!(store.ledger().inflight().taken(), 0);
    store.close().await;
    assert_eq!(books(&bench).await, (vec![completed(5)], 15, 1));
}

#[tokio::test]
async fn a_call_whose_record_was_kept_and_has_gone_is_not_charged_again() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let slot = forward(&store, 1);
    let held = killed(&bench);
    let recorded = (vec![indeterminate(0)], 10, 1);
    assert_eq!(books(&killed(&held)).await, recorded);
    let tidied = "INSERT INTO kept_since (what, at) VALUES ('calls', '2027-11-20T00:00:00.000Z')";
    let other = Connection::open(held.file()).unwrap();
    other.execute_batch(tidied).unwrap();
    assert_eq!(books(&held).await, (vec![], 0, 0));
    drop(slot);
    store.close().await;
}

#[tokio::test]
async fn a_call_that_is_in_the_store_already_moves_nothing() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let slots = [forward(&store, 1), forward(&store, 2)];
    let before = killed(&bench);
    for (slot, number) in slots.into_iter().zip(1..) {
        slot.post(posting(number));
    }
    flushed(&store).await;
    let after = killed(&bench);
    // Killed after the commit and before the slots were emptied.
    let inflight = |bench: &Bench| bench.folder.path().join("faregate.db.inflight");
    fs::copy(inflight(&before), inflight(&after)).unwrap();
    let expected = (vec![completed(5), completed(5)], 30, 2);
    assert_eq!(books(&after).await, expected);
    store.close().await;
}

#[tokio::test]
async fn what_an_indeterminate_call_holds_is_never_exceeded() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let mut slot = forward(&store, 1);
    slot.checkpoint(Duration::ZERO, 1_000_000, || seen(1_000_000));
    let killed = killed(&bench);
    drop(slot);
    store.close().await;
    let (calls, tokens, _) = books(&killed).await;
    assert_eq!(calls, [indeterminate(90)]);
    assert_eq!(tokens, 100);
}

#[tokio::test]
async fn a_call_that_was_never_sent_never_happened() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    forward(&store, 1).void();
    assert_eq!(books(&killed(&bench)).await, (vec![], 0, 0));
    assert_eq!(store.ledger().inflight().taken(), 0);
    store.close().await;
}

#[tokio::test]
async fn what_a_broken_store_could_not_write_is_written_by_the_next_start() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let slots: Vec<_> = (0..400).map(|number| forward(&store, number)).collect();
    fill_disk(&store, true).await;
    for (slot, number) in slots.into_iter().zip(0..) {
        slot.post(posting(number));
    }
    // It tries some times, then gives up.
    store.close().await;
    let (calls, tokens, requests) = books(&bench).await;
    assert_eq!((calls.len(), tokens, requests), (400, 400 * 15, 400));
}

#[tokio::test]
async fn recovered_counters_are_there_when_the_store_is_open() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    post(&store, [posting(1)]);
    flushed(&store).await;
    let slot = forward(&store, 2);
    let killed = killed(&bench);
    drop(slot);
    store.close().await;
    let (store, loaded) = killed.open();
    let tokens = loaded
        .counters
        .iter()
        .find(|row| row.name == tokens_today());
    assert_eq!(
        tokens.map(|row| (row.window_start, row.used)),
        Some((TODAY, 25))
    );
    let hour = loaded.counters.iter().find(|row| row.name.per == Per::Hour);
    assert_eq!(hour.map(|row| row.used), Some(2));
    store.close().await;
}

#[tokio::test]
async fn in_strict_mode_the_hold_and_the_posting_are_waited_for() {
    let mut bench = Bench::new();
    bench.durability = Durability::Strict;
    let (store, _) = bench.open();
    let ledger = store.ledger();
    assert_eq!(ledger.durability(), Durability::Strict);
    let slot = forward(&store, 1);
    slot.held_on_disk().await.unwrap();
    slot.post_synced(posting(1)).await.unwrap();
    let reader = Connection::open(bench.file()).unwrap();
    let calls: i64 = reader
        .query_row("SELECT count(*) FROM calls", [], |row| row.get(0))
        .unwrap();
    assert_eq!(calls, 1);
    assert_eq!(ledger.inflight().taken(), 0);
    store.close().await;
    ledger.reserve().unwrap_err();
}

#[tokio::test]
async fn a_file_of_calls_that_was_moved_away_is_noticed() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let file = bench.folder.path().join("faregate.db.inflight");
    let elsewhere = bench.folder.path().join("elsewhere");
    fs::rename(&file, &elsewhere).unwrap();
    post(&store, [posting(1)]);
    let mut health = store.watch_health();
    let broken = health.wait_for(|health| !health.is_writable()).await;
    let words = broken.unwrap().words().unwrap().to_owned();
    assert!(
        words.contains("faregate.db.inflight was moved or deleted"),
        "{words}"
    );
    assert_eq!(store.ledger().reserve().unwrap_err(), LedgerBusy::Broken);
    fs::rename(&elsewhere, &file).unwrap();
    health.wait_for(Health::is_writable).await.unwrap();
    store.close().await;
    assert_eq!(books(&bench).await.0, [completed(5)]);
}

#[tokio::test]
async fn a_store_does_not_open_beside_a_file_that_is_none_of_its_own() {
    let bench = Bench::new();
    bench.open().0.close().await;
    fs::write(bench.folder.path().join("faregate.db.inflight"), "songs").unwrap();
    let words = bench.refusal();
    assert!(
        words.contains("is not a file of calls under way"),
        "{words}"
    );
}

#[tokio::test]
async fn another_number_of_slots_keeps_what_was_under_way() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    let slot = forward(&store, 1);
    let killed = killed(&bench);
    drop(slot);
    store.close().await;
    let mut settings = killed.settings();
    settings.in_flight = SLOTS / 2;
    let (store, _) = Store::open(&settings, killed.clock.clone()).unwrap();
    assert_eq!(store.ledger().inflight().slots(), SLOTS / 2);
    store.close().await;
    assert_eq!(books(&killed).await.0, [indeterminate(0)]);
}
