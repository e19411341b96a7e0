//! C-06 and C-07: what a hostile connection costs in memory, measured at the program.

use super::{HEALTH, chat_head, flood::count};
use crate::harness::{
    Daemon, KEY, Upstream, daemon_file,
    h2raw::{Wire, block, data, flag, frame, headers, kind, ping, settings},
    notice, resident, shared_config,
};

async fn daemon(upstream: &Upstream) -> Daemon {
    let config = shared_config(&upstream.url(), "");
    Daemon::start(&daemon_file("", "", &config)).await
}

/// A thousand fields that cost a byte each, on all streams of a connection whose answers nobody reads. Each is refused, and
/// the connection holds little more than the answers.
#[tokio::test]
async fn small_fields_that_grow_take_bounded_memory() {
    const CONNECTIONS: usize = 8;
    const FIELDS: usize = 900;
    let upstream = Upstream::answering("200 OK", "{}").await;
    let daemon = daemon(&upstream).await;
    let question = block(&HEALTH);
    let mut wires = Vec::new();
    // The first one warms up what is made once.
    let mut before = 0;
    for connection in 0..=CONNECTIONS {
        let mut wire = Wire::with(daemon.address, &[(4, 0)]).await;
        // `a: b` is put into the table, and is its first entry from then on (RFC 7541 §2.3.3).
        let named = [&question[..], b"\x40\x01a\x01b"].concat();
        let mut bytes = headers(flag::WHOLE, 1, &named);
        let grows = [&question[..], &[0xbe; FIELDS]].concat();
        for stream in (3..=199).step_by(2) {
            bytes.extend(headers(flag::WHOLE, stream, &grows));
        }
        wire.send(&bytes).await;
        for _ in 0..100 {
            let head = wire
                .find(|frame| frame.kind == kind::HEADERS)
                .await
                .unwrap();
            let expected = if head.stream == 1 { 200 } else { 431 };
            assert_eq!(head.status(), expected, "{head:?}");
        }
        assert!(wire.lives().await);
        wires.push(wire);
        if connection == 0 {
            before = resident(daemon.pid());
        }
    }
    let grown = resident(daemon.pid()).saturating_sub(before) / CONNECTIONS as u64;
    notice(&format!(
        "a connection of small fields that grow: {grown} bytes"
    ));
    assert!(grown < 8 << 20, "{grown}");
    drop(wires);
    let answer = daemon.chat(KEY, r#"{"model":"m"}"#).send().await;
    assert_eq!(answer.status, 200);
    daemon.signal("TERM");
    assert!(!daemon.whole_log().await.contains(KEY));
}

/// Frames for nothing leave nothing behind.
#[tokio::test]
async fn floods_leave_nothing_behind() {
    let upstream = Upstream::answering("200 OK", "{}").await;
    let daemon = daemon(&upstream).await;
    // What is sent again and again, and what before it: DATA needs a call whose body has not ended.
    let floods = [
        (Vec::new(), ping(b"12345678")),
        (Vec::new(), settings(&[])),
        (Vec::new(), frame(kind::PRIORITY, 0, 9, &[0, 0, 0, 0, 1])),
        (Vec::new(), frame(0x16, 0, 0, b"")),
        (chat_head(1), data(flag::NONE, 1, b"")),
    ];
    let mut before = None;
    for _ in 0..(count() / 1000).max(3) {
        for (first, each) in &floods {
            let mut wire = Wire::open(daemon.address).await;
            wire.send(first).await;
            while wire.send(&each.repeat(100)).await {}
            wire.closed().await;
        }
        before.get_or_insert_with(|| resident(daemon.pid()));
    }
    let grown = resident(daemon.pid()).saturating_sub(before.unwrap());
    notice(&format!("after floods for nothing: {grown} bytes more"));
    assert!(grown < 1 << 20, "{grown}");
    let answer = daemon.chat(KEY, r#"{"model":"m"}"#).send().await;
    assert_eq!(answer.status, 200);
    daemon.signal("TERM");
    assert!(!daemon.whole_log().await.contains(KEY));
}
