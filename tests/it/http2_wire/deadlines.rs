//! HTTP/2 clients that stop: heads, windows and connections. Deadlines are short and come by the file.

use super::{finish, hanging, post, start_with};
use crate::harness::{
    LIMITED,
    h2raw::{Wire, block, code, flag, headers, kind},
};

fn server(section: &str) -> String {
    format!("server: {{listen: \"127.0.0.1:0\", {section}}}\n")
}

/// C-04: a head whose end never comes ends the connection, though a call on it is under way.
#[tokio::test]
async fn a_head_without_its_end() {
    // On a slow machine the first head itself may be late, never with the last.
    for deadline in ["300ms", "3s", "60s"] {
        let server = server(&format!("timeouts: {{head: {deadline}}}"));
        let (upstream, gateway) = start_with(&server).await;
        let mut wire = Wire::open(gateway.address).await;
        wire.send(&hanging(1)).await;
        let in_time = tokio::select! {
            () = upstream.arrival() => true,
            () = wire.closed() => false,
        };
        if in_time {
            let block = block(&post("/raw/v1/hang"));
            wire.send(&headers(flag::END_STREAM, 3, &block)).await;
            wire.closed().await;
            upstream.all_closed().await;
            let record = &gateway.records(1).await[0];
            assert_eq!(record["status"], 499);
            gateway.nothing_held(LIMITED).await;
            assert_eq!(upstream.seen().len(), 1);
            finish(&upstream, gateway).await;
            return;
        }
        gateway.stop().await;
    }
    panic!("never in time");
}

/// C-08: an answer that its client does not take is given up, and nothing else on the connection.
#[tokio::test]
async fn a_window_that_stays_shut() {
    let (upstream, gateway) = start_with(&server("timeouts: {write_stall: 200ms}")).await;
    // `SETTINGS_INITIAL_WINDOW_SIZE` of nothing.
    let mut wire = Wire::with(gateway.address, &[(4, 0)]).await;
    wire.send(&super::chat(1)).await;
    assert_eq!(wire.answer(1).await, 200);
    let end = wire.find(|frame| frame.stream == 1).await.unwrap();
    assert!(end.is(kind::RST_STREAM, 1), "{end:?}");
    assert_eq!(end.code(), code::CANCEL);
    assert!(wire.lives().await);
    gateway.calls(1).await;
    drop(wire);
    finish(&upstream, gateway).await;
}

/// C-09: a connection on which nothing is asked is closed, without an error.
#[tokio::test]
async fn an_idle_connection() {
    let (upstream, gateway) = start_with(&server("http2: {idle: 200ms}")).await;
    let mut wire = Wire::open(gateway.address).await;
    wire.send(&super::chat(1)).await;
    assert_eq!(wire.answer(1).await, 200);
    assert_eq!(wire.goaway().await, Some(code::NO_ERROR));
    // A client that answers the ping behind it is let go at once.
    if let Some(ping) = wire.find(|frame| frame.kind == kind::PING).await {
        let pong = crate::harness::h2raw::frame(kind::PING, flag::ACK, 0, &ping.payload);
        wire.send(&pong).await;
    }
    wire.closed().await;
    finish(&upstream, gateway).await;
}
