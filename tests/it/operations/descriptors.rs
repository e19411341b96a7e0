//! No descriptor is left.

use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    ANSWER,
    figures::{descriptors, ticks},
    yaml,
};
use crate::harness::{Daemon, KEY, Upstream, raw, within};

const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;

fn limit(pid: u32, files: Option<u64>) {
    let pid = Pid::from_raw(pid.cast_signed());
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = files.or(maximum);
    prlimit(pid, Resource::Nofile, Rlimit { current, maximum }).unwrap();
}

#[tokio::test]
async fn while_no_descriptor_is_left_clients_wait_and_nothing_spins() {
    let upstream = Upstream::answering("200 OK", ANSWER).await;
    let mut daemon = Daemon::start(&yaml(&upstream.url(), "")).await;
    let pid = daemon.pid();
    let probe = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut old = raw(daemon.address, probe.as_bytes()).await;
    let mut answer = [0; 4096];
    assert!(within("an answer", old.read(&mut answer)).await.unwrap() > 0);
    daemon.all_settled(&upstream, KEY).await;
    // From here on every new descriptor is one too many.
    limit(pid, Some(descriptors(pid) as u64));
    let last = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let mut waiting = Vec::new();
    for _ in 0..40 {
        waiting.push(raw(daemon.address, last.as_bytes()).await);
    }
    let paused = |line: &serde_json::Value| {
        let message = line["message"].as_str().unwrap_or_default();
        message.starts_with("cannot accept connections for now")
    };
    daemon.logs(paused).await;
    // Whoever spins takes all of this second; the pauses grow to one instead.
    let before = ticks(pid);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let spent = ticks(pid) - before;
    assert!(spent < 25, "{spent} hundredths of a second in one");
    // Who was there before is served as ever.
    old.write_all(probe.as_bytes()).await.unwrap();
    assert!(within("an answer", old.read(&mut answer)).await.unwrap() > 0);

    limit(pid, None);
    for mut client in waiting {
        let mut answer = String::new();
        within("an answer", client.read_to_string(&mut answer))
            .await
            .unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    assert_eq!(daemon.chat(KEY, CHAT).send().await.status, 200);
    daemon.all_settled(&upstream, KEY).await;
}
