//! A disk that takes its time.

use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use serde_json::Value;
use tokio::task::JoinSet;

use super::{
    CHAT, Call, DELTA, DONE, Daemon, KEY, STREAM, injected::Injected, nothing_held, pay, provider,
    replay, yaml,
};
use crate::harness::within;

#[tokio::test]
async fn a_disk_that_is_slow_delays_what_waits_for_it_and_loses_nothing() {
    for durability in ["grouped", "strict"] {
        let (upstream, _) = provider().await;
        let store = format!("in_flight: 64, durability: {durability}");
        let daemon = Daemon::start(&yaml(&upstream, &store)).await;
        let Some(slow) = Injected::into(&daemon, "fdatasync,fsync:delay_enter=50000").await else {
            return;
        };
        let mut callers = JoinSet::new();
        for _ in 0..6 {
            let address = daemon.address;
            callers.spawn(async move {
                for _ in 0..3 {
                    let call = Call::new(address, "POST", "/v1/chat/completions");
                    let answer = call.bearer(KEY).json(CHAT).send().await;
                    assert_eq!(answer.status, 200, "{}", answer.text());
                }
            });
        }
        assert_eq!(pay(&daemon, "meanwhile").await, 201);
        while let Some(caller) = callers.join_next().await {
            caller.unwrap();
        }
        // Killed at once, with what the disk was still busy with.
        drop(slow);
        let folder = daemon.killed();
        let daemon = Daemon::start_in(folder).await;
        nothing_held(&daemon).await;
        let said = replay(daemon.folder.path(), 18);
        assert_eq!(said["entries"], 2, "{durability}: {said:#}");
        assert_eq!(upstream.seen().len(), 18);
    }
}

/// What the daemon says of itself, and what it says to a call.
async fn states(daemon: &Daemon) -> (u16, u16) {
    let ready = Call::new(daemon.address, "GET", "/readyz").send().await;
    let call = Call::new(daemon.address, "POST", "/v1/chat/completions");
    let answer = call.bearer(KEY).json(CHAT).send().await;
    if answer.status == 503 {
        assert_eq!(answer.code(), "billing_unavailable", "{}", answer.text());
        assert!(answer.header("retry-after").is_some());
    }
    (ready.status.as_u16(), answer.status.as_u16())
}

#[tokio::test]
async fn a_disk_that_hangs_is_found_and_calls_go_on_when_it_answers() {
    let (upstream, _) = provider().await;
    let daemon = Daemon::start(&yaml(&upstream, "in_flight: 4096")).await;
    let Some(hangs) = Injected::into(&daemon, "fdatasync,fsync:delay_enter=8000000").await else {
        return;
    };
    let mut served = 0;
    within("the disk was found to hang", async {
        loop {
            match states(&daemon).await {
                (503, 503) => break,
                (_, 200) => served += 1,
                // It was found, or answered, between the two questions.
                _ => {}
            }
        }
    })
    .await;
    assert!(served > 0, "calls are served while the disk may answer");
    let asked = upstream.seen().len();
    assert_eq!(asked, served);
    drop(hangs);
    within("the disk answers again", async {
        while states(&daemon).await != (200, 200) {}
    })
    .await;
    nothing_held(&daemon).await;
}

#[tokio::test]
async fn a_call_that_waits_for_a_disk_that_hangs_is_refused_and_was_not_sent() {
    let (upstream, _) = provider().await;
    let daemon = Daemon::start(&yaml(&upstream, "in_flight: 64, durability: strict")).await;
    let Some(hangs) = Injected::into(&daemon, "fdatasync,fsync:delay_enter=20000000").await else {
        return;
    };
    let (_, status) = states(&daemon).await;
    assert_eq!((status, upstream.seen().len()), (503, 0));
    drop(hangs);
    within("the disk answers again", async {
        while states(&daemon).await != (200, 200) {}
    })
    .await;
    nothing_held(&daemon).await;
    let folder = daemon.killed();
    let calls = upstream.seen().len();
    let daemon = Daemon::start_in(folder).await;
    nothing_held(&daemon).await;
    replay(daemon.folder.path(), calls);
}

#[tokio::test]
async fn an_answer_that_waits_for_a_disk_that_hangs_ends_all_the_same_and_nothing_is_lost() {
    let (upstream, gate) = provider().await;
    let mut daemon = Daemon::start(&yaml(&upstream, "in_flight: 64, durability: strict")).await;
    let mut answer = daemon.chat(KEY, STREAM).open().await;
    assert_eq!(answer.status(), 200);
    let first = within("a frame", answer.frame()).await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), DELTA);
    // What it holds is on the disk; what it came to will not be for a while.
    let Some(hangs) = Injected::into(&daemon, "fdatasync,fsync:delay_enter=20000000").await else {
        return;
    };
    let asked = Instant::now();
    gate.open();
    let mut rest = Vec::new();
    while let Some(frame) = within("the end", answer.frame()).await {
        rest.extend_from_slice(&frame.unwrap().into_data().unwrap());
    }
    let took = asked.elapsed();
    assert_eq!(rest, DONE.as_bytes());
    assert!(
        took < Duration::from_secs(15),
        "it waited for the disk: {took:?}"
    );
    let id = answer.headers()["x-request-id"].to_str().unwrap();
    let told = |line: &Value| line["request_id"] == id && line["level"] == "warn";
    let words = daemon.logs(told).await["message"].to_string();
    assert!(
        words.contains("before its record was on the disk"),
        "{words}"
    );
    drop(hangs);
    within("the disk answers again", async {
        while states(&daemon).await != (200, 200) {}
    })
    .await;
    nothing_held(&daemon).await;
    let calls = upstream.seen().len();
    replay(daemon.killed().path(), calls);
}

#[tokio::test]
async fn an_answer_that_did_not_wait_for_the_disk_outlives_a_kill() {
    let (upstream, gate) = provider().await;
    let daemon = Daemon::start(&yaml(&upstream, "in_flight: 64, durability: strict")).await;
    let mut answer = daemon.chat(KEY, STREAM).open().await;
    within("a frame", answer.frame()).await.unwrap().unwrap();
    let Some(hangs) = Injected::into(&daemon, "fdatasync,fsync:delay_enter=20000000").await else {
        return;
    };
    gate.open();
    while let Some(frame) = within("the end", answer.frame()).await {
        frame.unwrap();
    }
    drop(hangs);
    let daemon = Daemon::start_in(daemon.killed()).await;
    nothing_held(&daemon).await;
    replay(daemon.folder.path(), 1);
}
