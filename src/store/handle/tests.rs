use std::{path::Path, sync::Arc};

use rusqlite::{Error, ffi};

use crate::{
    domain::{AccountId, Clock, Timestamp},
    store::{Durability, LedgerBusy, tests::posting},
};

use super::{Fault, Health, Location, Settings, Store, WriteError};

fn in_memory(places: usize) -> Store {
    let settings = Settings {
        location: Location::Memory,
        keep_calls: None,
        durability: Durability::Grouped,
        in_flight: 8,
    };
    let clock = Clock::manual(Timestamp::from_millis(0));
    Store::open_with(&settings, clock, places).unwrap().0
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_written_until_a_restart() {
    let store = in_memory(8);
    let slot = store.ledger().reserve().unwrap();
    let error = Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_IOERR_FSYNC), None);
    let fault = Fault::of(&error, Path::new("faregate.db"));
    store.inner.monitor.failed(fault);

    assert!(matches!(store.health(), Health::Fatal(_)));
    assert_eq!(store.ledger().reserve().unwrap_err(), LedgerBusy::Broken);
    let account = AccountId::parse("acme").unwrap();
    let refused = store.remember_accounts(vec![account]).await;
    assert!(
        matches!(refused, Err(WriteError::Unavailable(_))),
        "{refused:?}"
    );
    slot.post(posting(1));
    let count = "SELECT count(*) FROM calls";
    let calls = store.look(move |store| store.query_row(count, [], |row| row.get::<_, i64>(0)));
    assert_eq!(calls.await.unwrap().unwrap(), 0);
    // It ends all the same.
    store.close().await;
}

#[tokio::test]
async fn the_queue_has_the_places_that_it_was_given() {
    let store = in_memory(3);
    let ledger = store.ledger();
    let slots: Vec<_> = (0..3).map(|_| ledger.reserve().unwrap()).collect();
    assert_eq!(ledger.reserve().unwrap_err(), LedgerBusy::Full);
    // An administrator is heard while calls hold every place.
    store.remember_accounts(Vec::new()).await.unwrap();
    drop(slots);
    assert!(ledger.reserve().is_ok());
    store.close().await;
}

#[tokio::test]
async fn the_writer_ends_with_the_last_handle() {
    let store = in_memory(3);
    let writer = store.inner.writer.lock().unwrap().take().unwrap();
    let ledger = store.ledger();
    ledger.reserve().unwrap().post(posting(1));
    assert_eq!(Arc::strong_count(&store.inner), 1);
    drop(store);
    writer.join().unwrap();
    assert_eq!(ledger.reserve().unwrap_err(), LedgerBusy::Broken);
}
