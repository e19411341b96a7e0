//! A disk that takes its time.

use tokio::task::JoinSet;

use super::{
    CHAT, Call, Daemon, KEY, injected::Injected, nothing_held, pay, provider, replay, yaml,
};

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
