use std::{path::Path, sync::Arc};

use rusqlite::{Error, ffi};

use crate::store::{
    health::{Fault, Monitor},
    tests::posting,
};

use super::{Ledger, LedgerBusy};

#[test]
fn a_full_queue_is_said_and_a_dropped_slot_makes_room() {
    let (ledger, mut postings) = Ledger::new(2, Arc::new(Monitor::new()));
    let first = ledger.reserve().unwrap();
    let second = ledger.reserve().unwrap();
    assert_eq!(ledger.reserve().unwrap_err(), LedgerBusy::Full);

    drop(first);
    let third = ledger.reserve().unwrap();
    second.post(posting(1));
    // What is posted keeps its place until the writer takes it.
    assert_eq!(ledger.reserve().unwrap_err(), LedgerBusy::Full);
    assert_eq!(postings.try_recv().unwrap(), posting(1));
    assert!(ledger.reserve().is_ok());
    drop(third);
}

#[test]
fn a_slot_can_be_posted_after_the_store_has_failed() {
    let monitor = Arc::new(Monitor::new());
    let (ledger, mut postings) = Ledger::new(2, Arc::clone(&monitor));
    let slot = ledger.reserve().unwrap();
    let error = Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_FULL), None);
    monitor.failed(Fault::of(&error, Path::new("faregate.db")));
    assert_eq!(ledger.reserve().unwrap_err(), LedgerBusy::Broken);
    slot.post(posting(1));
    assert_eq!(postings.try_recv().unwrap(), posting(1));
}

#[test]
fn a_closed_ledger_is_broken() {
    let (ledger, mut postings) = Ledger::new(2, Arc::new(Monitor::new()));
    postings.close();
    assert_eq!(ledger.reserve().unwrap_err(), LedgerBusy::Broken);
}
