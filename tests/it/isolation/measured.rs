//! K-03: how much of a flood its neighbours feel.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::timeout};

use super::{QUIET, flood::Flood, tenants};
use crate::{
    fixture::CHAT,
    harness::{Daemon, HANG, daemon_file, notice},
    load::{Connection, Times, chat, provider, seconds},
};

/// How long the provider takes: a tenth of what a fast model takes for its first word.
const DELAY: Duration = Duration::from_millis(20);

/// What the flood waits between two of its actions on each of its 30 ways: some 600 a second.
const PAUSE: Duration = Duration::from_millis(50);

fn yaml(provider: SocketAddr) -> String {
    let rest = format!(
        "providers: {{up: {{kind: openai, base_url: \"http://{provider}/v1\", api_key: sk-upstream}}}}\n\
         models: {{m: {{provider: up, context_window: 1000, max_output_tokens: 500}}}}\n{}",
        tenants()
    );
    daemon_file("", "", &rest)
}

/// What the quiet tenants see in a while: how long answers took, and how many failed.
async fn quiet(address: SocketAddr, time: Duration) -> (Times, usize) {
    let end = Instant::now() + time;
    let mut callers = JoinSet::new();
    for caller in 0..8 {
        callers.spawn(async move {
            let request = chat(QUIET[caller % QUIET.len()], CHAT);
            let (mut times, mut failed) = (Times::default(), 0);
            let mut connection = Connection::open(address).await.unwrap();
            while Instant::now() < end {
                let start = Instant::now();
                let told = connection.ask(&request).await;
                if told.as_ref().is_ok_and(|told| told.status == 200) {
                    times.note(start.elapsed());
                } else {
                    failed += 1;
                }
                if !told.is_ok_and(|told| told.kept) {
                    connection = Connection::open(address).await.unwrap();
                }
                // They ask at their own pace.
                tokio::time::sleep(PAUSE).await;
            }
            (times, failed)
        });
    }
    let (mut all, mut failures) = (Times::default(), 0);
    while let Some(seen) = timeout(time + HANG, callers.join_next())
        .await
        .expect("a quiet tenant hangs")
    {
        let (times, failed) = seen.unwrap();
        all.add(times);
        failures += failed;
    }
    (all, failures)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neighbours_of_a_flood_are_served_as_fast() {
    let asked = seconds("FAREGATE_ISOLATION");
    let time = Duration::from_secs(asked.unwrap_or(1));
    let daemon = Daemon::start(&yaml(provider(DELAY).await)).await;
    let (alone, failed_alone) = quiet(daemon.address, time).await;
    let flood = Flood::begin(daemon.address, Some(PAUSE));
    let (beside, failed) = quiet(daemon.address, time).await;
    let limited = flood.limited();
    flood.end().await;
    notice(&format!(
        "K-03: alone p50 {:?}, p99 {:?}; beside a flood p50 {:?}, p99 {:?}, {failed} of {} failed",
        alone.quantile(50),
        alone.quantile(99),
        beside.quantile(50),
        beside.quantile(99),
        beside.count() + failed,
    ));
    assert_eq!(failed_alone, 0);
    assert!(beside.count() > 0);
    // 99.9 %, rounded in their favour where they asked less than a thousand times.
    assert!(failed * 1000 <= beside.count() + failed, "{failed}");
    if asked.is_some() {
        assert!(limited > 0);
        assert!(2 * beside.quantile(99) <= 3 * alone.quantile(99));
    }
    daemon.signal("TERM");
    let (status, _) = daemon.ended().await;
    assert_eq!(status.code(), Some(0));
}
