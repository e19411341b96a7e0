//! A client that vanishes without a word.

use std::time::{Duration, Instant};

use socket2::{SockFilter, SockRef};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{
    Gate, Gateway, KEY, Step, Upstream, json, notice, raw, shared_config, sse, unharmed,
    watch_panics, within,
};

/// Takes half a minute of the kernel's time, which nobody can turn, so that it is run where `FAREGATE_VANISH` is set.
#[tokio::test]
async fn a_client_that_vanishes_is_found_after_half_a_minute() {
    if std::env::var_os("FAREGATE_VANISH").is_none() {
        notice("VANISHED CLIENT NOT TESTED: set FAREGATE_VANISH, it takes half a minute");
        return;
    }
    watch_panics();
    let gate = Gate::default();
    let waiting = gate.clone();
    let upstream = Upstream::start(move |seen| {
        if seen.json()["stream"] != true {
            return json("200 OK", r#"{"choices":[]}"#);
        }
        let mut steps = sse(&["data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n"]);
        steps.insert(2, Step::Wait(waiting.clone()));
        steps
    })
    .await;
    let gateway = Gateway::start(&shared_config(&upstream.url(), "")).await;
    let body = r#"{"model":"m","stream":true}"#;
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut client = raw(gateway.address, request.as_bytes()).await;
    let mut read = Vec::new();
    within("the first event", async {
        while !read.ends_with(b"\n\n\r\n") {
            client.read_buf(&mut read).await.unwrap();
        }
    })
    .await;
    client.flush().await.unwrap();
    // A filter of the socket that takes zero bytes of every packet: from here on the client's kernel hears nothing, and so
    // acknowledges nothing. 6 is BPF's return of a constant.
    SockRef::from(&client)
        .attach_filter(&[SockFilter::new(6, 0, 0, 0)])
        .unwrap();
    let since = Instant::now();
    let found = tokio::time::timeout(Duration::from_secs(90), upstream.all_closed());
    found.await.expect("the vanished client was not found");
    let took = since.elapsed();
    notice(&format!("a vanished client was found after {took:?}"));
    // At most a heartbeat, and half a minute in which it is not acknowledged.
    assert!(took < Duration::from_secs(46), "{took:?}");
    let call = gateway.calls(1).await.remove(0);
    assert_eq!(call["outcome"], "client_closed", "{call}");
    unharmed(&gateway, &upstream, "").await;
    drop((client, gate));
    gateway.stop().await;
}
