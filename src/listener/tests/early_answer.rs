//! An answer given while the request is still being sent must reach the client.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    harness::{reaches, rest, send, serve, settings, within},
    tls::{connect, with_certificate},
};

/// As large as a client's upload may well be, and far beyond what the kernels of both ends can hold.
const BODY: usize = 20 << 20;

/// Sends everything before reading anything.
async fn check_refused(client: &mut (impl AsyncRead + AsyncWrite + Unpin), fields: &str) {
    let head =
        format!("POST /refuse HTTP/1.1\r\nhost: test\r\ncontent-length: {BODY}\r\n{fields}\r\n");
    send(client, head).await;
    send(client, vec![b'x'; BODY]).await;
    let answer = rest(client).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.ends_with("too large"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reaches_a_client_that_sends_20_mib_first() {
    let running = serve(settings());
    for _ in 0..20 {
        check_refused(&mut running.connect().await, "").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reaches_it_when_it_offers_an_upgrade() {
    let running = serve(settings());
    let fields =
        "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n";
    check_refused(&mut running.connect().await, fields).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reaches_it_through_tls() {
    let (settings, roots) = with_certificate(settings());
    let running = serve(settings);
    for _ in 0..3 {
        let mut client = connect(&running, &roots, &[]).await;
        check_refused(&mut client, "").await;
    }
}

#[tokio::test]
async fn lingering_ends_by_bytes() {
    let mut few = settings();
    few.closing.linger_bytes = 1 << 20;
    check_lingering_ends(few).await;
}

#[tokio::test]
async fn lingering_ends_by_time() {
    let mut short = settings();
    short.closing.linger = Duration::from_millis(50);
    short.closing.linger_bytes = u64::MAX;
    check_lingering_ends(short).await;
}

/// A client that never stops sending is closed, and its permit is given back.
async fn check_lingering_ends(mut settings: crate::listener::Settings) {
    settings.connections = 1;
    let running = serve(settings);
    let mut client = running.connect().await;
    let head = "POST /refuse HTTP/1.1\r\nhost: test\r\ncontent-length: 999999999999\r\n\r\n";
    send(&mut client, head).await;
    reaches(&running.seen.over, 1).await;
    within(async {
        use tokio::io::AsyncWriteExt;
        while client.write_all(&[0; 1 << 16]).await.is_ok() {}
    })
    .await;
    let mut next = running.connect().await;
    super::harness::get(&mut next, "/").await;
    super::harness::answer(&mut next).await;
}
