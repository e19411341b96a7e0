use std::{path::Path, sync::Arc};

use rusqlite::{Error, ffi};
use tokio::sync::mpsc::Receiver;

use crate::store::{
    Durability, Inflight,
    health::{Fault, Monitor},
    tests::posting,
};

use super::{Ledger, LedgerBusy, Queued};

fn ledger(places: usize, slots: u32, monitor: Arc<Monitor>) -> (Ledger, Receiver<Queued>) {
    let inflight = Inflight::in_memory(slots);
    Ledger::new(places, inflight, Durability::Grouped, monitor)
}

#[test]
fn a_full_queue_is_said_and_a_dropped_slot_makes_room() {
    let (ledger, mut postings) = ledger(2, 2, Arc::new(Monitor::new()));
    let first = ledger.reserve().unwrap();
    let second = ledger.reserve().unwrap();
    assert_eq!(ledger.reserve().unwrap_err(), LedgerBusy::Full);

    drop(first);
    let third = ledger.reserve().unwrap();
    second.post(posting(1));
    // What is posted keeps its place until the writer takes it.
    assert_eq!(ledger.reserve().unwrap_err(), LedgerBusy::Full);
    assert_eq!(postings.try_recv().unwrap().posting, posting(1));
    assert!(ledger.reserve().is_ok());
    drop(third);
}

#[test]
fn a_slot_can_be_posted_after_the_store_has_failed() {
    let monitor = Arc::new(Monitor::new());
    let (ledger, mut postings) = ledger(2, 2, Arc::clone(&monitor));
    let slot = ledger.reserve().unwrap();
    let error = Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_FULL), None);
    monitor.failed(Fault::of(&error, Path::new("faregate.db")));
    assert_eq!(ledger.reserve().unwrap_err(), LedgerBusy::Broken);
    slot.post(posting(1));
    assert_eq!(postings.try_recv().unwrap().posting, posting(1));
}

#[test]
fn a_closed_ledger_is_broken() {
    let (ledger, mut postings) = ledger(2, 2, Arc::new(Monitor::new()));
    postings.close();
    assert_eq!(ledger.reserve().unwrap_err(), LedgerBusy::Broken);
}

#[test]
fn as_many_calls_are_under_way_as_there_are_slots() {
    let (ledger, mut postings) = ledger(8, 2, Arc::new(Monitor::new()));
    let first = ledger.reserve().unwrap();
    let second = ledger.reserve().unwrap();
    assert_eq!(ledger.reserve().unwrap_err(), LedgerBusy::Overloaded);
    // The place in the queue that was taken with it has gone back.
    assert_eq!(ledger.waiting(), 2);

    drop(first);
    let third = ledger.reserve().unwrap();
    second.post(posting(1));
    // A slot is free when its call is written, not when the writer knows of it.
    let queued = postings.try_recv().unwrap();
    assert_eq!(ledger.reserve().unwrap_err(), LedgerBusy::Overloaded);
    queued.done();
    assert!(ledger.reserve().is_ok());
    third.void();
    assert_eq!(ledger.inflight().taken(), 0);
}

#[tokio::test]
async fn whoever_waits_for_a_posting_hears_of_it_when_it_is_done() {
    let (ledger, mut postings) = ledger(8, 8, Arc::new(Monitor::new()));
    let mut synced = ledger.reserve().unwrap().post_synced(posting(1));
    let lost = ledger.reserve().unwrap().post_synced(posting(2));
    let queued = postings.try_recv().unwrap();
    assert!(synced.try_recv().is_err());
    queued.done();
    synced.await.unwrap();
    // The writer has gone without it.
    drop(postings);
    lost.await.unwrap_err();
}
