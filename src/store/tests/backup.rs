//! Copies of the store.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::store::{
    BackupError, Reader,
    tests::{Bench, flushed, post, posting},
};

#[tokio::test]
async fn a_copy_is_a_store_of_one_instant_while_the_daemon_writes_on() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    post(&store, (0..50).map(posting));
    flushed(&store).await;
    let copy = bench.folder.path().join("copy.db");
    let reader = Reader::open(&bench.file()).unwrap();
    let size = reader.backup(&copy).unwrap();
    post(&store, (50..60).map(posting));
    store.close().await;

    let metadata = fs::metadata(&copy).unwrap();
    assert_eq!(metadata.len(), size);
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    let verified = Reader::open(&copy).unwrap().verify(|_| {}).unwrap();
    assert!(verified.is_right(), "{verified:?}");
    assert_eq!(verified.calls, 50);
    // It takes the store's place.
    for name in ["faregate.db", "faregate.db-wal", "faregate.db-shm"] {
        let _ = fs::remove_file(bench.folder.path().join(name));
    }
    fs::rename(&copy, bench.file()).unwrap();
    let (store, _) = bench.open();
    post(&store, [posting(70)]);
    store.close().await;
    let verified = Reader::open(&bench.file()).unwrap().verify(|_| {}).unwrap();
    assert!(verified.is_right(), "{verified:?}");
}

#[tokio::test]
async fn a_copy_replaces_nothing_and_leaves_nothing_half_done() {
    let bench = Bench::new();
    let (store, _) = bench.open();
    store.close().await;
    let reader = Reader::open(&bench.file()).unwrap();
    let there = bench.folder.path().join("there");
    fs::write(&there, "precious").unwrap();
    assert!(matches!(reader.backup(&there), Err(BackupError::Exists(path)) if path == there));
    assert_eq!(fs::read(&there).unwrap(), b"precious");
    let nowhere = bench.folder.path().join("no/folder");
    let refused = reader.backup(&nowhere);
    assert!(
        matches!(refused, Err(BackupError::Unwritable { .. })),
        "{refused:?}"
    );
    // A draft has a name that nobody's file has.
    let copies = bench.folder.path().join("copies");
    fs::create_dir(&copies).unwrap();
    let others = ["copy.new", "copy.new-journal", "copy-journal"].map(|name| copies.join(name));
    for other in &others {
        fs::write(other, "precious").unwrap();
    }
    reader.backup(&copies.join("copy")).unwrap();
    for other in &others {
        assert_eq!(fs::read(other).unwrap(), b"precious", "{other:?}");
    }
    assert_eq!(fs::read_dir(&copies).unwrap().count(), 4);
    // The name is too long for the copy, and not for its draft.
    let refused = reader.backup(&copies.join("n".repeat(256)));
    assert!(
        matches!(refused, Err(BackupError::Unwritable { .. })),
        "{refused:?}"
    );
    assert_eq!(fs::read_dir(&copies).unwrap().count(), 4);
}
