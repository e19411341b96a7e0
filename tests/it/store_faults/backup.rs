//! Copies of a store that is written meanwhile, and a daemon on such a copy.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use http_body_util::BodyExt;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::{
    CHAT, Call, Daemon, KEY, Path, STREAM, TOKEN, nothing_held, pay, provider, replay,
    served_again, yaml,
};
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

/// Every call that is recorded, once there are `count`.
async fn recorded(daemon: &Daemon, count: usize) {
    within("the calls were recorded", async {
        loop {
            let page = Call::new(daemon.admin, "GET", "/admin/v1/calls").bearer(TOKEN);
            let page = page.send().await.value();
            let calls = page["data"].as_array().unwrap().len();
            assert!(calls <= count, "{page:#}");
            if calls == count {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn calls_that_an_older_copy_lacks_are_recorded_on_it_once() {
    let (upstream, gate) = provider().await;
    let daemon = Daemon::start(&yaml(&upstream, "in_flight: 64")).await;
    for _ in 0..3 {
        assert_eq!(daemon.chat(KEY, CHAT).send().await.status, 200);
    }
    recorded(&daemon, 3).await;
    let store = daemon.folder.path().join("faregate.db");
    let copy = daemon.folder.path().join("copy.db");
    back_up(&store, &copy);
    // Credit that the copy does not have, and that is spent first.
    let credit = Call::new(daemon.admin, "POST", "/admin/v1/accounts/a/credit").bearer(TOKEN);
    let credit = credit.json(r#"{"amount": "1", "priority": 0}"#);
    assert_eq!(credit.send().await.status, 201);
    let mut streams = JoinSet::new();
    for _ in 0..5 {
        let stream = daemon.chat(KEY, STREAM).open().await.into_body();
        streams.spawn(stream.collect());
    }
    while !streams.is_empty() {
        gate.open();
        if let Some(ended) = streams.try_join_next() {
            ended.unwrap().unwrap();
        }
        tokio::task::yield_now().await;
    }
    recorded(&daemon, 8).await;
    let folder = daemon.killed();
    for ending in ["", "-wal", "-shm"] {
        std::fs::remove_file(folder.path().join(format!("faregate.db{ending}"))).unwrap();
    }
    std::fs::rename(&copy, &store).unwrap();

    let daemon = Daemon::start_in(folder).await;
    let told = daemon.early.iter().find(|line| line["settled"] == 5);
    assert!(told.is_some(), "{:#?}", daemon.early);
    recorded(&daemon, 8).await;
    nothing_held(&daemon).await;
    // Another entry has the number of the one that is gone.
    assert_eq!(pay(&daemon, "after").await, 201);
    assert_eq!(daemon.chat(KEY, CHAT).send().await.status, 200);
    recorded(&daemon, 9).await;
    let folder = daemon.killed();
    replay(folder.path(), 9);
    let daemon = Daemon::start_in(folder).await;
    recorded(&daemon, 9).await;
    replay(daemon.folder.path(), 9);
}

/// A limit of the service (`LimitFSIZE=`) or the shell, below the size of the store.
#[tokio::test]
async fn a_copy_that_may_not_grow_is_refused_and_leaves_nothing() {
    let (upstream, _) = provider().await;
    let daemon = Daemon::start(&yaml(&upstream, "in_flight: 64")).await;
    daemon.signal("TERM");
    let (_, folder) = daemon.ended().await;
    let names = || {
        let files = std::fs::read_dir(folder.path()).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names
            .filter(|name| name.contains("backup") || name.contains("copy"))
            .collect::<Vec<_>>()
    };
    let limited = "ulimit -f 128; exec \"$0\" backup copy.db --config faregate.yaml";
    let mut command = Command::new("sh");
    command.args(["-c", limited, env!("CARGO_BIN_EXE_faregate")]);
    let output = command.current_dir(folder.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{:?}: {said}", output.status);
    assert!(
        said.contains("copy.db: ") && said.contains("has room"),
        "{said}"
    );
    assert_eq!(names(), Vec::<String>::new());
}
