//! Copies of a store that is written meanwhile, and a daemon on such a copy.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tempfile::TempDir;
use tokio::task::JoinSet;

use super::{CHAT, Call, Daemon, KEY, Path, nothing_held, pay, provider, served_again, yaml};
use crate::harness::{replayed, verified, within, write};

/// Copies the store as the README says, or as any SQLite client can.
fn back_up(store: &Path, copy: &Path) {
    let told = format!(".backup '{}'", copy.display());
    let done = Command::new("sqlite3").arg(store).arg(&told).status();
    if !done.is_ok_and(|status| status.success()) {
        let store = rusqlite::Connection::open(store).unwrap();
        store
            .execute("VACUUM INTO ?1", [copy.to_str().unwrap()])
            .unwrap();
    }
}

#[tokio::test]
async fn a_copy_of_a_busy_store_adds_up_and_is_a_store() {
    let (upstream, _) = provider().await;
    let text = yaml(&upstream, "in_flight: 8192");
    let daemon = Daemon::start(&text).await;
    let over = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for _ in 0..3 {
        let (address, over) = (daemon.address, Arc::clone(&over));
        callers.spawn(async move {
            let mut served = 0;
            while !over.load(Ordering::Relaxed) {
                let call = Call::new(address, "POST", "/v1/chat/completions");
                let answer = call.bearer(KEY).json(CHAT).send().await;
                assert_eq!(answer.status, 200, "{}", answer.text());
                served += 1;
            }
            served
        });
    }
    let store = daemon.folder.path().join("faregate.db");
    let mut counts = Vec::new();
    for number in 0..3 {
        for _ in 0..10 {
            upstream.arrival().await;
        }
        assert_eq!(pay(&daemon, &format!("before-{number}")).await, 201);
        let restored = TempDir::new().unwrap();
        write(restored.path(), &text);
        let (from, to) = (store.clone(), restored.path().join("faregate.db"));
        let copying = tokio::task::spawn_blocking(move || back_up(&from, &to));
        within("the copy is made", copying).await.unwrap();
        let said = verified(restored.path());
        // Everything that was acknowledged before is in it.
        assert_eq!(said["entries"], 2 + number, "{said:#}");
        if let Some(second) = replayed(restored.path()) {
            assert_eq!(second["difference_nano_usd"], 0);
            assert_eq!(second["calls"], said["calls"]);
        }
        counts.push(said["calls"].as_u64().unwrap());
        let copy = Daemon::start_in(restored).await;
        nothing_held(&copy).await;
        served_again(&copy).await;
        copy.signal("TERM");
        copy.ended().await;
    }
    over.store(true, Ordering::Relaxed);
    let mut served = 0;
    while let Some(caller) = callers.join_next().await {
        served += caller.unwrap();
    }
    daemon.signal("TERM");
    let (_, folder) = daemon.ended().await;
    assert_eq!(verified(folder.path())["calls"], served);
    assert!(counts.is_sorted() && counts[0] < counts[2], "{counts:?}");
}
